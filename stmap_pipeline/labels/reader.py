"""Read heart rate and pulse of one recording from its label files, on the clock of its frames."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError, printable
from stmap_pipeline.labels.beats import MAX_HEART_RATE_BPM, MIN_HEART_RATE_BPM
from stmap_pipeline.labels.frame_times import in_seconds, read_frame_times, span_problem, unit_problem
from stmap_pipeline.labels.heart_rate import MIN_ECG_RATE_HZ, MIN_PULSE_RATE_HZ, heart_rate_from_rr, heart_rate_from_wave
from stmap_pipeline.labels.label_file import Columns, LabelFileEmptyError, LabelFileError, read_columns
from stmap_pipeline.labels.no_reading import FILL_CODE_BPM, fill_codes, held_values, summary_rows
from stmap_pipeline.labels.rr_unit import UNITS_S, elapsed_problem, other_source_problem
from stmap_pipeline.labels.times import Moment, TimeKind, read_moment, since, spread_whole_seconds, unix_unit_s
from stmap_pipeline.labels.video_span import check_span
from stmap_pipeline.labels.wrong_column import other_column, swing_problem
from stmap_pipeline.records import HeartRateTrace, LabelSource, PulseTrace, Recording, median_interval_s

FloatArray = npt.NDArray[np.float64]
#: Returns date and time of the first frame as the video's own metadata have it; empty where they have none.
VideoStart = Callable[[], str]
#: Returns the times of the frames as far as they are known before decoding; none where they are not.
FrameTimes = Callable[[], FloatArray]

# a rate that is said and one that is measured may differ by what nominal rates are wrong
_SAME_RATE = 0.02
# days since 1899 as a spreadsheet has them, in 1982 to 2064; and steps that nobody samples a heart with
_DAYS, _SHORTEST_STEP_S = (3e4, 6e4), 1e-4
_ANOTHER_DAY_S = 86_400.0
# frames a second, about, where they are not known yet
_FRAMES_HZ = 25.0
# fewer samples are no wave that a rate could be told of
_FEWEST_OF_WAVE = 10
# RR intervals in these units are 24 to 300 bpm
_RR_S = (0.2, 2.5)
_GOOD_QUALITY = 0.5
_TWO_PARTS = re.compile("[0-9]{1,2}:[0-9]{2}")

_KIND_NAMES = {"heart_rate": "heart rate", "pulse": "pulse", "ecg": "ECG", "rr": "RR intervals"}
# where several kinds are there, the heart rate is taken from the first of these
_HEART_RATE_KINDS = ("heart_rate", "rr", "ecg", "pulse")


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Heart rate and pulse of one recording.

    Parameters
    ----------
    heart_rate : HeartRateTrace, optional
    pulse : PulseTrace, optional
    notes : tuple of str
        What a user of the labels should know: missing files, values taken out, durations that differ.
    heart_rate_from : {"", "heart_rate", "rr", "ecg", "pulse"}
        Kind of the label that the heart rate comes from; empty where there is none.
    lag_auto : bool
        Whether the times are to be moved by the lag between the pulse and the traces.
    """

    heart_rate: HeartRateTrace | None = None
    pulse: PulseTrace | None = None
    notes: tuple[str, ...] = ()
    heart_rate_from: str = ""
    lag_auto: bool = False


