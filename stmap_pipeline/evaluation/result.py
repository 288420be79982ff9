"""What an evaluation reads and writes: tables of windows and of videos, and ``evaluation.json``.

===================  ==========================================================================================
``predictions.csv``  :class:`Predictions`: truth and estimate of the network for each window
``baselines.csv``    GREEN, CHROM and POS for the same windows
``videos.csv``       :class:`Video`: the means over the windows of a recording
``evaluation.json``  :class:`Evaluation`: what was compared with what, and the errors of each method
===================  ==========================================================================================
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite, nan
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from stmap_pipeline.errors import ModelError, ShardError
from stmap_pipeline.evaluation.metrics import Bootstrap, Score
from stmap_pipeline.files import atomic_write_text, read_bytes
from stmap_pipeline.records import Window
from stmap_pipeline.shards import Column, RecordingInfo, Shards, read_columns, write_table
from stmap_pipeline.shards.tables import read_cells
from stmap_pipeline.signals.classical import METHODS
from stmap_pipeline.training.run_folder import PREDICTIONS
from stmap_pipeline.version import __version__

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Methods of an evaluation, by their columns in ``videos.csv``; ``predicted`` is the network.
METHOD_COLUMNS = {"network": "predicted_bpm", "constant": "constant_bpm"} | {name: f"{name}_bpm" for name in METHODS}

VIDEOS: tuple[Column, ...] = (
    Column("recording_id", "", "recording, unique in the database"),
    Column("subject", "", "subject"),
    Column("scenario", "", "what the subject did, in the database's own terms"),
    Column("camera", "", "which camera, in the database's own terms"),
    Column("fold", "", "fold that was held out; 0 where the network was not trained on this database, or it has no folds", "int"),
    Column("windows", "", "windows that the means are over", "int"),
    Column("true_bpm", "beats/min", "mean label of these windows; empty where there is none", "float"),
    Column("predicted_bpm", "beats/min", "mean of the network's predictions", "float"),
    Column("constant_bpm", "beats/min", "mean heart rate of the videos that the network was trained on", "float"),
    *(
        Column(
            f"{name}_bpm", "beats/min", f"mean over the windows in which {name.upper()} sees a pulse; empty without any", "float"
        )
        for name in METHODS
    ),
)

BASELINES: tuple[Column, ...] = (
    Column("recording_id", "", "recording, unique in the database"),
    Column("start_s", "s", "start of the window on the clock of the recording", "float"),
    Column("stop_s", "s", "end of the window", "float"),
    *(Column(f"{name}_bpm", "beats/min", f"heart rate by {name.upper()}; empty where it sees none", "float") for name in METHODS),
)

FORMAT = "stmap-evaluation"
SCHEMA_VERSION = 2
EVALUATION = "evaluation.json"
# ten thousand scores have 10 MB
_MAX_JSON = 2**27

Of = Literal["videos", "windows"]
Group = Literal["all", "band", "scenario", "camera", "fold"]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Windows and the heart rate that a network predicted for each, in columns of one length.

    Parameters
    ----------
    recording_id : (n,) array of str
    fold, start, stop : (n,) array of int
    start_s, stop_s : (n,) array
    heart_rate_bpm : (n,) array
        Truth; NaN where unknown.
    predicted_bpm : (n,) array
    confidence : (n,) array
        Probability that the prediction is right; NaN where the network has none.

    Examples
    --------
    >>> one = Predictions.of([Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0)], [70.5], fold=1)
    >>> len(one), one.predicted_bpm.tolist()
    (1, [70.5])
    """

    recording_id: npt.NDArray[np.str_]
    fold: IntArray
    start: IntArray
    stop: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    heart_rate_bpm: FloatArray
    predicted_bpm: FloatArray
    confidence: FloatArray

    def __len__(self) -> int:
        return len(self.recording_id)

    @classmethod
    def of(
        cls,
        windows: Sequence[Window],
        predicted_bpm: npt.ArrayLike,
        *,
        confidence: npt.ArrayLike = np.nan,
        fold: int = 0,
    ) -> Predictions:
        """Join windows with predictions of the same order."""
        predicted = np.asarray(predicted_bpm, dtype=np.float64)
        if predicted.shape != (len(windows),):
            raise ValueError(f"{len(windows)} windows need as many predictions, not {predicted.shape}")
        return cls(
            np.array([one.recording_id for one in windows], dtype=np.str_),
            np.full(len(windows), fold, dtype=np.int64),
            np.array([one.start for one in windows], dtype=np.int64),
            np.array([one.stop for one in windows], dtype=np.int64),
            np.array([one.start_s for one in windows], dtype=np.float64),
            np.array([one.stop_s for one in windows], dtype=np.float64),
            np.array([one.heart_rate_bpm for one in windows], dtype=np.float64),
            predicted,
            np.broadcast_to(np.asarray(confidence, dtype=np.float64), predicted.shape),
        )

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Concatenate several."""
        empty = cls.of([], [])
        return cls(*(np.concatenate([getattr(one, field.name) for one in (empty, *parts)]) for field in fields(cls)))


def read_predictions(paths: Sequence[Path]) -> Predictions:
    """Read one or several tables of predictions as one.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    ModelError
        Where a table is missing or no such table.

    Examples
    --------
    >>> import tempfile
    >>> window = Window("p001_v1", 0, 300, 0.0, 10.0, 72.0, 12.0, 1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "predictions.csv"
    ...     write_predictions(path, Predictions.of([window], [70.5]))
    ...     read_predictions([path]).predicted_bpm.tolist()
    [70.5]
    """
    kinds = {"str": np.str_, "int": np.int64, "float": np.float64}
    tables = []
    for path in paths:
        cells = _read_cells(path, PREDICTIONS, "train again, or restore a copy")
        try:
            tables.append(Predictions(**{one.name: np.array(cells[one.name], dtype=kinds[one.kind]) for one in PREDICTIONS}))
        except (TypeError, OverflowError) as error:
            raise ModelError(f"{path}: is no table of predictions ({error}); train again, or restore a copy") from None
    return Predictions.joined(tables)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the table, atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    _write_cells(path, PREDICTIONS, [getattr(predictions, one.name).tolist() for one in PREDICTIONS])


def write_baselines(path: Path, windows: Predictions, rates_bpm: FloatArray) -> None:
    """Write the classical rates of all windows: they take longer to compute than all the rest of an evaluation.

    Parameters
    ----------
    path : Path
    windows : Predictions
    rates_bpm : (n, 3) array

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    _write_cells(
        path, BASELINES, [windows.recording_id.tolist(), windows.start_s.tolist(), windows.stop_s.tolist(), *rates_bpm.T.tolist()]
    )


def read_baselines(path: Path, windows: Predictions) -> FloatArray | None:
    """Read the classical rates of an earlier evaluation, where it has all of the windows.

    A window is the same where it has the same start and end in seconds: on another clock the same samples are other seconds.

    Returns
    -------
    (n, 3) array or None
        None where the table is not there, is no such table, or lacks a window.
    """
    try:
        cells = _read_cells(path, BASELINES, "")
    except ModelError:
        return None
    *keys, green, chrom, pos = (cells[one.name] for one in BASELINES)
    row_of = {key: row for row, key in enumerate(zip(*keys, strict=True))}
    wanted = zip(windows.recording_id.tolist(), windows.start_s.tolist(), windows.stop_s.tolist(), strict=True)
    rows = [row_of.get(key, -1) for key in wanted]
    return None if -1 in rows else np.asarray(np.array([green, chrom, pos], dtype=np.float64).T[rows])


def _write_cells(path: Path, columns: Sequence[Column], cells: Sequence[Sequence[Any]]) -> None:
    names = [one.name for one in columns]
    write_table(path, columns, (dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)))


