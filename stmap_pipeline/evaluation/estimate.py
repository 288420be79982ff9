"""Heart rate over time of a user's video: a number with its probability, or a refusal with its reason.

A refusal is a result: a video of an empty room, of a photograph, or of a face whose pulse is lost in motion has no heart rate, and a number
for it could not be distinguished from a correct one. It still has a best guess, marked as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import Config
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.evaluation.background import Background, background_share, is_light
from stmap_pipeline.evaluation.heart_rate_path import CLOSE_BPM, HeartRatePath, best_rates, calibrated, find_path, own_time
from stmap_pipeline.evaluation.picture import PictureMeter
from stmap_pipeline.evaluation.pulse_color import color_ratio, has_pulse_color
from stmap_pipeline.evaluation.pulse_wave import Beats, find_beats
from stmap_pipeline.evaluation.signal_problems import SignalProblem, missing_spans_s, signal_problems
from stmap_pipeline.evaluation.window_rates import (
    PULSE_NET_METHOD,
    SHORTEST_S,
    ClassicalRates,
    RateSource,
    WindowRates,
    rate_source,
)
from stmap_pipeline.labels import span_problem
from stmap_pipeline.pipeline.limits import Limits, is_memory_error, limited_memory
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import BlockTrace, LandmarkTrack, PulseTrace, Recording, RecordingResult, VideoSource, median_interval_s
from stmap_pipeline.records.recording import safe_id
from stmap_pipeline.signals.resample import MAX_GAP_S
from stmap_pipeline.video import Frame

FloatArray = npt.NDArray[np.float64]

WINDOW_S, STEP_S = 10.0, 2.0
#: Least probability that a rate is within 5 bpm of the truth for it to be given. Of 760 simulated videos without a pulse four get one.
ANSWER = 0.9
#: Least probability of the best guess of the pulse network, for a person in daily life, for it to be given where :data:`ANSWER` is reached in too little of the time. Of
#: 1,456 simulated videos with a pulse 14 got their rate so, all within 5 bpm, and none of 900 without. GREEN gives lamps a rate by this rule.
USUAL_ANSWER = 0.8
#: Least share of the time with a face in which a rate is given, for a video to have one.
ANSWERED_SHARE = 0.2
#: Highest probability of a rhythm that has not the color of a pulse: of simulated ones that seem likely otherwise, so many are right.
COLORLESS = 0.4
# what a message says of a rhythm that may be none of blood
_DOUBTS = {
    "brightness_alone": "is one of brightness and not of color, as of a lamp that flickers",
    "in_background": "is in the background, too, so it is one of the light or of the camera",
}
#: A face must be known in so much of a window.
SEEN = 0.6
#: Mean and standard deviation of 3,144,332 heart rates that 66,788 people took of themselves in daily life with the camera of a phone
#: (Avram et al.: npj Digit. Med. 2, 58, 2019), for the best guess where the video alone does not tell a rate; one that it tells owes nothing to them.
POPULATION_MEAN_BPM, POPULATION_SD_BPM = 79.1, 14.5
# share of people of whom nothing is assumed
_ANY_RATE = 0.1


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
        What its user should know: what was done to read the video, such as a turn of the image, and that a rate is given because it is usual.
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


def estimate_video(
    video: str | Path,
    method: str | RateSource = PULSE_NET_METHOD,
    *,
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    config: Config | None = None,
    others: Iterable[str] = (),
    on_frame: Callable[[float], None] | None = None,
) -> VideoEstimate:
    """Estimate the heart rate of a video.

    Decoding, tracking and block means are those of a build, with its limits of time and memory; nothing is written.

    Parameters
    ----------
    video : str or Path
    method : str or RateSource
        ``pulse-net`` (the network that comes with the package), ``green``, ``chrom`` or ``pos``; or what finds the rates of windows,
        such as :class:`~stmap_pipeline.evaluation.window_rates.RunRates`.
    window_s, step_s : float
        Length of a window, and time from one to the next. A shorter video has one window. A trained run has a length of its own.
    config : Config, optional
        Of faces and blocks; its limits are not looked at.
    others : iterable of str
        Classical methods to set beside.
    on_frame : callable, optional
        Called at each frame with its time in seconds.

    Returns
    -------
    VideoEstimate
        Also for a file that is missing, unreadable or no video: a refusal with the reason of a build.

    Raises
    ------
    UnknownNameError
        Where there is no such method.
    ModelMissingError
        Where the landmark model is not installed.

    Examples
    --------
    >>> one = estimate_video(Path("nowhere.mp4"))
    >>> one.reason, one.heart_rate_bpm
    ('source_missing', nan)
    """
    video = Path(video)
    source = rate_source(method) if isinstance(method, str) else method
    beside = [ClassicalRates(one) for one in others]
    limits = Limits()
    try:
        with limited_memory(limits.memory_bytes):
            result, meter = _read(video, config or Config(), limits, on_frame)
            found = _estimate(
                result.blocks,
                result.track,
                _attributes(result, video),
                source,
                beside,
                str(video),
                window_s=window_s,
                step_s=step_s,
                background=meter.background(result.track),
                repeated=meter.repeated(result.track),
            )
            return replace(found, notes=(*result.notes, *found.notes))
    except RecordingError as error:
        reason, message = error.reason, str(error)
    except Exception as error:
        if not is_memory_error(error):
            raise
        reason, message = (
            "out_of_memory",
            f"{video}: needed more than {limits.memory_bytes / 2**20:.0f} MB; cut it into shorter videos",
        )
    return VideoEstimate(str(video), source.name, float("nan"), reason, message)


def estimate_blocks(
    blocks: BlockTrace,
    method: str | RateSource = PULSE_NET_METHOD,
    *,
    track: LandmarkTrack | None = None,
    name: str = "",
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    others: Iterable[str] = (),
) -> VideoEstimate:
    """Estimate the heart rate of block means at hand; see :func:`estimate_video`.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = estimate_blocks(example_result(frames=450, heart_rate_bpm=81.0).blocks)
    >>> round(one.guess_bpm), one.probability > 0.5, [(round(w.start_s), round(w.stop_s)) for w in one.windows]
    (81, True, [(0, 10), (2, 12), (4, 14), (5, 15)])
    """
    source = rate_source(method) if isinstance(method, str) else method
    beside = [ClassicalRates(one) for one in others]
    return _estimate(blocks, track, {}, source, beside, name, window_s=window_s, step_s=step_s)


def _estimate(
    blocks: BlockTrace,
    track: LandmarkTrack | None,
    attributes: Mapping[str, str | int | float],
    source: RateSource,
    beside: list[ClassicalRates],
    name: str,
    *,
    window_s: float,
    step_s: float,
    background: Background | None = None,
    repeated: npt.NDArray[np.bool_] | None = None,
) -> VideoEstimate:
    if not (window_s >= SHORTEST_S and step_s > 0):
        raise ValueError(f"a window lasts {SHORTEST_S:g} s at least and a step is positive, not {window_s} and {step_s}")
    times_s = blocks.times_s
    nothing = VideoEstimate(name, source.name, float("nan"), "", "", blocks=blocks)
    if problem := span_problem(times_s):
        return replace(nothing, reason="clock_unreadable", message=f"{problem}; correct the times of the video")
    nothing = replace(nothing, problems=signal_problems(blocks, track, attributes, repeated))
    if repeated is not None and repeated.any():
        # such a frame is no measurement of its time
        blocks, track = blocks.at(~repeated), None if track is None else track.at(~repeated)
        nothing = replace(nothing, blocks=blocks)
    if not blocks.valid.any():
        return _explained(replace(nothing, reason="no_face", message=f"no face in any of {len(times_s)} frames"))
    # between frames that are left out as repeats, traces are interpolated
    bridged_s = MAX_GAP_S if len(blocks.times_s) < len(times_s) else 0.0
    rates = source.windows(blocks, track, window_s, step_s)
    seen = known_share(blocks, rates.spans_s, bridged_s) >= SEEN
    if not seen.any():
        windows = tuple(WindowEstimate(*span, *[float("nan")] * 5) for span in rates.spans_s.tolist())
        return _explained(replace(nothing, reason="too_short", message=_too_short(blocks, rates.spans_s, times_s), windows=windows))
    if not np.isfinite(rates.no_pulse[seen]).any():
        windows = tuple(WindowEstimate(*span, *[float("nan")] * 5) for span in rates.spans_s.tolist())
        message = "the color of the face does not change at all, so there is no best guess either"
        return _explained(replace(nothing, reason="no_pulse", message=message, windows=windows, pulse=rates.pulse))
    found = decide(Evidence(rates, seen, blocks, background), nothing)
    others = {}
    for one in beside:
        rates = one.windows(blocks, track, window_s, step_s)
        others[one.name] = _best_of_all(Evidence(rates, known_share(blocks, rates.spans_s, bridged_s) >= SEEN, blocks, background))
    return replace(found, others=others)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a video tells of its heart rate.

    Parameters
    ----------
    rates : WindowRates
        Distributions of its windows.
    seen : (W,) array of bool
        Windows in which the face is known for long enough; at least one.
    blocks : BlockTrace
    background : Background, optional
        A rhythm that is in the background as well is one of the light, and its probability is at most :data:`COLORLESS`.
    """

    rates: WindowRates
    seen: npt.NDArray[np.bool_]
    blocks: BlockTrace
    background: Background | None = None

    @property
    def own_s(self) -> FloatArray:
        """(W,) How much of the time of the video each window stands for, in seconds."""
        spans_s = self.rates.spans_s
        return own_time(spans_s) * (spans_s[:, 1] - spans_s[:, 0])

    def share(self, windows: npt.NDArray[np.bool_]) -> float:
        """Return the share of the time with a face that some windows stand for."""
        return float(self.own_s[self.seen & windows].sum() / self.own_s[self.seen].sum())

    def path(self) -> HeartRatePath:
        """Return the heart rate over time, given all of the video."""
        rates, seen = self.rates, self.seen
        return find_path(rates.rates_bpm, self._probability, rates.spans_s, np.where(seen, rates.no_pulse, np.nan))

    def chance(self, path: HeartRatePath, doubts: npt.NDArray[np.str_]) -> FloatArray:
        """Return the probability that the best rate of each window is right, with the doubts in it; NaN where no window near by tells anything."""
        chance = calibrated(path, self._probability, self.rates.spans_s, self.rates.calibration)
        return np.where(doubts == "", chance, np.minimum(chance, COLORLESS))

    def doubts(self, heart_rate_bpm: FloatArray) -> npt.NDArray[np.str_]:
        """Return for each window why a rhythm may be none of blood, ``brightness_alone`` or ``in_background``; empty where nothing says so."""
        rates = self.rates
        colored = has_pulse_color(color_ratio(self.blocks, rates.block_weights, rates.spans_s, heart_rate_bpm))
        doubts = np.where(colored, "", "brightness_alone")
        if self.background is None:
            return doubts
        share = background_share(self.background, self.blocks, rates.spans_s, heart_rate_bpm)
        return np.where(is_light(share), "in_background", doubts)

    def usual_rates(self) -> HeartRatePath:
        """Return one distribution for a whole video: the mean of its windows, each on its own, if this is a person in daily life.

        What made the path unsure, such as a lamp, may have misled all windows alike, so that they count as one. Of 642 simulated videos
        with the heart rates of VIPL-HR the refused ones are off by 2.9 bpm so, and by 9.2 by the path alone, to which all rates are
        equally likely.
        """
        rates = self.rates
        known = self.seen & np.isfinite(rates.probability).all(axis=1) & np.isfinite(rates.no_pulse)
        weights = self.own_s[known]
        population = np.exp(-0.5 * ((rates.rates_bpm - POPULATION_MEAN_BPM) / POPULATION_SD_BPM) ** 2)
        frequency = (1 - _ANY_RATE) * population / population.mean() + _ANY_RATE
        probability = frequency * np.average(rates.probability[known], axis=0, weights=weights)
        no_pulse = float(np.average(rates.no_pulse[known], weights=weights))
        total = float(probability.sum()) + no_pulse
        return HeartRatePath(rates.rates_bpm, probability[None] / total, np.array([no_pulse / total]))

    @property
    def _probability(self) -> FloatArray:
        return np.where(self.seen[:, None], self.rates.probability, np.nan)


