"""Evaluate a run: on the persons it held out, or on other maps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError, OutputError
from stmap_pipeline.evaluation.apply import Applied, held_out_predictions, predictions_on, traces_sha256
from stmap_pipeline.evaluation.baselines import classical_rates, read_baselines, write_baselines
from stmap_pipeline.evaluation.predictions import Predictions, write_predictions
from stmap_pipeline.evaluation.result import Bootstrap, Evaluation, MapsSummary, RunSummary, read_evaluation, write_evaluation
from stmap_pipeline.evaluation.run_facts import RunFacts, read_run
from stmap_pipeline.evaluation.scores import MOST_PARTS, video_scores, window_scores
from stmap_pipeline.evaluation.videos import Video, videos_of, write_videos
from stmap_pipeline.shards import Shards

FloatArray = npt.NDArray[np.float64]
Stage = Literal["networks", "recordings"]
#: Called with what is counted, how many are done, and of how many.
OnProgress = Callable[[Stage, int, int], None]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How to evaluate.

    Parameters
    ----------
    bootstrap : Bootstrap
    jobs : int
        Processes for the classical methods; the numbers do not depend on it.
    device : str
        Where the network runs, on other maps than those of its training.
    baselines : Path, optional
        Folder of an evaluation on the same maps: the classical rates of its windows are taken over where they are the same windows.
    on_progress : callable, optional
        Called with what is counted - ``networks`` that estimated other maps, ``recordings`` that the classical methods estimated -
        and with the number done and of all.

    Examples
    --------
    >>> EvaluateOptions().jobs
    1
    """

    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    jobs: int = 1
    device: str = "auto"
    baselines: Path | None = None
    on_progress: OnProgress | None = None


def evaluate_run(run: Path, maps: Path, *, out: Path | None = None, options: EvaluateOptions | None = None) -> Evaluation:
    """Evaluate a run on maps and write ``videos.csv``, ``baselines.csv`` and ``evaluation.json``.

    On the maps of its training: what each network said of the persons that it held out, as far as its folds are trained. On
    other maps: the networks of all folds are asked, their mean is taken, and ``predictions.csv`` is written, too.

    Parameters
    ----------
    run : Path
        Folder of a run, finished or not.
    maps : Path
        Output of ``stmap build-maps``.
    out : Path, optional
        Where to write: otherwise the run itself, or ``on-NAME`` in it for other maps called NAME.
    options : EvaluateOptions, optional

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelError
        Where the run is no run, has no finished fold, is damaged, or does not fit the maps.
    ShardError
        Where the maps are damaged or unfinished.
    ExtraMissingError
        Where other maps need the network and the extra ``train`` is not installed.
    OutputError
        Where the system refuses to write, or the tables of another run or of other maps would be replaced.

    Examples
    --------
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> run, maps = example_run()
    >>> evaluation = evaluate_run(run, maps)
    >>> evaluation.videos, evaluation.score("network").n, sorted(one.name for one in run.glob("*.csv"))
    (3, 3, ['baselines.csv', 'predictions.csv', 'videos.csv'])
    """
    options = options or EvaluateOptions()
    facts = read_run(run)
    with Shards(maps) as shards:
        applied = held_out_predictions(facts, shards)
        if applied is None:
            applied = predictions_on(facts, shards, options.device, partial(_told, options, "networks"))
        folder = out or (run if applied.held_out else run / f"on-{maps.resolve().name}")
        traces = traces_sha256(shards)
        _refuse_folder(folder, run, traces, held_out=applied.held_out)
        rates = _rates(shards, applied.predictions, folder, traces, options)
        evaluation, videos = _evaluation(facts, shards, applied, rates, traces, options.bootstrap)
    if not applied.held_out:
        write_predictions(folder / "predictions.csv", applied.predictions)
    write_videos(folder / "videos.csv", videos)
    write_baselines(folder / "baselines.csv", applied.predictions, rates)
    # last: an evaluation that is there speaks of the tables beside it
    write_evaluation(folder, evaluation)
    return evaluation


def database_of(maps: Shards) -> str:
    """Name the database that maps were built from."""
    return str(maps.manifest.settings.get("database", ""))


