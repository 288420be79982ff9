"""Choose the windows of recordings played at other speeds that are added to a training set, and compute the histogram with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from stmap_pipeline.balance.histogram import Bins, Target, normalized_entropy, wanted_counts
from stmap_pipeline.config import WindowsConfig
from stmap_pipeline.errors import ConfigError
from stmap_pipeline.maps.windows import WindowFigures, window_clock, window_figures
from stmap_pipeline.records import HeartRateTrace, Window

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Rule = Literal["balance", "fg2019"]

#: Ten speeds from 1 / 1.5 to 1.5, evenly spaced in log; 1 itself is the recording.
SPEEDS = tuple(round(1.5 ** (step / 5), 4) for step in range(-5, 6) if step)
#: The FG 2019 paper resamples windows of a middle band of heart rates by two factors.
FG2019_SPEEDS = (0.67, 1.5)
FG2019_BAND_BPM = (70.0, 85.0)

# farther away a pulse wave, breathing and motion are no longer those of a person
_LARGEST_SPEED = 3.0
# short enough to be read in a table and to name a file
_SPEED_DIGITS = 4
# a labeled window at some speed; recording and subject are numbers in the order of their names
_WINDOW = np.dtype(
    [("recording", "i8"), ("subject", "i8"), ("fold", "i8"), ("speed", "f8")]
    + [(name, "i8" if name in ("start", "stop") else "f8") for name in WindowFigures._fields]
)
Windows = npt.NDArray[np.void]
# multiples of the golden ratio spread the first few of many windows evenly over their recording
_GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class BalanceOptions:
    """How heart rates are balanced; checked here, and written beside the result.

    Parameters
    ----------
    rule : {"balance", "fg2019"}
        ``balance`` brings the histogram of heart rates to the target as nearly as the recordings allow. ``fg2019`` resamples
        all windows of a middle band of heart rates, as the FG 2019 paper is understood to do.
    bins : Bins
    target : Target
        Of ``balance``.
    band_bpm : (float, float)
        Of ``fg2019``: the part of the recording has a mean heart rate from the first up to, but not including, the second.
    speeds : tuple of float
        Factors on the heart rate; those of the rule where none are given.
    max_added : float
        Largest number of windows added, as a multiple of those recorded; infinite for no limit.
    per_subject_cap : int, optional
        Largest number of windows added of one subject.
    min_valid_fraction : float
        Smallest share of samples with a known face, in recorded and added windows.
    seed : int
        Decides every choice that is otherwise open.

    Raises
    ------
    ConfigError
        Where a value is out of range.

    Examples
    --------
    >>> BalanceOptions().speeds[:5]
    (0.6667, 0.723, 0.7841, 0.8503, 0.9221)
    >>> BalanceOptions("fg2019").speeds
    (0.67, 1.5)
    """

    rule: Rule = "balance"
    bins: Bins = field(default_factory=Bins)
    target: Target = field(default_factory=Target)
    band_bpm: tuple[float, float] = FG2019_BAND_BPM
    speeds: tuple[float, ...] = ()
    max_added: float = 1.0
    per_subject_cap: int | None = None
    min_valid_fraction: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ConfigError(f"no rule is called {self.rule!r}; use one of {', '.join(get_args(Rule))}")
        if not self.speeds:
            object.__setattr__(self, "speeds", SPEEDS if self.rule == "balance" else FG2019_SPEEDS)
        if len(set(self.speeds)) != len(self.speeds):
            raise ConfigError(f"each speed is needed once, not {self.speeds}")
        for speed in self.speeds:
            if not 1 / _LARGEST_SPEED <= speed <= _LARGEST_SPEED or speed == 1 or speed != round(speed, _SPEED_DIGITS):
                raise ConfigError(
                    f"a speed must be between 1/{_LARGEST_SPEED:g} and {_LARGEST_SPEED:g}, not 1, and with {_SPEED_DIGITS} decimals "
                    f"at most; not {speed:g}"
                )
        low, high = self.band_bpm
        if not 0 <= low < high < math.inf:
            raise ConfigError(f"a band of heart rates such as 70,85 is needed, not {low:g},{high:g}")
        if not self.max_added > 0:
            raise ConfigError(f"the largest number of added windows must be above 0, not {self.max_added:g}")
        if self.per_subject_cap is not None and self.per_subject_cap < 1:
            raise ConfigError(f"a cap must leave room for one window or more, not {self.per_subject_cap}")
        if not 0 <= self.min_valid_fraction <= 1:
            raise ConfigError(f"the smallest valid fraction must be between 0 and 1, not {self.min_valid_fraction:g}")
        if self.seed < 0:
            raise ConfigError(f"the seed must be 0 or more, not {self.seed}")
        self.target.shares(self.bins)

    def to_mapping(self) -> dict[str, Any]:
        """Return all options that the rule uses as plain values, for JSON."""
        own: dict[str, Any] = {"band_bpm": list(self.band_bpm)}
        if self.rule == "balance":
            own = {"target": [list(piece) for piece in self.target.pieces] or "uniform"}
        return {
            "rule": self.rule,
            **own,
            "range_bpm": [self.bins.low_bpm, self.bins.high_bpm],
            "bin_bpm": self.bins.width_bpm,
            "speeds": list(self.speeds),
            "max_added": self.max_added if math.isfinite(self.max_added) else None,
            "per_subject_cap": self.per_subject_cap,
            "min_valid_fraction": self.min_valid_fraction,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What must be known of a recording to plan with it: clock, quality and label, but no pixel.

    Parameters
    ----------
    recording_id, subject : str
    fold : int
        0 where the database has none.
    times_s : (T,) array of float64
        Times of the frames.
    valid : (T,) array of bool
        Whether the face was known.
    coverage : (T,) array of float64
        Mean share of the blocks' area that was seen.
    heart_rate : HeartRateTrace, optional
    """

    recording_id: str
    subject: str
    fold: int
    times_s: FloatArray
    valid: npt.NDArray[np.bool_]
    coverage: FloatArray
    heart_rate: HeartRateTrace | None


