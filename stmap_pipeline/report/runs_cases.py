"""Runs that differ in their seed alone are one case: a row of a table, a color of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from stmap_pipeline.evaluation import Interval, Score
from stmap_pipeline.evaluation.result import Group
from stmap_pipeline.report.runs_read import Evaluated, Run
from stmap_pipeline.report.tables import UNKNOWN
from stmap_pipeline.training.config import TrainConfig

ATTENTION = {
    "attention-resnet18": "with attention",
    "attention-resnet18-gru": "with attention and GRU",
    "resnet18": "without attention",
}
AUGMENT = {"plan": "with resampled windows", "none": "as recorded"}
# a number is not torn from its spread
_STAY = "\N{NO-BREAK SPACE}"
COLORS = ("s1", "s2", "s3", "s4")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Runs of one configuration on the same maps, evaluated on the same videos.

    Parameters
    ----------
    label : str
    runs : sequence of Run
        In the order of their seeds.
    tested : sequence of Evaluated
        An evaluation of each.
    color : str
        Class of color.
    """

    label: str
    runs: Sequence[Run]
    tested: Sequence[Evaluated]
    color: str

    @property
    def config(self) -> TrainConfig:
        """Settings of the first run."""
        return self.runs[0].facts.config

    @property
    def mark(self) -> str:
        """As :attr:`Evaluated.mark`, for all of its runs."""
        return self.tested[0].mark

    @property
    def databases(self) -> tuple[str, str]:
        """Database of the training and of the test."""
        return self.runs[0].facts.maps.database, self.tested[0].evaluation.maps.database

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [one.facts.config.seed for one in self.runs]

    def summary(self, measure: str, group: Group = "all", name: str = "", method: str = "network") -> Summary:
        """Sum up one number over the runs; see :func:`summarize`."""
        return summarize([score for one in self.tested if (score := score_of(one, method, group, name)) is not None], measure)


@dataclass(frozen=True, slots=True)
class Summary:
    """A number of several runs.

    Parameters
    ----------
    value : float
        Mean over the runs; NaN where none knows it.
    spread : float
        Standard deviation over the runs, dividing by one less than their number; NaN for a single one.
    low, high : float
        Bootstrap interval of a single run; NaN for several.
    runs : int
    """

    value: float
    spread: float
    low: float
    high: float
    runs: int

    def text(self, digits: int = 2, *, signed: bool = False, interval: bool = True) -> str:
        """Write for a reader, with what is known of its spread.

        Examples
        --------
        >>> Summary(5.4, float("nan"), 4.9, 6.0, 1).text().replace("\N{NO-BREAK SPACE}", " ")
        '5.40 [4.90, 6.00]'
        >>> Summary(5.4, 0.125, float("nan"), float("nan"), 3).text(1).replace("\N{NO-BREAK SPACE}", " ")
        '5.4 ± 0.1'
        """
        if np.isnan(self.value):
            return UNKNOWN
        # a zero has no sign
        text = f"{round(self.value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"
        if np.isfinite(self.spread):
            text += f"{_STAY}±{_STAY}{self.spread:.{digits}f}"
        elif interval and np.isfinite(self.low):
            text += f" [{self.low:.{digits}f},{_STAY}{self.high:.{digits}f}]"
        return text.replace("-", "\N{MINUS SIGN}")


def summarize(scores: Sequence[Score], measure: str) -> Summary:
    """Take the mean of a number over runs; of a single run the number itself with its bootstrap interval.

    Parameters
    ----------
    scores : sequence of Score
    measure : str
        A name of :data:`stmap_pipeline.evaluation.metrics.MEASURES`.

    Examples
    --------
    >>> from stmap_pipeline.evaluation import score
    >>> both = [score([61.0, 82.0], [60.0, 80.0], ["a", "b"]), score([64.0, 81.0], [60.0, 80.0], ["a", "b"])]
    >>> summarize(both, "mae_bpm")
    Summary(value=2.0, spread=0.707..., low=nan, high=nan, runs=2)
    """
    figures: list[Interval] = [getattr(one, measure) for one in scores]
    known = [one for one in figures if np.isfinite(one.value)]
    if not known:
        return Summary(nan, nan, nan, nan, 0)
    if len(known) == 1:
        return Summary(known[0].value, nan, known[0].low, known[0].high, 1)
    values = np.array([one.value for one in known])
    return Summary(float(values.mean()), float(values.std(ddof=1)), nan, nan, len(known))


def score_of(one: Evaluated, method: str, group: Group = "all", name: str = "") -> Score | None:
    """Find the numbers of a method over videos; None where there are none."""
    try:
        return one.evaluation.score(method, group, name)
    except KeyError:
        return None


def within_cases(runs: Sequence[Run]) -> list[Case]:
    """Group the evaluations on persons who were held out.

    Examples
    --------
    >>> within_cases([])
    []
    """
    return _cases([(run, run.own) for run in runs if run.own is not None and run.own.scored and run.own.evaluation.held_out])


def cross_cases(runs: Sequence[Run]) -> list[Case]:
    """Group the evaluations on other maps.

    Examples
    --------
    >>> cross_cases([])
    []
    """
    return _cases([(run, one) for run in runs for one in run.others if one.scored])


def _cases(pairs: Sequence[tuple[Run, Evaluated]]) -> list[Case]:
    groups: dict[tuple[str, ...], list[tuple[Run, Evaluated]]] = {}
    for run, tested in pairs:
        settings = run.facts.config.model_copy(update={"seed": 0}).to_toml()
        said = tested.evaluation
        key = (settings, run.facts.maps.fingerprint, said.maps.traces_sha256, str(said.folds), str(tested.simulated))
        groups.setdefault(key, []).append((run, tested))
    cases = []
    for group in groups.values():
        ordered = sorted(group, key=lambda one: (one[0].facts.config.seed, str(one[0].facts.path)))
        cases.append(Case(_label(ordered[0][0].facts.config), [one for one, _ in ordered], [one for _, one in ordered], ""))
    cases.sort(key=lambda one: (one.databases, _order(one.config)))
    colored = [replace(one, color=COLORS[number % len(COLORS)]) for number, one in enumerate(cases)]
    return _told_apart(colored)


def _label(config: TrainConfig) -> str:
    return f"{config.network}, {AUGMENT[config.augment]}"


def _order(config: TrainConfig) -> tuple[int, str, str]:
    known = list(ATTENTION)
    return known.index(config.network) if config.network in known else len(known), config.network, str(config.augment != "plan")


def _told_apart(cases: Sequence[Case]) -> list[Case]:
    """Add to labels that are alike what the cases differ in."""
    found = []
    for one in cases:
        alike = [other for other in cases if other.label == one.label]
        told = []
        for key in TrainConfig.model_fields:
            values = {str(getattr(other.config, key)) for other in alike}
            if key != "seed" and len(values) > 1:
                told.append(f"{key} {getattr(one.config, key)}")
        tests = {other.tested[0].evaluation.maps.traces_sha256 for other in alike}
        if len(tests) > 1:
            told.append(f"on {one.tested[0].evaluation.maps.name}")
        if len({other.tested[0].evaluation.folds for other in alike}) > 1:
            told.append("folds " + " ".join(map(str, one.tested[0].evaluation.folds)))
        if len(alike) > 1 and not told:
            told.append(one.runs[0].facts.name)
        found.append(replace(one, label=", ".join([one.label, *told])))
    return found
