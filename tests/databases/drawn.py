"""Trees of the layouts with small faces: all that a database ships, for tests that look at labels and clocks and not at pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stmap_pipeline.registry import load
from stmap_pipeline.synth import plan_synthesis
from stmap_pipeline.synth.recordings import RecordingPlan

SIZE_PX = (112, 112)


def draw_small(root: Path, layout: str, subjects: int, duration_s: float) -> dict[str, RecordingPlan]:
    """Write a tree whose images are small, and return the plans of its recordings by id."""
    found = load("layouts", layout)
    plans = [
        replace(one, scene=replace(one.scene, size_px=SIZE_PX))
        for one in plan_synthesis(root, layout, subjects, seed=3, duration_s=duration_s).recordings
    ]
    for one in plans:
        found.write(root, one)
    found.finish(root, plans)
    return {one.recording_id: one for one in plans}
