"""Evaluate a run: on the subjects it held out in training, or on other maps.

:func:`evaluate_run` reads the predictions for the held-out subjects, or lets the networks predict other maps; adds a constant and the
classical methods on the same windows; and writes the tables and ``evaluation.json`` of :mod:`.result`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import compare_settings
from stmap_pipeline.errors import ConfigError, ModelError, OtherSettingsError, OutputError, ShardError
from stmap_pipeline.evaluation.heart_rate import classical_rates
from stmap_pipeline.evaluation.metrics import BANDS, Bootstrap, band_of, score
from stmap_pipeline.evaluation.result import (
    METHOD_COLUMNS,
    Evaluation,
    Group,
    MapsSummary,
    Predictions,
    RunSummary,
    ScoreRow,
    Video,
    read_baselines,
    read_evaluation,
    read_predictions,
    videos_of,
    write_baselines,
    write_evaluation,
    write_predictions,
    write_videos,
)
from stmap_pipeline.files import sha256
from stmap_pipeline.records import Window
from stmap_pipeline.shards import RecordingInfo, Shards
from stmap_pipeline.shards.manifest import MANIFEST
from stmap_pipeline.signals.classical import METHODS
from stmap_pipeline.torch import require_torch
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.protocol import FoldSplit, plan_protocol, training_mean_bpm
from stmap_pipeline.training.run_folder import MapsMetadata, read_json

FloatArray = npt.NDArray[np.float64]
Stage = Literal["networks", "recordings"]
#: Called with what is counted, how many are done, and of how many.
OnProgress = Callable[[Stage, int, int], None]

# the mean label of a recording changes by less with its windows
_SAME_RECORDING_BPM = 2.0
_SAME_BPM = 1e-3
# in a folder of user videos each may be a scenario of its own
MOST_PARTS = 40


def evaluate_run(
    run: str | Path,
    maps: str | Path,
    *,
    out: str | Path | None = None,
    bootstrap: Bootstrap | None = None,
    jobs: int = 1,
    device: str = "auto",
    baselines: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluate a run on maps and write ``videos.csv``, ``baselines.csv`` and ``evaluation.json``.

    On the maps of its training: the predictions of each network for the subjects that it held out, as far as its folds are trained. On
    other maps: the mean of the predictions of all folds' networks; ``predictions.csv`` is written, too.

    Parameters
    ----------
    run : str or Path
        Folder of a run, finished or not.
    maps : str or Path
        Output of ``stmap build-maps``.
    out : str or Path, optional
        Where to write: otherwise the run itself, or ``on-NAME`` in it for other maps called NAME.
    bootstrap : Bootstrap, optional
    jobs : int
        Processes for the classical methods; the numbers do not depend on it.
    device : str
        Where the network runs, on other maps than those of its training.
    baselines : str or Path, optional
        Folder of an evaluation on the same recordings and clock: its classical rates are used where it has all of the windows.
    on_progress : callable, optional
        Called with what is counted - ``networks`` that predicted other maps, ``recordings`` with classical rates - and with the number
        done and of all.

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelError
        Where the run is no run, has no finished fold, is damaged, or does not fit the maps; or where the baselines are of other
        recordings or another clock.
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
    run = Path(run)
    maps = Path(maps)
    out = None if out is None else Path(out)
    baselines = None if baselines is None else Path(baselines)
    report = on_progress or (lambda *_: None)
    metadata = read_run(run)
    with Shards(maps) as shards:
        here = MapsSummary.of(shards)
        if baselines is not None and not read_evaluation(baselines).maps.is_same(here):
            raise ModelError(f"{baselines}: is an evaluation of other recordings, or on another clock, than {maps}")
        applied = held_out_predictions(metadata, shards)
        if applied is None:
            applied = predictions_on(metadata, shards, device, partial(report, "networks"))
        folder = out or (run if applied.held_out else run / f"on-{here.name}")
        _refuse_folder(folder, run, here, held_out=applied.held_out)
        rates = _earlier_rates(applied.predictions, here, [baselines, folder])
        if rates is None:
            rates = _rates(shards, applied.predictions, jobs, report)
        evaluation, videos = _evaluation(metadata, shards, here, applied, rates, bootstrap or Bootstrap())
    if not applied.held_out:
        write_predictions(folder / "predictions.csv", applied.predictions)
    write_videos(folder / "videos.csv", videos)
    write_baselines(folder / "baselines.csv", applied.predictions, rates)
    # last: an evaluation that is there describes the tables beside it
    write_evaluation(folder, evaluation)
    return evaluation


@dataclass(frozen=True, slots=True)
class RunMetadata:
    """A run folder.

    Parameters
    ----------
    path : Path
    config : TrainConfig
    finished : bool
        Whether all of its folds are trained.
    maps : MapsMetadata

    Examples
    --------
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> run = read_run(example_run()[0])
    >>> run.config.protocol, run.finished, run.maps.database
    ('within', True, 'example')
    """

    path: Path
    config: TrainConfig
    finished: bool
    maps: MapsMetadata

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.resolve().name

    def tables(self) -> list[Path]:
        """List the tables of predictions: that of the run, or of the folds that are done."""
        whole = self.path / "predictions.csv"
        return [whole] if whole.is_file() else sorted(self.path.glob("fold*/predictions.csv"))


def read_run(path: str | Path) -> RunMetadata:
    """Read the settings and the progress of a run folder, without torch; the run may be unfinished.

    Raises
    ------
    ModelError
        Where it is no run folder, or a file of it is damaged.

    Examples
    --------
    >>> read_run(Path("nowhere"))
    Traceback (most recent call last):
    ...
    stmap_pipeline.errors.ModelError: nowhere: there is no such folder; give the RUN folder of a stmap train
    """
    path = Path(path)
    if not path.is_dir():
        raise ModelError(f"{path}: there is no such folder; give the RUN folder of a stmap train")
    if not (path / "run.toml").is_file():
        raise ModelError(f"{path}: holds no run.toml, so it is no run of stmap train; give the folder that stmap train wrote")
    try:
        config = TrainConfig.from_toml(path / "run.toml")
    except ConfigError as error:
        raise ModelError(f"{error}; restore a copy or train again") from None
    maps = read_json(path / "maps.json", MapsMetadata)
    return RunMetadata(path, config, (path / "run.json").is_file(), maps)


@dataclass(frozen=True, slots=True)
class Applied:
    """Predictions of a run, and how they were made.

    Parameters
    ----------
    predictions : Predictions
    constant_bpm : mapping of int to float
        Mean heart rate of the training videos, by fold; NaN where unknown.
    held_out : bool
        Whether they are for the maps of the training, and for subjects that were held out.
    folds : tuple of int
    notes : tuple of str
    """

    predictions: Predictions
    constant_bpm: Mapping[int, float]
    held_out: bool
    folds: tuple[int, ...]
    notes: tuple[str, ...] = ()


def held_out_predictions(run: RunMetadata, shards: Shards) -> Applied | None:
    """Read the predictions of a run for the subjects it held out, where these are the maps it was trained on.

    Returns
    -------
    Applied or None
        None where the maps are others.

    Raises
    ------
    ModelError
        Where the run has no finished fold, or its tables are damaged or do not fit its maps.
    OtherSettingsError
        Where the maps have the recordings of the training, built with other settings.
    """
    tables = run.tables()
    if not tables:
        raise ModelError(f"{run.path}: no fold is finished; run the same stmap train command again, with --resume")
    predictions = read_predictions(tables)
    mismatch = _mismatch(predictions, shards)
    if mismatch and _is_same(run, shards):
        raise ModelError(
            f"{tables[0]}: {mismatch}, though these are the maps of its training; the table was changed: restore a copy or train again"
        )
    other_settings = shards.manifest.fingerprint != run.maps.fingerprint
    if other_settings and shards.database == run.maps.database and _are_recordings_of(predictions, shards):
        # most networks were trained on these subjects
        changed = compare_settings(run.maps.settings, shards.config.model_dump(mode="json")) if run.maps.settings else []
        what = f"holds the recordings that {run.path} was trained on, built with other settings"
        raise OtherSettingsError(shards.root, what, changed, "train on these maps, or build them as they were")
    if mismatch or (not len(predictions) and not _is_same(run, shards)):
        return None
    windows, splits = _protocol(run, shards)
    folds = sorted({one.fold for one in splits} & ({0} | set(predictions.fold.tolist())))
    for split in splits:
        _refuse_trained(tables[0], predictions, windows, split)
    notes: list[str] = []
    if not run.finished:
        notes.append(f"the run is not finished: {_named(folds)} alone")
    elif rest := sorted({one.fold for one in splits} - set(folds)):
        notes.append(f"{_named(rest)} {'was' if len(rest) == 1 else 'were'} not trained: these are the numbers of {_named(folds)}")
    if not len(predictions):
        notes.append("all subjects were trained on and none was held out: evaluate the run on other maps")
    constants = {one.fold: training_mean_bpm(windows, one) for one in splits if one.fold in folds}
    return Applied(predictions, constants, True, tuple(folds), tuple(notes))


def predictions_on(run: RunMetadata, shards: Shards, device: str, on_network: Callable[[int, int], None]) -> Applied:
    """Predict all windows of other maps that are as valid as those of the training.

    A prediction is the mean over the networks of all folds. Labels are not needed.

    Parameters
    ----------
    run : RunMetadata
    shards : Shards
    device : str
    on_network : callable
        Called with the number of networks that are done and of all.

    Raises
    ------
    ModelError
        Where the run has no finished fold or is damaged, or the maps are of another kind than those of the training.
    ShardError
        Where the maps have no such window, or are damaged.
    ExtraMissingError
        Where the extra ``train`` is not installed.
    """
    require_torch()
    # imported late: own maps are evaluated without torch
    from stmap_pipeline.training.predict import Model

    windows = shards.windows(min_valid_fraction=run.config.min_valid_fraction)
    if not windows:
        raise ShardError(
            f"{shards.root}: none of {len(shards.windows())} windows has a known face in {run.config.min_valid_fraction:.0%} of its "
            "frames, which is what the network was trained on; see windows.csv"
        )
    folds = Model.folds(run.path)
    rates = []
    for fold in folds:
        model = Model.load(run.path, fold, device)
        rates.append(model.predict(shards, windows))
        on_network(len(rates), len(folds))
    notes = [] if run.finished else [f"the run is not finished: {_named(folds)} alone"]
    if len(folds) > 1:
        notes.append(f"each window has the mean of the predictions of {_named(folds)}")
    constant_bpm = _constant_of_training(run, folds)
    if not np.isfinite(constant_bpm):
        notes.append("the constant predictor is unknown: evaluate the run on the maps of its training first")
    if run.maps.database and run.maps.database == shards.database:
        notes.append(f"training and test are both {run.maps.database}: make sure that no subject is in both")
    predicted_bpm, confidence = np.mean(rates, axis=0)
    predictions = Predictions.of(windows, predicted_bpm, confidence=confidence)
    return Applied(predictions, {0: constant_bpm}, False, (0,), tuple(notes))


def _mismatch(predictions: Predictions, shards: Shards) -> str:
    """Return which prediction is for no window of these maps; empty where all are for one."""
    labels = {(one.recording_id, one.start, one.stop): one.heart_rate_bpm for one in shards.windows()}
    keys = zip(predictions.recording_id.tolist(), predictions.start.tolist(), predictions.stop.tolist(), strict=True)
    for (name, start, stop), label in zip(keys, predictions.heart_rate_bpm.tolist(), strict=True):
        there = labels.get((name, start, stop))
        if there is None:
            return f"{name} has no window of samples {start} to {stop} in {shards.root}"
        # a label that went through single precision is the same label
        if not (abs(there - label) < _SAME_BPM or (np.isnan(there) and np.isnan(label))):
            return f"samples {start} to {stop} of {name} have {label:g} bpm, in {shards.root} {there:g} bpm"
    return ""


def _are_recordings_of(predictions: Predictions, shards: Shards) -> bool:
    """Return whether maps hold the recordings of predictions, by name and heart rate, in whatever windows."""
    there: dict[str, list[float]] = defaultdict(list)
    for one in shards.windows():
        there[one.recording_id].append(one.heart_rate_bpm)
    predicted: dict[str, list[float]] = defaultdict(list)
    for name, rate in zip(predictions.recording_id.tolist(), predictions.heart_rate_bpm.tolist(), strict=True):
        predicted[name].append(rate)
    if not predicted or not predicted.keys() <= there.keys():
        return False
    apart = [
        abs(np.nanmean(rates) - np.nanmean(there[name]))
        for name, rates in predicted.items()
        if np.isfinite(rates).any() and np.isfinite(there[name]).any()
    ]
    return not apart or float(np.median(apart)) < _SAME_RECORDING_BPM


def _is_same(run: RunMetadata, shards: Shards) -> bool:
    return sha256(shards.root / MANIFEST) == run.maps.manifest_sha256


def _protocol(run: RunMetadata, shards: Shards) -> tuple[list[Window], list[FoldSplit]]:
    # resampled windows have no part in the mean of the training videos, and may have been removed since
    found = plan_protocol(shards, run.config.model_copy(update={"augment": "none"}))
    return found.windows, found.splits


def _refuse_trained(table: Path, predictions: Predictions, windows: Sequence[Window], split: FoldSplit) -> None:
    trained = {windows[one].recording_id for part in (split.training, split.validation) for one in part.tolist()}
    if both := sorted(trained & set(predictions.recording_id[predictions.fold == split.fold].tolist())):
        raise ModelError(f"{table}: {both[0]} was trained on in fold {split.fold}, so it cannot be evaluated there; train again")


def _constant_of_training(run: RunMetadata, folds: Sequence[int]) -> float:
    try:
        earlier = read_evaluation(run.path)
    except ModelError:
        return float("nan")
    known = [earlier.constant_bpm.get(str(fold), float("nan")) for fold in folds]
    return float(np.mean(known)) if earlier.held_out and known else float("nan")


def _named(folds: Sequence[int]) -> str:
    return f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"


def video_scores(videos: Sequence[Video], bootstrap: Bootstrap) -> list[ScoreRow]:
    """Compute the errors of each method on all videos with a label, and on each band, scenario, camera and fold.

    Parameters
    ----------
    videos : sequence of Video
    bootstrap : Bootstrap

    Returns
    -------
    list of ScoreRow
        None where no video has a label. A division into more than 40 parts is left out.

    Examples
    --------
    >>> videos = [Video(f"p{i}", f"p{i}", "v1", "", 1, 2, 60.0 + i, 62.0 + i, 70.0, 60.0, 60.0, 60.0) for i in range(30)]
    >>> rows = video_scores(videos, Bootstrap())
    >>> [(one.group, one.name, one.score.n) for one in rows if one.method == "network"]
    [('all', '', 30), ('band', '60-70', 10), ('band', '70-85', 15), ('band', '85-100', 5), ('scenario', 'v1', 30), ('fold', '1', 30)]
    """
    labeled = [one for one in videos if np.isfinite(one.true_bpm)]
    true = np.array([one.true_bpm for one in labeled])
    units = np.array([one.subject if bootstrap.unit == "subject" else one.recording_id for one in labeled], dtype=np.str_)
    estimates = {method: np.array([getattr(one, column) for one in labeled]) for method, column in METHOD_COLUMNS.items()}
    return [
        ScoreRow("videos", method, group, name, score(estimated[part], true[part], units[part], bootstrap))
        for group, name, part in _parts(labeled)
        for method, estimated in estimates.items()
    ]


def window_scores(
    predictions: Predictions,
    rates_bpm: FloatArray,
    infos: Mapping[str, RecordingInfo],
    constant_bpm: Mapping[int, float],
    bootstrap: Bootstrap,
) -> list[ScoreRow]:
    """Compute the errors of each method on all windows with a label.

    Parameters
    ----------
    predictions : Predictions
    rates_bpm : (n, 3) array
        Heart rate of each window by GREEN, CHROM and POS.
    infos : mapping of str to RecordingInfo
    constant_bpm : mapping of int to float
        Mean heart rate of the training videos, by fold.
    bootstrap : Bootstrap

    Returns
    -------
    list of ScoreRow
        None where no window has a label.
    """
    labeled = np.isfinite(predictions.heart_rate_bpm)
    if not labeled.any():
        return []
    names, index = np.unique(predictions.recording_id, return_inverse=True)
    of_video = np.array([infos[name].subject if bootstrap.unit == "subject" else name for name in names.tolist()], dtype=np.str_)
    constant = np.array([constant_bpm.get(fold, np.nan) for fold in predictions.fold.tolist()])
    estimates = {"network": predictions.predicted_bpm, "constant": constant, **dict(zip(METHODS, rates_bpm.T, strict=True))}
    units, true = of_video[index][labeled], predictions.heart_rate_bpm[labeled]
    return [
        ScoreRow("windows", method, "all", "", score(estimated[labeled], true, units, bootstrap))
        for method, estimated in estimates.items()
    ]


def _parts(videos: Sequence[Video]) -> Iterator[tuple[Group, str, npt.NDArray[np.bool_]]]:
    if not videos:
        return
    yield "all", "", np.ones(len(videos), dtype=np.bool_)
    divisions: dict[Group, list[str]] = {
        "band": band_of([one.true_bpm for one in videos]),
        "scenario": [one.scenario for one in videos],
        "camera": [one.camera for one in videos],
        "fold": [str(one.fold) if one.fold else "" for one in videos],
    }
    for group, names in divisions.items():
        # what has no name is no part
        known = [one for one in BANDS if one in names] if group == "band" else sorted(set(names) - {""})
        if len(known) <= MOST_PARTS:
            yield from ((group, name, np.array([one == name for one in names])) for name in known)


def _earlier_rates(windows: Predictions, here: MapsSummary, folders: Sequence[Path | None]) -> FloatArray | None:
    """Read the classical rates of an earlier evaluation on the same maps, where one has all of the windows."""
    for folder in filter(None, folders):
        try:
            same = read_evaluation(folder).maps.is_same(here)
        except ModelError:
            same = False
        if same and (rates := read_baselines(folder / "baselines.csv", windows)) is not None:
            return rates
    return None


def _rates(shards: Shards, windows: Predictions, jobs: int, report: OnProgress) -> FloatArray:
    rates = np.full((len(windows), len(METHODS)), np.nan)
    total = len(np.unique(windows.recording_id))
    report("recordings", 0, total)
    with closing(classical_rates(shards, windows, jobs=jobs)) as found:
        for done, (rows, of_recording) in enumerate(found, 1):
            rates[rows] = of_recording
            report("recordings", done, total)
    return rates


def _refuse_folder(folder: Path, run: Path, here: MapsSummary, *, held_out: bool) -> None:
    """Keep the tables of a run, and those of an evaluation on other maps of the same name, from being replaced."""
    is_own = folder.resolve() == run.resolve()
    if (folder / "run.toml").exists() and not (is_own and held_out):
        raise OutputError(f"{folder}: is the folder of a run, whose own tables would be replaced; give another folder with --out")
    try:
        earlier = read_evaluation(folder)
    except ModelError:
        return
    if not earlier.maps.is_same(here) and not is_own:
        raise OutputError(
            f"{folder}: holds an evaluation on other maps called {earlier.maps.name}; remove it, or give another folder with --out"
        )


def _evaluation(
    run: RunMetadata, shards: Shards, here: MapsSummary, applied: Applied, rates: FloatArray, bootstrap: Bootstrap
) -> tuple[Evaluation, list[Video]]:
    infos = {one.recording_id: one for one in shards.recordings()}
    predictions, constants = applied.predictions, applied.constant_bpm
    videos = videos_of(predictions, rates, infos, constants)
    labeled = [one for one in videos if np.isfinite(one.true_bpm)]
    rows = (
        *video_scores(videos, bootstrap),
        *window_scores(predictions, rates, infos, constants, bootstrap),
    )
    evaluation = Evaluation(
        run=RunSummary(
            name=run.name,
            network=run.config.network,
            protocol=run.config.protocol,
            augment=run.config.augment,
            init=Path(run.config.init).name,
            seed=run.config.seed,
            finished=run.finished,
            database=run.maps.database,
            simulated=run.maps.simulated,
        ),
        maps=here,
        simulated=shards.simulated,
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