def _read_cells(path: Path, columns: Sequence[Column], remedy: str) -> dict[str, list[Any]]:
    """Read the columns of a table by name."""
    try:
        there = {(one.name, one.kind) for one in read_columns(path)}
        if wrong := [one.name for one in columns if (one.name, one.kind) not in there]:
            raise ShardError(f"{path}: has no column {', '.join(wrong)} of the kind that this table has")
        return read_cells(path, [one.name for one in columns])
    except ShardError as error:
        raise ModelError(f"{error}; {remedy}") from None


@dataclass(frozen=True, slots=True)
class Video:
    """One recording of an evaluation: a row of ``videos.csv``.

    Parameters
    ----------
    recording_id, subject, scenario, camera : str
    fold : int
    windows : int
        Windows that the means are over.
    true_bpm, predicted_bpm, constant_bpm, green_bpm, chrom_bpm, pos_bpm : float
        NaN where unknown, or where no window has an estimate.

    Examples
    --------
    >>> Video("p001_v1", "p001", "v1", "source1", 1, 41, 72.0, 74.5, 79.2, 71.0, 72.4, float("nan")).predicted_bpm
    74.5
    """

    recording_id: str
    subject: str
    scenario: str
    camera: str
    fold: int
    windows: int
    true_bpm: float
    predicted_bpm: float
    constant_bpm: float
    green_bpm: float
    chrom_bpm: float
    pos_bpm: float


