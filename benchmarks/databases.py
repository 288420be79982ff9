"""Each layout from end to end: a drawn tree, its maps, the labels of its windows and the heart rate by POS, beside the known pulse.

    python benchmarks/databases.py [LAYOUT ...] [--subjects N] [--limit N] [--seconds S] [--json FILE]

All layouts take some minutes on two cores. Exit code 1 where the label of a window is more than 2 bpm off.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from tables import show, show_machine

from stmap_pipeline import registry
from stmap_pipeline.config import Config
from stmap_pipeline.evaluation import compare_heart_rate
from stmap_pipeline.pipeline import plan_build, run_build
from stmap_pipeline.shards import Shards
from stmap_pipeline.synth import plan_synthesis

LIMIT_BPM = 2.0
# the longest window that a label which ends a little before the video covers
_WINDOW_SHARE = 0.8


def measure(layout: str, subjects: int, limit: int | None, seconds: float, folder: Path) -> dict[str, object]:
    """Draw a tree, build its maps, and compare labels and POS with the known pulse."""
    start = time.monotonic()
    plan = plan_synthesis(folder / "tree", layout, subjects, seed=3, duration_s=seconds)
    plan = replace(plan, recordings=plan.recordings[:limit])
    list(plan.run())
    truth = {one.recording_id: one for one in plan.recordings}
    config = Config.from_mapping(
        {"windows": {"length": f"{_WINDOW_SHARE * seconds:g} s"}, "limits": {"min_duration_s": seconds / 2}}
    )
    outcomes = list(run_build(plan_build(layout, folder / "tree", folder / "maps", config), 0))
    shards = Shards(folder / "maps")
    labels, pos, unlabeled = [], [], 0
    starts_s = {one.recording_id: shards.recording(one.recording_id).blocks.times_s[0] for one in shards.recordings()}
    for window in shards.windows():
        pulse, start_s = truth[window.recording_id].scene.pulse, starts_s[window.recording_id]
        true_bpm = float(pulse.mean_between(window.start_s - start_s, window.stop_s - start_s))
        if np.isfinite(window.heart_rate_bpm):
            labels.append(abs(window.heart_rate_bpm - true_bpm))
        else:
            unlabeled += 1
    for info in shards.recordings():
        result = shards.recording(info.recording_id)
        times_s = result.blocks.times_s
        times_s = times_s - times_s[0]  # those of PURE count from 1970
        true_bpm = float(truth[info.recording_id].scene.pulse.mean_between(times_s[0], times_s[-1]))
        pos.append(abs(compare_heart_rate(result).estimated_bpm - true_bpm))
    return {
        "layout": layout,
        "recordings": len(outcomes),
        "recording s": seconds,
        "built": sum(one.status == "ok" for one in outcomes),
        "reasons": sorted({one.reason for one in outcomes if one.reason}),
        "windows with label": len(labels),
        "without": unlabeled,
        "label error bpm": max(labels, default=float("nan")),
        "POS error bpm": float(np.median(pos)) if pos else float("nan"),
        "seconds": time.monotonic() - start,
    }


def main() -> int:
    """Measure the layouts and show a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layouts", nargs="*", default=registry.names("layouts"))
    parser.add_argument("--subjects", type=int, default=2)
    parser.add_argument("--limit", type=int, help="draw the first so many recordings of a layout")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    show_machine()
    found = []
    for layout in args.layouts:
        with tempfile.TemporaryDirectory() as name:
            found.append(measure(layout, args.subjects, args.limit, args.seconds, Path(name)))
        print(found[-1], flush=True)
    head = list(found[0])
    show(
        "Layouts from end to end",
        head,
        [[f"{value:.2f}" if isinstance(value, float) else str(value) for value in one.values()] for one in found],
    )
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return int(any(not float(str(one["label error bpm"])) <= LIMIT_BPM for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
