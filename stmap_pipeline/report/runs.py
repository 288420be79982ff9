"""Read runs for a report: settings, evaluations, learning curves, missing parts, and cases, which group runs that differ in their seed.

A case is all runs of one configuration on the same maps, evaluated on the same videos: a row of a table, a color of a figure.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation import Evaluation, Interval, Score, Video, heart_rate_metrics, read_evaluation, read_videos
from stmap_pipeline.evaluation.evaluate import RunMetadata, read_run
from stmap_pipeline.evaluation.result import EVALUATION, METHOD_COLUMNS, Group
from stmap_pipeline.report.tables import UNKNOWN, fixed_text
from stmap_pipeline.shards import read_columns, read_table
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.run_folder import HISTORY, finished_folds, read_json

# what rounding in JSON and CSV may leave
_SAME_BPM = 1e-6
# a number and its spread stay on one line
_STAY = "\N{NO-BREAK SPACE}"
# the two networks whose difference is the attention, in the order of the tables
ATTENTION = {"attention-resnet18": 0, "resnet18": 1}
AUGMENT = {"plan": "with resampled windows", "none": "as recorded"}
#: Videos from which on an interval is taken at its word.
ENOUGH = 10


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """An evaluation with its videos.

    Parameters
    ----------
    folder : Path
    evaluation : Evaluation
    videos : sequence of Video
    simulated : bool
        Whether the videos are synthetic data, as the evaluation or the one who asks for the report says.
    """

    folder: Path
    evaluation: Evaluation
    videos: Sequence[Video]
    simulated: bool

    @property
    def scored(self) -> bool:
        """Whether there are numbers: a subject was held out, and has a label."""
        return any(one.of == "videos" and one.group == "all" for one in self.evaluation.rows)

    @property
    def mark(self) -> str:
        """What stands beside the numbers of this evaluation, once in a row, table or figure; empty for real recordings."""
        if self.simulated:
            return "simulated"
        return "trained on simulated" if self.evaluation.run.simulated else ""


class RunRecord(BaseModel):
    """What a report says of ``run.json``."""

    software: str = "not finished"
    versions: dict[str, str] = {}
    device: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run, as far as it is there.

    Parameters
    ----------
    metadata : RunMetadata
    record : RunRecord
        Without content where the run is not finished.
    own : Evaluated, optional
        On the subjects it held out.
    others : sequence of Evaluated
        On other maps.
    histories : mapping of int to sequence of mapping
        Rows of ``history.csv`` by fold.
    problems : sequence of str
        What is missing, and what to do about it.
    """

    metadata: RunMetadata
    record: RunRecord
    own: Evaluated | None
    others: Sequence[Evaluated]
    histories: Mapping[int, Sequence[Mapping[str, Any]]]
    problems: Sequence[str]


def load_run(path: Path, *, simulated: bool = False) -> Run:
    """Read a run and all of its evaluations.

    Parameters
    ----------
    path : Path
    simulated : bool
        Whether to take the videos for synthetic data although the maps do not say so.

    Raises
    ------
    ModelError
        Where the folder is no run, or a file of it is damaged or does not belong to the others.
    ShardError
        Where a table cannot be read.

    Examples
    --------
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> one = load_run(example_run()[0])
    >>> one.own is None, one.problems[0][:31]
    (True, 'is not evaluated; stmap evaluat')
    """
    metadata = read_run(path)
    own = _tested(path, simulated) if (path / EVALUATION).is_file() else None
    others = [_tested(one.parent, simulated) for one in sorted(path.glob(f"on-*/{EVALUATION}"))]
    record = read_json(path / "run.json", RunRecord) if metadata.finished else RunRecord()
    histories = {}
    for table in sorted(path.glob("fold*/history.csv")):
        if table.parent.name[4:].isdecimal():
            if read_columns(table) != list(HISTORY):
                raise ModelError(f"{table}: has other columns than a history has; restore a copy or train again")
            histories[int(table.parent.name[4:])] = read_table(table)
    return Run(metadata, record, own, others, histories, _problems(metadata, own, others))


def find_runs(path: Path) -> list[Path]:
    """List the runs that a path stands for: itself, or the runs in a folder of runs; none where it is something else.

    Examples
    --------
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> run, maps = example_run()
    >>> [len(find_runs(one)) for one in (run, run.parent, maps)]
    [1, 1, 0]
    """
    if (path / "run.toml").is_file():
        return [path]
    return [] if (path / "manifest.json").exists() else sorted(one.parent for one in path.glob("*/run.toml"))