def _rates(maps: Shards, windows: Predictions, folder: Path, traces: str, options: EvaluateOptions) -> FloatArray:
    for earlier in filter(None, (options.baselines, folder)):
        try:
            same = read_evaluation(earlier).maps.traces_sha256 == traces
        except ModelError:
            same = False
        if same and (rates := read_baselines(earlier / "baselines.csv", windows)) is not None:
            return rates
    rates = np.full((len(windows), 3), np.nan)
    total = len(np.unique(windows.recording_id))
    _told(options, "recordings", 0, total)
    with closing(classical_rates(maps, windows, jobs=options.jobs)) as found:
        for done, one in enumerate(found, 1):
            rates[one.rows] = one.rates_bpm
            _told(options, "recordings", done, total)
    return rates


def _told(options: EvaluateOptions, stage: Stage, done: int, total: int) -> None:
    if options.on_progress is not None:
        options.on_progress(stage, done, total)


def _refuse_folder(folder: Path, run: Path, traces: str, *, held_out: bool) -> None:
    """Keep the tables of a run, and those of an evaluation on other maps of the same name, from being replaced."""
    is_own = folder.resolve() == run.resolve()
    if (folder / "run.toml").exists() and not (is_own and held_out):
        raise OutputError(f"{folder}: is the folder of a run, whose own tables would be replaced; give another folder with --out")
    try:
        earlier = read_evaluation(folder)
    except ModelError:
        return
    if earlier.maps.traces_sha256 != traces and not is_own:
        raise OutputError(
            f"{folder}: holds an evaluation on other maps called {earlier.maps.name}; remove it, or give another folder with --out"
        )


def _evaluation(
    facts: RunFacts, maps: Shards, applied: Applied, rates: FloatArray, traces: str, bootstrap: Bootstrap
) -> tuple[Evaluation, list[Video]]:
    infos = {one.recording_id: one for one in maps.recordings()}
    predictions, constants = applied.predictions, applied.constant_bpm
    videos = videos_of(predictions, rates, infos, constants)
    labeled = [one for one in videos if np.isfinite(one.true_bpm)]
    rows = (
        *video_scores(videos, bootstrap),
        *window_scores(predictions, rates, infos, constants, bootstrap),
    )
    evaluation = Evaluation(
        run=RunSummary(
            name=facts.name,
            network=facts.config.network,
            protocol=facts.config.protocol,
            augment=facts.config.augment,
            target=facts.config.target,
            seed=facts.config.seed,
            finished=facts.finished,
            database=facts.maps.database,
            simulated=facts.maps.simulated,
        ),
        maps=MapsSummary(maps.root.resolve().name, database_of(maps), maps.manifest.fingerprint, traces),
        simulated=maps.simulated,
        held_out=applied.held_out,
        folds=applied.folds,
        videos=len(videos),
        unlabeled_videos=len(videos) - len(labeled),
        windows=len(predictions),
        constant_bpm={str(fold): value for fold, value in constants.items()},
        bootstrap=bootstrap,
        notes=(*applied.notes, *_notes(videos, labeled, bootstrap)),
        rows=rows,
    )
    return evaluation, videos


def _notes(videos: list[Video], labeled: list[Video], bootstrap: Bootstrap) -> list[str]:
    notes: list[str] = []
    if videos and not labeled:
        notes.append("no video has a heart rate label: predictions are there, errors are not")
    elif len(labeled) < len(videos):
        notes.append(f"{len(videos) - len(labeled)} of {len(videos)} videos have no heart rate label and are in no score")
    parts = {what: len({getattr(one, what) for one in labeled} - {"", 0}) for what in ("scenario", "camera", "fold")}
    notes += [f"no scores by {what}: there are {count} of them" for what, count in parts.items() if count > MOST_PARTS]
    units = len({one.subject if bootstrap.unit == "subject" else one.recording_id for one in labeled})
    if labeled and units < 10:
        notes.append(f"{units} {bootstrap.unit}{'s' if units > 1 else ''}: too few for an interval that can be relied on")
    return notes
