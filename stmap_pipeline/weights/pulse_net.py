"""What the pulse network reads and returns: the numbers that its forms in torch and in NumPy share, and that its weights belong to."""

from __future__ import annotations

import numpy as np

#: Clock of the input, in samples per second.
INPUT_HZ = 30.0
#: Clock of the wave and of the weights over time.
WAVE_HZ = 15.0
#: (R,) heart rates of the distribution.
RATES_BPM = np.arange(36.0, 221.0)
#: Samples of the windows that it is trained on.
SAMPLES = 300
#: Samples of the moving average, applied twice, that is the trend of a trace: 2 s.
TREND = 61
#: Samples at 15 Hz over which each mix is divided by its own deviation: 2 s.
DEVIATION = 31
#: (M, 3) weights of the relative R, G, B in the mixes: the channels, the planes of CHROM (de Haan and Jeanne, IEEE TBME 2013), and the
#: planes of POS (Wang et al., IEEE TBME 2017). Two planes, each divided by its deviation, and added: that is POS.
MIXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (3.0, -2.0, 0.0), (1.5, 1.0, -1.5), (0.0, 1.0, -1.0), (-2.0, 1.0, 1.0))
#: Taps of the half-band low-pass before every second sample is taken.
HALF_BAND = (-1 / 32, 0.0, 9 / 32, 0.5, 9 / 32, 0.0, -1 / 32)
#: Samples of 15 Hz in one step of encoder and decoder.
STEP = 4
#: Steps to both sides over which the scores of the spatial attention are averaged: a block that is good now is good two seconds around.
NEAR_STEPS = 3
#: Groups of channels that are normalized together.
GROUPS = 4
#: Largest absolute value of an input.
LARGEST = 5.0
#: Numbers that say how the head is placed.
MOTIONS = 4
