"""Compare the errors of two runs on the same videos: what makes a video hard cancels out of the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation.metrics import BANDS, Bootstrap, Interval, band_of, mean_interval
from stmap_pipeline.evaluation.result import METHOD_COLUMNS, Group, Video, read_evaluation, read_videos

_SAME_BPM = 1e-3


@dataclass(frozen=True, slots=True)
class Difference:
    """Errors of two runs on the same videos.

    Parameters
    ----------
    group : {"all", "band"}
    name : str
        Band of true heart rate; empty for all.
    n : int
        Videos in which both have an estimate.
    n_missing : int
        Videos of either without.
    first_mae_bpm, second_mae_bpm : float
        Mean absolute error of each on these videos.
    difference_bpm : Interval
        Second minus first, with its interval: below zero the second errs less. Where the interval holds zero, the data do not
        distinguish the two.

    Examples
    --------
    >>> Difference("all", "", 100, 0, 6.0, 5.4, Interval(-0.6, -0.9, -0.2)).is_clear
    True
    """

    group: Group
    name: str
    n: int
    n_missing: int
    first_mae_bpm: float
    second_mae_bpm: float
    difference_bpm: Interval

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.difference_bpm.low > 0 or self.difference_bpm.high < 0


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs, side by side.

    Parameters
    ----------
    first, second : str
        Their names.
    simulated : bool
        Whether the videos are synthetic data.
    bootstrap : Bootstrap
    rows : tuple of Difference
        All videos, then the bands of heart rate that occur.
    """

    first: str
    second: str
    simulated: bool
    bootstrap: Bootstrap
    rows: tuple[Difference, ...]

    @property
    def overall(self) -> Difference:
        """The difference on all videos."""
        return self.rows[0]


def compare_runs(
    first: str | Path | Sequence[str | Path],
    second: str | Path | Sequence[str | Path],
    *,
    method: str = "network",
    second_method: str | None = None,
    bootstrap: Bootstrap | None = None,
) -> RunComparison:
    """Compare the errors of two runs on the videos that both were evaluated on.

    Subjects (or videos) are drawn with replacement, and the difference of the absolute errors is averaged over each draw: a paired
    percentile bootstrap. Of several runs that differ in their seed alone, the absolute error of a video is the mean over the runs, so
    that what is compared is less the luck of a seed; how much the seeds themselves vary is not in the interval.

    Parameters
    ----------
    first, second : str, Path or sequence of them
        Folders with ``videos.csv`` and ``evaluation.json``: runs, or evaluations of runs on the same other maps.
    method, second_method : str
        What is compared, as in :data:`~stmap_pipeline.evaluation.result.METHOD_COLUMNS`; the second is as the first unless given, and
        may be another method of the same run.
    bootstrap : Bootstrap, optional

    Returns
    -------
    RunComparison

    Raises
    ------
    ModelError
        Where one is not evaluated or damaged, or they share no video or not their labels.
    ValueError
        Where there is no such method, or no run.

    Examples
    --------
    >>> from stmap_pipeline.evaluation import evaluate_run
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> run, maps = example_run(error_bpm=1.0)
    >>> _ = evaluate_run(run, maps)
    >>> compare_runs(run, run, method="constant", second_method="network").overall.difference_bpm.value < 0
    True
    """
    bootstrap = bootstrap or Bootstrap()
    sides = [[Path(one) for one in ([paths] if isinstance(paths, str | Path) else paths)] for paths in (first, second)]
    methods = (method, second_method or method)
    for one in methods:
        if one not in METHOD_COLUMNS:
            raise ValueError(f"no method is called {one!r} (known: {', '.join(METHOD_COLUMNS)})")
    if not all(sides):
        raise ValueError("a comparison needs a run on each side")
    evaluations = [[read_evaluation(folder) for folder in side] for side in sides]
    tables = [[_videos(folder) for folder in side] for side in sides]
    # of several runs of one side, the videos that all of them have
    names = [set.intersection(*map(set, side)) for side in tables]
    both = sorted(names[0] & names[1])
    if not both:
        where = [", ".join(map(str, side)) for side in sides]
        raise ModelError(f"{where[0]} and {where[1]} have no video in common; compare evaluations on the same maps")
    videos = [tables[0][0][name] for name in both]
    for folder, table in zip((*sides[0], *sides[1]), (*tables[0], *tables[1]), strict=True):
        for video in videos:
            _refuse_other_truth(video, sides[0][0], table[video.recording_id], folder)
    errors = np.array([_errors_bpm(side, both, one) for side, one in zip(tables, methods, strict=True)]).T
    labeled = np.isfinite([video.true_bpm for video in videos])
    rows = [_difference("all", "", videos, errors, labeled, len(names[0] ^ names[1]), bootstrap)]
    bands = np.array(band_of([video.true_bpm for video in videos]))
    rows += [_difference("band", name, videos, errors, bands == name, 0, bootstrap) for name in BANDS if (bands == name).any()]
    titles = []
    for side, one in zip(evaluations, methods, strict=True):
        runs = ", ".join(each.run.name for each in side)
        titles.append(runs if one == "network" else f"{one} ({runs})")
    simulated = any(each.simulated for side in evaluations for each in side)
    return RunComparison(titles[0], titles[1], simulated, bootstrap, tuple(rows))


def _videos(folder: Path) -> dict[str, Video]:
    return {video.recording_id: video for video in read_videos(folder / "videos.csv")}


def _errors_bpm(tables: Sequence[dict[str, Video]], names: Sequence[str], method: str) -> npt.NDArray[np.float64]:
    """Compute the absolute error of each video, the mean over several runs."""
    column = METHOD_COLUMNS[method]
    errors = [[abs(getattr(table[name], column) - table[name].true_bpm) for name in names] for table in tables]
    return np.asarray(np.mean(errors, axis=0))


def _refuse_other_truth(mine: Video, here: Path, other: Video, there: Path) -> None:
    same = abs(mine.true_bpm - other.true_bpm) < _SAME_BPM or (np.isnan(mine.true_bpm) and np.isnan(other.true_bpm))
    if not same:
        raise ModelError(
            f"{mine.recording_id} has {mine.true_bpm:g} bpm in {here} and {other.true_bpm:g} bpm in {there}: these are "
            "evaluations on other maps or windows"
        )


def _difference(
    group: Group,
    name: str,
    videos: Sequence[Video],
    errors: npt.NDArray[np.float64],
    part: npt.NDArray[np.bool_],
    left_out: int,
    bootstrap: Bootstrap,
) -> Difference:
    known = part & np.isfinite(errors).all(axis=1)
    units = np.array([one.subject if bootstrap.unit == "subject" else one.recording_id for one in videos], dtype=np.str_)
    first, second = errors[known].T
    interval = mean_interval(second - first, units[known], bootstrap)
    mae = (float(first.mean()), float(second.mean())) if known.any() else (float("nan"), float("nan"))
    return Difference(group, name, int(known.sum()), int((part & ~known).sum()) + left_out, mae[0], mae[1], interval)
