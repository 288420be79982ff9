"""Tables on the terminal, with what they were measured on, and how often answers of a probability are right."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PACKAGES = ("stmap", "numpy", "opencv-python-headless", "av", "dlib-bin", "h5py", "joblib")


class ReliabilityBin(NamedTuple):
    """Answers with a probability from ``low`` up to, but not including, ``high``; NaN where there is none."""

    low: float
    high: float
    answers: int
    mean_probability: float
    right_share: float


def reliability(probability: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], edges: Sequence[float]) -> list[ReliabilityBin]:
    """Count answers, and those that are right, in bins of their probability; the last bin has its upper end, too."""
    bins = []
    for low, high in pairwise(edges):
        inside = (probability >= low) & ((probability < high) | (high == edges[-1]))
        known = bool(inside.any())
        mean, share = (float(one[inside].mean()) if known else float("nan") for one in (probability, right))
        bins.append(ReliabilityBin(low, high, int(inside.sum()), mean, share))
    return bins


def machine() -> dict[str, str]:
    """Name processor, cores, system and versions."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def show_machine() -> None:
    """Print the machine."""
    for name, value in machine().items():
        print(f"{name:10} {value}")


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown, so that it can stand in the documentation as it is."""
    cells = [[str(one) for one in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["| " + " | ".join(one.ljust(width) for one, width in zip(row, widths, strict=True)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    print(f"\n{title}\n")
    print("\n".join([lines[0], rule, *lines[1:]]), flush=True)
