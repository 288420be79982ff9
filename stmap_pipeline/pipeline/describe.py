"""Propose a ``database.toml`` for a folder of user videos: who is seen in them, and which files beside them hold labels or frame times.

What is proposed was read and checked; what could not be is written as a comment with the reason.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tomli_w

from stmap_pipeline.config import Config
from stmap_pipeline.databases.base import Database, contents, natural_key, source_folder
from stmap_pipeline.databases.folder import DATABASE, LABEL_SUFFIXES, files_beside, find_videos, recording_of
from stmap_pipeline.databases.folder_description import RecordingEntry, find_description
from stmap_pipeline.errors import DatabaseError, RecordingError, printable
from stmap_pipeline.labels import Columns, LabelFileError, format_of, read_columns, read_frame_times
from stmap_pipeline.labels.beats import MAX_HEART_RATE_BPM, MIN_HEART_RATE_BPM
from stmap_pipeline.labels.heart_rate import MIN_PULSE_RATE_HZ
from stmap_pipeline.labels.times import value_unit_of
from stmap_pipeline.labels.wrong_column import usual_swing_bpm
from stmap_pipeline.pipeline.check import FRAMES_SLACK, CheckPlan, check_recording
from stmap_pipeline.pipeline.subjects import SubjectGuess, guess_subjects
from stmap_pipeline.pipeline.user_videos import subject_counts
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.video import VideoFacts, probe_video

FloatArray = npt.NDArray[np.float64]

# words of column and file names, between other characters than letters
_WORDS = {
    "heart_rate": r"hr|bpm|heart ?rate|pulse ?rate|herzfrequenz|herzrate|心率|脉率",
    "pulse": r"ppg|bvp|pleth|plethysmogram|pulse|puls|wave|waveform",
    "ecg": r"ecg|ekg",
    "rr": r"rr|rri|ibi|nn|rr ?intervals?",
}
_TIME_WORDS = r"time|times|timestamps?|datetime|t|sec|secs|seconds|elapsed|zeit|uhrzeit|时间"
# what is counted each minute, too
_OTHER_RATES = r"resp|breath|atem|steps?|cadence"
_USUAL_RATES_HZ = (1, 2, 4, 5, 10, 20, 25, 30, 32, 50, 60, 64, 100, 125, 128, 130, 200, 250, 256, 300, 500, 512, 1000, 2000)
_SAME_RATE = 0.03
_UNITS_S = (1.0, 1e-3, 1e-6, 1e-9)
_FEWEST_TIMES = 3
# a heart rate that is shown with each frame changes by no more within a second; a wave does
_STEADY_BPM = 3.0
# share by which the span of times may differ from the duration of the video
_SAME_SPAN = 0.1
_SNIFFED_BYTES, _SNIFFED_LINES = 8192, 30
_FATAL = ("label_unreadable", "label_overlap", "source_missing", "heart_rate_range")
_HEAD = """\
# Which videos belong to whom, and where their labels are. Written by `stmap init` from the files of this folder: read it through, and
# change what is wrong. Then
#     stmap check --db folder {folder}
# All keys: docs/reference/databases.md, or `stmap databases folder`.
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A description of a folder that nobody has confirmed yet.

    Parameters
    ----------
    text : str
        Of ``database.toml``.
    videos, labeled : int
        How many videos there are, and how many of them have a label that could be read.
    subjects : str
        How many recordings each subject has, as text; empty where each video is a subject of its own.
    notes : tuple of str
        What is to be looked at: files that were not used, labels that could not be read.
    """

    text: str
    videos: int
    labeled: int
    subjects: str
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Block:
    """Keys of an entry or of a label in it, with comments; ``problem`` makes the keys a comment, too."""

    keys: dict[str, Any]
    comments: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass(slots=True)
class _Entry:
    path: Path
    video: _Block
    labels: list[_Block] = field(default_factory=list)


def propose_description(folder: Path, subject: str = "") -> Proposal:
    """Propose a description of the videos under a folder.

    Parameters
    ----------
    folder : Path
    subject : str
        Who is seen in a video, by placeholders such as ``{parent}``; without it, it is found from the names of folders and files.

    Raises
    ------
    DatabaseError
        Where the folder has a description already, or holds no video.
    """
    root = source_folder(folder)
    there = find_description(root)
    if there is not None:
        raise DatabaseError(f"{printable(there)}: is there already and is not overwritten; move it away, or change it by hand")
    every = sorted(find_videos(root), key=lambda one: natural_key(str(one)))
    videos = [one for one in every if _is_text(one.relative_to(root).as_posix())]
    if not videos:
        raise DatabaseError(f"{printable(root)}: no video whose name could be written down; found {contents(root)}")
    notes = (
        [f"{len(every) - len(videos)} names of videos are no text and cannot be written down; rename them"]
        if every != videos
        else []
    )
    guess = SubjectGuess([subject] * len(videos)) if subject else guess_subjects(root, videos)
    notes += [guess.note] if guess.note else []
    beside = _candidates(videos)
    entries, used = [], set[Path]()
    for video, who in zip(videos, guess.subjects, strict=True):
        entry, taken = _describe(root, video, who, beside.get(video, []))
        entries.append(entry)
        used |= taken
    unused = sorted({one for files in beside.values() for one in files} - used)
    if unused:
        names = ", ".join(printable(one.relative_to(root)) for one in unused[:5])
        more = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
        notes.append(f"not used, as nothing in them looks like a heart rate, a pulse or frame times: {names}{more}")
    problems = [
        f"{printable(one.path.relative_to(root))}: {label.problem}" for one in entries for label in one.labels if label.problem
    ]
    notes += problems[:5] + ([f"and {len(problems) - 5} more labels that could not be used"] if len(problems) > 5 else [])
    labeled = sum(any(not label.problem for label in one.labels) for one in entries)
    people = [_filled(root, one.path, one.video.keys.get("subject", "")) for one in entries]
    return Proposal(
        _written(root, folder, entries, notes), len(entries), labeled, subject_counts(people) if all(people) else "", tuple(notes)
    )


# ---- files beside a video


def _candidates(videos: Sequence[Path]) -> dict[Path, list[Path]]:
    """Return the files that may belong to each video: of its name, or in a folder that holds no other video."""
    found = files_beside(videos)
    alone = Counter(one.parent for one in videos)
    for video in videos:
        if alone[video.parent] == 1 and video not in found:
            names = sorted(video.parent.iterdir(), key=lambda one: natural_key(one.name))
            files = [
                one for one in names if one.suffix.lower() in LABEL_SUFFIXES and one.is_file() and not one.name.startswith(".")
            ]
            found |= {video: files} if files else {}
    return {video: [one for one in files if _is_text(one.name) and not set("{}") & set(one.name)] for video, files in found.items()}


def _describe(root: Path, video: Path, subject: str, files: Sequence[Path]) -> tuple[_Entry, set[Path]]:
    """Return the entry of a video, and the files that it uses."""
    entry = _Entry(video, _Block({"video": video.relative_to(root).as_posix()} | ({"subject": subject} if subject else {})))
    used: set[Path] = set()
    try:
        facts = probe_video(Recording("video", "folder", "video", VideoSource(video)))
    except RecordingError as error:
        entry.video.comments.append(f"cannot be opened: {error}")
        return entry, used
    for path in files:
        times = {} if "times" in entry.video.keys else _frame_times(path, facts)
        if times:
            entry.video.keys |= {"times": _placeholder(video, path), **times}
            entry.video.keys = {key: value for key, value in entry.video.keys.items() if value is not None}
            used.add(path)
            if "times_column" not in entry.video.keys:
                continue
        taken = {one.keys["kind"] for one in entry.labels if not one.problem}
        for label in _labels(path, facts):
            if label.keys["kind"] in taken:
                continue
            label.keys["file"] = _placeholder(video, path)
            _try(root, entry, label)
            entry.labels.append(label)
            used.add(path)
    if any(not one.problem for one in entry.labels):
        # another file had what was looked for
        entry.labels = [one for one in entry.labels if not one.problem]
    return entry, used


def _placeholder(video: Path, path: Path) -> str:
    name = path.name
    return "{dir}/{stem}" + name[len(video.stem) :] if name.startswith(video.stem) else "{dir}/" + name


def _try(root: Path, entry: _Entry, label: _Block) -> None:
    """Read a label as it is proposed, and say what is wrong with it."""
    plan = CheckPlan(_DATABASE, root, Config())
    found = _problems(root, entry, label, plan)
    if any("video_start" in message for _, message in found):
        # the most that can be said of dates where nothing tells when the video began
        label.keys["starts_with_video"] = True
        again = _problems(root, entry, label, plan)
        if not again:
            label.comments.append(
                "its dates or times of day are not counted: first row and first frame are taken to begin together"
            )
        else:
            del label.keys["starts_with_video"]
        found = again and found
    found = [(code, message.replace(f"{printable(root)}/", "")) for code, message in found]
    fatal = [message for code, message in found if code in _FATAL]
    label.problem = fatal[0] if fatal else ""
    label.comments += [f"look at this: {message}" for code, message in found if code not in _FATAL]


def _problems(root: Path, entry: _Entry, label: _Block, plan: CheckPlan) -> list[tuple[str, str]]:
    try:
        wanted = RecordingEntry.model_validate({**entry.video.keys, "subject": "", "label": [label.keys]})
        recording = recording_of(root, wanted, entry.path)
    except (ValueError, DatabaseError) as error:
        return [("label_unreadable", str(error).splitlines()[-1].strip())]
    labels = ("label", "heart_rate", "pulse", "source")
    found = check_recording(recording, plan)
    return [(one.code, one.message) for one in found if one.severity == "problem" and one.code.startswith(labels)]


_DATABASE: Database = DATABASE


# ---- what a file holds


def _frame_times(path: Path, facts: VideoFacts) -> dict[str, Any]:
    """Return the keys of a file of frame times; nothing where it has none of this video."""
    if not facts.frames:
        return {}
    try:
        named = [name for name in format_of(path).list_columns(path) if _is_time(name)]
    except (LabelFileError, OSError, ValueError):
        return {}
    # milliseconds since 1970 are no times at all where they are read as seconds
    for column, unit_s in product((None, *named), _UNITS_S):
        try:
            times_s = read_frame_times(path, unit_s, column)
        except RecordingError:
            continue
        if times_s.size < _FEWEST_TIMES or abs(times_s.size - facts.frames) > FRAMES_SLACK or np.ptp(times_s) == 0:
            continue
        if _is_as_long(times_s, facts, slack=0.6):
            return {"times_unit_s": unit_s if unit_s != 1 else None, "times_column": column}
    return {}


def _unit_of_times(times: FloatArray, facts: VideoFacts) -> float:
    """Return the unit in which a span of times is about as long as the video; 0 where there is none."""
    return next((unit_s for unit_s in _UNITS_S if _is_as_long(times * unit_s, facts, _SAME_SPAN)), 0.0)


def _is_as_long(times_s: FloatArray, facts: VideoFacts, slack: float) -> bool:
    """Return whether times span about as much as the video, but for a share of it."""
    if not times_s.size or not facts.duration_s > 0:
        return False
    return abs(float(np.ptp(times_s)) - facts.duration_s) <= slack * facts.duration_s + 1


def _labels(path: Path, facts: VideoFacts) -> Iterator[_Block]:
    """Yield what a file seems to hold: the heart rate first."""
    try:
        chosen = format_of(path)
        names = list(chosen.list_columns(path))
        text = chosen.name in ("text", "rows")
    except (LabelFileError, OSError, ValueError):
        return
    found = False
    # some devices write lines of their own above the table
    for header in (names, *(_headers_further_down(path) if text else [])):
        for block in _named(path, header, facts):
            found = True
            yield block
        if found:
            return
    if names and all(name.isdigit() for name in names):
        yield from _nameless(path, len(names), facts)


def _named(path: Path, names: Sequence[str], facts: VideoFacts) -> Iterator[_Block]:
    """Yield what columns of these names seem to hold."""
    times = next(filter(_is_time, names), None)
    found = False
    for kind in _WORDS:
        columns = [name for name in names if name != times and _is(kind, name)]
        # beside a plethysmogram, a column "pulse" is its rate, and "ppg_timestamp" its time
        columns.sort(key=lambda name: (_is_time(name), _plain(name).strip() in ("pulse", "puls")))
        # elsewhere "rr" is the rate of breathing
        if columns and not (kind == "rr" and found):
            block = _block(path, kind, columns[0], times, facts)
            if block is not None:
                block.comments += [f"also there: {', '.join(map(repr, columns[1:]))}"] if columns[1:] else []
                found = True
                yield block


def _is_time(name: str) -> bool:
    return re.search(rf"(?<![a-z])(?:{_TIME_WORDS})(?![a-z])", _plain(name)) is not None


def _is(kind: str, name: str) -> bool:
    # the heart rate by a pulse or an ECG is a heart rate
    if kind in ("pulse", "ecg") and _is("heart_rate", name):
        return False
    if kind == "heart_rate" and value_unit_of(name) == "bpm" and not re.search(_OTHER_RATES, _plain(name)):
        return True
    return re.search(rf"(?<![a-z])(?:{_WORDS[kind]})(?![a-z])", _plain(name)) is not None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z\u4e00-\u9fff]+", " ", name.casefold())


def _headers_further_down(path: Path) -> Iterator[list[str]]:
    """Yield the cells of each line that names a time beside a heart rate, a pulse or an ECG."""
    with path.open("rb") as file:
        text = file.read(_SNIFFED_BYTES).decode("utf-8", "replace")
    for line in text.splitlines()[:_SNIFFED_LINES]:
        cells = [cell.strip().strip('"').strip("# ") for cell in re.split(r"[,;\t]", line)]
        if any(map(_is_time, cells)) and any(_is(kind, cell) for kind in _WORDS for cell in cells):
            yield cells


def _block(path: Path, kind: str, column: str | int, times: str | int | None, facts: VideoFacts) -> _Block | None:
    """Return the keys of one label; None where the column holds no numbers."""
    try:
        read = read_columns(path, [column], times)
    except (LabelFileError, OSError):
        return None
    values = read.values[0][np.isfinite(read.values[0])]
    if 2 * values.size <= read.values[0].size:
        return None
    middle = float(np.median(values))
    if kind == "pulse" and _is_rate(values, _rate_hz(read, facts)):
        kind = "heart_rate"  # the pulse, as it is called, in beats/min
    block = _Block({"kind": kind, "file": "", "column": column})
    if kind == "heart_rate" and values.max() < 4:
        block.keys["unit"] = "hz"
        block.comments.append(f"values of {values.min():.3g} to {values.max():.3g} are hertz")
    if kind == "rr" and not any(read.units):
        block.keys["unit"] = "ms" if middle > 10 else "s"
    if times is not None:
        block.keys["time_column"] = times
        known = read.times
        if known is not None and known.kind == "number" and not known.unit_s:
            unit_s = _unit_of_times(known.values[np.isfinite(known.values)], facts)
            if unit_s not in (0.0, 1.0):
                block.keys["time_unit_s"] = unit_s
    elif kind != "rr" and read.rate_hz is None:
        _add_clock(block, read.values[0].size, facts)
    return block


def _is_rate(values: FloatArray, rate_hz: float) -> bool:
    """Return whether values are beats/min: in their range, and too slow for a wave or nearly the same within the usual second."""
    if not MIN_HEART_RATE_BPM <= float(np.median(values)) <= MAX_HEART_RATE_BPM:
        return False
    return rate_hz < MIN_PULSE_RATE_HZ or usual_swing_bpm(values, np.arange(values.size) / rate_hz) <= _STEADY_BPM


def _rate_hz(read: Columns, facts: VideoFacts) -> float:
    """Return about how many rows a second a file has."""
    times = read.times.values if read.times is not None else np.zeros(0)
    known = times[np.isfinite(times)]
    if known.size > 1 and read.times is not None:
        unit_s = read.times.unit_s or (_unit_of_times(known, facts) if read.times.kind == "number" else 1.0) or 1.0
        span_s = float(np.ptp(known)) * unit_s
        return (known.size - 1) / span_s if span_s > 0 else np.inf
    return read.rate_hz or (read.values[0].size / facts.duration_s if facts.duration_s > 0 else np.inf)


def _add_clock(block: _Block, rows: int, facts: VideoFacts) -> None:
    """Add the keys that tell when the rows of a file without times were taken."""
    if facts.frames and abs(rows - facts.frames) <= 1:
        block.keys["per_frame"] = True
        block.comments.append(f"{rows} rows for {facts.frames} frames")
        return
    rate_hz = rows / facts.duration_s if facts.duration_s > 0 else 0.0
    # at one sample a second the last second may or may not be there
    near = [one for one in _USUAL_RATES_HZ if abs(rate_hz - one) <= _SAME_RATE * one + 1.5 / max(facts.duration_s, 1)]
    if near:
        block.keys["rate_hz"] = float(min(near, key=lambda one: abs(rate_hz - one)))
        block.comments.append(f"{rows} rows in {facts.duration_s:.1f} s: is that the sampling rate of the device?")
    else:
        block.keys["rate_hz"] = round(rate_hz, 3) or 1.0
        block.comments.append(
            f"look at this: {rows} rows in {facts.duration_s:.1f} s are no usual rate; give the one of the device"
        )


def _nameless(path: Path, width: int, facts: VideoFacts) -> Iterator[_Block]:
    """Yield what a file without names of columns seems to hold, by its numbers."""
    try:
        first = read_columns(path, [0]).values[0]
    except LabelFileError:
        return
    rising = first.size > 2 and bool(np.all(np.diff(first) > 0)) and width > 1
    column = 1 if rising else 0
    try:
        values = read_columns(path, [column]).values[0]
    except LabelFileError:
        return
    known = values[np.isfinite(values)]
    if known.size < 2 or (np.ptp(known) == 0 and not 25 <= known[0] <= 240):
        return
    middle = float(np.median(known))
    slow = values.size < 5 * facts.duration_s if facts.duration_s > 0 else False
    steady = np.abs(np.diff(known)).max() < 60
    if 300 < middle < 2000 and slow and not rising:
        kind = "rr"
    elif (
        25 <= middle <= 240 and steady and (slow or _is("heart_rate", path.stem) or _is_rate(known, known.size / facts.duration_s))
    ):
        kind = "heart_rate"
    elif not slow and known.size > 5 * facts.duration_s:
        kind = "ecg" if _is("ecg", path.stem) else "pulse"
    else:
        return
    block = _block(path, kind, column, 0 if rising else None, facts)
    if block is not None:
        block.comments.insert(0, f"the file has no names of columns; by its numbers, column {column} is {kind}")
        yield block


# ---- the text


def _written(root: Path, folder: Path, entries: Sequence[_Entry], notes: Sequence[str]) -> str:
    lines = [_HEAD.format(folder=printable(shlex.quote(str(folder)))).rstrip()]
    lines += [f"# Note: {printable(one)}" for one in notes]
    if not any("subject" in one.video.keys for one in entries):
        lines += [
            '# Nothing names the people: each video counts as a subject of its own. Add subject = "..." to each, and to all videos of a'
        ]
        lines += ["# person the same."]
    lines += ["", f"name = {_value(root.name or 'my videos')}"]
    pattern = _pattern(root, entries)
    if pattern:
        first = entries[0]
        lines += ["", f"# all {len(entries)} videos"]
        lines += _entry_lines(
            _Entry(first.path, _Block({**first.video.keys, "video": pattern}, first.video.comments), first.labels)
        )
    else:
        for one in entries:
            lines += ["", *_entry_lines(one)]
    return "\n".join(lines) + "\n"


def _pattern(root: Path, entries: Sequence[_Entry]) -> str:
    """Return a pattern of all videos where one entry describes them all; empty where it does not."""
    if len(entries) < 2:
        return ""
    rules = {
        json.dumps([{**one.video.keys, "video": ""}, [(label.keys, bool(label.problem)) for label in one.labels]], sort_keys=True)
        for one in entries
    }
    shapes = {(len(one.path.relative_to(root).parts), one.path.suffix) for one in entries}
    if len(rules) > 1 or len(shapes) > 1:
        return ""
    ((depth, suffix),) = shapes
    pattern = "/".join(["*"] * (depth - 1) + ["*" + suffix])
    matches = [one for one in root.glob(pattern) if not one.name.startswith(".")]
    return pattern if len(matches) == len(entries) else ""


def _entry_lines(entry: _Entry) -> list[str]:
    lines = [f"# {printable(one)}" for one in entry.video.comments] + ["[[recording]]"] + _key_lines(entry.video.keys)
    for label in entry.labels:
        off = "# " if label.problem else ""
        lines += [f"# {printable(one)}" for one in label.comments]
        if label.problem:
            lines.append(f"# to be filled in: {printable(label.problem)}")
        lines += [off + one for one in ("[[recording.label]]", *_key_lines(label.keys))]
    if not entry.labels:
        lines += ["# no label: the windows of this video have no heart rate"]
    return lines


def _key_lines(keys: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in keys.items()]


def _value(value: Any) -> str:
    return tomli_w.dumps({"key": value}).removeprefix("key = ").rstrip("\n")


def _filled(root: Path, video: Path, subject: str) -> str:
    return recording_of(root, RecordingEntry(video="-", subject=subject), video).subject if subject else ""


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
