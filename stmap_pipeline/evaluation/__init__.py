"""How good a pulse is: classical baselines, heart rate from a trace, and error metrics.

====================  ===========================================================================
:mod:`.face`          one color per frame from the stored block means
:mod:`.classical`     GREEN, CHROM, POS: a pulse from that color
:mod:`.spectrum`      heart rate and signal-to-noise ratio from a pulse
:mod:`.estimate`      the way from a recording, or from its pulse label, to a heart rate
:mod:`.compare`       estimate and truth of one recording over the same interval
:mod:`.metrics`       ME, SD, MAE, RMSE, MER and r over many recordings
====================  ===========================================================================

Nothing here is learned, and nothing is invented: where no pulse can be seen, the answer is NaN.
"""

from stmap_pipeline.evaluation.classical import METHODS, chrom, green, pos
from stmap_pipeline.evaluation.compare import HeartRateComparison, compare_heart_rate
from stmap_pipeline.evaluation.estimate import (
    HeartRateSeries,
    UniformPulse,
    estimate_heart_rate,
    heart_rate_over_time,
    uniform_pulse,
)
from stmap_pipeline.evaluation.face import face_mean
from stmap_pipeline.evaluation.metrics import HeartRateMetrics, heart_rate_metrics
from stmap_pipeline.evaluation.spectrum import Spectrum, detrend, dominant_rate_bpm, power_spectrum, snr_db

__all__ = [
    "METHODS",
    "HeartRateComparison",
    "HeartRateMetrics",
    "HeartRateSeries",
    "Spectrum",
    "UniformPulse",
    "chrom",
    "compare_heart_rate",
    "detrend",
    "dominant_rate_bpm",
    "estimate_heart_rate",
    "face_mean",
    "green",
    "heart_rate_metrics",
    "heart_rate_over_time",
    "pos",
    "power_spectrum",
    "snr_db",
    "uniform_pulse",
]