@dataclass(frozen=True, slots=True)
class BinResult:
    """One bin of heart rates before and after.

    Parameters
    ----------
    low_bpm, high_bpm : float
        From the first up to, but not including, the second.
    before : int
        Windows as recorded.
    wanted : int, optional
        What the target asks for within the limit of added windows; never less than there are. None where there is no target.
    added : int
    shortfall : str
        Why not more, where less was added than wanted.

    Examples
    --------
    >>> BinResult(140, 145, 3, 100, 40, "37 windows come here at these speeds").after
    43
    """

    low_bpm: float
    high_bpm: float
    before: int
    wanted: int | None
    added: int
    shortfall: str = ""

    @property
    def after(self) -> int:
        """Windows as recorded and resampled."""
        return self.before + self.added


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """A plan: the windows that are added, and the histogram with and without them.

    Parameters
    ----------
    options : BalanceOptions
    windows : tuple of Window
        In the order of recording, speed and time.
    windows_before : int
        Windows as recorded that are fit for training: labeled, with a known face.
    windows_wanted : int
        How many the target asks for without a limit, or the rule resamples.
    bins : tuple of BinResult
    """

    options: BalanceOptions
    windows: tuple[Window, ...]
    windows_before: int
    windows_wanted: int
    bins: tuple[BinResult, ...]

    @property
    def epoch_factor(self) -> float:
        """How many times as many windows an epoch has with those that are added."""
        return (self.windows_before + len(self.windows)) / self.windows_before

    @property
    def entropy_before(self) -> float:
        """Flatness of the histogram as recorded; see :func:`~stmap_pipeline.balance.histogram.normalized_entropy`."""
        return normalized_entropy([one.before for one in self.bins])

    @property
    def entropy_after(self) -> float:
        """Flatness of the histogram with the resampled windows."""
        return normalized_entropy([one.after for one in self.bins])

    def to_mapping(self) -> dict[str, Any]:
        """Return options and results, without the windows, as plain values for JSON."""
        speeds = sorted({one.speed for one in self.windows})
        return {
            "options": self.options.to_mapping(),
            "windows_before": self.windows_before,
            "windows_added": len(self.windows),
            "windows_wanted": self.windows_wanted,
            "epoch_factor": round(self.epoch_factor, 4),
            "recordings_used": len({one.recording_id for one in self.windows}),
            "speed_min": speeds[0] if speeds else None,
            "speed_max": speeds[-1] if speeds else None,
            "normalized_entropy_before": _number(self.entropy_before),
            "normalized_entropy_after": _number(self.entropy_after),
            "bins": [{**asdict(one), "after": one.after} for one in self.bins],
        }


def _number(value: float) -> float | None:
    # JSON has no NaN
    return round(value, 6) if value == value else None


