"""The 25 blocks of a simulated face: where skin is, where it pulses, shines and moves. Set by hand from common proportions."""

from __future__ import annotations

import numpy as np

ROWS, COLS = 5, 5
# relative change of R, G, B with one unit of blood; as in the drawn faces
PULSE_COLOR = np.array([0.33, 0.77, 0.53]) / 0.77
# share of skin in each block, brows to chin: corners are hair and wall, the second row has the eyes
SKIN_SHARE = np.array(
    [
        [0.45, 0.85, 0.95, 0.85, 0.45],
        [0.55, 0.60, 0.90, 0.60, 0.55],
        [0.80, 1.00, 0.95, 1.00, 0.80],
        [0.70, 0.95, 0.75, 0.95, 0.70],
        [0.30, 0.75, 0.85, 0.75, 0.30],
    ]
).ravel()
# how strongly skin pulses where it is: cheeks and forehead most, lips and chin least
PERFUSION = np.array(
    [
        [0.8, 1.1, 1.2, 1.1, 0.8],
        [0.6, 0.6, 0.9, 0.6, 0.6],
        [1.0, 1.2, 0.9, 1.2, 1.0],
        [0.9, 1.1, 0.6, 1.1, 0.9],
        [0.6, 0.7, 0.7, 0.7, 0.6],
    ]
).ravel()
# how much of the light a block mirrors when it turns: brow, nose and chin shine
SHINE = np.array(
    [
        [0.3, 0.8, 1.0, 0.8, 0.3],
        [0.2, 0.3, 1.2, 0.3, 0.2],
        [0.3, 0.6, 1.4, 0.6, 0.3],
        [0.2, 0.4, 0.5, 0.4, 0.2],
        [0.1, 0.3, 0.6, 0.3, 0.1],
    ]
).ravel()
# how much a block moves with the mouth
MOUTH = np.array(
    [
        [0.02, 0.02, 0.02, 0.02, 0.02],
        [0.04, 0.04, 0.03, 0.04, 0.04],
        [0.15, 0.20, 0.10, 0.20, 0.15],
        [0.35, 0.70, 1.00, 0.70, 0.35],
        [0.35, 0.80, 1.00, 0.80, 0.35],
    ]
).ravel()
ACROSS = np.tile(np.linspace(-1, 1, COLS), ROWS)
DOWN = np.repeat(np.linspace(-1, 1, ROWS), COLS)