def check_sources(recording: Recording, video_start: VideoStart | None = None, frame_times: FrameTimes | None = None) -> None:
    r"""Raise where the label files or the clock file of a recording cannot be used, before a frame is decoded.

    All that :func:`read_labels` and :func:`~stmap_pipeline.labels.read_frame_times` require of these files is checked: files are
    there, hold the columns that are named, times increase, belong to the video and are in the unit that is said, values are numbers
    and, for a heart rate, in its range.

    Parameters
    ----------
    recording : Recording
    video_start : callable, optional
        Returns the start of the video by its own metadata; called where a label has absolute times and nothing else says it.
    frame_times : callable, optional
        Returns the times of the frames as far as the container has them; called where a label is required and no file has them.

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
    clock, frames = recording.clock, np.zeros(0)
    if clock.path is not None:
        frames = read_frame_times(clock.path, clock.unit_s, clock.column)
        if problem := span_problem(frames):
            raise RecordingError("decode", "clock_unreadable", f"{printable(clock.path)}: {problem}")
    elif frame_times is not None and any(one.required for one in recording.labels):
        frames = frame_times()
    found, notes = _read_sources(recording, float(frames[0]) if frames.size else 0.0, video_start)
    try:
        _on_clock(found, frames, notes)
    except RecordingError:
        if clock.path is None or not (problem := unit_problem(frames)):
            raise
        # a label that does not fit to wrong times may be right
        raise RecordingError("decode", "clock_unreadable", f"{printable(clock.path)}: {problem}") from None


def read_labels(recording: Recording, frame_times_s: npt.ArrayLike, video_start: VideoStart | None = None) -> Labels:
    r"""Read the label files of a recording, and compute the heart rate where only beats, a pulse or an ECG are there.

    The first sample of a label with a rate stands at the first frame: such a file does not say when it starts. Times of a time
    column are taken as they are, on the clock of the frames; absolute ones (dates, times of day, UNIX times) are counted from the start
    of the video. A file that is not there or empty is a note, unless the source is required; a file that is there and damaged always
    fails, because otherwise the damage would not be noticed.

    Parameters
    ----------
    recording : Recording
    frame_times_s : (T,) array_like
        Time of each frame in seconds, increasing.
    video_start : callable, optional
        As in :func:`check_sources`.

    Raises
    ------
    RecordingError
        ``source_missing`` where a required file is not there or empty; ``label_unreadable`` where a file is no table, has no
        such column, has times that do not increase or cannot be compared with the video's, more than half of its values are no
        numbers, or its heart rates are none; ``label_overlap`` where it covers another time than the video.

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
    found, notes = _read_sources(recording, float(frames[0]) if frames.size else 0.0, video_start)
    series = _on_clock(found, frames, notes)
    kind = next((one for one in _HEART_RATE_KINDS if one in series), "")
    heart_rate = _heart_rate(kind, *series[kind]) if kind else None
    if kind in ("rr", "ecg", "pulse"):
        notes.append(f"the heart rate is computed from the {_KIND_NAMES[kind]}")
    return Labels(
        heart_rate,
        PulseTrace(*series["pulse"]) if "pulse" in series else None,
        tuple(notes),
        kind,
        any(source.lag_s == "auto" for source, _ in found),
    )


def without_lag(labels: Labels, lag_s: float) -> Labels:
    """Return labels whose times are moved back by the lag of the label's pulse; with a note alone where it is unknown.

    Parameters
    ----------
    labels : Labels
    lag_s : float
        NaN where unknown.
    """
    if not np.isfinite(lag_s):
        return replace(labels, notes=(*labels.notes, "the lag of the label's pulse is not clear, so its times are not moved"))
    heart_rate, pulse = labels.heart_rate, labels.pulse
    return replace(
        labels,
        heart_rate=None if heart_rate is None else replace(heart_rate, times_s=heart_rate.times_s - lag_s),
        pulse=None if pulse is None else replace(pulse, times_s=pulse.times_s - lag_s),
        notes=(*labels.notes, f"times of the labels moved by {-lag_s:+z.2f} s, by the lag of the label's pulse"),
    )


