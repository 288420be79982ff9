"""Estimate and evaluate heart rates: classical baselines, error metrics, and the evaluation of trained runs.

==========================  ======================================================================
:mod:`.heart_rate`          heart rate of a recording, from its traces or its pulse label, beside the truth
:mod:`.metrics`             ME, SD, MAE, RMSE, MER and r with intervals; bands of true heart rate
:mod:`.evaluate`            a run on the subjects it held out, or on other maps
:mod:`.result`              the tables and ``evaluation.json`` that it writes
:mod:`.compare`             two runs on the same videos
:mod:`.experiment`          all trainings and tests of a paper
:mod:`.estimate`            the heart rate of one video, from its file or its traces
:mod:`.decision`            whether a rate is given, or the reason why there is none
:mod:`.video_estimate`      the result, as it is printed, drawn and written
:mod:`.window_rates`        distributions of heart rates in the windows of a video, by any method
:mod:`.window_probability`  the same for GREEN, CHROM and POS: from spectrum and agreement of blocks
:mod:`.pulse_inference`     the pulse network in NumPy
:mod:`.heart_rate_path`     heart rate over time from the distributions of overlapping windows
:mod:`.pulse_color`         whether a rhythm has the color of blood
:mod:`.rhythm`              amplitude and phase of one rhythm in the windows of a video
:mod:`.background`          whether a rhythm is in the background, too, and so one of the light
:mod:`.picture`             what whole pictures tell while a video is decoded: the background, frames that repeat
:mod:`.pulse_wave`          one wave from those of windows, and its beats
:mod:`.signal_problems`     what in a video hides its pulse
==========================  ======================================================================

An estimate without a pulse is NaN.
"""

from stmap_pipeline.evaluation.compare import Difference, compare_runs
from stmap_pipeline.evaluation.evaluate import evaluate_run
from stmap_pipeline.evaluation.heart_rate import (
    HeartRateComparison,
    UniformPulse,
    compare_heart_rate,
    estimate_heart_rate,
    heart_rate_over_time,
    uniform_pulse,
)
from stmap_pipeline.evaluation.metrics import BANDS, Bootstrap, Interval, Score, band_of, heart_rate_metrics, score
from stmap_pipeline.evaluation.result import Evaluation, Video, read_evaluation, read_videos
from stmap_pipeline.signals.classical import METHODS, chrom, face_mean, green, pos
from stmap_pipeline.signals.spectrum import Spectrum, detrend, dominant_rate_bpm, power_spectrum, snr_db

__all__ = [
    "BANDS",
    "METHODS",
    "Bootstrap",
    "Difference",
    "Evaluation",
    "HeartRateComparison",
    "Interval",
    "Score",
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
