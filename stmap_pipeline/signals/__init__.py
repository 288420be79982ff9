"""Compute with signals over time: sampling, spectrum, and a pulse from colors. Nothing here opens a file.

====================  ============================================================================
:mod:`.resample`      resampling to a uniform grid, and of a recording played faster or slower
:mod:`.spectrum`      heart rate and signal-to-noise ratio of a pulse
:mod:`.classical`     GREEN, CHROM, POS: a pulse from the color of the face
:mod:`.lag`           how much later one pulse is than another
:mod:`.rate_grid`     how much of a distribution over heart rates lies near one, and its best rate
:mod:`.luma`          weights of red, green and blue in luma
====================  ============================================================================
"""

from stmap_pipeline.signals.classical import METHODS, chrom, face_mean, green, pos
from stmap_pipeline.signals.lag import Lag, pulse_lag
from stmap_pipeline.signals.resample import resample_uniform, uniform_times
from stmap_pipeline.signals.spectrum import Spectrum, detrend, dominant_rate_bpm, power_spectrum, snr_db

__all__ = [
    "METHODS",
    "Lag",
    "Spectrum",
    "chrom",
    "detrend",
    "dominant_rate_bpm",
    "face_mean",
    "green",
    "pos",
    "power_spectrum",
    "pulse_lag",
    "resample_uniform",
    "snr_db",
    "uniform_times",
]
