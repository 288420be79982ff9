"""Whether an idea helps: pairs of cases that differ in it alone, compared on the same videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation import Difference, compare_runs
from stmap_pipeline.report.runs_cases import ATTENTION, Case
from stmap_pipeline.report.tables import UNKNOWN

_PLAIN = "resnet18"
#: Videos from which on an interval is taken at its word.
ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Effect:
    """An idea on some videos.

    Parameters
    ----------
    what : str
        The idea, and on top of what.
    idea : {"attention", "augmentation"}
    difference : Difference
        Without it first, with it second.
    mark : str
        As :attr:`~.runs_read.Evaluated.mark`.
    seeds : int
        Runs on each side.
    """

    what: str
    idea: str
    difference: Difference
    mark: str
    seeds: int

    @property
    def verdict(self) -> str:
        """Whether it helps, in a word."""
        one = self.difference
        if one.n < ENOUGH or one.difference_bpm.low != one.difference_bpm.low:
            return "too few videos"
        if not one.is_clear:
            return "not told apart"
        return "helps" if one.difference_bpm.value < 0 else "harms"

    def row(self) -> dict[str, Any]:
        """Give the row of a table."""
        one, mark = self.difference, f" ({self.mark})" if self.mark else ""
        figure = one.difference_bpm
        interval = f" [{figure.low:+.2f}, {figure.high:+.2f}]" if figure.low == figure.low else ""
        shown = [
            UNKNOWN if value != value else text.replace("-", "\N{MINUS SIGN}") + mark
            for value, text in (
                (one.first_mae_bpm, f"{one.first_mae_bpm:.2f}"),
                (one.second_mae_bpm, f"{one.second_mae_bpm:.2f}"),
                (figure.value, f"{round(figure.value, 2) + 0.0:+.2f}{interval}"),
            )
        ]
        words = "any rate" if one.group == "all" else f"{one.name} bpm"
        # a column of two words is easier to read on one line
        words, verdict = (text.replace(" ", "\N{NO-BREAK SPACE}") for text in (words, self.verdict))
        return {
            "what": self.what,
            "part": words,
            "n": one.n,
            **dict(zip(("without", "with", "difference"), shown, strict=True)),
            "verdict": verdict,
        }


def find_effects(cases: Sequence[Case]) -> tuple[list[Effect], list[str]]:
    """Compare each pair of cases that differ in attention, or in the resampled windows, alone.

    Returns
    -------
    (list of Effect, list of str)
        All videos and each band of heart rate; and what could not be compared.

    Examples
    --------
    >>> find_effects([])
    ([], [])
    """
    effects: list[Effect] = []
    troubles: list[str] = []
    for without in cases:
        for other in cases:
            idea = _idea(without, other)
            if idea is None:
                continue
            shared = sorted(set(without.seeds) & set(other.seeds))
            sides = [
                [each.folder for each, seed in zip(one.tested, one.seeds, strict=True) if seed in shared]
                for one in (without, other)
            ]
            if not shared or len(sides[0]) != len(sides[1]):
                troubles.append(f"{without.label} and {other.label} are not compared: they have no seeds in common")
                continue
            try:
                found = compare_runs(sides[0], sides[1], bootstrap=without.tested[0].evaluation.bootstrap)
            except ModelError as error:
                troubles.append(f"{without.label} and {other.label} are not compared: {error}")
                continue
            what = _words(idea, other)
            effects += [Effect(what, idea, one, without.mark, len(shared)) for one in found.rows]
    return effects, troubles


def _idea(without: Case, other: Case) -> str | None:
    one, two = without.config, other.config
    if (
        without.tested[0].evaluation.maps.traces_sha256 != other.tested[0].evaluation.maps.traces_sha256
        or without.mark != other.mark
    ):
        return None
    differ = {key for key in type(one).model_fields if key != "seed" and getattr(one, key) != getattr(two, key)}
    if differ == {"network"} and one.network == _PLAIN and two.network in ATTENTION:
        return "attention"
    return "augmentation" if differ == {"augment"} and one.augment == "none" else None


def _words(idea: str, case: Case) -> str:
    if idea == "attention":
        trained = "trained on windows as recorded" if case.config.augment == "none" else "trained on resampled windows, too"
        return f"attention ({case.config.network}), {trained}"
    return f"resampled windows, {case.config.network}"
