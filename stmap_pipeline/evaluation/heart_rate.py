"""Heart rate of a recording, from its block means or from its pulse label, by the same method.

An estimate and the contact sensor it is compared with go through the same resampling, the same windows and the same
spectrum, so a difference between the two is a difference of the signals. Where no pulse can be seen, the answer is NaN.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.result import Predictions
from stmap_pipeline.labels import span_problem
from stmap_pipeline.parallel import unordered
from stmap_pipeline.records import BlockTrace, PulseTrace, RecordingResult, median_interval_s
from stmap_pipeline.shards import Shards
from stmap_pipeline.signals.classical import METHODS, face_mean, method_named
from stmap_pipeline.signals.resample import resample_uniform
from stmap_pipeline.signals.spectrum import SNR_BAND_BPM, dominant_rate_bpm, dominant_rates_bpm, power_spectrum

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Truth = Literal["heart_rate", "pulse", ""]
Span = tuple[float, float]

RATE_HZ = 30.0


class UniformPulse(NamedTuple):
    """A pulse on a uniform clock.

    Parameters
    ----------
    times_s : (T,) array
    value : (T,) array
        Arbitrary units, NaN where unknown.
    rate_hz : float
    """

    times_s: FloatArray
    value: FloatArray
    rate_hz: float


class HeartRateSeries(NamedTuple):
    """Heart rate in a sliding window.

    Parameters
    ----------
    times_s : (W,) array
        Center of each window on the clock of the recording.
    heart_rate_bpm : (W,) array
        NaN where less than half of the window, or too little for a spectrum, is known.
    """

    times_s: FloatArray
    heart_rate_bpm: FloatArray


def on_uniform_grid(times_s: FloatArray, values: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Resample (T, C) samples to 30 Hz; see :func:`~stmap_pipeline.signals.resample.resample_uniform`.

    Returns
    -------
    times_s : (U,) array
    values : (U, C) array
        Both are empty where the times leap: a grid over all of their span might not fit into memory.
    """
    samples = np.asarray(values, dtype=np.float64)
    if span_problem(times_s):
        return np.empty(0), np.empty((0, *samples.shape[1:]))
    return resample_uniform(times_s, samples, RATE_HZ)


def uniform_pulse(source: BlockTrace | PulseTrace | UniformPulse, method: str = "pos") -> UniformPulse:
    """Return a recording's pulse on a uniform clock of 30 Hz.

    Parameters
    ----------
    source : BlockTrace, PulseTrace or UniformPulse
        Block means, from which ``method`` extracts a pulse, or a pulse label, which is resampled as it is. A pulse that is on
        a uniform clock already is returned as it is, so that several numbers can be computed from one extraction.
    method : {"green", "chrom", "pos"}

    Returns
    -------
    UniformPulse
        Gaps of more than 0.5 s in the source stay gaps. Empty where the times leap; see :func:`~stmap_pipeline.labels.span_problem`.

    Raises
    ------
    UnknownNameError
        Where there is no such method.

    Examples
    --------
    >>> label = PulseTrace(np.arange(0, 10, 0.02), np.sin(2 * np.pi * 1.2 * np.arange(0, 10, 0.02)))
    >>> uniform_pulse(label).times_s[:3].round(3).tolist()
    [0.0, 0.033, 0.067]
    """
    if isinstance(source, UniformPulse):
        return source
    if isinstance(source, PulseTrace):
        times_s, values = on_uniform_grid(source.times_s, source.value[:, None])
        return UniformPulse(times_s, values[:, 0], RATE_HZ)
    extract = method_named(method)
    times_s, values = on_uniform_grid(source.times_s, face_mean(source))
    return UniformPulse(times_s, extract(values, RATE_HZ), RATE_HZ)


def estimate_heart_rate(
    source: BlockTrace | PulseTrace | UniformPulse,
    method: str = "pos",
    *,
    start_s: float = -np.inf,
    stop_s: float = np.inf,
) -> float:
    """Estimate one heart rate for a recording or a part of it.

    Parameters
    ----------
    source : BlockTrace, PulseTrace or UniformPulse
    method : {"green", "chrom", "pos"}
        How to extract a pulse from block means; a pulse label needs none.
    start_s, stop_s : float
        The interval that is used, ``[start_s, stop_s)``.

    Returns
    -------
    float
        Beats per minute; NaN where no pulse can be seen (no face, too short, no movement).

    Examples
    --------
    >>> label = PulseTrace(np.arange(0, 10, 0.02), np.sin(2 * np.pi * 1.2 * np.arange(0, 10, 0.02)))
    >>> round(estimate_heart_rate(label), 1)
    72.0
    """
    pulse = uniform_pulse(source, method)
    inside = (pulse.times_s >= start_s) & (pulse.times_s < stop_s)
    return dominant_rate_bpm(pulse.value[inside], pulse.rate_hz)