def _tested(folder: Path, simulated: bool) -> Evaluated:
    evaluation, videos = read_evaluation(folder), read_videos(folder / "videos.csv")
    for row in evaluation.rows:
        check_identity(row.score, f"{folder / EVALUATION}: {row.of}, {row.method}, {row.group} {row.name}".rstrip())
    labeled = [one for one in videos if np.isfinite(one.true_bpm)]
    for method in evaluation.methods:
        column = METHOD_COLUMNS.get(method)
        if column is None:
            raise ModelError(f"{folder / EVALUATION}: has a method {method!r} that videos.csv lacks; run stmap evaluate again")
        found = heart_rate_metrics([getattr(one, column) for one in labeled], [one.true_bpm for one in labeled])
        stored = evaluation.score(method).metrics
        if found.n != stored.n or (found.n and not abs(found.mae_bpm - stored.mae_bpm) < _SAME_BPM):
            raise ModelError(
                f"{folder}: evaluation.json and videos.csv have different errors of {method} ({stored.mae_bpm:g} and {found.mae_bpm:g} bpm); "
                "run stmap evaluate again"
            )
    return Evaluated(folder, evaluation, videos, simulated or evaluation.simulated)


def check_identity(score: Score, where: str) -> None:
    """Make sure that RMSE^2 = ME^2 + SD^2, which holds for every list of errors.

    Raises
    ------
    ModelError
        Where it does not: the numbers are not those of one list.

    Examples
    --------
    >>> from stmap_pipeline.evaluation import score
    >>> check_identity(score([61.0, 84.0], [60.0, 80.0], ["a", "b"]), "here")
    """
    one = score.metrics
    if not one.n:
        return
    gap = abs(one.rmse_bpm**2 - one.me_bpm**2 - one.sd_bpm**2)
    if not gap <= _SAME_BPM * max(1.0, one.rmse_bpm**2):
        raise ModelError(
            f"{where}: RMSE {one.rmse_bpm:g}, ME {one.me_bpm:g} and SD {one.sd_bpm:g} are not those of one list of errors, whose "
            "RMSE^2 is ME^2 + SD^2; run stmap evaluate again"
        )