def decide(evidence: Evidence, nothing: VideoEstimate) -> VideoEstimate:
    """Decide from the distributions of windows what is given.

    A rate is given where its probability, given all of the video, is at least :data:`ANSWER`. The video has one where that holds for at
    least a fifth of the time with a face; or, by the pulse network, a single *usual* one where the best guess for a person in daily life has
    at least :data:`USUAL_ANSWER` and is within 5 bpm of the likeliest rate of the video alone for half of that time.

    Parameters
    ----------
    evidence : Evidence
    nothing : VideoEstimate
        To be filled in.
    """
    rates, seen, own_s = evidence.rates, evidence.seen, evidence.own_s
    path = evidence.path()
    guess_bpm, _ = path.best()
    doubts = evidence.doubts(guess_bpm)
    chance = evidence.chance(path, doubts)
    # no window near by tells anything
    chance = np.where(seen & np.isfinite(chance), chance, 0.0)
    path = path.reweighted(chance)
    low_bpm, high_bpm = path.interval()
    given = seen & (chance >= ANSWER)
    answered = given.any() and evidence.share(given) >= ANSWERED_SHARE
    table = np.column_stack([rates.spans_s, np.where(given & answered, guess_bpm, np.nan), guess_bpm, low_bpm, high_bpm, chance])
    table[~seen, 2:] = np.nan
    found = replace(
        nothing,
        windows=tuple(WindowEstimate(*row) for row in table.tolist()),
        path=path,
        pulse=rates.pulse,
        block_weights=rates.block_weights,
        no_pulse=float(np.average(path.no_pulse[seen], weights=own_s[seen])),
    )
    if not answered:
        return _usual_or_refused(evidence, guess_bpm, doubts, evidence.share(given), found)
    mean_bpm, low, high, probability = (
        float(np.average(one[given], weights=own_s[given])) for one in (guess_bpm, low_bpm, high_bpm, chance)
    )
    return replace(
        found,
        heart_rate_bpm=mean_bpm,
        guess_bpm=mean_bpm,
        low_bpm=low,
        high_bpm=high,
        probability=probability,
        beats=find_beats(rates.pulse, rates.spans_s.mean(axis=1), guess_bpm, given),
    )


