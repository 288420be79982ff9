"""Guess who is seen in the videos of a folder, from the names of folders and files.

A person whose sessions count as people would be held out and trained on at once. So where nothing tells whether folders are people or
sessions of one person, they are sessions, and a note says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.errors import printable

# whole names of folders, with a number or without
_NUMBER = r"[ _.-]*\d*"
_SESSION = re.compile(
    r"(?:(?:session|sess?|sitzung|visit|besuch|termin|messung|take|run|trial|durchgang|day|tag|week|woche|month|monat|time ?point"
    rf"|baseline|follow[ _-]?up|pre|post){_NUMBER}|(?:19|20)\d\d(?P<between>[ _.-]?)\d\d(?P=between)\d\d(?:[ _T.-].*)?)",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"(?:p|sub|subj|subject|participant|part|patient|pat|proband|person|vp|id|user|volunteer)[ _.-]*\d+", re.IGNORECASE
)
_HOLDS_PEOPLE = re.compile(
    r"data|daten|dataset|videos?|raw|recordings?|aufnahmen|subjects?|participants?|patients?|probanden|persons?|people",
    re.IGNORECASE,
)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SubjectGuess:
    """Who is seen in each video, as far as names tell.

    Parameters
    ----------
    subjects : list of str
        For each video a placeholder such as ``{parent}``, a name, or nothing.
    note : str
        What the guess is based on where it may be wrong; empty where it is sure enough.
    """

    subjects: list[str]
    note: str = ""


def guess_subjects(root: Path, videos: Sequence[Path]) -> SubjectGuess:
    """Guess who is seen in each video.

    Names such as ``Sitzung 1``, ``visit_2`` or a date are sessions. Folders that have the same names under several others are what
    these others have in common, so the others are the people. Where there is only one folder above, it is the person, unless its name
    or those of the folders in it say otherwise (``data``, ``p01``).

    Parameters
    ----------
    root : Path
    videos : sequence of Path
        Under the root.

    Examples
    --------
    >>> names = ["anna/Sitzung 1/rest.mp4", "anna/Sitzung 2/rest.mp4"]
    >>> guess_subjects(Path("my"), [Path("my", one) for one in names]).subjects
    ['{grandparent}', '{grandparent}']
    >>> guess_subjects(Path("my"), [Path("my", one) for one in ("anna/rest.mp4", "bea/rest.mp4")]).subjects
    ['{parent}', '{parent}']
    """
    places = [one.relative_to(root).parts[:-1] for one in videos]
    if all(places) and len(set(places)) > 1:
        return _by_folders(root, places)
    return SubjectGuess(_by_files(videos))


def _by_folders(root: Path, places: Sequence[tuple[str, ...]]) -> SubjectGuess:
    """Guess from folders, of which there are several."""
    # what is left of each place are the levels whose folders may be people
    left = [[level for level, name in enumerate(one) if not _SESSION.fullmatch(name)] for one in places]
    while _is_of_people(places, left):
        left = [one[1:] for one in left]
    if not all(left):
        return _one_person(root, places, [-1] * len(places))
    tops = {places[number][one[0]] for number, one in enumerate(left)}
    if len(tops) == 1:
        return _one_person(root, places, [one[0] for one in left])
    if len({len(one) for one in left}) > 1:
        return SubjectGuess(_names(root, places, [one[0] for one in left]))  # visits of some people have folders of their own
    for depth in range(len(left[0]), 0, -1):
        heads = {tuple(place[level] for level in one[:depth]) for place, one in zip(places, left, strict=True)}
        # where a name is in several folders, as rest and walk of each person are, the folders above have the people
        if len({one[-1] for one in heads}) == len(heads):
            break
    subjects = _names(root, places, [one[depth - 1] for one in left])
    if depth == 1 or len({one[:-1] for one in heads}) == len(heads) or all(_PERSON.fullmatch(one[-1]) for one in heads):
        return SubjectGuess(subjects)
    return SubjectGuess(
        subjects,
        f"each of the folders {_few(sorted(one[-1] for one in heads))} is taken for a person; if the people are "
        f"{_few(sorted({one[-2] for one in heads}))}, and these are their sessions, change the subjects",
    )


def _is_of_people(places: Sequence[tuple[str, ...]], left: Sequence[Sequence[int]]) -> bool:
    """Return whether the one folder above all others is no person, by its name or by those of the folders in it."""
    if not all(len(one) > 1 for one in left):
        return False
    tops = {place[one[0]] for place, one in zip(places, left, strict=True)}
    below = {place[one[1]] for place, one in zip(places, left, strict=True)}
    if len(tops) > 1 or len(below) < 2:
        return False
    return _HOLDS_PEOPLE.fullmatch(next(iter(tops))) is not None or all(_PERSON.fullmatch(one) for one in below)


def _one_person(root: Path, places: Sequence[tuple[str, ...]], levels: Sequence[int]) -> SubjectGuess:
    """Guess that all videos are of one person, and say so."""
    subjects = _names(root, places, levels)
    who = places[0][levels[0]] if levels[0] >= 0 else root.name
    deepest = sorted({one[-1] for one in places})
    folders = deepest if len(deepest) > 1 else sorted({"/".join(one) for one in places})
    return SubjectGuess(
        subjects,
        f"the folders {_few(folders)} are taken for sessions of one person, {printable(who)}; "
        'if each is a person, write subject = "{parent}", or name each',
    )


def _names(root: Path, places: Sequence[tuple[str, ...]], levels: Sequence[int]) -> list[str]:
    """Return the names of folders at these levels, -1 being the root; by one placeholder where one fits all."""
    above = {len(place) - level for place, level in zip(places, levels, strict=True)}
    if above == {1}:
        return ["{parent}"] * len(places)
    if above == {2}:
        return ["{grandparent}"] * len(places)
    return [place[level] if level >= 0 else root.name for place, level in zip(places, levels, strict=True)]


def _by_files(videos: Sequence[Path]) -> list[str]:
    """Guess from the first part of the names of files, where all are in one folder."""
    stems = [re.match(r"(.+?)[ _-]+(?=.)", one.stem) for one in videos]
    first = [match[1] if match else "" for match in stems]
    counts = Counter(first)
    if (
        all(first)
        and len({one.parent for one in videos}) == 1
        and not all(_SESSION.fullmatch(one) for one in first)
        and (max(counts.values()) > 1 or all(re.search(r"\d", one) for one in first))
    ):
        return first
    return [""] * len(videos)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more