def _problems(metadata: RunMetadata, own: Evaluated | None, others: Sequence[Evaluated]) -> list[str]:
    found = []
    if not metadata.finished:
        done = len(finished_folds(metadata.path))
        found.append(
            f"is not finished ({done} {'fold is' if done == 1 else 'folds are'} trained); stmap train with --resume continues it"
        )
    if own is None:
        found.append(f"is not evaluated; stmap evaluate {shlex.quote(str(metadata.path))} MAPS")
    elif own.evaluation.videos and not own.scored:
        found.append("has no error: no video that it held out has a heart rate")
    elif not own.scored and not others:
        found.append(
            f"has no error: no subject was held out, and it was not tested on another database; stmap evaluate {shlex.quote(str(metadata.path))} OTHER_MAPS"
        )
    return found + [
        f"has no error on {one.evaluation.maps.name}: no video there has a heart rate" for one in others if not one.scored
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """What has errors on some videos: a case, or a method that needs no network.

    Parameters
    ----------
    label : str
    tested : sequence of Evaluated
        An evaluation of each run; a single one of a method without a network.
    method : str
        As in :data:`~stmap_pipeline.evaluation.result.METHOD_COLUMNS`.
    """

    label: str
    tested: Sequence[Evaluated]
    method: str

    @property
    def mark(self) -> str:
        """As :attr:`Evaluated.mark`; of methods without a network only the constant depends on the training."""
        first = self.tested[0]
        return first.mark if first.simulated or self.method in ("network", "constant") else ""

    def scores(self, group: Group = "all", name: str = "") -> list[Score]:
        """List the errors on a part of the videos, one of each run that has them."""
        found = (one.evaluation.find_score(self.method, group, name) for one in self.tested)
        return [one for one in found if one is not None]

    def summary(self, measure: str, group: Group = "all", name: str = "") -> Summary:
        """Summarize one number over the runs; see :func:`summarize`."""
        return summarize(self.scores(group, name), measure)

    def cell(self, measure: str, group: Group = "all", name: str = "", **options: bool) -> str:
        """Format one number; options are those of :meth:`Summary.text`."""
        return self.summary(measure, group, name).text(**options)

    @property
    def tone(self) -> str:
        """Compare the mean absolute error with that of the constant on the same videos.

        Returns
        -------
        {"good", "bad", ""}
            ``bad`` where it is not smaller. ``good`` where it is smaller by more than chance: the upper end of its interval, or the mean and
            the standard deviation of several seeds together, lies below the constant; it leaves out no video that the constant has; and there
            are at least :data:`ENOUGH` of them. Empty where nothing can be said.
        """
        own, constant = self.summary("mae_bpm"), self.constant()
        if self.method == "constant" or constant is None or not np.isfinite([own.value, constant.mae_bpm.value]).all():
            return ""
        if not own.value < constant.mae_bpm.value:
            return "bad"
        upper = own.high if own.runs == 1 else own.value + own.spread
        whole = all(ENOUGH <= constant.n <= one.n for one in self.scores())
        return "good" if upper < constant.mae_bpm.value and whole else ""

    def constant(self, group: Group = "all", name: str = "") -> Score | None:
        """Return the errors of the constant predictor on the same videos, or on a part of them."""
        return self.tested[0].evaluation.find_score("constant", group, name)


@dataclass(frozen=True, slots=True, eq=False)
class Case(Predictor):
    """Runs of one configuration on the same maps, evaluated on the same videos.

    Parameters
    ----------
    runs : sequence of Run
        In the order of their seeds, as ``tested``.
    """

    runs: Sequence[Run]

    @property
    def config(self) -> TrainConfig:
        """Settings of the first run."""
        return self.runs[0].metadata.config

    @property
    def databases(self) -> tuple[str, str]:
        """Database of the training and of the test."""
        return self.runs[0].metadata.maps.database, self.tested[0].evaluation.maps.database

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [one.metadata.config.seed for one in self.runs]


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

    def text(self, *, digits: int = 2, signed: bool = False, interval: bool = True) -> str:
        """Format for a reader, with its spread.

        Examples
        --------
        >>> Summary(5.4, float("nan"), 4.9, 6.0, 1).text().replace("\N{NO-BREAK SPACE}", " ")
        '5.40 [4.90, 6.00]'
        >>> Summary(5.4, 0.125, float("nan"), float("nan"), 3).text(digits=1).replace("\N{NO-BREAK SPACE}", " ")
        '5.4 ± 0.1'
        """
        if np.isnan(self.value):
            return UNKNOWN
        text = fixed_text(self.value, digits, signed=signed)
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


def within_cases(runs: Sequence[Run]) -> list[Case]:
    """Group the evaluations on held-out subjects.

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
        settings = run.metadata.config.model_copy(update={"seed": 0}).to_toml()
        evaluation = tested.evaluation
        key = (settings, run.metadata.maps.fingerprint, evaluation.maps.traces_sha256, str(evaluation.folds), str(tested.simulated))
        groups.setdefault(key, []).append((run, tested))
    cases = []
    for group in groups.values():
        ordered = sorted(group, key=lambda one: (one[0].metadata.config.seed, str(one[0].metadata.path)))
        config = ordered[0][0].metadata.config
        label = f"{config.network}, {AUGMENT[config.augment]}"
        cases.append(Case(label, [one for _, one in ordered], "network", [one for one, _ in ordered]))
    # with attention first, and with resampled windows
    cases.sort(
        key=lambda one: (one.databases, ATTENTION.get(one.config.network, 2), one.config.network, one.config.augment != "plan")
    )
    return _distinguish(cases)


def _distinguish(cases: Sequence[Case]) -> list[Case]:
    """Add to labels that are alike what the cases differ in."""
    found = []
    for one in cases:
        alike = [other for other in cases if other.label == one.label]
        words: list[str] = []
        for key in TrainConfig.model_fields:
            values = {str(getattr(other.config, key)) for other in alike}
            if key != "seed" and len(values) > 1:
                words.append(f"{key} {getattr(one.config, key)}")
        tests = {other.tested[0].evaluation.maps.traces_sha256 for other in alike}
        if len(tests) > 1:
            words.append(f"on {one.tested[0].evaluation.maps.name}")
        if len({other.tested[0].evaluation.folds for other in alike}) > 1:
            words.append("folds " + " ".join(map(str, one.tested[0].evaluation.folds)))
        if len(alike) > 1 and not words:
            words.append(one.runs[0].metadata.name)
        found.append(replace(one, label=", ".join([one.label, *words])))
    return found
