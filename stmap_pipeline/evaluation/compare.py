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
    first: Path | Sequence[Path],
    second: Path | Sequence[Path],
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
    first, second : Path or sequence of Path
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
    one, two = _side(first, method), _side(second, second_method or method)
    both = sorted(one.videos.keys() & two.videos.keys())
    if not both:
        raise ModelError(f"{one.where} and {two.where} have no video in common; compare evaluations on the same maps")
    videos = [one.videos[name] for name in both]
    for video in videos:
        _refuse_other_truth(video, one.where, two.videos[video.recording_id], two.where)
    errors = np.array([[side.errors_bpm[name] for side in (one, two)] for name in both])
    labeled = np.isfinite([video.true_bpm for video in videos])
    left_out = len(one.videos.keys() ^ two.videos.keys())
    rows = [_difference("all", "", videos, errors, labeled, left_out, bootstrap)]
    bands = np.array(band_of([video.true_bpm for video in videos]))
    rows += [_difference("band", name, videos, errors, bands == name, 0, bootstrap) for name in BANDS if (bands == name).any()]
    return RunComparison(one.name, two.name, one.simulated or two.simulated, bootstrap, tuple(rows))


@dataclass(frozen=True, slots=True)
class _Side:
    """One or several runs: the videos that all of them have, and the mean of their absolute errors."""

    name: str
    where: str
    simulated: bool
    videos: dict[str, Video]
    errors_bpm: dict[str, float]


def _side(paths: Path | Sequence[Path], method: str) -> _Side:
    if method not in METHOD_COLUMNS:
        raise ValueError(f"no method is called {method!r} (known: {', '.join(METHOD_COLUMNS)})")
    folders = [paths] if isinstance(paths, Path) else list(paths)
    if not folders:
        raise ValueError("a comparison needs a run on each side")
    evaluations = [read_evaluation(folder) for folder in folders]
    tables = [{video.recording_id: video for video in read_videos(folder / "videos.csv")} for folder in folders]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    for folder, table in zip(folders[1:], tables[1:], strict=True):
        for name in shared:
            _refuse_other_truth(tables[0][name], str(folders[0]), table[name], str(folder))
    column = METHOD_COLUMNS[method]
    errors = {
        name: float(np.mean([abs(getattr(table[name], column) - table[name].true_bpm) for table in tables])) for name in shared
    }
    names = ", ".join(one.run.name for one in evaluations)
    return _Side(
        names if method == "network" else f"{method} ({names})",
        ", ".join(map(str, folders)),
        any(one.simulated for one in evaluations),
        {name: tables[0][name] for name in shared},
        errors,
    )


def _refuse_other_truth(mine: Video, here: str, other: Video, there: str) -> None:
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