def _usual_or_refused(
    evidence: Evidence, guess_bpm: FloatArray, doubts: npt.NDArray[np.str_], share: float, found: VideoEstimate
) -> VideoEstimate:
    """Return a usual rate where the video alone makes none probable enough, or a refusal with its best guess."""
    usual = evidence.usual_rates()
    best_bpm, chance, low, high = (float(one[0]) for one in (*usual.best(), *usual.interval()))
    if (evidence.doubts(np.full(len(guess_bpm), best_bpm)) != "")[evidence.seen].all():
        chance = min(chance, COLORLESS)
    guessed = replace(found, guess_bpm=best_bpm, probability=chance, low_bpm=low, high_bpm=high)
    # a prior makes a likely rate more likely; it must not choose another one than the video
    likely = chance >= USUAL_ANSWER and evidence.share(np.abs(guess_bpm - best_bpm) <= CLOSE_BPM) >= 0.5
    if likely and found.method == PULSE_NET_METHOD:
        note = (
            f"the video alone makes no rate probable enough ({ANSWER:g} is reached in {share:.0%} of the time with a face, needed: "
            f"{ANSWERED_SHARE:.0%}); its likeliest rate is given because it is also a usual one in daily life, which its probability counts"
        )
        return replace(guessed, heart_rate_bpm=best_bpm, usual=True, notes=(note,))
    message = (
        f"no rate is probable enough: {ANSWER:g} is reached in {share:.0%} of the time with a face (needed: {ANSWERED_SHARE:.0%}); the "
        f"best guess for a person in daily life is {best_bpm:.0f} bpm, with a probability of {chance:.2f}"
    )
    seen_doubts = doubts[evidence.seen].tolist()
    if all(seen_doubts):
        most = Counter(seen_doubts).most_common(1)[0][0]
        message += f"; the rhythm of {float(np.median(guess_bpm[evidence.seen])):.0f} per minute {_DOUBTS[most]}"
    return _explained(replace(guessed, reason="no_pulse", message=message))


