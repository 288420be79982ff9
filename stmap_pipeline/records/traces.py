"""Heart rate and pulse over time: the labels, each with its own clock. What is unknown is NaN, never zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
_SLACK_S = 0.1


def _checked(times_s: npt.ArrayLike, values: npt.ArrayLike, what: str) -> tuple[FloatArray, FloatArray]:
    times = np.asarray(times_s, dtype=np.float64)
    numbers = np.asarray(values, dtype=np.float64)
    if times.ndim != 1 or times.shape != numbers.shape:
        raise ValueError(f"{what}: times and values must be two vectors of one length, not {times.shape} and {numbers.shape}")
    if not np.all(np.isfinite(times)) or (times.size > 1 and np.any(np.diff(times) <= 0)):
        raise ValueError(f"{what}: times must be finite and increase")
    return times, numbers


@dataclass(frozen=True, slots=True, eq=False)
class HeartRateTrace:
    """Heart rate over time, NaN where the device gave none.

    Parameters
    ----------
    times_s : (L,) array of float64
        Seconds on the clock of the video's frames, increasing. A sample of a 1 Hz trace stands at the start of its second.
    heart_rate_bpm : (L,) array of float64
        Beats per minute.

    Examples
    --------
    >>> trace = HeartRateTrace([0.0, 1.0, 2.0], [70.0, 74.0, 255.0])
    >>> trace.over(0.0, 2.0)
    72.0
    """

    times_s: FloatArray
    heart_rate_bpm: FloatArray

    def __post_init__(self) -> None:
        times, values = _checked(self.times_s, self.heart_rate_bpm, "heart rate")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "heart_rate_bpm", values)

    def over(self, start_s: float, stop_s: float) -> float:
        """Give the mean of the known samples in ``[start_s, stop_s)``.

        Returns
        -------
        float
            Beats per minute; NaN where :meth:`why_not` gives a reason.
        """
        values = self._inside(start_s, stop_s)
        return float(values.mean()) if values.size and not self.why_not(start_s, stop_s) else float("nan")

    def why_not(self, start_s: float, stop_s: float) -> str:
        """Say why :meth:`over` has no value for the interval; empty where it has one.

        A mean is refused where the trace ends more than one sample (0.1 s at least) before the interval does, or less than half of the
        samples inside are known: such a number would describe another interval than it claims.
        """
        if self.times_s.size == 0:
            return "the label is empty"
        inside = (self.times_s >= start_s) & (self.times_s < stop_s)
        count = int(inside.sum())
        if count == 0:
            return f"no label sample between {start_s:.2f} s and {stop_s:.2f} s"
        spacing_s = float(np.median(np.diff(self.times_s))) if self.times_s.size > 1 else stop_s - start_s
        covered_from, covered_to = float(self.times_s[0]), float(self.times_s[-1]) + spacing_s
        # a device that starts or stops within one sample, or one or two frames, of the video is the normal case, not a gap
        slack_s = max(spacing_s, _SLACK_S)
        if covered_from > start_s + slack_s or covered_to < stop_s - slack_s:
            return f"the label covers {covered_from:.2f} s to {covered_to:.2f} s only"
        known = int(np.isfinite(self.heart_rate_bpm[inside]).sum())
        if 2 * known < count:
            return f"only {known} of {count} label samples are known"
        return ""

    def _inside(self, start_s: float, stop_s: float) -> FloatArray:
        inside = (self.times_s >= start_s) & (self.times_s < stop_s)
        values = self.heart_rate_bpm[inside]
        return values[np.isfinite(values)]


@dataclass(frozen=True, slots=True, eq=False)
class PulseTrace:
    """A pulse wave (PPG, BVP, blood pressure) in arbitrary units.

    Parameters
    ----------
    times_s : (L,) array of float64
        Seconds on the clock of the video's frames, increasing.
    value : (L,) array of float64
        Arbitrary units, NaN where unknown.
    """

    times_s: FloatArray
    value: FloatArray

    def __post_init__(self) -> None:
        times, values = _checked(self.times_s, self.value, "pulse")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "value", values)
