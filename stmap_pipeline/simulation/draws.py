"""Random numbers that several terms draw in the same way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def log_uniform(random: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]) -> FloatArray:
    """Draw values whose logarithm is uniform."""
    return np.asarray(np.exp(random.uniform(np.log(low), np.log(high), shape)))


def factor_of_some(random: np.random.Generator, share: float, low: float, high: float, shape: int | tuple[int, ...]) -> FloatArray:
    """Draw a factor that is log-uniform in a share of the windows and 1 in the others."""
    return np.where(random.random(shape) < share, log_uniform(random, low, high, shape), 1.0)
