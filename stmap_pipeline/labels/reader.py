"""Heart rate and pulse of one recording, read from its label files and put on the clock of its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError, printable
from stmap_pipeline.labels.tables import Table, TableEmptyError, TableError, read_table
from stmap_pipeline.records import HeartRateTrace, LabelSource, PulseTrace, Recording

FloatArray = npt.NDArray[np.float64]

# no living person's heart rate lies outside: such a number is a sensor fault, whatever the file says
MAX_HEART_RATE_BPM = 300.0
# a label that starts or stops a little beside the video is the normal case; more points at a wrong file or a lost part
MAX_DURATION_DIFFERENCE_S = 1.0

_WORDS = {"heart_rate": "heart rate", "pulse": "pulse"}


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What is known of one recording's heart.

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


def read_labels(recording: Recording, frame_times_s: npt.ArrayLike) -> Labels:
    r"""Read the label files of a recording.

    The first sample of a label with a rate stands at the first frame: such a file tells no start of its own. Times of a time
    column are taken as they are, on the clock of the frames. A file that is not there or empty is a note, unless the source
    is required; a file that is there and damaged always fails, because nobody would look for it otherwise. The pulse is not
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
        such column, has times that do not increase, or more than half of its values are no numbers.

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
    traces: dict[str, HeartRateTrace | PulseTrace] = {}
    notes: list[str] = []
    for source in recording.labels:
        name, what = printable(source.path.name), _WORDS[source.kind]
        if source.kind in traces:
            notes.append(f"{name}: not used, the {what} comes from another file")
            continue
        try:
            table = _table(source)
        except (FileNotFoundError, TableEmptyError) as error:
            missing = "is empty" if isinstance(error, TableEmptyError) else "is not there"
            if source.required:
                raise RecordingError("labels", "source_missing", f"{printable(source.path)}: the {what} file {missing}") from None
            notes.append(f"{name}: the {what} file {missing}")
            continue
        except TableError as error:
            raise _unreadable(str(error)) from None
        times_s, values = _samples(source, table, frames, notes)
        traces[source.kind] = _trace(source, times_s, values, notes)
        if not source.per_frame:
            _compare_durations(source, times_s, frames, notes)
    heart_rate, pulse = traces.get("heart_rate"), traces.get("pulse")
    return Labels(
        heart_rate if isinstance(heart_rate, HeartRateTrace) else None,
        pulse if isinstance(pulse, PulseTrace) else None,
        tuple(notes),
    )


def _table(source: LabelSource) -> Table:
    wanted = [source.column] if source.time_column is None else [source.column, source.time_column]
    return read_table(source.path, wanted)


def _samples(source: LabelSource, table: Table, frames: FloatArray, notes: list[str]) -> tuple[FloatArray, FloatArray]:
    """Give times and raw values of the rows that have a time; note what is no number."""
    name, values = printable(source.path.name), table.values[0]
    rows = np.arange(values.size)
    if source.per_frame:
        if values.size != frames.size:
            count = min(values.size, frames.size)
            notes.append(f"{name}: {values.size} rows for {frames.size} frames; the first {count} of both are used")
            rows = rows[:count]
        times_s = frames[: rows.size]
    elif source.rate_hz is not None:
        times_s = rows / source.rate_hz + (frames[0] if frames.size else 0.0)
    else:
        times_s = table.values[1] * source.time_unit_s
    values = values[: rows.size]

    timed = np.isfinite(times_s)
    bad = int((~np.isfinite(values) | ~timed).sum())
    if 2 * bad > values.size:
        raise _unreadable(
            f"{printable(source.path)}: {bad} of {values.size} rows hold no number in {_columns(source)}; name the right one"
        )
    if bad:
        notes.append(f"{name}: {bad} of {values.size} rows {'hold' if bad > 1 else 'holds'} no number")
    times_s, values, rows = times_s[timed], values[timed], rows[timed]
    later = np.diff(times_s) > 0
    if not later.all():
        row = int(np.argmin(later)) + 1
        raise _unreadable(
            f"{printable(source.path)}: line {table.first_line + int(rows[row])}: time {times_s[row]:g} s is not later than "
            f"{times_s[row - 1]:g} s in the row before"
        )
    return times_s, values


def _trace(source: LabelSource, times_s: FloatArray, values: FloatArray, notes: list[str]) -> HeartRateTrace | PulseTrace:
    """Make the trace; what stands for no value, or cannot be one, becomes NaN with a note."""
    name, total = printable(source.path.name), values.size
    coded = np.isin(values, source.missing)
    if coded.any():
        count = int(coded.sum())
        notes.append(f'{name}: {count} of {total} values {"are" if count > 1 else "is"} the code for "no value"')
        values = np.where(coded, np.nan, values)
    values = values * source.scale
    if source.kind == "pulse":
        return PulseTrace(times_s, values)
    impossible = (values <= 0) | (values > MAX_HEART_RATE_BPM)
    if impossible.any():
        count = int(impossible.sum())
        notes.append(f"{name}: {count} of {total} heart rates taken out (not within 0 to {MAX_HEART_RATE_BPM:g} bpm)")
        values = np.where(impossible, np.nan, values)
    return HeartRateTrace(times_s, values)


def _compare_durations(source: LabelSource, times_s: FloatArray, frames: FloatArray, notes: list[str]) -> None:
    if times_s.size == 0 or frames.size == 0:
        return
    name = printable(source.path.name)
    if times_s[-1] < frames[0] or times_s[0] > frames[-1]:
        notes.append(
            f"{name}: covers {times_s[0]:.2f} s to {times_s[-1]:.2f} s, and the video {frames[0]:.2f} s to {frames[-1]:.2f} s: "
            "no window has a label"
        )
        return
    label_s, video_s = float(times_s[-1] - times_s[0]), float(frames[-1] - frames[0])
    # a sample of a slow label stands for the whole time up to the next one, so its end is open by that much
    spacing_s = 1 / source.rate_hz if source.rate_hz else float(np.median(np.diff(times_s))) if times_s.size > 1 else 0.0
    if abs(label_s - video_s) > MAX_DURATION_DIFFERENCE_S + spacing_s:
        notes.append(f"{name}: lasts {label_s:.1f} s, and the video {video_s:.1f} s")


def _columns(source: LabelSource) -> str:
    if source.time_column is None:
        return f"column {source.column!r}"
    return f"columns {source.column!r} and {source.time_column!r}"


def _unreadable(message: str) -> RecordingError:
    return RecordingError("labels", "label_unreadable", message)
