"""Cut a recording into windows with a label. A window is an interval and some figures, never a copy of samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import WindowsConfig, parse_span
from stmap_pipeline.maps.uniform import nearest_frame, uniform_times
from stmap_pipeline.records import RecordingResult, Window


@dataclass(frozen=True, slots=True, eq=False)
class WindowClock:
    """The samples that windows are counted in, and what was seen in each.

    Parameters
    ----------
    times_s : (T,) array of float64
    interval_s : float
        Usual time between two samples.
    valid : (T,) array of bool
        Whether the face was known.
    coverage : (T,) array of float64
        Mean share of the blocks' area that was seen.
    """

    times_s: npt.NDArray[np.float64]
    interval_s: float
    valid: npt.NDArray[np.bool_]
    coverage: npt.NDArray[np.float64]


def cut_windows(result: RecordingResult, config: WindowsConfig) -> list[Window]:
    """Cut a recording into windows of one length, each with its label.

    All windows of a recording have the same number of samples ``n``: the length in frames, or the length in seconds
    divided by the median interval of the recording and rounded. Window ``k`` starts ``k`` steps after the first sample
    - for a step in seconds at the sample nearest to that time - and is kept where all its samples exist. A start that
    falls on the one before (a step shorter than a frame, or a hole in the times) is not given twice. What is left at the
    end is less than a step; :func:`uncovered_samples` counts it.

    On the native clock a sample is a frame as recorded, whatever its time; on the uniform clock it is a point of
    :func:`~stmap_pipeline.maps.uniform.uniform_times` at ``rate_hz``, and its validity and coverage are those of the
    frame nearest to it.

    Parameters
    ----------
    result : RecordingResult
    config : WindowsConfig

    Returns
    -------
    list of Window
        In the order of time; empty where the recording is shorter than a window. A window without a label stays, with
        NaN for ``heart_rate_bpm`` and ``beats``.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> windows = cut_windows(example_result(frames=120), WindowsConfig(length="60 frames", step="1 s"))
    >>> [(one.start, one.stop) for one in windows], windows[0].heart_rate_bpm
    ([(0, 60), (30, 90), (60, 120)], 72.0)
    """
    if len(result.blocks.times_s) < 2:  # one frame has no interval, so no end
        return []
    blocks = result.blocks
    clock = window_clock(blocks.times_s, blocks.valid, blocks.coverage.mean(axis=1, dtype=np.float64), config)
    length = _length(config, clock.interval_s)
    start = _starts(clock, config)
    start = start[start + length <= len(clock.times_s)]
    start_s, stop_s = clock.times_s[start], clock.times_s[start + length - 1] + clock.interval_s
    mean_bpm = result.heart_rate.mean_between(start_s, stop_s) if result.heart_rate else np.full(len(start), np.nan)
    return [
        Window(
            recording_id=result.recording.recording_id,
            start=int(first),
            stop=int(first) + length,
            start_s=float(begin_s),
            stop_s=float(end_s),
            heart_rate_bpm=float(heart_rate_bpm),
            beats=float(heart_rate_bpm * (end_s - begin_s) / 60),
            valid_fraction=float(clock.valid[first : first + length].mean()),
            coverage=float(clock.coverage[first : first + length].mean()),
            fold=result.recording.fold or 0,
        )
        for first, begin_s, end_s, heart_rate_bpm in zip(start, start_s, stop_s, mean_bpm, strict=True)
    ]


def uncovered_samples(windows: Iterable[Window], samples: int) -> int:
    """Count the samples of a recording that lie in no window: the remainder at the end, and gaps where a step is long.

    Parameters
    ----------
    windows : iterable of Window
        Of one recording.
    samples : int
        Length of the recording on the clock of the windows.

    Examples
    --------
    >>> uncovered_samples([Window("a", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0)], 310)
    10
    """
    covered = np.zeros(samples, dtype=np.bool_)
    for one in windows:
        covered[one.start : one.stop] = True
    return int(samples - covered.sum())


def window_clock(
    times_s: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_], coverage: npt.NDArray[np.float64], config: WindowsConfig
) -> WindowClock:
    """Give the clock that a configuration counts a recording's windows in.

    Parameters
    ----------
    times_s : (T,) array of float64
        Times of the frames, T >= 2.
    valid, coverage : (T,) array
        Of each frame, as :class:`WindowClock` has them of each sample.
    config : WindowsConfig

    Examples
    --------
    >>> times_s = np.array([0.0, 0.1, 0.2, 0.3])
    >>> clock = window_clock(times_s, times_s < 0.2, np.ones(4), WindowsConfig(clock="uniform", rate_hz=5))
    >>> clock.times_s.tolist(), clock.valid.tolist()
    ([0.0, 0.2], [True, False])
    """
    if config.clock == "native":
        return WindowClock(times_s, float(np.median(np.diff(times_s))), valid, coverage)
    grid = uniform_times(times_s, config.rate_hz)
    index, near = nearest_frame(times_s, grid)
    return WindowClock(grid, 1.0 / config.rate_hz, valid[index] & near, np.where(near, coverage[index], 0.0))


def _length(config: WindowsConfig, interval_s: float) -> int:
    value, unit = parse_span(config.length)
    if unit == "frames":
        return int(value)
    return max(1, round(value * config.rate_hz if config.clock == "uniform" else value / interval_s))


def _starts(clock: WindowClock, config: WindowsConfig) -> npt.NDArray[np.intp]:
    value, unit = parse_span(config.step)
    if unit == "frames":
        return np.arange(0, len(clock.times_s), int(value), dtype=np.intp)
    if value <= np.diff(clock.times_s).min(initial=np.inf):  # finer than the samples: each of them is a start
        return np.arange(len(clock.times_s), dtype=np.intp)
    span_s = float(clock.times_s[-1] - clock.times_s[0])
    wanted_s = clock.times_s[0] + np.arange(int(span_s / value) + 1) * value
    return np.asarray(np.unique(nearest_frame(clock.times_s, wanted_s)[0]), dtype=np.intp)
