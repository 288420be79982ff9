"""What a user may choose when heart rates are balanced; checked here, and written beside the result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.maps.balance.histogram import Bins, Target

# Farther away a pulse wave, breathing and motion are no longer those of a person; the kernel is made for this range, too.
LARGEST_SCALE = 3.0
# Short enough to be read in a table and to name a file.
SCALE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class BalanceOptions:
    """Bring the histogram of heart rates to a target as nearly as the recordings allow.

    Parameters
    ----------
    bins : Bins
    target : Target
    max_scale : float
        Largest factor on a heart rate; the smallest is its reciprocal.
    seed : int
        Decides every choice that is otherwise open.
    per_subject_cap : int, optional
        Largest number of resampled windows of one subject.
    min_valid_fraction : float
        Smallest share of frames with a known face in the part of the recording that is read.

    Raises
    ------
    ConfigError
        Where a value is out of range.

    Examples
    --------
    >>> BalanceOptions(max_scale=1.4).to_mapping()["max_scale"]
    1.4
    """

    rule: ClassVar[str] = "balance"
    bins: Bins = field(default_factory=Bins)
    target: Target = field(default_factory=Target)
    max_scale: float = 1.5
    seed: int = 0
    per_subject_cap: int | None = None
    min_valid_fraction: float = 1.0

    def __post_init__(self) -> None:
        if not 1.05 < self.max_scale <= LARGEST_SCALE:
            raise ConfigError(f"the largest scale must be above 1.05 and at most {LARGEST_SCALE:g}, not {self.max_scale:g}")
        if self.seed < 0:
            raise ConfigError(f"the seed must be 0 or more, not {self.seed}")
        self.target.shares(self.bins)
        _check(self.per_subject_cap, self.min_valid_fraction)

    def to_mapping(self) -> dict[str, Any]:
        """Give all options as plain values, for JSON."""
        return {
            "rule": self.rule,
            "target": [list(piece) for piece in self.target.pieces] or "uniform",
            "range_bpm": [self.bins.low_bpm, self.bins.high_bpm],
            "bin_bpm": self.bins.width_bpm,
            "max_scale": self.max_scale,
            "seed": self.seed,
            "per_subject_cap": self.per_subject_cap,
            "min_valid_fraction": self.min_valid_fraction,
        }


@dataclass(frozen=True, slots=True)
class Fg2019Options:
    """Resample each window of a middle band of heart rates by fixed factors, as the FG 2019 paper is understood to do.

    Parameters
    ----------
    hr_scales : tuple of float
        Factors on the heart rate.
    band_bpm : (float, float)
        Windows from the first up to, but not including, the second heart rate are resampled.
    bins : Bins
        For the histogram that is shown; it decides nothing.
    seed : int
        Decides which windows remain where there is a cap.
    per_subject_cap : int, optional
    min_valid_fraction : float

    Raises
    ------
    ConfigError
        Where a value is out of range.

    Examples
    --------
    >>> Fg2019Options().to_mapping()["hr_scales"]
    [0.67, 1.5]
    """

    rule: ClassVar[str] = "fg2019"
    hr_scales: tuple[float, ...] = (0.67, 1.5)
    band_bpm: tuple[float, float] = (70.0, 85.0)
    bins: Bins = field(default_factory=Bins)
    seed: int = 0
    per_subject_cap: int | None = None
    min_valid_fraction: float = 1.0

    def __post_init__(self) -> None:
        if not self.hr_scales or len(set(self.hr_scales)) != len(self.hr_scales):
            raise ConfigError(f"scales are needed, each of them once, not {self.hr_scales}")
        for scale in self.hr_scales:
            if not 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE or scale == 1 or scale != round(scale, SCALE_DIGITS):
                raise ConfigError(
                    f"a scale must be between 1/{LARGEST_SCALE:g} and {LARGEST_SCALE:g}, not 1, and with {SCALE_DIGITS} decimals at "
                    f"most; not {scale:g}"
                )
        low, high = self.band_bpm
        if not (0 <= low < high < math.inf):
            raise ConfigError(f"a band of heart rates such as 70,85 is needed, not {low:g},{high:g}")
        if self.seed < 0:
            raise ConfigError(f"the seed must be 0 or more, not {self.seed}")
        _check(self.per_subject_cap, self.min_valid_fraction)

    def to_mapping(self) -> dict[str, Any]:
        """Give all options as plain values, for JSON."""
        return {
            "rule": self.rule,
            "hr_scales": list(self.hr_scales),
            "band_bpm": list(self.band_bpm),
            "range_bpm": [self.bins.low_bpm, self.bins.high_bpm],
            "bin_bpm": self.bins.width_bpm,
            "seed": self.seed,
            "per_subject_cap": self.per_subject_cap,
            "min_valid_fraction": self.min_valid_fraction,
        }


Options = BalanceOptions | Fg2019Options


def _check(per_subject_cap: int | None, min_valid_fraction: float) -> None:
    if per_subject_cap is not None and per_subject_cap < 1:
        raise ConfigError(f"a cap must leave room for one window or more, not {per_subject_cap}")
    if not 0 <= min_valid_fraction <= 1:
        raise ConfigError(f"the smallest valid fraction must be between 0 and 1, not {min_valid_fraction:g}")
