"""Read heart rate and pulse of one recording from its label files, on the clock of its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError, printable
from stmap_pipeline.labels.frame_times import in_seconds, read_frame_times, span_problem
from stmap_pipeline.labels.tables import Table, TableEmptyError, TableError, read_table
from stmap_pipeline.records import HeartRateTrace, LabelSource, PulseTrace, Recording

FloatArray = npt.NDArray[np.float64]

# no heart rate of a living person lies outside: such a number is a sensor fault and becomes NaN
MIN_HEART_RATE_BPM, MAX_HEART_RATE_BPM = 20.0, 300.0
# where most numbers lie outside, the column is no heart rate in bpm
USUAL_HEART_RATE_BPM = (25.0, 240.0)
# a label that starts or stops a little beside the video is the normal case; more points at a wrong file or a lost part
MAX_DURATION_DIFFERENCE_S = 1.0

_KIND_NAMES = {"heart_rate": "heart rate", "pulse": "pulse"}


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Heart rate and pulse of one recording.

    Parameters
    ----------
    heart_rate : HeartRateTrace, optional
    pulse : PulseTrace, optional
    notes : tuple of str
        What a user of the labels should know: missing files, values taken out, durations that differ.
    """

    heart_rate: HeartRateTrace | None = None
    pulse: PulseTrace | None = None
    notes: tuple[str, ...] = ()


def check_sources(recording: Recording) -> None:
    r"""Raise where the label files or the clock file of a recording cannot be used, before a frame is decoded.

    All that :func:`read_labels` and :func:`~stmap_pipeline.labels.read_frame_times` require of these files is checked, for it
    needs no times of frames: files are there, hold the columns that are named, times increase, values are numbers and, for a
    heart rate, in its range.

    Raises
    ------
    RecordingError
        As those two functions raise it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from stmap_pipeline.records import VideoSource
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "hr.csv"
    ...     _ = path.write_text("1.2\n1.3\n1.2\n")
    ...     source = LabelSource("heart_rate", path, rate_hz=1.0)
    ...     check_sources(Recording("a", "folder", "a", VideoSource(Path("a.mp4")), labels=(source,)))
    Traceback (most recent call last):
    stmap_pipeline.errors.RecordingError: ...hr.csv: heart rates of 1.2 to 1.3 bpm look like hertz; set unit = "hz"
    """
    clock = recording.clock
    if clock.path is not None and (problem := span_problem(read_frame_times(clock.path, clock.unit_s, clock.column))):
        raise RecordingError("decode", "clock_unreadable", f"{printable(clock.path)}: {problem}")
    _read_sources(recording)


