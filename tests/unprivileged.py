"""Run Python where the permissions of files count, which they do not for root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# without these two, root is bound by the permissions of its own files like anybody else; they go with the next exec
_DROP = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
        sys.exit(99)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def run_unprivileged(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run code with arguments, and skip the test where root cannot give up its rights."""
    command = [sys.executable, "-c", code, *map(str, words)]
    if os.getuid() == 0:
        command = [sys.executable, "-c", _DROP, *command[1:]]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if run.returncode == 99:
        pytest.skip("root cannot give up its rights here")
    return run