def choose_windows(sources: Iterable[Source], config: WindowsConfig, options: BalanceOptions) -> Augmentation:
    """Choose the windows of recordings played at other speeds that are added to a training set.

    At each speed a recording is cut into windows by the rule of the build, and those with a label and a known face can be
    chosen. The official folds are planned one by one: a training set is a union of folds, so it comes out balanced whichever
    fold is held out, and the held-out fold does not influence what is trained on. In a bin of heart rates the subject of
    which the fewest were added so far comes next, of a subject its recordings in turn, and of a recording windows spread over
    its speeds and its time.

    Parameters
    ----------
    sources : iterable of Source
        The result does not depend on their order.
    config : WindowsConfig
    options : BalanceOptions

    Returns
    -------
    Augmentation

    Raises
    ------
    ConfigError
        Where no recorded window has a label and a known face.

    Examples
    --------
    >>> times_s = np.arange(900) / 30
    >>> heart_rate = HeartRateTrace(np.arange(30.0), np.full(30, 80.0))
    >>> source = Source("a", "p1", 1, times_s, np.ones(900, bool), np.ones(900), heart_rate)
    >>> added = choose_windows([source], WindowsConfig(), BalanceOptions("fg2019")).windows
    >>> len(added), added[0].speed, round(added[0].heart_rate_bpm, 1), added[-1].speed, added[-1].heart_rate_bpm
    (41, 0.67, 53.6, 1.5, 120.0)
    """
    recordings, windows = _all_windows(sources, config, options)
    recorded, fit = windows["speed"] == 1, windows["valid_fraction"] >= options.min_valid_fraction
    before, offered, unseen = windows[recorded & fit], windows[~recorded & fit], windows[~recorded & ~fit]
    if not len(before):
        raise ConfigError(
            f"no window has a heart rate and a known face in {options.min_valid_fraction:.0%} of its samples, "
            "so there is nothing to balance; see windows.csv"
        )
    if options.rule == "balance":
        return _balance(options, recordings, before, offered, unseen)
    return _fixed(options, recordings, before, offered)


def _balance(options: BalanceOptions, recordings: list[str], before: Windows, offered: Windows, unseen: Windows) -> Augmentation:
    bins, shares = options.bins, options.target.shares(options.bins)
    now, there, not_seen = (bins.index(one["heart_rate_bpm"]) for one in (before, offered, unseen))
    queue = _Queue(offered, len(recordings), options.per_subject_cap)
    wanted, supply, gaps, capped = (np.zeros(len(bins), dtype=np.int64) for _ in range(4))
    short: list[list[int]] = [[] for _ in range(len(bins))]
    asked, chosen = 0, [np.zeros(0, dtype=np.int64)]
    for fold in np.unique(before["fold"]):
        count, available = (_count(place[one["fold"] == fold], len(bins)) for place, one in ((now, before), (there, offered)))
        asked += int(np.maximum(wanted_counts(count, shares) - count, 0).sum())
        aim = np.maximum(wanted_counts(count, shares, available, options.max_added * (before["fold"] == fold).sum()), count)
        # the scarcest first: there the turns of subjects are decided by what there is
        for k in sorted(np.flatnonzero(aim > count).tolist(), key=lambda k: (available[k] / (aim[k] - count[k]), k)):
            random = _random(options.seed, fold, k)
            candidates = np.flatnonzero((there == k) & (offered["fold"] == fold))
            taken, held_back = queue.take(candidates, int(aim[k] - count[k]), random)
            chosen.append(taken)
            if len(taken) < aim[k] - count[k]:
                short[k].append(int(fold))
                supply[k] += available[k]
                gaps[k] += int(((not_seen == k) & (unseen["fold"] == fold)).sum())
                capped[k] += held_back
        wanted += aim
    index = np.sort(np.concatenate(chosen))
    numbers = zip(supply.tolist(), gaps.tolist(), capped.tolist(), strict=True)
    reasons = [_shortfall(options, folds, *cells) for folds, cells in zip(short, numbers, strict=True)]
    results = _results(bins, _count(now, len(bins)), wanted.tolist(), _count(there[index], len(bins)), reasons)
    return Augmentation(options, _window_objects(recordings, offered[index]), len(before), asked, results)


def _fixed(options: BalanceOptions, recordings: list[str], before: Windows, offered: Windows) -> Augmentation:
    source_bpm = offered["heart_rate_bpm"] / offered["speed"]
    offered = offered[(source_bpm >= options.band_bpm[0]) & (source_bpm < options.band_bpm[1])]
    queue = _Queue(offered, len(recordings), options.per_subject_cap)
    chosen = [np.zeros(0, dtype=np.int64)]
    for fold in np.unique(before["fold"]):
        most = min(options.max_added * (before["fold"] == fold).sum(), len(offered))
        random = _random(options.seed, fold)
        chosen.append(queue.take(np.flatnonzero(offered["fold"] == fold), int(most), random)[0])
    index = np.sort(np.concatenate(chosen))
    bins = options.bins
    nothing: list[None] = [None] * len(bins)
    added = bins.count(offered["heart_rate_bpm"][index])
    results = _results(bins, bins.count(before["heart_rate_bpm"]), nothing, added, [""] * len(bins))
    return Augmentation(options, _window_objects(recordings, offered[index]), len(before), len(offered), results)


