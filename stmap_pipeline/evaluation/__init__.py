"""How good a heart rate is: classical baselines, error metrics, and the evaluation of trained runs.

====================  ===========================================================================
:mod:`.face`          one color per frame from the stored block means
:mod:`.classical`     GREEN, CHROM, POS: a pulse from that color
:mod:`.spectrum`      heart rate and signal-to-noise ratio from a pulse
:mod:`.estimate`      the way from a recording, or from its pulse label, to a heart rate
:mod:`.compare`       estimate and truth of one recording over the same interval
:mod:`.metrics`       ME, SD, MAE, RMSE, MER and r over many recordings
:mod:`.bootstrap`     the same with intervals; :mod:`.bands` divides by true heart rate
:mod:`.baselines`     the classical methods on the windows of a run
:mod:`.evaluate`      a run on the persons it held out, or on other maps; :mod:`.result` is what comes of it
:mod:`.paired`        two runs on the same videos
====================  ===========================================================================

Nothing is invented: where no pulse can be seen, the answer is NaN.
"""

from stmap_pipeline.evaluation.bands import BANDS, band_of
from stmap_pipeline.evaluation.bootstrap import Figure, Score, score
from stmap_pipeline.evaluation.classical import METHODS, chrom, green, pos
from stmap_pipeline.evaluation.compare import HeartRateComparison, compare_heart_rate
from stmap_pipeline.evaluation.estimate import (
    HeartRateSeries,
    UniformPulse,
    estimate_heart_rate,
    heart_rate_over_time,
    uniform_pulse,
)
from stmap_pipeline.evaluation.evaluate import EvaluateOptions, evaluate_run
from stmap_pipeline.evaluation.face import face_mean
from stmap_pipeline.evaluation.metrics import HeartRateMetrics, heart_rate_metrics
from stmap_pipeline.evaluation.paired import Difference, RunComparison, compare_runs
from stmap_pipeline.evaluation.result import Bootstrap, Evaluation, MapsSummary, RunSummary, ScoreRow, read_evaluation
from stmap_pipeline.evaluation.spectrum import Spectrum, detrend, dominant_rate_bpm, power_spectrum, snr_db
from stmap_pipeline.evaluation.videos import Video, read_videos

__all__ = [
    "BANDS",
    "METHODS",
    "Bootstrap",
    "Difference",
    "EvaluateOptions",
    "Evaluation",
    "Figure",
    "HeartRateComparison",
    "HeartRateMetrics",
    "HeartRateSeries",
    "MapsSummary",
    "RunComparison",
    "RunSummary",
    "Score",
    "ScoreRow",
    "Spectrum",
    "UniformPulse",
    "Video",
    "band_of",
    "chrom",
    "compare_heart_rate",
    "compare_runs",
    "detrend",
    "dominant_rate_bpm",
    "estimate_heart_rate",
    "evaluate_run",
    "face_mean",
    "green",
    "heart_rate_metrics",
    "heart_rate_over_time",
    "pos",
    "power_spectrum",
    "read_evaluation",
    "read_videos",
    "score",
    "snr_db",
    "uniform_pulse",
]
