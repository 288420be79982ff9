"""Compare the time that a label covers with that of its video: no overlap, times in another unit, durations that differ."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import RecordingError, printable
from stmap_pipeline.records import LabelSource, median_interval_s

FloatArray = npt.NDArray[np.float64]

# a label that starts or stops a little beside the video is the normal case; more points at a wrong file or a lost part
MAX_DURATION_DIFFERENCE_S = 1.0
# a user's rate_hz that is wrong, such as 32 for 64, makes the label this much shorter or longer than the video, or more
MAX_RATE_ERROR = 0.2
# one unit read as another makes a label this much longer than it is, within what durations may differ
_UNITS = {1e-9: "nanoseconds", 1e-6: "microseconds", 1e-3: "milliseconds", 60.0: "minutes", 86400.0: "days", 1e3: "seconds"}
_SAME_SPAN = 0.15
_FEWEST_INSIDE = 2
# a label that lasts so many times as long as its video, to this precision, tells of frames that are played at another rate than they were taken at
_MAX_SPEED, _SAME_SPEED = 4, 0.04


def check_span(
    source: LabelSource, times_s: FloatArray, frames_s: FloatArray, *, time_unit_s: float | None, notes: list[str]
) -> None:
    """Raise where a label cannot be that of a video by the time that it covers, and note where the two differ.

    Parameters
    ----------
    source : LabelSource
    times_s : (n,) array of float64
        Of the samples, on the clock of the frames.
    frames_s : (T,) array of float64
        Times of the frames; the first and the last are enough.
    time_unit_s : float or None
        Unit in which the times of the file were read, where they are plain numbers.
    notes : list of str
        A note is appended where durations differ.

    Raises
    ------
    RecordingError
        ``label_overlap`` where no sample, or one of many, lies inside the video; ``label_unreadable`` where the times are in another unit,
        or the rate that the user gave makes another duration of the label than the video has.
    """
    if times_s.size == 0 or frames_s.size == 0:
        return
    name, path = printable(source.name), printable(source.path or source.name)
    label_s, video_s = float(times_s[-1] - times_s[0]), float(frames_s[-1] - frames_s[0])
    if time_unit_s is not None and (problem := _unit_problem(time_unit_s, times_s, label_s, video_s)):
        raise RecordingError("labels", "label_unreadable", f"{path}: {problem}")
    # a sample of a slow label stands for the whole time up to the next one, so its end is open by that much
    spacing_s = median_interval_s(times_s) if times_s.size > 1 else 1 / source.rate_hz if source.rate_hz else 0.0
    inside = int(((times_s >= frames_s[0] - min(spacing_s, MAX_DURATION_DIFFERENCE_S)) & (times_s <= frames_s[-1])).sum())
    if not inside or (inside < _FEWEST_INSIDE <= times_s.size and video_s > _FEWEST_INSIDE * spacing_s):
        few = f"only {inside} of its {times_s.size} samples lies inside: it " if inside else ""
        raise RecordingError(
            "labels",
            "label_overlap",
            f"{path}: {few}covers {times_s[0]:.9g} s to {times_s[-1]:.9g} s, and the video {frames_s[0]:.2f} s to {frames_s[-1]:.2f} s: no window "
            "has a label; correct its times by offset_s or time_unit_s, or set starts_with_video = true where the first row was taken "
            "at the first frame",
        )
    if (
        source.required
        and source.rate_hz is not None
        and not source.starts_with_video
        and abs(label_s - video_s) > MAX_RATE_ERROR * max(label_s, video_s) + MAX_DURATION_DIFFERENCE_S + spacing_s
    ):
        raise RecordingError(
            "labels",
            "label_unreadable",
            f"{path}: lasts {label_s:.1f} s at {source.rate_hz:g} Hz, and the video {video_s:.1f} s; correct "
            f"rate_hz, or set starts_with_video = true where the first row was taken at the first frame{speed_hint(times_s, frames_s)}",
        )
    if abs(label_s - video_s) > MAX_DURATION_DIFFERENCE_S + spacing_s:
        label = f"{label_s:.1f}" if label_s < 1e6 else f"{label_s:.3g}"
        hint = _rr_hint(source, label_s, video_s) or speed_hint(times_s, frames_s)
        notes.append(f"{name}: lasts {label} s, and the video {video_s:.1f} s{hint}")


def speed_hint(times_s: FloatArray, frames_s: FloatArray) -> str:
    """Return what to look at where a label lasts a whole multiple of its video, or the reverse; empty elsewhere.

    Frames that were taken at 15 Hz and written as 30 are played twice as fast, and have twice the heart rate.

    Parameters
    ----------
    times_s : (n,) array of float64
        Of the label's samples, on the clock of the frames.
    frames_s : (T,) array of float64
        Times of the frames; the first and the last are enough.

    Examples
    --------
    >>> speed_hint(np.arange(60.0), np.arange(900) / 30)
    '; it lasts 2 times as long: if the container claims a wrong frame rate, each heart rate is wrong by that factor; then set rate_hz of the recording'
    >>> speed_hint(np.arange(70.0), np.arange(900) / 30)
    ''
    """
    if min(times_s.size, frames_s.size) < 2:
        return ""
    spacing_s = median_interval_s(times_s)
    label_s, video_s = float(times_s[-1] - times_s[0]) + spacing_s, float(frames_s[-1] - frames_s[0])
    if not min(label_s, video_s) > 0 or abs(times_s[0] - frames_s[0]) > MAX_DURATION_DIFFERENCE_S + spacing_s:
        return ""
    ratio = label_s / video_s
    factor = round(max(ratio, 1 / ratio))
    slack = (MAX_DURATION_DIFFERENCE_S + spacing_s) / min(label_s, video_s)
    if not 2 <= factor <= _MAX_SPEED or abs(max(ratio, 1 / ratio) / factor - 1) > min(_SAME_SPEED, slack):
        return ""
    times = f"{factor} times as long" if ratio > 1 else f"1/{factor} as long"
    return f"; it lasts {times}: if the container claims a wrong frame rate, each heart rate is wrong by that factor; then set rate_hz of the recording"


def _unit_problem(read_unit_s: float, times_s: FloatArray, label_s: float, video_s: float) -> str:
    """Return that times are in another unit than they were read in; empty where they may be right."""
    if times_s.size < 3 or not label_s > 0 or not video_s > 0:
        return ""
    for factor, name in _UNITS.items():
        if abs(label_s * factor / video_s - 1) <= _SAME_SPAN:
            shown = f"{label_s:.1f}" if 0.1 <= label_s < 1e6 else f"{label_s:.3g}"
            return f"lasts {shown} s, and the video {video_s:.1f} s: its times look like {name}; set time_unit_s = {read_unit_s * factor:g}"
    spacing_s = median_interval_s(times_s)
    if spacing_s > video_s:
        return (
            f"has a sample every {spacing_s:.4g} s, and the video lasts {video_s:.1f} s; if its times are milliseconds, set "
            "time_unit_s = 0.001, and for one heart rate of the whole video give heart_rate_bpm"
        )
    return ""


def _rr_hint(source: LabelSource, label_s: float, video_s: float) -> str:
    longer = (
        source.kind == "rr" and source.time_column is None and source.unit == "ms" and abs(label_s / video_s / 1.024 - 1) < 0.004
    )
    return '; RR intervals in 1/1024 s that are read as ms are that much longer: is unit = "1/1024 s" right?' if longer else ""
