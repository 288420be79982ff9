"""The estimate of a video, as it is printed, drawn and written: heart rate over time with its probability, or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.heart_rate_path import HeartRatePath
from stmap_pipeline.evaluation.pulse_wave import Beats
from stmap_pipeline.evaluation.signal_problems import SignalProblem
from stmap_pipeline.records import BlockTrace, PulseTrace

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WindowEstimate:
    """The heart rate in an interval of a video, given all of the video.

    Parameters
    ----------
    start_s, stop_s : float
        On the video's own clock.
    heart_rate_bpm : float
        NaN where there is no face, the probability is too low, or the whole video is refused.
    guess_bpm : float
        The most probable rate, whatever its probability; NaN where there is no face, or no new frame.
    low_bpm, high_bpm : float
        Interval that holds the rate with a probability of 90 %, if there is a pulse.
    probability : float
        That the guess is within 5 bpm of the truth; NaN where there is no face.
    """

    start_s: float
    stop_s: float
    heart_rate_bpm: float
    guess_bpm: float
    low_bpm: float
    high_bpm: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class VideoEstimate:
    """The heart rate of one video, or the reason why there is none.

    Parameters
    ----------
    video : str
        As it was given.
    method : str
    heart_rate_bpm : float
        Mean over the time in which it is given; NaN where refused.
    reason : str
        A code of :data:`stmap_pipeline.errors.REASONS`; empty where there is a rate.
    message : str
        Why there is none and what helps; empty where there is a rate.
    usual : bool
        Whether the rate is given because it is usual in daily life, too; then it is one for the whole video, with no window and no beat.
    guess_bpm : float
        The rate, or where it is refused the most probable one if this is a person in daily life; NaN where there is no face.
    low_bpm, high_bpm : float
        Ends of the intervals of 90 %, mean over the same time.
    probability : float
        Expected share of that time in which the rate is within 5 bpm of the truth; of a usual rate, if this is a person in daily life.
    no_pulse : float
        Probability that there is no pulse, mean over the time with a face.
    notes : tuple of str
        What its user should know: what was done to read the video, such as a turn of the image, that a rate is given because it is usual, and that
        another method would give one.
    problems : tuple of SignalProblem
        What makes the pulse of this video hard to find.
    windows : tuple of WindowEstimate
        In the order of time.
    path : HeartRatePath, optional
        The probability of each rate in each window.
    pulse : PulseTrace, optional
    beats : Beats, optional
        Where the rate is given.
    block_weights : (N,) array, optional
        Attention of a network to the blocks.
    others : mapping of str to (float, float)
        Best rate and its probability by other methods, which may be wrong.
    blocks : BlockTrace, optional
        The traces, for a plot; None where the video could not be read.

    Examples
    --------
    >>> one = VideoEstimate("clip.mp4", "pos", float("nan"), "no_face", "no face in any of 542 frames")
    >>> one.refused, one.as_json()["heart_rate_bpm"], one.as_json()["reason"]
    (True, None, 'no_face')
    """

    video: str
    method: str
    heart_rate_bpm: float
    reason: str
    message: str
    guess_bpm: float = float("nan")
    low_bpm: float = float("nan")
    high_bpm: float = float("nan")
    probability: float = float("nan")
    no_pulse: float = float("nan")
    usual: bool = False
    notes: tuple[str, ...] = ()
    problems: tuple[SignalProblem, ...] = ()
    windows: tuple[WindowEstimate, ...] = ()
    path: HeartRatePath | None = field(default=None, repr=False)
    pulse: PulseTrace | None = field(default=None, repr=False)
    beats: Beats | None = field(default=None, repr=False)
    block_weights: FloatArray | None = field(default=None, repr=False)
    others: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    blocks: BlockTrace | None = field(default=None, repr=False)

    @property
    def refused(self) -> bool:
        """Whether there is no heart rate."""
        return bool(self.reason)

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold; unknown is null."""
        beats = self.beats or Beats(np.empty(0), np.empty(0))
        return {
            "video": self.video,
            "method": self.method,
            "heart_rate_bpm": _known(self.heart_rate_bpm),
            "low_bpm": _known(self.low_bpm),
            "high_bpm": _known(self.high_bpm),
            "probability": _known(self.probability),
            "reason": self.reason,
            "message": self.message,
            "guess_bpm": _known(self.guess_bpm),
            "no_pulse": _known(self.no_pulse),
            "usual": self.usual,
            "notes": list(self.notes),
            "problems": [one._asdict() for one in self.problems],
            "windows": [
                {
                    "start_s": round(one.start_s, 6),
                    "stop_s": round(one.stop_s, 6),
                    "heart_rate_bpm": _known(one.heart_rate_bpm),
                    "guess_bpm": _known(one.guess_bpm),
                    "low_bpm": _known(one.low_bpm),
                    "high_bpm": _known(one.high_bpm),
                    "probability": _known(one.probability),
                }
                for one in self.windows
            ],
            "beats": [
                {"time_s": round(time_s, 4), "interval_s": _known(interval_s)}
                for time_s, interval_s in zip(beats.times_s.tolist(), beats.interval_s.tolist(), strict=True)
            ],
            "others": {
                name: {"heart_rate_bpm": _known(rate_bpm), "probability": _known(chance)}
                for name, (rate_bpm, chance) in self.others.items()
            },
        }


def _known(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