def heart_rate_over_time(
    source: BlockTrace | PulseTrace | UniformPulse,
    method: str = "pos",
    *,
    window_s: float = 6.0,
    step_s: float = 1.0,
) -> HeartRateSeries:
    """Estimate the heart rate in a sliding window.

    Windows start at whole multiples of ``step_s``, so the series of two sources on one clock share their times.

    Parameters
    ----------
    source : BlockTrace, PulseTrace or UniformPulse
    method : {"green", "chrom", "pos"}
    window_s, step_s : float
        Length of the window and step to the next.

    Returns
    -------
    HeartRateSeries
        Empty where the source is shorter than one window.

    Examples
    --------
    >>> label = PulseTrace(np.arange(0, 10, 0.02), np.sin(2 * np.pi * 1.2 * np.arange(0, 10, 0.02)))
    >>> series = heart_rate_over_time(label, step_s=2)
    >>> series.times_s.tolist(), series.heart_rate_bpm.round(0).tolist()
    ([3.0, 5.0, 7.0], [72.0, 72.0, 72.0])
    """
    if not (window_s > 0 and step_s > 0):
        raise ValueError(f"window_s and step_s must be positive, not {window_s} and {step_s}")
    pulse = uniform_pulse(source, method)
    rate_hz = pulse.rate_hz
    if not pulse.times_s.size:
        return HeartRateSeries(np.empty(0), np.empty(0))
    first_s, last_s = float(pulse.times_s[0]), float(pulse.times_s[-1]) + 1.0 / rate_hz
    # half a sample of slack: a recording of exactly one window has one window
    slack_s = 0.5 / rate_hz
    first = int(np.ceil((first_s - slack_s) / step_s))
    last = int(np.floor((last_s - window_s + slack_s) / step_s))
    starts_s = np.arange(first, last + 1, dtype=np.float64) * step_s
    size = round(window_s * rate_hz)
    begins = np.maximum(np.round((starts_s - first_s) * rate_hz), 0).astype(np.int64)
    parts = [pulse.value[begin : begin + size] for begin in begins]
    rates = dominant_rates_bpm(parts, rate_hz)
    rates[[2 * np.isfinite(part).sum() < size for part in parts]] = np.nan
    return HeartRateSeries(starts_s + window_s / 2, rates)


def window_rates_bpm(blocks: BlockTrace, start_s: npt.ArrayLike, stop_s: npt.ArrayLike) -> FloatArray:
    """Estimate the heart rate in intervals of a recording by each classical method.

    The pulse is extracted from the whole recording and then cut, as :func:`estimate_heart_rate` does it.

    Parameters
    ----------
    blocks : BlockTrace
    start_s, stop_s : (w,) array
        The intervals, ``[start_s, stop_s)``.

    Returns
    -------
    (w, 3) array
        Beats per minute by GREEN, CHROM and POS; NaN where no pulse is seen.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> window_rates_bpm(example_result(frames=450, heart_rate_bpm=81.0).blocks, [0.0, 5.0], [10.0, 15.0]).round().tolist()
    [[81.0, 81.0, 81.0], [81.0, 81.0, 81.0]]
    """
    times_s, colors = on_uniform_grid(blocks.times_s, face_mean(blocks))
    pulses = [extract(colors, RATE_HZ) for extract in METHODS.values()]
    first = np.searchsorted(times_s, np.asarray(start_s, dtype=np.float64))
    last = np.searchsorted(times_s, np.asarray(stop_s, dtype=np.float64))
    parts = [pulse[begin:end] for begin, end in zip(first, last, strict=True) for pulse in pulses]
    return dominant_rates_bpm(parts, RATE_HZ).reshape(len(first), len(pulses))


def classical_rates(shards: Shards, windows: Predictions, *, jobs: int = 1) -> Generator[tuple[IntArray, FloatArray], None, None]:
    """Estimate the heart rates of many windows by each classical method, recording by recording.

    Parameters
    ----------
    shards : Shards
    windows : Predictions
        Their estimates are not used.
    jobs : int
        Number of processes; the numbers do not depend on it.

    Yields
    ------
    rows : (w,) array of int
        Places of the windows of one recording, in no particular order of recordings.
    rates_bpm : (w, 3) array
        By GREEN, CHROM and POS; NaN where no pulse is seen.

    Raises
    ------
    UnknownNameError, ShardError
        Where the shards lack a recording, or one is damaged.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> shards = Shards(example_maps())
    >>> windows = shards.windows(subject="p001")
    >>> sum(len(rows) for rows, _ in classical_rates(shards, Predictions.of(windows, [0.0] * len(windows)))) == len(windows)
    True
    """
    by_subject: dict[str, list[_Windows]] = {}
    names, index = np.unique(windows.recording_id, return_inverse=True)
    for place, name in enumerate(names.tolist()):
        rows = np.flatnonzero(index == place)
        part = (name, rows, windows.start_s[rows], windows.stop_s[rows])
        by_subject.setdefault(shards.info(name).subject, []).append(part)
    # a subject a task: to open its shard is dearer than to read a recording of it
    task = partial(_rates_of_recordings, shards)
    results = unordered(task, by_subject.values(), jobs) if jobs > 1 else map(task, by_subject.values())
    for found in results:
        yield from found


