"""True and estimated heart rate of one recording side by side: a row of the demo's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stmap_pipeline.evaluation.estimate import RATE_HZ, UniformPulse, estimate_heart_rate, uniform_pulse
from stmap_pipeline.evaluation.spectrum import dominant_rate_bpm, snr_db
from stmap_pipeline.records import RecordingResult

Truth = Literal["heart_rate", "pulse", ""]
Span = tuple[float, float]


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


def compare_heart_rate(
    result: RecordingResult, method: str = "pos", *, rate_hz: float = RATE_HZ, pulse: UniformPulse | None = None
) -> HeartRateComparison:
    """Hold the heart rate that a classical method finds in the stored traces against the label.

    Parameters
    ----------
    result : RecordingResult
    method : {"green", "chrom", "pos"}
    rate_hz : float
        Uniform rate of the pulse.
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
    true_bpm, truth, (start_s, stop_s) = _truth(result, span, rate_hz)
    pulse = pulse or uniform_pulse(result.blocks, method, rate_hz=rate_hz)
    value = pulse.value[(pulse.times_s >= start_s) & (pulse.times_s < stop_s)]
    estimated_bpm = dominant_rate_bpm(value, rate_hz)
    ratio_db = snr_db(value, rate_hz, true_bpm if np.isfinite(true_bpm) else estimated_bpm)
    return HeartRateComparison(result.recording.recording_id, true_bpm, truth, estimated_bpm, ratio_db, start_s, stop_s)


def _truth(result: RecordingResult, span: Span, rate_hz: float) -> tuple[float, Truth, Span]:
    if result.heart_rate is not None:
        known_s = result.heart_rate.times_s[np.isfinite(result.heart_rate.heart_rate_bpm)]
        if known_s.size:
            spacing_s = float(np.median(np.diff(result.heart_rate.times_s))) if result.heart_rate.times_s.size > 1 else 0.0
            both = max(span[0], float(known_s[0])), min(span[1], float(known_s[-1]) + spacing_s)
            mean_bpm = result.heart_rate.mean_between(*both)
            if np.isfinite(mean_bpm):
                return mean_bpm, "heart_rate", both
    if result.pulse is not None and result.pulse.times_s.size:
        both = max(span[0], float(result.pulse.times_s[0])), min(span[1], float(result.pulse.times_s[-1]))
        rate_bpm = estimate_heart_rate(result.pulse, rate_hz=rate_hz, start_s=both[0], stop_s=both[1])
        if np.isfinite(rate_bpm):
            return rate_bpm, "pulse", both
    return float("nan"), "", span