def _best_of_all(evidence: Evidence) -> tuple[float, float]:
    """Return the best single rate of a video, and its probability."""
    if not evidence.seen.any():
        return float("nan"), float("nan")
    path = evidence.path()
    best_bpm, _ = best_rates(evidence.rates.rates_bpm, np.mean(path.probability[evidence.seen], axis=0))
    return float(best_bpm), float(np.nanmean(evidence.chance(path, evidence.doubts(path.best()[0]))[evidence.seen]))


def known_share(blocks: BlockTrace, spans_s: FloatArray, bridged_s: float = 0.0) -> FloatArray:
    """Return the share of each window in which frames with a face are there, (W,).

    A frame stands for the time up to the next one, but for three usual steps, or ``bridged_s``, at most: what is missing is not known.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> known_share(example_result(frames=300, lost=slice(0, 150)).blocks, np.array([[0.0, 10.0]])).round(2).tolist()
    [0.5]
    """
    times_s = blocks.times_s
    if len(times_s) < 2:
        return np.zeros(len(spans_s))
    steps_s, usual_s = np.diff(times_s), median_interval_s(times_s)
    stands_s = np.append(np.where(steps_s <= max(3 * usual_s, bridged_s), steps_s, usual_s), usual_s) * blocks.valid
    sums = np.concatenate([[0.0], np.cumsum(stands_s)])
    first, last = np.searchsorted(times_s, spans_s[:, 0] - 1e-6), np.searchsorted(times_s, spans_s[:, 1] - 1e-6)
    return np.asarray((sums[last] - sums[first]) / (spans_s[:, 1] - spans_s[:, 0]))


