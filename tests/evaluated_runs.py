"""Maps and runs for tests of the evaluation: subjects in folds, windows long enough for a pulse, errors that are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from simulated_traces import simulated_result

from stmap_pipeline.config import Config
from stmap_pipeline.records import RoiGrid, VideoSource
from stmap_pipeline.shards.example import example_maps

RATES_BPM = {"p001": (55.0, 62.0), "p002": (71.0, 84.0), "p003": (90.0, 104.0), "p004": (66.0, 78.0)}


def folded_maps(
    root: Path, *, shift_bpm: float = 0.0, label: bool = True, lost: bool = False, grid: tuple[int, int] = (2, 2), **windows: object
) -> Path:
    """Four subjects in two folds, two recordings of 14 s each, windows of 8 s."""
    results = []
    for number, (subject, rates) in enumerate(RATES_BPM.items()):
        for take, bpm in enumerate(rates, 1):
            one = simulated_result(
                bpm + shift_bpm,
                14.0,
                f"{subject}_v{take}",
                label=label,
                grid=RoiGrid(*grid),
                seed=10 * number + take,
                lost_s=[(6.0, 8.0)] if lost else [],
            )
            recording = dataclasses.replace(
                one.recording,
                subject=subject,
                fold=1 + number % 2,
                scenario=f"v{take}",
                camera="source1",
                video=VideoSource(Path("v.avi")),
            )
            results.append(dataclasses.replace(one, recording=recording))
    settings = {"blocks": {"rows": grid[0], "cols": grid[1]}, "windows": {"length": "240 frames", "step": "1 s"} | windows}
    return example_maps(root, results, Config.from_mapping(settings))