_Windows = tuple[str, IntArray, FloatArray, FloatArray]


def _rates_of_recordings(shards: Shards, parts: Sequence[_Windows]) -> list[tuple[IntArray, FloatArray]]:
    return [(rows, window_rates_bpm(shards.recording(name).blocks, start_s, stop_s)) for name, rows, start_s, stop_s in parts]


@dataclass(frozen=True, slots=True)
class HeartRateComparison:
    """Truth and estimate over one and the same interval.

    Parameters
    ----------
    recording_id : str
    true_bpm : float
        NaN where the recording has no label.
    truth : {"heart_rate", "pulse", ""}
        Which label the truth comes from: the mean of the heart rate, else the spectrum of the pulse.
    estimated_bpm : float
    snr_db : float
        At the true rate, or at the estimate where the truth is unknown.
    start_s, stop_s : float
        The interval: where video and label both are.
    """

    recording_id: str
    true_bpm: float
    truth: Truth
    estimated_bpm: float
    snr_db: float
    start_s: float
    stop_s: float

    @property
    def error_bpm(self) -> float:
        """Estimate minus truth."""
        return self.estimated_bpm - self.true_bpm


def compare_heart_rate(result: RecordingResult, method: str = "pos", pulse: UniformPulse | None = None) -> HeartRateComparison:
    """Compare the heart rate that a classical method finds in the stored traces with the label.

    Parameters
    ----------
    result : RecordingResult
    method : {"green", "chrom", "pos"}
    pulse : UniformPulse, optional
        The pulse of this recording, where it was extracted before; ``method`` is not used then.

    Returns
    -------
    HeartRateComparison

    Examples
    --------
    >>> from stmap_pipeline.records import BlockTrace, HeartRateTrace, LandmarkTrack, Recording, RoiGrid, VideoSource
    >>> times_s = np.arange(600) / 30
    >>> beat = 1 + 0.01 * np.sin(2 * np.pi * 1.2 * times_s)[:, None, None] * [0.3, 0.8, 0.5]
    >>> blocks = BlockTrace(times_s, (beat * [120, 100, 80]).astype(np.float32), np.ones((600, 1), np.float32), RoiGrid(1, 1))
    >>> track = LandmarkTrack(times_s, np.zeros((600, 68, 2), np.float32), np.ones(600, np.float32))
    >>> label = HeartRateTrace(np.arange(20.0), np.full(20, 73.0))
    >>> row = compare_heart_rate(RecordingResult(Recording("a", "folder", "a", VideoSource("a.avi")), blocks, track, label))
    >>> row.true_bpm, round(row.estimated_bpm, 1), row.truth
    (73.0, 72.0, 'heart_rate')
    """
    times_s = result.blocks.times_s
    span = (float(times_s[0]), float(np.nextafter(times_s[-1], np.inf))) if times_s.size else (0.0, 0.0)
    true_bpm, truth, (start_s, stop_s) = _truth(result, span)
    pulse = pulse or uniform_pulse(result.blocks, method)
    value = pulse.value[(pulse.times_s >= start_s) & (pulse.times_s < stop_s)]
    spectrum = power_spectrum(value, pulse.rate_hz, SNR_BAND_BPM)
    estimated_bpm = float(spectrum.peak_bpm())
    ratio_db = float(spectrum.snr_db(true_bpm if np.isfinite(true_bpm) else estimated_bpm))
    return HeartRateComparison(result.recording.recording_id, true_bpm, truth, estimated_bpm, ratio_db, start_s, stop_s)


def _truth(result: RecordingResult, span: Span) -> tuple[float, Truth, Span]:
    if result.heart_rate is not None:
        known_s = result.heart_rate.times_s[np.isfinite(result.heart_rate.heart_rate_bpm)]
        if known_s.size:
            spacing_s = median_interval_s(result.heart_rate.times_s)
            both = max(span[0], float(known_s[0])), min(span[1], float(known_s[-1]) + spacing_s)
            mean_bpm = result.heart_rate.mean_between(*both)
            if np.isfinite(mean_bpm):
                return mean_bpm, "heart_rate", both
    if result.pulse is not None and result.pulse.times_s.size:
        both = max(span[0], float(result.pulse.times_s[0])), min(span[1], float(result.pulse.times_s[-1]))
        rate_bpm = estimate_heart_rate(result.pulse, start_s=both[0], stop_s=both[1])
        if np.isfinite(rate_bpm):
            return rate_bpm, "pulse", both
    return float("nan"), "", span
