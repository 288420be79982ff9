"""What a folder of user videos needs said, or decided, before a build: subjects, label files beside videos, copies, frame rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stmap_pipeline.config import Config, parse_span
from stmap_pipeline.databases.folder import NAME as FOLDER
from stmap_pipeline.databases.folder import files_beside
from stmap_pipeline.databases.folder_description import DESCRIPTIONS
from stmap_pipeline.errors import RecordingError, printable
from stmap_pipeline.files import first_copies
from stmap_pipeline.labels import read_frame_times
from stmap_pipeline.pipeline.findings import Finding
from stmap_pipeline.pipeline.subjects import guess_subjects
from stmap_pipeline.records import Recording, median_interval_s
from stmap_pipeline.video import probe_video

# frame rates that differ by more give windows of one number of frames that are of two kinds
_SAME_RATE = 1.1
# where 300 frames last 8 to 12.5 s
_USUAL_RATES_HZ = (24.0, 37.5)
# opening a video takes milliseconds; so many of them tell whether a folder is mixed
_MOST_OPENED = 200
_SHOWN = 8
_FEW = 10


def notes_of_listing(root: Path, recordings: Sequence[Recording], earlier_subjects: Mapping[str, str]) -> list[Finding]:
    """List what a user should know of the subjects and label files of a folder before it is built.

    Parameters
    ----------
    root : Path
    recordings : sequence of Recording
    earlier_subjects : mapping of str to str
        Recording -> subject, as an output has them that is to be continued.
    """
    found: list[Finding] = []
    usable = [one for one in recordings if not one.skip_reason]
    changed = [one for one in recordings if earlier_subjects.get(one.recording_id, one.subject) != one.subject]
    if changed:
        first = changed[0]
        what = f"{first.recording_id} was {earlier_subjects[first.recording_id]!r} and is {first.subject!r}"
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        found.append(Finding("subjects_changed", f"subjects differ from those of the output: {what}{more}"))
    if all(one.subject == one.recording_id for one in usable) and len(usable) > 1:
        hint = _hint_of_subjects(root, [one.video.path for one in usable])
        found.append(Finding("own_subject", f"nobody named the subjects: each video counts as a subject of its own{hint}"))
    once = list({one.video.path: one for one in reversed(usable)}.values())[::-1]
    for copy, original in first_copies([one.video.path for one in once]).items():
        one, first = once[copy], once[original]
        what = f"{_inside(root, one.video.path)} has the same content as {_inside(root, first.video.path)}"
        found.append(Finding("same_content", what, one.recording_id))
    unlabeled = [one.video.path for one in usable if not one.labels]
    clocks = {one.clock.path for one in usable}
    beside = {
        video: rest for video, files in files_beside(unlabeled).items() if (rest := [one for one in files if one not in clocks])
    }
    if beside:
        example = _inside(root, next(iter(beside.values()))[0])
        many = f"{len(beside)} of {len(unlabeled)} videos without a label have a file of the same name beside them"
        hint = (
            "no entry of the description names it" if _described_by(root) else "`stmap init` writes a database.toml that names it"
        )
        found.append(Finding("label_beside", f"{many} ({example}), which is not used; {hint}"))
    return found


def _hint_of_subjects(root: Path, videos: Sequence[Path]) -> str:
    """Return what to type for the subjects that the names of folders tell; nothing where they tell none."""
    root = root.absolute()
    if not all(one.is_relative_to(root) for one in videos):
        return ""
    guess = guess_subjects(root, videos).subjects
    if set(guess) == {"{parent}"}:
        return f"; --subject '{{parent}}' makes {subject_counts([one.parent.name for one in videos])}"
    if set(guess) == {"{grandparent}"}:
        return f"; --subject '{{grandparent}}' makes {subject_counts([one.parent.parent.name for one in videos])}"
    return "; `stmap init` writes a database.toml that names them" if all(guess) else ""


def subject_counts(subjects: Sequence[str]) -> str:
    """Return how many recordings each subject has, as text.

    Examples
    --------
    >>> subject_counts(["anna", "bea", "anna"])
    '2 subjects: anna (2), bea (1)'
    """
    counts = Counter(subjects)
    shown = ", ".join(f"{printable(name)} ({count})" for name, count in sorted(counts.items())[:_SHOWN])
    more = f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    return f"{len(counts)} subject{'s' if len(counts) != 1 else ''}: {shown}{more}"


def fit_windows(recordings: Sequence[Recording], config: Config) -> tuple[Config, list[Finding]]:
    """Return settings whose windows last equally long in all videos, where the user has chosen none.

    Where frame rates differ by more than a tenth, windows of 10 s are cut on the uniform clock, so that all have one number of
    samples; where all are far from 30 frames/s, windows of 10 s on the clock of the frames.

    Parameters
    ----------
    recordings : sequence of Recording
        All of the folder, so that the choice does not depend on what is built of it.
    config : Config
    """
    chosen = config.windows.model_fields_set & {"clock", "length", "rate_hz"}
    # a length in seconds alone says nothing of the clock: on that of the frames, windows of two frame rates have two numbers of samples
    if chosen - {"length"} or (chosen and parse_span(config.windows.length)[1] == "frames"):
        return config, []
    length = config.windows.length if chosen else "10 s"
    usable = [one for one in recordings if not one.skip_reason]
    opened = usable[:: max(1, -(-len(usable) // _MOST_OPENED))]
    rates_hz = [rate for one in opened if 0 < (rate := nominal_rate_hz(one)) < np.inf]
    low, high = min(rates_hz, default=30.0), max(rates_hz, default=30.0)
    changes: dict[str, str] = {}
    if high > _SAME_RATE * low:
        changes = {"clock": "uniform", "length": length}
        clock = f"a uniform clock of {config.windows.rate_hz:g} Hz"
        what = f"frame rates differ ({low:.3g} to {high:.3g} frames/s): windows are {length} on {clock}"
    elif not chosen and not _USUAL_RATES_HZ[0] <= low <= high <= _USUAL_RATES_HZ[1]:
        changes = {"length": "10 s"}
        what = f"{config.windows.length} would be {300 / high:.3g} s at {high:.3g} frames/s: windows are 10 s"
    if not changes:
        return config, []
    windows = config.windows.model_copy(update=changes)
    hint = "; [windows] in a --config file chooses otherwise"
    return config.model_copy(update={"windows": windows}), [Finding("windows_in_seconds", what + hint)]


def nominal_rate_hz(recording: Recording) -> float:
    """Return the usual frame rate of a recording by its clock, without decoding; NaN where it is not known."""
    clock = recording.clock
    try:
        if clock.rate_hz is not None:
            return clock.rate_hz
        if clock.path is not None:
            times_s = read_frame_times(clock.path, clock.unit_s, clock.column)
        else:
            facts = probe_video(recording, quick=True)
            times_s = facts.times_s
            if times_s.size < _FEW:
                return facts.rate_hz
    except RecordingError:
        return float("nan")
    interval_s = median_interval_s(times_s)
    return 1 / interval_s if interval_s > 0 else float("nan")


def _inside(root: Path, path: Path) -> str:
    base = root.absolute() if root.is_dir() else root.absolute().parent
    return printable(path.relative_to(base) if path.is_relative_to(base) else path)


def title_of_videos(source: Path, listed: Sequence[Recording]) -> tuple[str, str]:
    """Return what a folder of user videos is called in texts, and the name in its description; empty where it has none.

    Examples
    --------
    >>> title_of_videos(Path("nowhere"), [])
    ('own videos without labels', '')
    """
    names = {one.database for one in listed} - {FOLDER}
    study = names.pop() if len(names) == 1 else ""
    if described := _described_by(source):
        return f"own videos{f' ({study})' if study else ''}, described by {described}", study
    return "own videos" if any(one.labels for one in listed) else "own videos without labels", study


def _described_by(folder: Path) -> str:
    return next((name for name in DESCRIPTIONS if (folder / name).is_file()), "")