def _explained(refused: VideoEstimate) -> VideoEstimate:
    """Add the likely causes to the message of a refusal."""
    causes = "; ".join(one.text for one in refused.problems)
    return replace(refused, message=f"{refused.message}; likely because: {causes}") if causes else refused


def _too_short(blocks: BlockTrace, spans_s: FloatArray, times_s: FloatArray) -> str:
    """Describe what there is of a video with frames at some times, of which the blocks have those that repeat none."""
    length_s = float(times_s[-1] - times_s[0])
    repeated_s = (len(times_s) - len(blocks.times_s)) * median_interval_s(times_s)
    missing_s = sum(stop_s - start_s for start_s, stop_s in missing_spans_s(times_s))
    parts = [f"{missing_s:.1f} s have no frames"] * (missing_s > 0) + [f"{repeated_s:.1f} s repeat a frame"] * (repeated_s > 0)
    lacking = f" ({', '.join(parts)})" if parts else ""
    if not len(spans_s):
        return f"the video lasts {length_s:.1f} s{lacking}, {'and what is left' if parts else 'which'} is less than one window"
    whole_s = np.array([[blocks.times_s[0], blocks.times_s[-1] + 1e-3]])
    seen_s = float(known_share(blocks, whole_s)[0]) * float(blocks.times_s[-1] - blocks.times_s[0])
    window_s = float((spans_s[:, 1] - spans_s[:, 0]).max())
    return (
        f"a face is seen for {seen_s:.1f} of {length_s:.1f} s{lacking}, and nowhere in {SEEN:.0%} of a window of {window_s:.1f} s"
    )


def _read(
    video: Path, config: Config, limits: Limits, on_frame: Callable[[float], None] | None
) -> tuple[RecordingResult, PictureMeter]:
    source = VideoSource(video)
    # a video with few frames with a face is refused by its windows, not by the limits of a build
    accepted = config.limits.model_copy(update={"max_lost_fraction": 1.0, "min_duration_s": 0.0})
    recording = Recording(safe_id(video.name), "estimate", "one", source)
    meter = PictureMeter()

    def watch(frame: Frame) -> None:
        meter.add(frame)
        if on_frame is not None:
            on_frame(frame.time_s)

    result = build_recording(recording, config.model_copy(update={"limits": accepted}), limits=limits, on_frame=watch)
    return result, meter


def _attributes(result: RecordingResult, video: Path) -> dict[str, str | int | float]:
    """Return the metadata of a recording with the bits that each pixel of a frame takes in its file."""
    known = dict(result.attributes)
    pixels = int(known.get("width_px", 0)) * int(known.get("height_px", 0)) * int(known.get("decoded_frames", 0))
    if pixels and video.is_file():
        known["bits_per_pixel"] = 8 * video.stat().st_size / pixels
    return known


def _known(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
