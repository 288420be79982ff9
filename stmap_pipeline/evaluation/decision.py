"""What is given of a video: its heart rate, a usual one, or a refusal that still has a best guess."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.background import Background, background_share, is_light
from stmap_pipeline.evaluation.heart_rate_path import HeartRatePath, calibrated, find_path, own_time
from stmap_pipeline.evaluation.pulse_color import color_ratio, has_pulse_color
from stmap_pipeline.evaluation.pulse_wave import find_beats
from stmap_pipeline.evaluation.video_estimate import VideoEstimate, WindowEstimate
from stmap_pipeline.evaluation.window_rates import PULSE_NET_METHOD, WindowRates
from stmap_pipeline.records import BlockTrace, median_interval_s
from stmap_pipeline.signals.rate_grid import CLOSE_BPM, best_rates

FloatArray = npt.NDArray[np.float64]

#: Least probability that a rate is within 5 bpm of the truth for it to be given. Of 1,060 simulated videos without a pulse five get one.
ANSWER = 0.9
#: Least share of the time with a face in which a rate is given, for a video to have one.
ANSWERED_SHARE = 0.2
#: Highest probability of a rhythm that has not the color of a pulse: of simulated ones that seem likely otherwise, so many are right.
COLORLESS = 0.4
# what a message says of a rhythm that may not be that of the blood
_DOUBTS = {
    "brightness_alone": "is one of brightness and not of color, as of a lamp that flickers",
    "in_background": "is in the background, too, so it is one of the light or of the camera",
    "few_frames": "may be a faster one, which so few frames a second do not show",
}
#: Mean and standard deviation of 3,144,332 heart rates that 66,788 people took of themselves in daily life with the camera of a phone
#: (Avram et al.: npj Digit. Med. 2, 58, 2019), for the best guess where the video alone does not tell a rate; one that it tells owes nothing to them.
POPULATION_MEAN_BPM, POPULATION_SD_BPM = 79.1, 14.5
# share of people of whom nothing is assumed
_ANY_RATE = 0.1


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
        """(W,) How much of the time with a face each window stands for, in seconds; 0 where it is not seen."""
        spans_s = self.rates.spans_s
        return own_time(spans_s, self.seen) * (spans_s[:, 1] - spans_s[:, 0])

    def share(self, windows: npt.NDArray[np.bool_]) -> float:
        """Return the share of the time with a face that some windows stand for."""
        return float(self.own_s[windows].sum() / self.own_s.sum())

    def path(self) -> HeartRatePath:
        """Return the heart rate over time, given all of the video."""
        rates, seen = self.rates, self.seen
        return find_path(rates.rates_bpm, self._probability, rates.spans_s, np.where(seen, rates.no_pulse, np.nan))

    def chance(self, path: HeartRatePath, doubts: npt.NDArray[np.str_]) -> FloatArray:
        """Return the probability that the best rate of each window is right, with the doubts in it; NaN where no window near by tells anything."""
        chance = calibrated(path, self._probability, self.rates.spans_s, self.rates.calibration)
        return _believed(chance, doubts)

    def doubts(self, heart_rate_bpm: FloatArray) -> npt.NDArray[np.str_]:
        """Return for each window why a rhythm may not be that of the blood, by its code; empty where nothing says so."""
        rates = self.rates
        # a rate above half the frame rate looks like one below
        if 30.0 / median_interval_s(self.blocks.times_s) < rates.rates_bpm[-1]:
            return np.full(len(heart_rate_bpm), "few_frames")
        colored = has_pulse_color(color_ratio(self.blocks, rates.block_weights, rates.spans_s, heart_rate_bpm))
        doubts = np.where(colored, "", "brightness_alone")
        if self.background is None:
            return doubts
        share = background_share(self.background, self.blocks, rates.spans_s, heart_rate_bpm)
        return np.where(is_light(share), "in_background", doubts)

    def usual_rates(self) -> HeartRatePath:
        """Return one distribution for a whole video: the mean of its windows, each on its own, if this is a person in daily life.

        What made the path unsure, such as a lamp, may have misled all windows alike, so that they count as one. A rhythm that may not be that
        of the blood counts as little as it is believed before the frequency of its rate does. Of 642 simulated videos
        with the heart rates of VIPL-HR the refused ones are off by 2.9 bpm so, and by 9.2 by the path alone, to which all rates are
        equally likely.
        """
        rates = self.rates
        known = self.seen & np.isfinite(rates.probability).all(axis=1) & np.isfinite(rates.no_pulse)
        weights = self.own_s[known]
        windows = HeartRatePath(
            rates.rates_bpm, np.where(known[:, None], rates.probability, 0.0), np.where(known, rates.no_pulse, 1.0)
        )
        best_bpm, chance = windows.best()
        windows = windows.reweighted(_believed(chance, self.doubts(best_bpm)))
        population = np.exp(-0.5 * ((rates.rates_bpm - POPULATION_MEAN_BPM) / POPULATION_SD_BPM) ** 2)
        frequency = (1 - _ANY_RATE) * population / population.mean() + _ANY_RATE
        probability = frequency * np.average(windows.probability[known], axis=0, weights=weights)
        no_pulse = float(np.average(windows.no_pulse[known], weights=weights))
        total = float(probability.sum()) + no_pulse
        return HeartRatePath(rates.rates_bpm, probability[None] / total, np.array([no_pulse / total]))

    @property
    def _probability(self) -> FloatArray:
        return np.where(self.seen[:, None], self.rates.probability, np.nan)


def _believed(chance: FloatArray, doubts: npt.NDArray[np.str_]) -> FloatArray:
    """Return probabilities of rates, at most :data:`COLORLESS` where something says that a rhythm may not be that of the blood."""
    return np.where(doubts == "", chance, np.minimum(chance, COLORLESS))


def decide(evidence: Evidence, nothing: VideoEstimate) -> VideoEstimate:
    """Decide from the distributions of windows what is given.

    A rate is given where its probability, given all of the video, is at least :data:`ANSWER`. The video has one where that holds for at
    least a fifth of the time with a face; or, by the pulse network, a single *usual* one where the best guess for a person in daily life is as
    probable, and within 5 bpm of the likeliest rate of the video alone for half of that time.

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
    best_bpm, chance = (float(one[0]) for one in usual.best())
    if evidence.share(evidence.doubts(np.full(len(guess_bpm), best_bpm)) != "") > 0.5:
        chance = min(chance, COLORLESS)
    low, high = (float(one[0]) for one in usual.reweighted(np.array([chance])).interval())
    guessed = replace(found, guess_bpm=best_bpm, probability=chance, low_bpm=low, high_bpm=high)
    # a prior makes a likely rate more likely; it must not choose another one than the video
    likely = chance >= ANSWER and evidence.share(np.abs(guess_bpm - best_bpm) <= CLOSE_BPM) >= 0.5
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
    return explained(replace(guessed, reason="no_pulse", message=message))


def best_of_all(evidence: Evidence) -> tuple[float, float]:
    """Return the best single rate of a video, and its probability; NaN where nothing is known."""
    if not np.isfinite(evidence.rates.no_pulse[evidence.seen]).any():
        return float("nan"), float("nan")
    path = evidence.path()
    best_bpm, _ = best_rates(evidence.rates.rates_bpm, np.mean(path.probability[evidence.seen], axis=0))
    return float(best_bpm), float(np.nanmean(evidence.chance(path, evidence.doubts(path.best()[0]))[evidence.seen]))


def explained(refused: VideoEstimate) -> VideoEstimate:
    """Add the likely causes to the message of a refusal."""
    causes = "; ".join(one.text for one in refused.problems)
    return replace(refused, message=f"{refused.message}; likely because: {causes}") if causes else refused
