"""One axis: from the units of the data to the length of a plot, and round numbers to mark it with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis.

    Parameters
    ----------
    low, high : float
        Its ends, the second one above the first.

    Examples
    --------
    >>> scale = Scale(40, 180)
    >>> scale.place([40, 110, 200]).tolist(), scale.ticks(4)
    ([0.0, 0.5, nan], [50, 100, 150])
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"an axis needs two finite ends, the lower one first, not {self.low} and {self.high}")

    @classmethod
    def around(cls, *values: npt.ArrayLike, margin: float = 0.05, least: float = 1.0) -> Scale:
        """Make an axis that holds all known values, with a margin and at least so wide.

        Examples
        --------
        >>> Scale.around([60.0, float("nan"), 80.0], margin=0)
        Scale(low=60.0, high=80.0)
        >>> Scale.around([], least=2)
        Scale(low=-1.0, high=1.0)
        """
        known = np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in values]) if values else np.empty(0)
        known = known[np.isfinite(known)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        more = max(margin * (high - low), (least - (high - low)) / 2)
        return cls(low - more, high + more)

    def place(self, values: npt.ArrayLike, *, clip: bool = True) -> npt.NDArray[np.float64]:
        """Give the place of each value, 0 at the low end and 1 at the high one; with ``clip``, NaN where it lies outside."""
        place = (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)
        # rounding may put an end of the axis a hair outside of it
        return np.where((place < -1e-9) | (place > 1 + 1e-9), np.nan, place) if clip else place

    def ticks(self, about: int = 5, *, least_step: float = 0.0) -> list[float]:
        """List about so many round numbers on the axis: multiples of 1, 2 or 5 times a power of ten.

        Examples
        --------
        >>> Scale(0, 0.031).ticks(3), Scale(-3, 19).ticks(4)
        ([0.0, 0.01, 0.02, 0.03], [0, 5, 10, 15])
        """
        rough = (self.high - self.low) / max(about, 1)
        power = 10.0 ** math.floor(math.log10(rough))
        step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda one: abs(math.log(one / rough)))
        step = max(step, least_step)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [_round(number * step, step) for number in range(first, last + 1)]


def _round(value: float, step: float) -> float:
    return round(value) if step >= 1 else round(value, 1 - math.floor(math.log10(step)))


def tick_text(value: float) -> str:
    r"""Write a number at a tick, with a true minus.

    Examples
    --------
    >>> tick_text(12000), tick_text(-2.5) == "\N{MINUS SIGN}2.5"
    ('12,000', True)
    """
    return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")
