"""Estimate clips whose heart rate is known, and clips without a pulse: how many get a rate, and how many of these are right.

    python benchmarks/estimate_family.py TRUTH.csv [METHOD]

``TRUTH.csv`` has the columns ``file`` (beside it) and ``true_bpm``, which is empty where there is no pulse. Right is within 3 bpm, or 4 % above
100 bpm.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

from tables import show, show_machine

from stmap_pipeline.evaluation.estimate import estimate_video
from stmap_pipeline.evaluation.window_rates import PULSE_NET_METHOD, rate_source


def is_right(heart_rate_bpm: float, true_bpm: float) -> bool:
    """Return whether a rate is near enough."""
    return abs(heart_rate_bpm - true_bpm) <= (0.04 * true_bpm if true_bpm > 100 else 3.0)


def main(truth: Path, method: str = PULSE_NET_METHOD) -> None:
    """Estimate all and print a table."""
    show_machine()
    source = rate_source(method)
    rows, answered, right, false, without = [], 0, 0, 0, 0
    frames, begin_s = 0, time.process_time()
    with truth.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = estimate_video(truth.parent / row["file"], source)
            frames += 0 if found.blocks is None else len(found.blocks.times_s)
            verdict = "refused" if found.refused else "answer"
            if row["true_bpm"]:
                good = is_right(found.guess_bpm, float(row["true_bpm"]))
                answered += not found.refused
                right += good and not found.refused
                verdict += "" if good else ", wrong"
            else:
                without += 1
                false += not found.refused
            rows.append((row["file"], row["true_bpm"], f"{found.guess_bpm:.1f}", f"{found.probability:.2f}", verdict))
    used_s = time.process_time() - begin_s
    show("Clips", ("file", "true bpm", "best guess", "probability", ""), rows)
    known = len(rows) - without
    show(
        "In all",
        ("what", "clips"),
        [
            ("answered", f"{answered} of {known}"),
            ("right", f"{right} of {answered}"),
            ("answered without a pulse", f"{false} of {without}"),
            ("frames per second of CPU time", f"{frames / used_s:.0f}"),
        ],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