def _results(
    bins: Bins, before: IntArray, wanted: Sequence[int | None], added: IntArray, reasons: Sequence[str]
) -> tuple[BinResult, ...]:
    edges = bins.edges_bpm.tolist()
    cells = zip(edges[:-1], edges[1:], before.tolist(), wanted, added.tolist(), reasons, strict=True)
    return tuple(BinResult(*one) for one in cells)


def _shortfall(options: BalanceOptions, folds: list[int], supply: int, unseen: int, capped: int) -> str:
    """Return why a bin is short, in numbers of the folds in which it is."""
    if not folds:
        return ""
    where = f" of fold {', '.join(map(str, folds))}" if any(folds) else ""
    reason = f"{supply} windows{where} come here at speeds from {min(options.speeds):g} to {max(options.speeds):g}"
    if unseen:
        reason += f"; {unseen} more have a known face in less than {options.min_valid_fraction:.0%} of their samples"
    if capped:
        reason += f"; the cap of {options.per_subject_cap} a subject holds {capped} back"
    return reason


def _random(*seeds: int) -> np.random.Generator:
    # not negative, whatever a table says
    return np.random.default_rng([int(one) % 2**32 for one in seeds])


def _count(place: IntArray, bins: int) -> IntArray:
    return np.bincount(place[place >= 0], minlength=bins)


def _all_windows(sources: Iterable[Source], config: WindowsConfig, options: BalanceOptions) -> tuple[list[str], Windows]:
    """Cut all recordings at all speeds, and return the ids of the recordings and the labeled windows in the order of recording, speed and time."""
    parts: list[tuple[Source, float, WindowFigures]] = []
    for one in sources:
        if one.heart_rate is None or len(one.times_s) < 2:
            continue
        for speed in (1.0, *options.speeds):
            clock = window_clock(one.times_s, one.valid, one.coverage, config, speed)
            parts.append((one, speed, window_figures(clock, one.heart_rate, config)))
    parts.sort(key=lambda part: (part[0].recording_id, part[1]))
    recordings = {name: number for number, name in enumerate(sorted({one.recording_id for one, _, _ in parts}))}
    subjects = {name: number for number, name in enumerate(sorted({one.subject for one, _, _ in parts}))}
    windows = np.zeros(sum(len(figures.start) for _, _, figures in parts), dtype=_WINDOW)
    place = 0
    for one, speed, figures in parts:
        part = windows[place : place + len(figures.start)]
        part["recording"], part["subject"] = recordings[one.recording_id], subjects[one.subject]
        part["fold"], part["speed"] = one.fold, speed
        for name, column in zip(figures._fields, figures, strict=True):
            part[name] = column
        place += len(part)
    return list(recordings), windows[np.isfinite(windows["heart_rate_bpm"])]


def _window_objects(recordings: list[str], windows: Windows) -> tuple[Window, ...]:
    columns = (windows[one.name].tolist() for one in fields(Window) if one.name in (_WINDOW.names or ()))
    names = (recordings[number] for number in windows["recording"].tolist())
    return tuple(Window(*cells) for cells in zip(names, *columns, strict=True))


class _Queue:
    """The order in which windows are added: all subjects, recordings and times have their turn."""

    def __init__(self, windows: Windows, recordings: int, per_subject_cap: int | None) -> None:
        self._windows, self._cap = windows, math.inf if per_subject_cap is None else per_subject_cap
        self._of_subject = np.zeros(windows["subject"].max(initial=-1) + 1, dtype=np.int64)
        self._of_recording = np.zeros(recordings, dtype=np.int64)

    def take(self, candidates: IntArray, number: int, random: np.random.Generator) -> tuple[IntArray, int]:
        """Return up to ``number`` of the candidates, and how many others the cap leaves no room for."""
        recording, subject = self._windows["recording"][candidates], self._windows["subject"][candidates]
        offset, lot = random.random(len(self._of_recording)), random.permutation(len(self._of_subject))
        place = (candidates * _GOLDEN + offset[recording]) % 1.0
        turn = _rank(np.lexsort((place, recording)), recording) + self._of_recording[recording]
        turn = _rank(np.lexsort((place, turn, subject)), subject) + self._of_subject[subject]
        room = turn < self._cap
        order = np.lexsort((lot[subject], turn))
        taken = order[room[order]][:number]
        self._of_subject += np.bincount(subject[taken], minlength=len(self._of_subject))
        self._of_recording += np.bincount(recording[taken], minlength=len(self._of_recording))
        return candidates[taken], int((~room).sum())


def _rank(order: IntArray, group: IntArray) -> IntArray:
    """Count through each group in the given order, which must keep groups together."""
    changes = np.zeros(len(order), dtype=np.bool_)
    changes[1:] = np.diff(group[order]) != 0
    number = np.arange(len(order))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = number - np.maximum.accumulate(np.where(changes, number, 0))
    return rank
