"""Are the resampled windows of an output what they claim to be? Each is held against its recorded window and its label trace."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from stmap_pipeline.maps.balance import Request, Verdict
from stmap_pipeline.maps.balance.sources import Parts
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Problem, Shards, is_augmented

_TABLE = "windows.csv"
# sums in another order may end in another last digit
_SAME = 1e-9


def augmentation_problems(out: Path) -> Iterator[Problem]:
    """Compare the resampled windows with those that they were made from, and their labels with the stored label traces.

    Not with a new plan: another version of NumPy may draw other random numbers, and the windows are right all the same.

    Parameters
    ----------
    out : Path
        An output whose files are what its manifest says.

    Examples
    --------
    >>> from stmap_pipeline.maps.balance import Fg2019Options
    >>> from stmap_pipeline.pipeline.augment import apply_augmentation, plan_augmentation
    >>> from stmap_pipeline.shards.example import example_maps
    >>> root = example_maps()
    >>> apply_augmentation(root, plan_augmentation(root, Fg2019Options()))
    >>> list(augmentation_problems(root))
    []
    """
    if not is_augmented(out):
        return
    with Shards(out) as shards:
        recorded = shards.windows()
        bases = {(one.recording_id, one.start): one for one in recorded}
        added = shards.windows(augmented=True)[len(recorded) :]
        for name, windows in groupby(added, key=lambda one: one.recording_id):
            ours = list(windows)
            wrong = next((one for one in ours if not _has_base(one, bases)), None)
            if wrong is not None:
                yield Problem(_TABLE, "content", f"{_TABLE}: {_called(wrong)} is made from a window that is not there")
                continue
            for one in _with_other_label(shards, name, ours):
                yield Problem(_TABLE, "content", f"{_TABLE}: {_called(one)} does not fit the label and the frames of its recording")


def _has_base(one: Window, bases: dict[tuple[str, int], Window]) -> bool:
    base = bases.get((one.recording_id, one.start))
    return base is not None and (base.stop, base.start_s, base.stop_s, base.fold) == (one.stop, one.start_s, one.stop_s, one.fold)


def _with_other_label(shards: Shards, name: str, windows: list[Window]) -> Iterator[Window]:
    start, stop = (np.array([getattr(one, field) for one in windows], dtype=np.int64) for field in ("start", "stop"))
    parts = Parts([shards.source(name)], [Request(name, start, stop, np.zeros(len(windows)))], 0.0)
    found = parts.read(np.arange(len(windows)), np.array([one.hr_scale for one in windows]))
    length_s = np.array([one.duration_s for one in windows])
    theirs = np.stack([found.heart_rate_bpm, found.heart_rate_bpm * length_s / 60, found.valid_fraction, found.coverage])
    ours = np.array([(one.heart_rate_bpm, one.beats, one.valid_fraction, one.coverage) for one in windows]).T
    right = np.isclose(ours, theirs, rtol=_SAME, atol=0).all(axis=0) & (found.verdict == Verdict.OFFERED)
    yield from (windows[number] for number in np.flatnonzero(~right))


def _called(one: Window) -> str:
    return f"{one.recording_id} from {one.start} at hr_scale {one.hr_scale:g}"
