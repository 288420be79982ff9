"""Training, validation and evaluation windows of each fold: no subject is in two of them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ConfigError, ShardError, UnknownNameError
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.config import TrainConfig

# what the seed is for: apart from the random numbers of the training itself
_SUBJECTS = 4

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FoldSplit:
    """Windows of one fold, as positions in the list of all windows.

    Parameters
    ----------
    fold : int
        The official fold that is evaluated; 0 where there is none.
    training : (W,) array of int
        As recorded and resampled.
    validation : (V,) array of int
        Of other subjects, as recorded: the best epoch is chosen on them. May be empty.
    evaluation : (E,) array of int
        Of the subjects held out, as recorded. Nothing is chosen on them. May be empty.
    """

    fold: int
    training: IntArray
    validation: IntArray
    evaluation: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Protocol:
    """Windows that a run uses, and its folds.

    Parameters
    ----------
    windows : list of Window
    splits : list of FoldSplit
    """

    windows: list[Window]
    splits: list[FoldSplit]

    def count_training(self, split: FoldSplit) -> tuple[int, int]:
        """Return how many windows of a fold are trained on, as recorded and resampled."""
        resampled = sum(self.windows[one].augmented for one in split.training.tolist())
        return len(split.training) - resampled, resampled


def plan_protocol(shards: Shards, config: TrainConfig, folds: Collection[int] = ()) -> Protocol:
    """Choose the windows of each fold by the settings; the same settings and maps give the same choice.

    Parameters
    ----------
    shards : Shards
    config : TrainConfig
    folds : collection of int
        With the protocol ``within``: only these official folds; all of them where none is given.

    Raises
    ------
    ShardError
        Where the maps have no window that can be used, or not what the protocol needs.
    UnknownNameError
        Where a fold is not there.
    ConfigError
        Where folds are asked of another protocol, or too few subjects are left.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> protocol = plan_protocol(Shards(example_maps()), TrainConfig(validation_share=0))
    >>> [(one.fold, len(one.training), len(one.evaluation)) for one in protocol.splits]
    [(1, 3, 5), (2, 5, 3)]
    """
    infos = {one.recording_id: one for one in shards.recordings()}
    subject_of = {name: one.subject for name, one in infos.items()}
    folds_of = {one.subject: one.fold for one in infos.values()}
    windows = _usable(shards, config)
    subjects = np.array([subject_of[one.recording_id] for one in windows])
    augmented = np.array([one.augmented for one in windows])
    splits = []
    for fold, held_out in _held_out(shards, config, folds_of, folds).items():
        others = sorted(set(subjects) - held_out)
        if not others:
            raise ConfigError(f"{shards.root}: fold {fold} leaves no subject with a usable window to train on")
        chosen = _validation_subjects(others, config, fold)
        left_out = _left_out([one for one in others if one not in chosen], config, fold)
        split = FoldSplit(
            fold,
            training=np.flatnonzero(~np.isin(subjects, [*held_out, *chosen, *left_out])),
            validation=np.flatnonzero(np.isin(subjects, [*chosen]) & ~augmented),
            evaluation=np.flatnonzero(np.isin(subjects, [*held_out]) & ~augmented),
        )
        if held_out and not len(split.evaluation):
            raise ShardError(f"{shards.root}: no subject of fold {fold} has a usable window to evaluate on; see windows.csv")
        splits.append(split)
    return Protocol(windows, splits)


def _usable(shards: Shards, config: TrainConfig) -> list[Window]:
    with_plan = config.augment == "plan"
    labeled = shards.windows(labeled=True, augmented=with_plan)
    windows = [one for one in labeled if one.valid_fraction >= config.min_valid_fraction]
    if with_plan and not any(one.augmented for one in labeled):
        raise ShardError(
            f"{shards.root}: holds no resampled windows; run stmap augment {shlex.quote(str(shards.root))} --balance, or train without them"
        )
    if not windows:
        count = len(shards.windows())
        why = f"none of {count} windows has a heart rate" if not labeled else (
            f"none of {len(labeled)} windows with a heart rate has a known face in {config.min_valid_fraction:.0%} of its frames"
        )  # fmt: skip
        raise ShardError(f"{shards.root}: {why}, so there is nothing to train on; see windows.csv and outcomes.csv")
    return windows


def _held_out(shards: Shards, config: TrainConfig, folds_of: Mapping[str, int], folds: Collection[int]) -> dict[int, set[str]]:
    known = sorted(set(folds_of.values()) - {0})
    if not known and (folds or config.protocol == "within"):
        instead = f"{'leave out --fold; ' if folds else ''}{_without_folds(folds_of)}"
        raise ShardError(f"{shards.root}: the database has no official folds; {instead}")
    if folds and config.protocol != "within":
        raise ConfigError(
            f"{shards.root}: --fold chooses among the official folds, which the protocol {config.protocol} does not use; leave out --fold, "
            "or train with --protocol within"
        )
    if config.protocol == "cross":
        return {0: set()}
    if config.protocol == "holdout":
        names = sorted(folds_of)
        count = max(1, round(config.holdout_share * len(names)))
        if count >= len(names):
            few = f"has one subject, whom a holdout cannot spare; {_without_folds(names)}"
            share = f"a holdout of {config.holdout_share:g} of {len(names)} subjects leaves none to train on; make holdout_share smaller"
            raise ConfigError(f"{shards.root}: {few if len(names) == 1 else share}")
        return {0: set(_drawn(names, count, config.seed, 0))}
    if unknown := sorted(set(folds) - set(known)):
        raise UnknownNameError(f"{shards.root}: no fold {', '.join(map(str, unknown))} (folds: {', '.join(map(str, known))})")
    return {fold: {name for name, of in folds_of.items() if of == fold} for fold in (sorted(set(folds)) or known)}


def _without_folds(subjects: Collection[str]) -> str:
    """Return how to train on subjects without official folds."""
    if len(subjects) > 1:
        return f"--protocol holdout holds out a share of its {len(subjects)} subjects"
    return "--protocol cross trains on its only subject, to be tested on other maps"


def _validation_subjects(names: Sequence[str], config: TrainConfig, fold: int) -> list[str]:
    if config.validation_share == 0:
        return []
    count = max(1, round(config.validation_share * len(names)))
    if count >= len(names):
        raise ConfigError(
            f"fold {fold}: {len(names)} {'subject' if len(names) == 1 else 'subjects'} to train on cannot spare {count} to choose the epoch; "
            "--validation-share 0 takes the last epoch"
        )
    return _drawn(names, count, config.seed, 1 + fold)


def _left_out(names: Sequence[str], config: TrainConfig, fold: int) -> set[str]:
    """Return the subjects that are not trained on because the settings limit their number; more subjects include fewer."""
    order = np.random.default_rng((_SUBJECTS, config.seed, fold, 1)).permutation(np.array(names)).tolist()
    return set() if config.subjects is None else set(order[config.subjects :])


def _drawn(names: Sequence[str], count: int, *seed: int) -> list[str]:
    return sorted(np.random.default_rng((_SUBJECTS, *seed)).choice(np.array(names), count, replace=False).tolist())


def number_range(numbers: Collection[int]) -> str:
    """Write numbers as one, or as the smallest and the largest.

    Examples
    --------
    >>> number_range([5, 3, 4]), number_range([3, 3])
    ('3 to 5', '3')
    """
    low, high = min(numbers, default=0), max(numbers, default=0)
    return str(low) if low == high else f"{low} to {high}"


def training_mean_bpm(windows: Sequence[Window], split: FoldSplit) -> float:
    """Return the constant that a network must beat: the mean over the training videos of the mean of their labels.

    Videos of subjects that the epoch is chosen on count as well, and resampled windows do not.

    Parameters
    ----------
    windows : sequence of Window
    split : FoldSplit

    Returns
    -------
    float
        In beats/min; NaN where there is no window.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> protocol = plan_protocol(Shards(example_maps()), TrainConfig(validation_share=0))
    >>> [round(training_mean_bpm(protocol.windows, one), 1) for one in protocol.splits]
    [72.0, 81.0]
    """
    labels: dict[str, list[float]] = {}
    for number in (*split.training.tolist(), *split.validation.tolist()):
        if not (one := windows[number]).augmented:
            labels.setdefault(one.recording_id, []).append(one.heart_rate_bpm)
    return float(np.mean([np.mean(one) for one in labels.values()])) if labels else float("nan")


def fit_settings(shards: Shards, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return settings of a training that suit the maps, where the user has chosen none, and a line about each choice.

    Resampled windows are trained on where there are any, a share of the subjects is held out where the database has no official folds,
    and the last epoch is taken where no subject can be spared to choose one.

    Parameters
    ----------
    shards : Shards
    given : mapping
        What the user has chosen.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> fit_settings(Shards(example_maps()), {})[0]
    {'validation_share': 0}
    """
    settings, notes = dict(given), []
    if "augment" not in given and (count := sum(one.augmented for one in shards.windows(labeled=True, augmented=True))):
        settings["augment"] = "plan"
        notes.append(f"also on the {count} resampled windows of stmap augment; --augment none leaves them out")
    infos = shards.recordings()
    subjects = {one.subject: one.fold for one in infos}
    official = any(subjects.values())
    if "protocol" not in given and not official and len(subjects) > 1:
        settings["protocol"] = "holdout"
        notes.append("a share of the subjects is held out, as the database has no official folds; --protocol chooses otherwise")
    # only subjects with a label can be trained on
    labeled = {one.recording_id for one in shards.windows(labeled=True)}
    known = {one.subject: one.fold for one in infos if one.recording_id in labeled}
    protocol, share = (settings.get(one, TrainConfig.model_fields[one].default) for one in ("protocol", "holdout_share"))
    held_out = {
        "within": max(Counter(filter(None, known.values())).values(), default=0),
        "holdout": max(1, round(share * len(subjects))),
    }.get(protocol, 0)
    if "validation_share" not in given and len(known) - held_out <= 1:
        settings["validation_share"] = 0
        notes.append(
            "the last epoch is taken, as there are too few subjects to choose one on; --validation-share chooses otherwise"
        )
    return settings, notes
