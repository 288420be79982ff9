"""What a user should know of a build: notes of its recordings, and windows without a heart rate, each once with where it occurs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from stmap_pipeline.records import Window
from stmap_pipeline.shards.reader import RecordingInfo

_NUMBER = re.compile(r"[0-9]+([.,][0-9]+)*")


def recordings_by_note(recordings: Iterable[RecordingInfo]) -> dict[str, list[str]]:
    """Return each note with the recordings that have one like it, the most frequent note first.

    Notes that differ in numbers alone count as one and stand under the first of them.

    Parameters
    ----------
    recordings : iterable of RecordingInfo

    Returns
    -------
    dict of str to list of str
        Recording ids by note.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> one, two, _ = Shards(example_maps()).recordings()
    >>> recordings_by_note([replace(one, notes="lamp | 2 frames dropped"), replace(two, notes="1 frames dropped")])
    {'2 frames dropped': ['p001_v1', 'p001_v2'], 'lamp': ['p001_v1']}
    """
    first: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for one in recordings:
        kinds = {_NUMBER.sub("0", note): note for note in one.notes.split(" | ") if note}
        for kind, note in kinds.items():
            first.setdefault(kind, note)
            found.setdefault(kind, []).append(one.recording_id)
    return {first[kind]: found[kind] for kind in sorted(found, key=lambda kind: -len(found[kind]))}


def label_problems_by_recording(windows: Iterable[Window]) -> dict[str, Counter[str]]:
    """Count the windows of each recording by why they have no heart rate.

    Parameters
    ----------
    windows : iterable of Window
        As recorded.

    Returns
    -------
    dict of str to Counter
        Windows by code of :data:`~stmap_pipeline.records.traces.LABEL_PROBLEMS`, by recording id; the code is empty for windows that
        have a heart rate. A recording without a window is missing.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> label_problems_by_recording(Shards(example_maps()).windows())["p001_v1"]
    Counter({'': 3})
    """
    found: dict[str, Counter[str]] = {}
    for one in windows:
        found.setdefault(one.recording_id, Counter())[one.label_problem] += 1
    return found
