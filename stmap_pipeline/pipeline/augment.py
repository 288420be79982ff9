"""Balance the heart rates of a finished build: plan resampled windows, write them behind the recorded ones, take them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.lock import locked
from stmap_pipeline.maps.balance import (
    Augmentation,
    BalanceOptions,
    Offers,
    Options,
    Request,
    TrainingWindows,
    choose_windows,
    make_offers,
)
from stmap_pipeline.maps.balance.training import COLUMNS
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.shards import Shards, read_manifest, remove_augmentation, write_augmentation

_Task = list[tuple[slice, Request]]
_Found = tuple[npt.NDArray[np.int64], Offers]
_PIECES = 4


def plan_augmentation(out: Path, options: Options, jobs: int = 1) -> Augmentation:
    """Plan what is added to a build; nothing is written.

    The same build, options and seed give the same plan, whatever the number of processes, and whether the build is augmented
    already or not: only windows as recorded are counted and resampled.

    Parameters
    ----------
    out : Path
        Output folder of a finished build.
    options : BalanceOptions or Fg2019Options
    jobs : int
        Processes that read the shards; 1 uses this one.

    Raises
    ------
    ShardError
        Where the build is unfinished or damaged, or has no window to train on.

    Examples
    --------
    >>> from stmap_pipeline.maps.balance import Fg2019Options
    >>> from stmap_pipeline.shards.example import example_maps
    >>> added = plan_augmentation(example_maps(), Fg2019Options(band_bpm=(60, 90))).added
    >>> added.hr_scale[:2].tolist(), added.heart_rate_bpm[:2].round(2).tolist()
    ([0.67, 1.5], [44.22, 99.0])
    """
    with Shards(out) as shards:
        table = shards.window_columns(COLUMNS)
        training = TrainingWindows.of(table, options.min_valid_fraction)
        if not len(training):
            raise ShardError(
                f"{out}: none of {len(table['start'])} windows has a heart rate and a face in {options.min_valid_fraction:.0%} of "
                "its samples, so there is nothing to balance; see windows.csv"
            )
        # a subject at a time: its recordings lie in one file
        tasks = training.by_subject()
        speeds = len(options.bins) if isinstance(options, BalanceOptions) else len(options.hr_scales)
        offers = Offers.none(len(training), speeds)
        if jobs > 1:
            from stmap_pipeline.parallel import unordered

            # a few large pieces: each opens the output anew
            pieces = [tasks[first :: _PIECES * jobs] for first in range(min(_PIECES * jobs, len(tasks)))]
            found = (one for piece in unordered(partial(_offers_in, out.absolute(), options), pieces, jobs) for one in piece)
        else:
            found = (_offers(shards, options, task) for task in tasks)
        for rows, made in found:
            offers.put(rows, made)
    return choose_windows(options, training, offers)


def apply_augmentation(
    out: Path, augmentation: Augmentation, draw: Callable[[Augmentation], Mapping[str, bytes]] | None = None
) -> None:
    """Write a plan into its build, in place of any that is there.

    Parameters
    ----------
    out : Path
    augmentation : Augmentation
    draw : callable, optional
        Makes the pictures that are written beside the plan, by name.

    Raises
    ------
    ShardError
        Where the build is unfinished or its table of windows was changed.
    OutputError
        Where the system refuses to write, or another command is at work in the folder.

    Examples
    --------
    >>> from stmap_pipeline.maps.balance import Fg2019Options
    >>> from stmap_pipeline.shards.example import example_maps
    >>> root = example_maps()
    >>> apply_augmentation(root, plan_augmentation(root, Fg2019Options(band_bpm=(60, 90))))
    >>> sorted({one.hr_scale for one in Shards(root).windows(augmented=True)})
    [0.67, 1.0, 1.5]
    """
    pictures = draw(augmentation) if draw else {}
    with _alone(out), Shards(out) as shards:
        subjects = {one.recording_id: one.subject for one in shards.recordings()}
        write_augmentation(out, augmentation, augmentation.added.windows(shards.windows()), subjects, pictures)


def reset_augmentation(out: Path) -> bool:
    """Take the augmentation of a build away, and tell whether there was one; what is left is the build as it was.

    Raises
    ------
    ShardError, OutputError
        As :func:`apply_augmentation`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> reset_augmentation(example_maps())
    False
    """
    with _alone(out):
        return remove_augmentation(out)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    # an unfinished build first: it is said before a lock is made in a folder that may not be there
    read_manifest(out)
    with locked(out):
        if Work(out).folder.exists():
            raise OutputError(f"{out}: holds a build that was stopped; run the same stmap build-maps command again first")
        yield


def _offers_in(root: Path, options: Options, tasks: Sequence[_Task]) -> list[_Found]:
    with Shards(root) as shards:
        return [_offers(shards, options, task) for task in tasks]


def _offers(shards: Shards, options: Options, task: _Task) -> _Found:
    requests = [one for _, one in task]
    made = make_offers(options, [shards.source(one.recording_id) for one in requests], requests)
    return np.concatenate([np.arange(where.start, where.stop) for where, _ in task]), made
