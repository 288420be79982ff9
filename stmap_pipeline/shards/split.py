"""Windows to train on and windows to evaluate on, with no person in both and nothing resampled in the second."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from stmap_pipeline.errors import ShardError, UnknownNameError
from stmap_pipeline.records import Window


class Split(NamedTuple):
    """Training and evaluation windows of disjoint subjects.

    Parameters
    ----------
    training : list of Window
        As recorded and resampled.
    evaluation : list of Window
        As recorded.
    """

    training: list[Window]
    evaluation: list[Window]


def split_windows(windows: Iterable[Window], subjects: Mapping[str, str], held_out: Collection[str]) -> Split:
    """Put whole subjects on one side or the other.

    Parameters
    ----------
    windows : iterable of Window
    subjects : mapping of str to str
        Subject of each recording.
    held_out : collection of str
        Subjects to evaluate on. None of their windows is trained on; those that are resampled are in neither list.

    Examples
    --------
    >>> one, two = Window("a", 0, 9, 0.0, 9.0, 70.0, 10.5, 1.0), Window("b", 0, 9, 0.0, 9.0, 105.0, 15.75, 1.0, hr_scale=1.5)
    >>> [len(side) for side in split_windows([one, two], {"a": "p1", "b": "p2"}, {"p2"})]
    [1, 0]
    """
    split = Split([], [])
    for one in windows:
        if subjects[one.recording_id] not in held_out:
            split.training.append(one)
        elif not one.augmented:
            split.evaluation.append(one)
    return split


def subjects_of(subjects: Mapping[str, int], fold: int | Collection[int] | None, subject: str | Collection[str] | None) -> set[str]:
    """Name the subjects of folds, or check those that are named.

    Parameters
    ----------
    subjects : mapping of str to int
        Fold of each subject.
    fold, subject : one or several, optional
        One of the two.

    Raises
    ------
    UnknownNameError
        Where a fold or subject is not there.
    ShardError
        Where a database without folds is asked for one.
    ValueError
        Where both or neither are given.

    Examples
    --------
    >>> subjects_of({"p1": 1, "p2": 2, "p3": 2}, 2, None) == {"p2", "p3"}
    True
    """
    if (fold is None) == (subject is None):
        raise ValueError("a split is by fold or by subject: give one of the two")
    if fold is not None:
        known = sorted(set(subjects.values()) - {0})
        if not known:
            raise ShardError("the database has no official folds; split by subject")
        folds = {fold} if isinstance(fold, int) else set(fold)
        if not folds or not folds <= set(known):
            raise UnknownNameError(f"no fold {', '.join(map(str, sorted(folds - set(known))))} (folds: {known[0]} to {known[-1]})")
        return {name for name, of in subjects.items() if of in folds}
    names = {subject} if isinstance(subject, str) else set(subject or ())
    if not names or not names <= subjects.keys():
        raise UnknownNameError(f"no subject {', '.join(sorted(names - subjects.keys()))}; recordings() lists them")
    return names