def videos_of(
    predictions: Predictions, rates_bpm: FloatArray, infos: Mapping[str, RecordingInfo], constant_bpm: Mapping[int, float]
) -> list[Video]:
    """Compute the means over the windows of each video.

    Where some windows of a video have a label, only these are averaged, so that truth and estimates are of the same time.

    Parameters
    ----------
    predictions : Predictions
    rates_bpm : (n, 3) array
        Heart rate of each window by GREEN, CHROM and POS.
    infos : mapping of str to RecordingInfo
    constant_bpm : mapping of int to float
        Mean heart rate of the training videos, by fold.

    Returns
    -------
    list of Video
        In the order of their ids.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps = Shards(example_maps())
    >>> windows = maps.windows(recording_id="p001_v1")
    >>> predicted = Predictions.of(windows, np.linspace(60, 70, len(windows)), fold=1)
    >>> [one] = videos_of(predicted, np.full((len(windows), 3), np.nan), {"p001_v1": maps.info("p001_v1")}, {1: 80.0})
    >>> one.windows, one.true_bpm, one.predicted_bpm, one.constant_bpm, one.pos_bpm
    (3, 66.0, 65.0, 80.0, nan)
    """
    names, first, index = np.unique(predictions.recording_id, return_index=True, return_inverse=True)
    labeled = np.isfinite(predictions.heart_rate_bpm)
    has_label = np.bincount(index, labeled, len(names)) > 0
    used = labeled | ~has_label[index]
    counts = np.bincount(index[used], minlength=len(names))

    def mean(values: FloatArray) -> list[float]:
        known = used & np.isfinite(values)
        number = np.bincount(index[known], minlength=len(names))
        total = np.bincount(index[known], values[known], len(names))
        return [float(one) for one in np.where(number > 0, total / np.maximum(number, 1), np.nan)]

    true_bpm, predicted_bpm = mean(predictions.heart_rate_bpm), mean(predictions.predicted_bpm)
    classical = [mean(column) for column in rates_bpm.T]
    videos = []
    for place, name in enumerate(names.tolist()):
        info, fold = infos[name], int(predictions.fold[first[place]])
        constant = constant_bpm.get(fold, float("nan"))
        rates = (true_bpm[place], predicted_bpm[place], constant, *(column[place] for column in classical))
        videos.append(Video(name, info.subject, info.scenario, info.camera, fold, int(counts[place]), *rates))
    return videos


