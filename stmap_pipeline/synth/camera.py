"""What lies between a drawn face and its pixels: light that drifts, and a sensor that is noisy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.sines import Sines, random_sines

Plane = npt.NDArray[np.float32]
_POOL = 1 << 22  # samples; a frame may take half of them, so that any two are at different places


@dataclass(frozen=True, slots=True)
class Illumination:
    """Light on the whole picture, the same for each color.

    Parameters
    ----------
    level : float
        1 is good light.
    drift : Sines
        Relative change over time.
    slope : Sines
        Relative change from the middle to the right edge: a cloud or a door to one side.
    """

    level: float = 1.0
    drift: Sines = field(default_factory=Sines)
    slope: Sines = field(default_factory=Sines)

    def gain(self, time_s: float, width_px: int) -> Plane:
        """Give the (W,) factor of each picture column at a time.

        Examples
        --------
        >>> Illumination(0.5).gain(3.0, 4).tolist()
        [0.5, 0.5, 0.5, 0.5]
        """
        across = np.linspace(-1, 1, width_px) * self.slope.at(time_s)
        return np.asarray(self.level * (1 + self.drift.at(time_s)) * (1 + across), dtype=np.float32)


def random_illumination(rng: np.random.Generator, level: float, drift: float) -> Illumination:
    """Draw a light that drifts by a relative amplitude, and by half of it from side to side."""
    return Illumination(level, random_sines(rng, drift, 0.03, 0.25), random_sines(rng, drift / 2, 0.03, 0.25))


@dataclass(frozen=True, slots=True)
class SensorNoise:
    """Independent Gaussian noise of each pixel and color.

    The numbers come from one pool that every frame enters at places of its own: drawing each anew would take longer than
    all the rest. Means over many pixels behave as independent noise does.

    Parameters
    ----------
    sigma : float
        Standard deviation in gray levels.
    seed : int
    """

    sigma: float = 1.5
    seed: int = 0

    def planes(self, index: int, height_px: int, width_px: int) -> list[Plane]:
        """Give three (H, W) planes for frame ``index``; the same index gives the same noise.

        Examples
        --------
        >>> red, green, blue = SensorNoise(2.0, seed=4).planes(0, 100, 100)
        >>> bool(abs(green.std() - 2.0) < 0.1)
        True
        """
        size = height_px * width_px
        if size > _POOL // 2:
            raise ValueError(f"a frame of {width_px}x{height_px} is larger than the {_POOL // 2} pixels that there is noise for")
        starts = np.random.default_rng([self.seed, 3, index]).integers(_POOL - size + 1, size=3)
        pool = _pool()
        return [pool[start : start + size].reshape(height_px, width_px) * np.float32(self.sigma) for start in starts.tolist()]


@lru_cache(maxsize=1)
def _pool() -> Plane:
    pool = np.random.default_rng(20190514).standard_normal(_POOL, dtype=np.float32)
    pool -= pool.mean()
    pool.flags.writeable = False
    return pool
