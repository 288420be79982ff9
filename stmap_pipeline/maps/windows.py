"""Cut a recording into windows and compute the label of each. A window is an interval and some numbers, never a copy of samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import WindowsConfig, parse_span
from stmap_pipeline.records import HeartRateTrace, RecordingResult, Window, median_interval_s
from stmap_pipeline.signals.resample import nearest_frame, played_times, uniform_times

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


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
    speed : float
        How many times as fast the recording is played; ``speed * times_s`` are times of the recording.
    """

    times_s: FloatArray
    interval_s: float
    valid: npt.NDArray[np.bool_]
    coverage: FloatArray
    speed: float = 1.0


class WindowFigures(NamedTuple):
    """Columns of the windows of one recording at one speed; as in :class:`~stmap_pipeline.records.Window`, arrays (W,)."""

    start: IntArray
    stop: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    heart_rate_bpm: FloatArray
    beats: FloatArray
    valid_fraction: FloatArray
    coverage: FloatArray


def cut_windows(result: RecordingResult, config: WindowsConfig) -> list[Window]:
    """Cut a recording into windows of one length, each with its label.

    All windows of a recording have the same number of samples ``n``: the length in frames, or the length in seconds
    divided by the median interval of the recording and rounded. Window ``k`` starts ``k`` steps after the first sample
    - for a step in seconds at the sample nearest to that time - and is kept where all its samples exist. A start that
    equals the one before (a step shorter than a frame, or a gap in the times) is left out. What is left at the
    end is less than a step.

    On the native clock a sample is a frame as recorded, whatever its time; on the uniform clock it is a point of
    :func:`~stmap_pipeline.signals.resample.uniform_times` at ``rate_hz``, and its validity and coverage are those of the
    frame nearest to it.

    Parameters
    ----------
    result : RecordingResult
    config : WindowsConfig

    Returns
    -------
    list of Window
        In the order of time; empty where the recording is shorter than a window. A window without a trusted label
        stays, with NaN for ``heart_rate_bpm`` and ``beats`` and the reason in ``label_problem``.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> windows = cut_windows(example_result(frames=120), WindowsConfig(length="60 frames", step="1 s"))
    >>> [(one.start, one.stop) for one in windows], windows[0].heart_rate_bpm
    ([(0, 60), (30, 90), (60, 120)], 72.0)
    """
    blocks = result.blocks
    if len(blocks.times_s) < 2:  # one frame has no interval, so no end
        return []
    clock = window_clock(blocks.times_s, blocks.valid, blocks.coverage.mean(axis=1, dtype=np.float64), config)
    figures = window_figures(clock, result.heart_rate, config)
    label = result.heart_rate or HeartRateTrace(np.empty(0), np.empty(0))
    of_label = (label.coverage(figures.start_s, figures.stop_s), label.coverage_problem(figures.start_s, figures.stop_s))
    columns = (column.tolist() for column in figures)
    name, fold, speed = repeat(result.recording.recording_id), repeat(result.recording.fold or 0), repeat(1.0)
    rows = zip(name, *columns, fold, speed, *(column.tolist() for column in of_label), strict=False)
    return [Window(*cells) for cells in rows]


def window_clock(
    times_s: FloatArray, valid: npt.NDArray[np.bool_], coverage: FloatArray, config: WindowsConfig, speed: float = 1.0
) -> WindowClock:
    """Return the clock that a configuration counts the windows of a recording in.

    Parameters
    ----------
    times_s : (T,) array of float64
        Times of the frames, T >= 2.
    valid, coverage : (T,) array
        Of each frame, as :class:`WindowClock` has them of each sample.
    config : WindowsConfig
    speed : float
        How many times as fast the recording is played; other than at 1 the samples are evenly spaced on the native clock, too,
        see :func:`~stmap_pipeline.signals.resample.played_times`.

    Examples
    --------
    >>> times_s = np.array([0.0, 0.1, 0.2, 0.3])
    >>> clock = window_clock(times_s, times_s < 0.2, np.ones(4), WindowsConfig(clock="uniform", rate_hz=5))
    >>> clock.times_s.tolist(), clock.valid.tolist()
    ([0.0, 0.2], [True, False])
    """
    native = config.clock == "native"
    interval_s = median_interval_s(times_s) if native else 1.0 / config.rate_hz
    if speed == 1 and native:
        return WindowClock(times_s, interval_s, valid, coverage)
    samples_s = uniform_times(times_s, config.rate_hz) if speed == 1 else played_times(times_s, speed, interval_s)
    index, near = nearest_frame(times_s, speed * samples_s)
    return WindowClock(samples_s, interval_s, valid[index] & near, np.where(near, coverage[index], 0.0), speed)


def window_figures(clock: WindowClock, heart_rate: HeartRateTrace | None, config: WindowsConfig) -> WindowFigures:
    """Return interval, label and quality of each window of a recording; see :func:`cut_windows` for the rule.

    The label of a window at another speed is the mean heart rate of the part of the recording that it shows, times the speed.

    Parameters
    ----------
    clock : WindowClock
    heart_rate : HeartRateTrace, optional
        On the clock of the recording.
    config : WindowsConfig

    Examples
    --------
    >>> clock = window_clock(np.arange(600) / 30, np.ones(600, bool), np.ones(600), WindowsConfig(), speed=1.5)
    >>> figures = window_figures(clock, HeartRateTrace(np.arange(20.0), np.full(20, 80.0)), WindowsConfig())
    >>> figures.start.tolist()[-1], figures.heart_rate_bpm.tolist()[0], figures.beats.round(6).tolist()[0]
    (90, 120.0, 20.0)
    """
    value, unit = parse_span(config.length)
    if unit == "frames":
        length = int(value)
    else:
        length = max(1, round(value * config.rate_hz if config.clock == "uniform" else value / clock.interval_s))
    start = _starts(clock, config)
    start = start[start + length <= len(clock.times_s)]
    stop = start + length
    start_s, stop_s = clock.times_s[start], clock.times_s[stop - 1] + clock.interval_s
    if heart_rate is None:
        heart_rate_bpm = np.full(start.size, np.nan)
    else:
        heart_rate_bpm = clock.speed * heart_rate.mean_between(clock.speed * start_s, clock.speed * stop_s)
    return WindowFigures(
        start,
        stop,
        start_s,
        stop_s,
        heart_rate_bpm,
        heart_rate_bpm * (stop_s - start_s) / 60,
        _means(clock.valid, start, length),
        _means(clock.coverage, start, length),
    )


def _starts(clock: WindowClock, config: WindowsConfig) -> IntArray:
    value, unit = parse_span(config.step)
    if unit == "frames":
        return np.arange(0, len(clock.times_s), int(value), dtype=np.int64)
    if value <= np.diff(clock.times_s).min(initial=np.inf):  # finer than the samples: each of them is a start
        return np.arange(len(clock.times_s), dtype=np.int64)
    span_s = float(clock.times_s[-1] - clock.times_s[0])
    wanted_s = clock.times_s[0] + np.arange(int(span_s / value) + 1) * value
    return np.unique(nearest_frame(clock.times_s, wanted_s)[0]).astype(np.int64)


def _means(values: npt.NDArray[np.bool_] | FloatArray, start: IntArray, length: int) -> FloatArray:
    if not start.size:
        return np.zeros(0)
    # window by window, and not as differences of running sums, whose last digits would hang on what came before
    windows = np.lib.stride_tricks.sliding_window_view(values, length)
    parts = np.array_split(start, -(-start.size // 4096))  # bounded memory, however small the step is
    return np.concatenate([windows[part].mean(axis=1) for part in parts])