def _on_clock(
    found: list[tuple[LabelSource, _Samples]], frames: FloatArray, notes: list[str]
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return times on the clock of the frames and values of each kind, after a look at whether they belong to the video."""
    series: dict[str, tuple[FloatArray, FloatArray]] = {}
    for source, samples in found:
        times_s, values = _on_frames(source, samples, frames, notes)
        series[source.kind] = times_s, values
        if not source.per_frame and source.heart_rate_bpm is None:
            check_span(source, times_s, frames, time_unit_s=samples.time_unit_s, notes=notes)
    sources = {source.kind: source for source, _ in found}
    other = next((kind for kind in ("heart_rate", "ecg", "pulse") if kind in series), "")
    if "rr" in series and other and series["rr"][0].size and series[other][0].size:
        problem = other_source_problem(_heart_rate("rr", *series["rr"]), _heart_rate(other, *series[other]))
        if problem and other != "heart_rate":
            raise RecordingError("labels", "label_unreadable", f"{printable(sources['rr'].path or '')}: {problem}")
        notes += [f"{printable(sources['rr'].name)}: not used, and {problem}"] if problem else []
    return series


def _heart_rate(kind: str, times_s: FloatArray, values: FloatArray) -> HeartRateTrace:
    if kind == "heart_rate":
        return HeartRateTrace(times_s, values)
    return heart_rate_from_rr(times_s, values) if kind == "rr" else heart_rate_from_wave(times_s, values, ecg=kind == "ecg")


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """Values of a label, NaN where unknown, and their times where it has any of its own: from the start of the video."""

    values: FloatArray
    times_s: FloatArray | None = None
    rate_hz: float | None = None
    # of times that are plain numbers: the unit in which they were read
    time_unit_s: float | None = None


def _read_sources(
    recording: Recording, first_frame_s: float, video_start: VideoStart | None
) -> tuple[list[tuple[LabelSource, _Samples]], list[str]]:
    """Read the first file of each kind that is there, and note the others."""
    found: dict[str, tuple[LabelSource, _Samples]] = {}
    notes: list[str] = []
    for source in recording.labels:
        name, what = printable(source.name), _KIND_NAMES[source.kind]
        if source.kind in found:
            notes.append(f"{name}: not used, the {what} comes from another file")
            continue
        if source.heart_rate_bpm is not None:
            found[source.kind] = source, _Samples(np.array([source.heart_rate_bpm]))
            continue
        try:
            columns = _columns(source)
        except (FileNotFoundError, LabelFileEmptyError) as error:
            is_empty = isinstance(error, LabelFileEmptyError)
            missing, advice = ("is empty", "copy it again") if is_empty else ("is not there", "correct its name")
            if source.required:
                message = f"{printable(source.path or name)}: the {what} file {missing}"
                raise RecordingError("labels", "source_missing", f"{message}; {advice}, or set required = false") from None
            notes.append(f"{name}: the {what} file {missing}")
            continue
        except LabelFileError as error:
            raise RecordingError("labels", "label_unreadable", str(error)) from None
        found[source.kind] = source, _Reading(source, columns, notes, first_frame_s, video_start).samples()
    return list(found.values()), notes


def _columns(source: LabelSource) -> Columns:
    wanted = [one for one in (source.column, source.span_column, source.quality_column) if one is not None]
    assert source.path is not None  # noqa: S101
    return read_columns(source.path, wanted, source.time_column, format_name=source.format, skip_rows=source.skip_rows)


class _Reading:
    """One label file on its way to samples: each step looks at one thing that can be wrong."""

    def __init__(
        self, source: LabelSource, columns: Columns, notes: list[str], first_frame_s: float, video_start: VideoStart | None
    ) -> None:
        self._source, self._columns, self._notes = source, columns, notes
        self._first_frame_s, self._video_start = first_frame_s, video_start
        self._name = printable(source.name)
        self._times_repeat = False

    def samples(self) -> _Samples:
        """Check times and values; what is no number or cannot be a value becomes NaN with a note."""
        source, columns = self._source, self._columns
        values = columns.values[0]
        self._note(*columns.notes)
        self._check_numbers(values)
        rows, times_s = self._times()
        if source.kind == "heart_rate":
            self._check_column(values[rows], times_s)
        values = self._without_codes(values)
        if source.kind == "heart_rate":
            values = self._without_summary(values)
        values = self._in_unit(values)
        if source.kind == "heart_rate":
            values = self._possible_heart_rates(values)
        elif source.kind == "rr":
            values = self._possible_intervals(values)
        values = values[rows]
        clock_s = self._row_times(values.size, times_s)
        if source.kind == "heart_rate" and clock_s is not None:
            if problem := swing_problem(values, clock_s, self._times_repeat):
                raise self._fail(problem)
            values = self._real_readings(values, clock_s)
        if source.kind == "rr" and times_s is not None and (problem := elapsed_problem(times_s, values)):
            raise self._fail(problem)
        if source.quality_column is not None:
            values = self._of_quality(values, columns.values[-1][rows])
        if source.span_column is not None:
            values, times_s = self._inside_span(values, times_s, columns.values[1][rows])
        if times_s is not None or source.per_frame or (source.kind == "rr" and columns.rate_hz is None):
            return _Samples(values, times_s, time_unit_s=self._plain_unit_s())
        rate_hz = self._rate_hz()
        self._check_wave_rate(rate_hz)
        if columns.start is not None and source.span_column is None and not source.starts_with_video:
            if source.rate_hz is None:
                return _Samples(values, self._from_start(columns.start) + np.arange(values.size) / rate_hz)
            self._note("has a start of its own, which is not used: rate_hz says that it starts with the video")
        return _Samples(values, None, rate_hz)

    def _note(self, *texts: str) -> None:
        self._notes.extend(f"{self._name}: {text}" for text in texts)

    def _fail(self, what: str) -> RecordingError:
        return RecordingError("labels", "label_unreadable", f"{printable(self._source.path or self._name)}: {what}")

    def _check_numbers(self, values: FloatArray) -> None:
        columns, source = self._columns, self._source
        times = columns.times
        bad = ~np.isfinite(values) if times is None else ~(np.isfinite(values) & np.isfinite(self._raw_times_s))
        count, total = int(bad.sum()), values.size
        if 2 * count > total:
            odd = next(((text, at) for at, text in enumerate(columns.no_number) if text), None)
            where = source.time_column if odd and odd[1] >= len(columns.values) else source.column
            if times is not None and not np.isfinite(self._raw_times_s).any():
                where = source.time_column
            example = f" (the first is {odd[0][:80]!r})" if odd else ""
            if odd and where == source.time_column and _TWO_PARTS.fullmatch(odd[0]):
                raise self._fail(
                    f"column {where!r} has times such as {odd[0]!r}: minutes and seconds, or hours and minutes? Write 00:{odd[0]} or {odd[0]}:00"
                )
            raise self._fail(
                f"{count} of {total} rows hold no number in column {where!r}{example}; name the right one, and values that stand for "
                "'no value' in missing"
            )
        if count:
            row = int(np.flatnonzero(bad)[0])
            first = columns.where(row)
            text = next((f" (text such as {one[:80]!r})" for one in columns.no_number if one), "")
            self._note(f"{count} of {total} rows {'hold' if count > 1 else 'holds'} no number, the first in {first}{text}")

    def _without_codes(self, values: FloatArray) -> FloatArray:
        if not self._source.missing:
            return values
        coded = np.isin(values, self._source.missing)
        if coded.any():
            count = int(coded.sum())
            self._note(f'{count} of {values.size} values {"are" if count > 1 else "is"} the code for "no value"')
        return np.where(coded, np.nan, values)

    def _without_summary(self, values: FloatArray) -> FloatArray:
        # a row with a time of its own is a reading
        rows = summary_rows(values) if self._columns.times is None else 0
        if not rows:
            return values
        self._note(f"its last {rows} rows are a summary of those before, and left out")
        return np.where(np.arange(values.size) < values.size - rows, values, np.nan)

    # ---- times

    @cached_property
    def _raw_times_s(self) -> FloatArray:
        """Return the times of the rows in seconds as the file has them; NaN where there is none."""
        times = self._columns.times
        assert times is not None  # noqa: S101
        if times.kind != "number":
            return in_seconds(times.values, 1.0)
        unit_s = self._source.time_unit_s or times.unit_s or self._unix_unit_s() or 1.0
        return in_seconds(times.values, unit_s)

    def _plain_unit_s(self) -> float | None:
        """Return the unit in which times that are numbers are read; None for dates and the like, and for a format that has it."""
        times = self._columns.times
        if times is None or times.is_absolute or times.kind != "number" or self._columns.start is not None:
            return None
        return self._source.time_unit_s or times.unit_s or 1.0

    def _unix_unit_s(self) -> float:
        return unix_unit_s(self._columns.times.values) if self._columns.times is not None else 0.0

    def _times(self) -> tuple[npt.NDArray[np.intp], FloatArray | None]:
        """Return the rows that have a time, and these times from the start of the video; all rows where the file has no times."""
        columns = self._columns
        if columns.times is None:
            return np.arange(columns.values[0].size), None
        times_s = self._raw_times_s
        rows = np.flatnonzero(np.isfinite(times_s))  # a row without a time has no place
        times_s = times_s[rows]
        spread = spread_whole_seconds(times_s, always=columns.times.kind != "number")
        if spread is not None:
            self._note("times of whole seconds repeat: the rows of each second are spread evenly in it")
            times_s, self._times_repeat = spread, True
        later = np.diff(times_s) > 0
        if not later.all():
            row = int(np.argmin(later)) + 1
            raise self._fail(
                f"{columns.where(int(rows[row]))}: time {times_s[row]:.9g} s is not later than {times_s[row - 1]:.9g} s in the row before; "
                "sort the rows by time, and keep one row of each"
            )
        self._check_steps(times_s)
        return rows, self._since_start(times_s)

    def _since_start(self, times_s: FloatArray) -> FloatArray:
        times, source = self._columns.times, self._source
        assert times is not None  # noqa: S101
        if self._columns.start is not None:  # counted from a start that the file tells
            start_s = self._first_frame_s if source.starts_with_video else self._from_start(self._columns.start)
            return np.asarray(times_s + start_s)
        if source.starts_with_video and times_s.size:
            if times.is_absolute:
                self._note("its first row is taken to be at the first frame, as starts_with_video says")
            return np.asarray(times_s - times_s[0] + self._first_frame_s)
        kind = times.kind
        if kind == "number":
            if unix_unit_s(times_s) != 1.0:
                self._check_relative(times_s)
                return times_s
            kind = "unix"
        elif not times.is_absolute and not source.video_start:
            return times_s
        if kind == "unix" and unix_unit_s(np.array([self._first_frame_s])) == 1.0:  # the frames have UNIX times, too
            return times_s
        start = self._start(f"its times are {_ABSOLUTE[kind]}", kind)
        found = since(times_s, kind, start)
        if isinstance(found, str):
            raise self._fail(f"{found}; {_start_hint(kind)}")
        if found.size and found[-1] < 0:
            raise self._fail(
                f"ends {-found[-1]:.1f} s before the video starts; correct video_start, or set starts_with_video = true"
            )
        return np.asarray(found + self._first_frame_s)

    def _check_relative(self, times_s: FloatArray) -> None:
        """Raise where numbers that should count from the start of the video count from somewhere else."""
        if times_s.size < 2:
            return
        begin_s = float(times_s[0])
        if _DAYS[0] < begin_s < _DAYS[1] and median_interval_s(times_s) < _SHORTEST_STEP_S:
            raise self._fail(
                f"its times begin at {begin_s:.9g} and look like days of a spreadsheet; set time_unit_s = 86400 and starts_with_video = true"
            )
        if begin_s + self._source.offset_s - self._first_frame_s > _ANOTHER_DAY_S:
            raise self._fail(
                f"its times begin at {begin_s:.9g} s, a day or more after the video; set starts_with_video = true, offset_s, or time_unit_s"
            )

    def _from_start(self, start: Moment) -> float:
        """Return how much later than time 0 of the video the file starts."""
        found = since(np.array([start.seconds]), start.kind, self._start("it has a start of its own", start.kind))
        if isinstance(found, str):
            raise self._fail(f"{found}; {_start_hint(start.kind)}")
        return float(found[0]) + self._first_frame_s

    def _start(self, why: str, kind: TimeKind) -> Moment:
        """Return when the video started."""
        source = self._source
        if source.video_start:
            moment = read_moment(source.video_start)
            if moment is None:
                raise self._fail(f"video_start = {source.video_start!r} is no date with a time, such as 2026-05-03T10:00:00+02:00")
            return moment
        text = self._video_start() if self._video_start is not None else ""
        moment = read_moment(text) if text else None
        if moment is None:
            raise self._fail(f"{why}, and nothing says when the video started; {_start_hint(kind)}")
        self._note(f"counted from the start that the video's metadata have, {text}")
        return moment

    def _rate_hz(self) -> float:
        """Return the sampling rate, as given or as the file has it."""
        own, given = self._columns.rate_hz, self._source.rate_hz
        if own is not None and given is not None and abs(own / given - 1) > _SAME_RATE:
            raise self._fail(f"has a rate of {own:g} Hz of its own, and rate_hz = {given:g}; leave rate_hz out")
        if own is None and given is None:
            raise self._fail(
                "nothing says when a row was taken: give rate_hz, time_column, or per_frame = true"
                + (f"; its columns are {', '.join(self._columns.names)[:200]}" if self._columns.names else "")
            )
        return own if own is not None else float(given or 0)

    def _inside_span(
        self, values: FloatArray, times_s: FloatArray | None, trigger: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the rows between the first and the last where the trigger is not zero; the first is at the first frame."""
        inside = np.flatnonzero(np.nan_to_num(trigger) != 0)
        if not inside.size:
            raise self._fail(f"column {self._source.span_column!r} is zero throughout, so nothing says when the video ran")
        part = slice(int(inside[0]), int(inside[-1]) + 1)
        if times_s is None:
            return values[part], None
        return values[part], times_s[part] - times_s[part.start] + self._first_frame_s

    # ---- values

    def _of_quality(self, values: FloatArray, quality: FloatArray) -> FloatArray:
        """Return values without those of bad quality; all of them where most are bad, for then another scale was meant."""
        bad = quality < _GOOD_QUALITY
        what = f"{int(bad.sum())} of {bad.size} samples are of bad quality by {self._source.quality_column}"
        if 2 * bad.sum() > bad.size:
            self._note(f"{what}: too many to be left out, they are kept")
            return values
        if bad.any():
            self._note(f"{what}, and left out")
        return np.where(bad, np.nan, values)

    def _in_unit(self, values: FloatArray) -> FloatArray:
        """Return heart rates in bpm and intervals in seconds."""
        source = self._source
        unit = source.unit or (self._columns.units[0] if self._columns.units else "")
        if source.kind == "heart_rate":
            if unit in UNITS_S:
                raise self._fail(f'its unit is {unit}: RR intervals are no heart rates; set kind = "rr"')
            factor = 60.0 if unit == "hz" else 1.0
        elif source.kind == "rr":
            if unit in ("bpm", "hz"):
                raise self._fail(f"its unit is {unit}: these are heart rates and no RR intervals")
            if not unit:
                raise self._fail('RR intervals need their unit; set unit = "ms", "s" or "1/1024 s"')
            factor = UNITS_S[unit]
        else:
            factor = 1.0
        with np.errstate(over="ignore"):
            return np.asarray(values * factor)

    def _check_wave_rate(self, rate_hz: float) -> None:
        if self._source.kind == "pulse" and rate_hz < MIN_PULSE_RATE_HZ:
            raise self._fail(
                f"has {rate_hz:.3g} samples a second, which show no wave: a pulse needs at least {MIN_PULSE_RATE_HZ:g}; set "
                'kind = "heart_rate" where these are beats/min, or correct the unit of its times'
            )
        if self._source.kind == "ecg" and rate_hz < MIN_ECG_RATE_HZ:
            raise self._fail(
                f"has {rate_hz:.3g} samples a second; a QRS complex lasts a tenth of a second, so an ECG needs at least "
                f"{MIN_ECG_RATE_HZ:g}: give the heart rate or RR intervals instead"
            )

    def _check_steps(self, times_s: FloatArray) -> None:
        """Raise where the times of a wave span far more than its samples fill: it is computed on a uniform grid."""
        rate_hz = 1 / median_interval_s(times_s) if times_s.size > 1 else np.inf
        if self._source.kind == "ecg":
            self._check_wave_rate(rate_hz)
        if self._source.kind in ("pulse", "ecg") and (problem := span_problem(times_s)):
            raise self._fail(problem.replace("frame", "sample"))
        if times_s.size >= _FEWEST_OF_WAVE:
            self._check_wave_rate(rate_hz)

    def _possible_intervals(self, rr_s: FloatArray) -> FloatArray:
        known = rr_s[np.isfinite(rr_s)]
        low, high = _RR_S
        unusual = int(((known < low) | (known > high)).sum())
        if 2 * unusual > known.size:
            raise self._fail(
                f"{unusual} of {known.size} RR intervals are not within {low:g} to {high:g} s (the first: {known[0]:.6g} s); "
                "correct unit or column"
            )
        return rr_s

    def _check_column(self, values: FloatArray, times_s: FloatArray | None) -> None:
        column, names = self._source.column, self._columns.names
        name = column if isinstance(column, str) else names[column] if column < len(names) else ""
        if what := other_column(name, values, self._row_times(values.size, times_s)):
            raise self._fail(f"column {name or column!r} holds {what} and no heart rate; name the right column")

    def _row_times(self, count: int, times_s: FloatArray | None) -> FloatArray | None:
        """Return the times of the rows, from any zero; None where nothing says them in seconds."""
        if times_s is not None:
            return times_s
        rate_hz = _FRAMES_HZ if self._source.per_frame else self._columns.rate_hz or self._source.rate_hz
        return np.arange(count) / rate_hz if rate_hz else None

    def _possible_heart_rates(self, bpm: FloatArray) -> FloatArray:
        known = bpm[bpm > 0]  # devices write 0 or less where there is no heart rate
        low, high = MIN_HEART_RATE_BPM, MAX_HEART_RATE_BPM
        if not known.size and np.isfinite(bpm).any():
            raise self._fail(
                f"all {int(np.isfinite(bpm).sum())} heart rates are 0 or less: the device had none; name the right column, or leave this "
                "label out"
            )
        unusual = int(((known < low) | (known > high)).sum())
        if 2 * unusual > known.size:
            if known.max() < 4:
                raise self._fail(f'heart rates of {known.min():.3g} to {known.max():.3g} bpm look like hertz; set unit = "hz"')
            hint = ', an RR interval in ms? Then set kind = "rr" and unit = "ms"' if 300 < np.median(known) < 2000 else ""
            raise self._fail(
                f"{unusual} of {known.size} heart rates lie outside {low:g} to {high:g} bpm (the first: {known[0]:.6g}{hint}); "
                "name a column of heart rates in beats per minute"
            )
        impossible = (bpm < low) | (bpm > high)
        if impossible.any():
            self._note(f"{int(impossible.sum())} of {bpm.size} heart rates taken out (not within {low:g} to {high:g} bpm)")
        return np.where(impossible, np.nan, bpm)

    def _real_readings(self, bpm: FloatArray, times_s: FloatArray) -> FloatArray:
        """Return heart rates without codes for "no finger" and values that stand still."""
        known = np.isfinite(bpm)
        codes = fill_codes(bpm, times_s)
        if codes.any():
            many = "are" if codes.sum() > 1 else "is"
            self._note(f'{int(codes.sum())} of {bpm.size} values {many} the code {FILL_CODE_BPM:g} for "no finger"')
        held = held_values(np.where(codes, np.nan, bpm), times_s)
        if held.any():
            self._note(f"{int(held.sum())} of {bpm.size} heart rates taken out (one value for more than a minute)")
        left = np.where(codes | held, np.nan, bpm)
        if known.any() and not np.isfinite(left).any():
            value = bpm[np.isfinite(bpm)][0]
            span_s = float(np.ptp(times_s[known]))
            raise self._fail(
                f"is {value:g} throughout, for {span_s:.0f} s, and no heart stands still; name the right column, or give one heart rate for "
                f"the whole video by heart_rate_bpm = {value:g} in place of the label"
            )
        return left


_ABSOLUTE = {"unix": "UNIX times or dates with a time zone", "local": "dates", "clock": "times of day", "number": "numbers"}
_EXAMPLES = {"unix": "2026-05-03T10:00:00Z", "local": "2026-05-03T10:00:00", "clock": "10:00:00"}


def _start_hint(kind: TimeKind) -> str:
    return (
        f'give video_start = "{_EXAMPLES.get(kind, _EXAMPLES["local"])}" as the label\'s clock had it at the first frame, or set '
        "starts_with_video = true where the first row was taken at the first frame"
    )


def _on_frames(source: LabelSource, samples: _Samples, frames: FloatArray, notes: list[str]) -> tuple[FloatArray, FloatArray]:
    """Return times, on the clock of the frames, and values."""
    values = samples.values
    first_s = float(frames[0]) if frames.size else 0.0
    shift_s = source.offset_s - (source.lag_s if source.lag_s != "auto" else 0.0)
    if source.heart_rate_bpm is not None:
        # a sample a second; the last one reaches beyond the last frame
        times_s: FloatArray = np.arange(int(frames[-1] - first_s) + 2.0) + first_s if frames.size else np.empty(0)
        return times_s, np.full(times_s.size, source.heart_rate_bpm)
    if samples.times_s is not None:
        return samples.times_s + shift_s, values
    if source.kind == "rr":
        return np.cumsum(np.nan_to_num(values)) + first_s + shift_s, values
    if samples.rate_hz is not None:
        return np.arange(values.size) / samples.rate_hz + first_s + shift_s, values
    count = min(values.size, frames.size)
    if values.size != frames.size:
        name = printable(source.name)
        notes.append(f"{name}: {values.size} rows for {frames.size} frames; the first {count} of both are used")
    return frames[:count] + shift_s, values[:count]