def write_videos(path: Path, videos: Sequence[Video]) -> None:
    """Write ``videos.csv``, atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    _write_cells(path, VIDEOS, [[getattr(video, one.name) for video in videos] for one in VIDEOS])


def read_videos(path: str | Path) -> list[Video]:
    """Read ``videos.csv``.

    Raises
    ------
    ModelError
        Where it is not there, or is no such table.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_videos(Path(folder) / "videos.csv", [Video("a", "p1", "", "", 1, 2, 72.0, 74.5, 79.2, 71.0, 72.4, 70.0)])
    ...     read_videos(Path(folder) / "videos.csv")[0].chrom_bpm
    72.4
    """
    path = Path(path)
    cells = _read_cells(path, VIDEOS, "run stmap evaluate again")
    if None in cells["fold"] + cells["windows"]:
        raise ModelError(f"{path}: a video lacks its fold or its number of windows; run stmap evaluate again")
    return [Video(*row) for row in zip(*(cells[one.name] for one in fields(Video)), strict=True)]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The numbers of one method on one part of the data.

    Parameters
    ----------
    of : {"videos", "windows"}
        What a pair of truth and estimate is.
    method : str
        ``network``, ``constant``, ``green``, ``chrom`` or ``pos``.
    group : {"all", "band", "scenario", "camera", "fold"}
        How the data were divided; ``band`` is by true heart rate.
    name : str
        Which part; empty for all.
    score : Score
    """

    of: Of
    method: str
    group: Group
    name: str
    score: Score


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The run that was evaluated.

    Parameters
    ----------
    name, network, protocol, augment, init : str
    seed : int
    finished : bool
        Whether all of its folds are trained.
    database : str
        That it was trained on; ``simulated`` for synthetic data.
    simulated : bool
    """

    name: str
    network: str
    protocol: str
    augment: str
    init: str
    seed: int
    finished: bool
    database: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class MapsSummary:
    """The maps that it was evaluated on.

    Parameters
    ----------
    name : str
        Of the folder.
    database, fingerprint : str
    traces_sha256 : str
        Of all that was recorded: an augmentation does not change it.
    clock : str
        That windows are counted on: ``native``, or ``uniform`` with its rate.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> with Shards(example_maps()) as shards:
    ...     one = MapsSummary.of(shards)
    >>> one.clock, len(one.traces_sha256), one.is_same(one)
    ('native', 64, True)
    """

    name: str
    database: str
    fingerprint: str
    traces_sha256: str
    clock: str

    @classmethod
    def of(cls, shards: Shards) -> MapsSummary:
        """Return the summary of an output of ``stmap build-maps``."""
        windows = shards.config.windows
        return cls(
            name=shards.root.resolve().name,
            database=shards.database,
            fingerprint=shards.manifest.fingerprint,
            traces_sha256=traces_sha256(shards),
            clock="native" if windows.clock == "native" else f"{windows.clock} {windows.rate_hz:g} Hz",
        )

    def is_same(self, other: MapsSummary) -> bool:
        """Return whether the same recordings are counted on the same clock."""
        return (self.traces_sha256, self.clock) == (other.traces_sha256, other.clock)


def traces_sha256(shards: Shards) -> str:
    """Hash what was recorded: unlike the hash of the manifest, it does not change with an augmentation.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> len(traces_sha256(Shards(example_maps())))
    64
    """
    lines = (f"{one.path} {one.sha256}\n" for one in shards.manifest.files if one.path.startswith("shards/"))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation.

    Parameters
    ----------
    run : RunSummary
    maps : MapsSummary
    simulated : bool
        Whether the videos that it was evaluated on are synthetic data. Such numbers never stand beside published ones without the
        word.
    held_out : bool
        Whether each video was predicted by a network that was trained on other subjects of the same maps; otherwise the maps
        are others than those of the training.
    folds : tuple of int
        Folds that were evaluated; 0 is a network without a fold.
    videos, unlabeled_videos, windows : int
        What was predicted; videos without a label are in ``videos.csv`` and in no score.
    constant_bpm : dict of str to float
        Mean heart rate of the training videos, by fold.
    bootstrap : Bootstrap
    notes : tuple of str
        What a reader must know.
    rows : tuple of ScoreRow
    """

    run: RunSummary
    maps: MapsSummary
    simulated: bool
    held_out: bool
    folds: tuple[int, ...]
    videos: int
    unlabeled_videos: int
    windows: int
    constant_bpm: dict[str, float]
    bootstrap: Bootstrap
    notes: tuple[str, ...]
    rows: tuple[ScoreRow, ...]

    def folder(self, run: str | Path) -> Path:
        """Return the folder in which the tables of a run stand by default."""
        run = Path(run)
        return run if self.held_out else run / f"on-{self.maps.name}"

    @property
    def methods(self) -> list[str]:
        """Methods that have scores, the network first."""
        return list(dict.fromkeys(one.method for one in self.rows))

    def names(self, group: Group) -> list[str]:
        """Parts that the data were divided into."""
        return list(dict.fromkeys(one.name for one in self.rows if one.group == group and one.of == "videos"))

    def find_score(self, method: str, group: Group = "all", name: str = "", of: Of = "videos") -> Score | None:
        """Return the errors of a method; None where there are none."""
        wanted = (method, group, name, of)
        return next((one.score for one in self.rows if (one.method, one.group, one.name, one.of) == wanted), None)

    def score(self, method: str, group: Group = "all", name: str = "", of: Of = "videos") -> Score:
        """Return the errors of a method.

        Raises
        ------
        KeyError
            Where there are none.
        """
        found = self.find_score(method, group, name, of)
        if found is None:
            raise KeyError(f"no score of {method} for the {of} of {group} {name}".rstrip())
        return found

    def to_json(self) -> str:
        """Return JSON; what is unknown is null."""
        head = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "software": f"stmap {__version__}"}
        return json.dumps({**head, **without_nan(asdict(self))}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write ``evaluation.json``, atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    atomic_write_text(folder / EVALUATION, evaluation.to_json())


def read_evaluation(folder: str | Path) -> Evaluation:
    """Read ``evaluation.json`` of a run, or of its evaluation on other maps.

    Raises
    ------
    ModelError
        Where it is not there, or is not what an evaluation writes.

    Examples
    --------
    >>> read_evaluation(Path("nowhere"))
    Traceback (most recent call last):
    ...
    stmap_pipeline.errors.ModelError: nowhere/evaluation.json: is not there; run stmap evaluate first
    """
    folder = Path(folder)
    path = folder / EVALUATION
    try:
        content: Any = json.loads(read_bytes(path, _MAX_JSON))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if content.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"its version is {content.get('schema_version')!r}, not {SCHEMA_VERSION}")
        return _READER.validate_python(_with(content, lambda one: nan if one is None else one))
    except FileNotFoundError:
        raise ModelError(f"{path}: is not there; run stmap evaluate first") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise ModelError(f"{path}: was not written by this stmap, or was changed ({wrong}); run stmap evaluate again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is no evaluation ({error}); run stmap evaluate again") from None


_READER = TypeAdapter(Evaluation)


def without_nan(content: Any) -> Any:
    """Return the content with None for each float that JSON cannot hold.

    Examples
    --------
    >>> without_nan({"r": float("nan"), "n": (1, 2.5)})
    {'r': None, 'n': [1, 2.5]}
    """
    return _with(content, lambda one: None if isinstance(one, float) and not isfinite(one) else one)


def _with(content: Any, change: Callable[[Any], Any]) -> Any:
    """Return the content with each leaf changed."""
    if isinstance(content, dict):
        return {key: _with(one, change) for key, one in content.items()}
    if isinstance(content, list | tuple):
        return [_with(one, change) for one in content]
    return change(content)
