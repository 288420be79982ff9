"""What a user should know of a build: notes of its recordings, and windows without a heart rate, each once with where it occurs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from stmap_pipeline.records import Window
from stmap_pipeline.shards.reader import RecordingInfo

_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
# as part of a word, such as the name of a file, it is no quantity
_QUANTITY = re.compile(r"(?<![\w.-])[0-9]+(?:\.[0-9]+)?(?![\w-])(?!\.\w)")


def recordings_by_note(recordings: Iterable[RecordingInfo]) -> dict[str, list[str]]:
    """Return each note with the recordings that have one like it, the most frequent note first.

    Notes that differ in numbers alone count as one: the first of them, with the range of each number.

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
    {'1 to 2 frames dropped': ['p001_v1', 'p001_v2'], 'lamp': ['p001_v1']}
    """
    texts: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}
    for one in recordings:
        kinds = {_NUMBER.sub("0", note): note for note in one.notes.split(" | ") if note}
        for kind, note in kinds.items():
            texts.setdefault(kind, []).append(note)
            found.setdefault(kind, []).append(one.recording_id)
    return {_with_ranges(texts[kind]): found[kind] for kind in sorted(found, key=lambda kind: -len(found[kind]))}


def _with_ranges(notes: list[str]) -> str:
    """Return the first of notes that differ in numbers alone, with the range of each quantity in it."""
    quantities = zip(*(_QUANTITY.findall(note) for note in notes), strict=False)
    ranges = iter([sorted(set(values), key=float) for values in quantities])

    def written(match: re.Match[str]) -> str:
        values = next(ranges, [match[0]])
        return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"

    return _QUANTITY.sub(written, notes[0])


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
