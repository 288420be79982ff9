"""What a report reads of a run: settings, evaluations with their videos, learning curves, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation import Evaluation, Score, Video, heart_rate_metrics, read_evaluation, read_videos
from stmap_pipeline.evaluation.evaluate import RunMetadata, read_run
from stmap_pipeline.evaluation.result import EVALUATION, METHOD_COLUMNS
from stmap_pipeline.shards import read_columns, read_table
from stmap_pipeline.training.columns import HISTORY

# what rounding in JSON and CSV may leave
_SAME_BPM = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """An evaluation with its videos.

    Parameters
    ----------
    folder : Path
    evaluation : Evaluation
    videos : sequence of Video
    simulated : bool
        Whether nobody was filmed: neither a word of the evaluation nor of the one who asks for the report says otherwise.
    """

    folder: Path
    evaluation: Evaluation
    videos: Sequence[Video]
    simulated: bool

    @property
    def scored(self) -> bool:
        """Whether there are numbers: somebody was held out, and has a label."""
        return any(one.of == "videos" and one.group == "all" for one in self.evaluation.rows)

    @property
    def mark(self) -> str:
        """What must stand in each cell with a number of this evaluation; empty where people were filmed."""
        if self.simulated:
            return "simulated"
        return "trained on simulated" if self.evaluation.run.simulated else ""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run, as far as it is there.

    Parameters
    ----------
    facts : RunMetadata
    record : mapping
        ``run.json``; empty where the run is not finished.
    own : Evaluated, optional
        On the persons it held out.
    others : sequence of Evaluated
        On other maps.
    histories : mapping of int to sequence of mapping
        Rows of ``history.csv`` by fold.
    problems : sequence of str
        What is missing, and what to do about it.
    """

    facts: RunMetadata
    record: Mapping[str, Any]
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
        Say that nobody was filmed, where the maps cannot know.

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
    facts = read_run(path)
    own = _tested(path, simulated) if (path / EVALUATION).is_file() else None
    others = [_tested(one.parent, simulated) for one in sorted(path.glob(f"on-*/{EVALUATION}"))]
    record = json.loads((path / "run.json").read_bytes()) if facts.finished else {}
    histories = {}
    for table in sorted(path.glob("fold*/history.csv")):
        if table.parent.name[4:].isdecimal():
            if read_columns(table) != list(HISTORY):
                raise ModelError(f"{table}: has other columns than a history has; restore a copy or train again")
            histories[int(table.parent.name[4:])] = read_table(table)
    return Run(facts, record, own, others, histories, _problems(facts, own, others))


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
        told = evaluation.score(method).metrics
        if found.n != told.n or (found.n and not abs(found.mae_bpm - told.mae_bpm) < _SAME_BPM):
            raise ModelError(
                f"{folder}: evaluation.json and videos.csv tell different errors of {method} ({told.mae_bpm:g} and {found.mae_bpm:g} bpm); "
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


def _problems(facts: RunMetadata, own: Evaluated | None, others: Sequence[Evaluated]) -> list[str]:
    found = []
    if not facts.finished:
        done = len(list(facts.path.glob("fold*/last.json")))
        found.append(
            f"is not finished ({done} {'fold is' if done == 1 else 'folds are'} trained); stmap train with --resume goes on"
        )
    if own is None:
        found.append(f"is not evaluated; stmap evaluate {facts.path} MAPS")
    elif own.evaluation.videos and not own.scored:
        found.append("has no error: no video that it held out has a heart rate")
    elif not own.scored and not others:
        found.append(
            f"has no error: nobody was held out, and it was not tested on another database; stmap evaluate {facts.path} OTHER_MAPS"
        )
    return found + [
        f"has no error on {one.evaluation.maps.name}: no video there has a heart rate" for one in others if not one.scored
    ]