def read_labels(recording: Recording, frame_times_s: npt.ArrayLike) -> Labels:
    r"""Read the label files of a recording.

    The first sample of a label with a rate stands at the first frame: such a file does not say when it starts. Times of a time
    column are taken as they are, on the clock of the frames. A file that is not there or empty is a note, unless the source
    is required; a file that is there and damaged always fails, because otherwise the damage would not be noticed. The pulse is not
    checked against the heart rate.

    Parameters
    ----------
    recording : Recording
    frame_times_s : (T,) array_like
        Time of each frame in seconds, increasing.

    Raises
    ------
    RecordingError
        ``source_missing`` where a required file is not there or empty; ``label_unreadable`` where a file is no table, has no
        such column, has times that do not increase, more than half of its values are no numbers, or its heart rates are none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from stmap_pipeline.records import VideoSource
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "gt_HR.csv"
    ...     _ = path.write_bytes(b"HR\r\n75\r\n255\r\n77\r\n")
    ...     source = LabelSource("heart_rate", path, rate_hz=1.0, missing=(255.0,))
    ...     one = Recording("p001_v1_source1", "vipl-hr", "p001", VideoSource(Path("video.avi")), labels=(source,))
    ...     labels = read_labels(one, [0.0, 1.0, 2.0, 3.0])
    >>> labels.heart_rate.heart_rate_bpm
    array([75., nan, 77.])
    >>> labels.notes
    ('gt_HR.csv: 1 of 3 values is the code for "no value"',)
    """
    frames = np.asarray(frame_times_s, dtype=np.float64)
    found, notes = _read_sources(recording)
    traces: dict[str, HeartRateTrace | PulseTrace] = {}
    for source, samples in found:
        times_s, values = _on_frames(source, samples, frames, notes)
        traces[source.kind] = (HeartRateTrace if source.kind == "heart_rate" else PulseTrace)(times_s, values)
        if not source.per_frame:
            _compare_durations(source, times_s, frames, notes)
    heart_rate, pulse = traces.get("heart_rate"), traces.get("pulse")
    return Labels(
        heart_rate if isinstance(heart_rate, HeartRateTrace) else None,
        pulse if isinstance(pulse, PulseTrace) else None,
        tuple(notes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """Values of a label file, NaN where unknown, and their times where the file has a column of them."""

    values: FloatArray
    times_s: FloatArray | None


def _read_sources(recording: Recording) -> tuple[list[tuple[LabelSource, _Samples]], list[str]]:
    """Read the first file of each kind that is there, and note the others."""
    found: dict[str, tuple[LabelSource, _Samples]] = {}
    notes: list[str] = []
    for source in recording.labels:
        name, what = printable(source.path.name), _KIND_NAMES[source.kind]
        if source.kind in found:
            notes.append(f"{name}: not used, the {what} comes from another file")
            continue
        wanted = [source.column] if source.time_column is None else [source.column, source.time_column]
        try:
            table = read_table(source.path, wanted)
        except (FileNotFoundError, TableEmptyError) as error:
            missing = "is empty" if isinstance(error, TableEmptyError) else "is not there"
            if source.required:
                raise RecordingError("labels", "source_missing", f"{printable(source.path)}: the {what} file {missing}") from None
            notes.append(f"{name}: the {what} file {missing}")
            continue
        except TableError as error:
            raise RecordingError("labels", "label_unreadable", str(error)) from None
        found[source.kind] = source, _samples(source, table, notes)
    return list(found.values()), notes


def _samples(source: LabelSource, table: Table, notes: list[str]) -> _Samples:
    """Check times and values of a table; what is no number or cannot be a value becomes NaN with a note."""
    name, values, total = printable(source.path.name), table.values[0], table.values[0].size
    times_s = in_seconds(table.values[1], source.time_unit_s) if source.time_column is not None else None
    bad = ~np.isfinite(values) if times_s is None else ~np.isfinite(values) | ~np.isfinite(times_s)
    count = int(bad.sum())
    if 2 * count > total:
        wanted = [source.column, source.time_column][: len(table.values)]
        column, text = next(((name, text) for name, text in zip(wanted, table.no_number, strict=True) if text), (wanted[0], ""))
        example = f" (such as {printable(text[:40])!r})" if text else ""
        hint = "name a column of numbers" if column == source.column else "write times as seconds on the clock of the video"
        raise _unreadable(source, f"{count} of {total} rows hold no number in column {column!r}{example}; {hint}")
    if count:
        notes.append(f"{name}: {count} of {total} rows {'hold' if count > 1 else 'holds'} no number")
    if times_s is not None:
        rows = np.flatnonzero(np.isfinite(times_s))  # a row without a time has no place
        times_s, values = times_s[rows], values[rows]
        later = np.diff(times_s) > 0
        if not later.all():
            row = int(np.argmin(later)) + 1
            raise _unreadable(
                source,
                f"line {table.first_line + int(rows[row])}: time {times_s[row]:.9g} s is not later than {times_s[row - 1]:.9g} s "
                "in the row before",
            )
    elif values.size > 2 and 9e8 < values[0] < 4e9 and np.nan_to_num(values[2:]).max() < 1e6:
        raise _unreadable(source, f"begins with a start time ({values[0]:.0f}) and a rate, not with samples; remove these two rows")
    coded = np.isin(values, source.missing)
    if coded.any():
        count = int(coded.sum())
        notes.append(f'{name}: {count} of {total} values {"are" if count > 1 else "is"} the code for "no value"')
        values = np.where(coded, np.nan, values)
    with np.errstate(over="ignore"):
        values = values * source.scale
    return _Samples(_possible_heart_rates(source, values, notes) if source.kind == "heart_rate" else values, times_s)


def _possible_heart_rates(source: LabelSource, bpm: FloatArray, notes: list[str]) -> FloatArray:
    known = bpm[bpm > 0]  # devices write 0 or less where there is no heart rate
    low, high = USUAL_HEART_RATE_BPM
    unusual = int(((known < low) | (known > high)).sum())
    if 2 * unusual > known.size:
        if known.max() < 4:
            hint = f'heart rates of {known.min():.3g} to {known.max():.3g} bpm look like hertz; set unit = "hz"'
        else:
            hint = (
                f"{unusual} of {known.size} heart rates lie outside {low:g} to {high:g} bpm (the first: {known[0]:.6g}"
                f"{', an RR interval in ms?' if 300 < np.median(known) < 2000 else ''}); name a column of heart rates in beats per minute"
            )
        raise _unreadable(source, hint)
    impossible = (bpm < MIN_HEART_RATE_BPM) | (bpm > MAX_HEART_RATE_BPM)
    if impossible.any():
        notes.append(
            f"{printable(source.path.name)}: {int(impossible.sum())} of {bpm.size} heart rates taken out "
            f"(not within {MIN_HEART_RATE_BPM:g} to {MAX_HEART_RATE_BPM:g} bpm)"
        )
    return np.where(impossible, np.nan, bpm)


def _on_frames(source: LabelSource, samples: _Samples, frames: FloatArray, notes: list[str]) -> tuple[FloatArray, FloatArray]:
    """Return times, on the clock of the frames, and values."""
    values = samples.values
    if samples.times_s is not None:
        return samples.times_s, values
    if source.rate_hz is not None:
        return np.arange(values.size) / source.rate_hz + (frames[0] if frames.size else 0.0), values
    count = min(values.size, frames.size)
    if values.size != frames.size:
        name = printable(source.path.name)
        notes.append(f"{name}: {values.size} rows for {frames.size} frames; the first {count} of both are used")
    return frames[:count], values[:count]


def _compare_durations(source: LabelSource, times_s: FloatArray, frames: FloatArray, notes: list[str]) -> None:
    if times_s.size == 0 or frames.size == 0:
        return
    name = printable(source.path.name)
    if times_s[-1] < frames[0] or times_s[0] > frames[-1]:
        notes.append(
            f"{name}: covers {times_s[0]:.9g} s to {times_s[-1]:.9g} s, and the video {frames[0]:.2f} s to {frames[-1]:.2f} s: "
            "no window has a label"
        )
        return
    label_s, video_s = float(times_s[-1] - times_s[0]), float(frames[-1] - frames[0])
    # a sample of a slow label stands for the whole time up to the next one, so its end is open by that much
    spacing_s = 1 / source.rate_hz if source.rate_hz else float(np.median(np.diff(times_s))) if times_s.size > 1 else 0.0
    if abs(label_s - video_s) > MAX_DURATION_DIFFERENCE_S + spacing_s:
        milliseconds = source.time_unit_s == 1 and source.time_column is not None and 900 < label_s / max(video_s, 1e-3) < 1100
        hint = "; if its times are milliseconds, set time_unit_s = 0.001" if milliseconds else ""
        label = f"{label_s:.1f}" if label_s < 1e6 else f"{label_s:.3g}"
        notes.append(f"{name}: lasts {label} s, and the video {video_s:.1f} s{hint}")


def _unreadable(source: LabelSource, what: str) -> RecordingError:
    return RecordingError("labels", "label_unreadable", f"{printable(source.path)}: {what}")
