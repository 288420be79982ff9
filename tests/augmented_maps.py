"""A small build whose heart rates can be balanced, made of numbers alone."""

from __future__ import annotations

from pathlib import Path

from stmap_pipeline.balance import BalanceOptions, Bins
from stmap_pipeline.config import Config
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.shards import Shards, plan_augmentation, write_augmentation
from stmap_pipeline.shards.example import example_maps

OPTIONS = BalanceOptions(bins=Bins(40, 160, 20))


def small_maps(root: Path, *, frames: int = 240, **windows: object) -> Path:
    """Four subjects in two folds, two recordings each."""
    results = [
        example_result(
            f"p{subject:03d}_v{take}", subject=f"p{subject:03d}", fold=1 + subject % 2, frames=frames, heart_rate_bpm=rate
        )
        for subject, rates in enumerate([(58.0, 66.0), (71.0, 77.0), (74.0, 79.0), (83.0, 104.0)], 1)
        for take, rate in enumerate(rates, 1)
    ]
    settings = {"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames", "step": "1 s"} | windows}
    return example_maps(root, results, Config.from_mapping(settings))


def add_augmentation(root: Path, options: BalanceOptions = OPTIONS) -> Path:
    """Plan and write an augmentation."""
    with Shards(root) as shards:
        write_augmentation(shards, plan_augmentation(shards, options))
    return root


def content(root: Path) -> dict[str, bytes]:
    """All files of an output."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
