"""Where the real recordings are, for the tests that use them. They are not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("STMAP_REAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def real(name: str) -> Path:
    """Give the path of a real recording, or skip the test."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"the real recording {name} is not here (set STMAP_REAL_DATA to the folder that holds it)")
    return path
