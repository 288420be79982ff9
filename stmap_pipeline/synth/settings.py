"""Settings of what is drawn or simulated, against those of what a folder holds already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def changed_settings(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """List the settings that differ, as ``key found -> wanted``.

    Examples
    --------
    >>> changed_settings({"seed": 1, "old": 2}, {"seed": 3})
    ['seed 1 -> 3', 'old 2 -> absent']
    """
    return [
        f"{key} {found.get(key, 'absent')} -> {wanted.get(key, 'absent')}"
        for key in dict.fromkeys([*wanted, *found])
        if found.get(key) != wanted.get(key)
    ]
