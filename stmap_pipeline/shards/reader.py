"""Read a finished build: recordings, windows, traces and maps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from stmap_pipeline.balance import Source
from stmap_pipeline.config import Config
from stmap_pipeline.errors import ShardError, StmapError, UnknownNameError, did_you_mean, plain_name
from stmap_pipeline.files import sha256
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.maps.stmap import stmap_from_means
from stmap_pipeline.records import Outcome, RecordingResult, STMap, Window
from stmap_pipeline.shards.augmentation import FOLDER, augmentation_manifest, is_augmented
from stmap_pipeline.shards.frames import dataset_from_recording, frame_from_rows
from stmap_pipeline.shards.hdf5 import attribute, guarded, read_all
from stmap_pipeline.shards.manifest import MANIFEST, Manifest, read_manifest, unsafe_path
from stmap_pipeline.shards.recording_file import (
    DATASETS,
    heart_rate_from_arrays,
    open_datasets,
    open_recording,
    read_recording,
    recording_path,
    restore_coverage,
)
from stmap_pipeline.shards.tables import (
    OF_WINDOW,
    RECORDINGS,
    WINDOWS_FRAME,
    outcome_from_row,
    read_cells,
    read_columns,
    read_table,
    window_row,
    windows_from_columns,
)
from stmap_pipeline.signals.resample import UniformTrace, play, played_times, resample_uniform, uniform_trace

if TYPE_CHECKING:
    import pandas
    import xarray

T = TypeVar("T")

# half a minute at 30 frames/s with 25 blocks takes 0.3 MB as recorded, and again where other speeds are read; all of VIPL-HR 0.6 and 1.4 GB
CACHE_BYTES = 2**31
# databases of synthetic data; outputs of 0.1 tell it by the name alone
_SIMULATED = ("synthetic", "synthetic-traces")


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A row of ``recordings.csv``: what is known of a recording without opening its shard.

    Parameters
    ----------
    recording_id, subject : str
    fold : int
        From 1; 0 where the database has none.
    scenario, camera : str
    frames : int
    duration_s : float
    heart_rate_min_bpm, heart_rate_mean_bpm, heart_rate_max_bpm : float
        Ground truth during the video; NaN where unknown.
    valid_fraction : float
        Share of frames in which the face was known.
    coverage : float
        Mean share of the blocks' area that was seen.
    notes : str
    attributes : dict
        Metadata and quality figures of the build.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> Shards(example_maps()).info("p001_v2").heart_rate_mean_bpm
    96.0
    """

    recording_id: str
    subject: str
    fold: int
    scenario: str
    camera: str
    frames: int
    duration_s: float
    heart_rate_min_bpm: float
    heart_rate_mean_bpm: float
    heart_rate_max_bpm: float
    valid_fraction: float
    coverage: float
    notes: str
    attributes: dict[str, str | int | float] = field(default_factory=dict)


class Trace(NamedTuple):
    """Block means of a recording on the clock that windows are counted in.

    Parameters
    ----------
    times_s : (T,) array of float64
    means : (T, N, 3) array of float32
        R, G, B in gray levels; NaN where the block was not seen.
    """

    times_s: npt.NDArray[np.float64]
    means: npt.NDArray[np.float32]


class Split(NamedTuple):
    """Training and evaluation windows of disjoint subjects.

    Parameters
    ----------
    training : list of Window
        As recorded and resampled.
    evaluation : list of Window
        As recorded.
    """

    training: list[Window]
    evaluation: list[Window]


class Shards:
    """The output folder of a finished build.

    No file stays open between two calls, so an object may be sent to another process or be inherited by a forked one. It is
    not made for several threads at once.

    Parameters
    ----------
    path : str or Path
        The output folder of ``stmap build-maps``.
    cache_bytes : int
        Traces that were read last stay in memory, up to this size in each process. Reading in random order is fast while the
        traces of all recordings fit: those of VIPL-HR have 0.6 GB, with resampled windows 1.4 GB.

    Raises
    ------
    ShardError
        Where the build is unfinished, damaged, or of another schema.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps = Shards(example_maps())
    >>> for window in maps.windows(subject="p001", labeled=True)[:2]:
    ...     stmap = maps.stmap(window, color="yuv")
    ...     print(window.recording_id, window.start, window.heart_rate_bpm, stmap.values.shape)
    p001_v1 0 66.0 (4, 60, 3)
    p001_v1 30 66.0 (4, 60, 3)
    """

    def __init__(self, path: str | Path, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.root = Path(path)
        self.manifest = read_manifest(self.root)
        self.config = Config.from_toml(self.root / "stmap.toml")
        self._bytes = {entry.path: entry.bytes for entry in self.manifest.files}
        self.cache_bytes = cache_bytes
        self._cache = LruCache(cache_bytes)

    @property
    def database(self) -> str:
        """Name of the database that was built; empty where it is not known."""
        return str(self.manifest.settings.get("database", ""))

    @property
    def simulated(self) -> bool:
        """Whether the data are synthetic: faces were drawn, or traces were simulated without any image.

        A drawn tree stays synthetic when it is built as the database that it imitates.
        """
        return self.manifest.settings.get("simulated") is True or self.database in _SIMULATED

    @property
    def augmentation_sha256(self) -> str:
        """Hash of the manifest of the resampled windows, which the manifest of the build does not know; empty where there are none."""
        return sha256(self.root / FOLDER / MANIFEST) if is_augmented(self.root) else ""

    def recordings(
        self, *, subject: str | Collection[str] | None = None, fold: int | Collection[int] | None = None
    ) -> list[RecordingInfo]:
        """List the recordings that were built, in the order of their ids.

        Parameters
        ----------
        subject, fold : one or several, optional
            Only these.

        Raises
        ------
        ShardError
            Where the table is damaged.
        """
        subjects, folds = _several(subject), _several(fold)
        return [one for one in self._infos.values() if _among(one.subject, subjects) and _among(one.fold, folds)]

    def windows(
        self,
        *,
        min_valid_fraction: float = 0.0,
        labeled: bool = False,
        subject: str | Collection[str] | None = None,
        fold: int | Collection[int] | None = None,
        recording_id: str | Collection[str] | None = None,
        heart_rate_bpm: tuple[float, float] | None = None,
        augmented: bool = False,
    ) -> list[Window]:
        """List the windows as recorded, all of them unless filtered.

        Parameters
        ----------
        min_valid_fraction : float
            Only windows in which the face was known for at least this share.
        labeled : bool
            Only windows with a heart rate.
        subject, fold, recording_id : one or several, optional
            Only these.
        heart_rate_bpm : (low, high), optional
            Only windows with a heart rate from ``low`` up to, but not including, ``high``.
        augmented : bool
            Also those that ``stmap augment`` added, behind the others. They are for training alone; :meth:`split` keeps to that.

        Raises
        ------
        ShardError
            Where a table is damaged, or an augmentation was made from other windows than there are now.
        """
        subjects, folds, names = _several(subject), _several(fold), _several(recording_id)
        low_bpm, high_bpm = heart_rate_bpm or (-np.inf, np.inf)
        return [
            one
            for one in (self._windows + self._resampled if augmented else self._windows)
            if one.valid_fraction >= min_valid_fraction
            and not (labeled and np.isnan(one.heart_rate_bpm))
            and (heart_rate_bpm is None or low_bpm <= one.heart_rate_bpm < high_bpm)
            and _among(self._infos[one.recording_id].subject, subjects)
            and _among(one.fold, folds)
            and _among(one.recording_id, names)
        ]

    def windows_frame(self, **selection: Any) -> pandas.DataFrame:
        """Return windows as a data frame: the columns of ``windows.csv``, and ``speed``.

        Parameters
        ----------
        selection
            Arguments of :meth:`windows`.

        Returns
        -------
        pandas.DataFrame
            A row for each window, in the order of :meth:`windows`; ``frame.attrs["units"]`` has the unit of each column.

        Raises
        ------
        ExtraMissingError
            Where pandas is not installed: it comes with the extra ``frames``.
        ShardError
            As :meth:`windows`.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> frame = Shards(example_maps()).windows_frame(labeled=True)
        >>> frame.groupby("subject")["heart_rate_bpm"].agg(["count", "min", "max"]).values.tolist()
        [[7.0, 66.0, 96.0], [3.0, 72.0, 72.0]]
        """
        rows = (window_row(one, self._infos[one.recording_id].subject, WINDOWS_FRAME) for one in self.windows(**selection))
        return frame_from_rows(WINDOWS_FRAME, rows)

    def recordings_frame(self, **selection: Any) -> pandas.DataFrame:
        """Return recordings as a data frame: the columns of ``recordings.csv``.

        Parameters
        ----------
        selection
            Arguments of :meth:`recordings`.

        Returns
        -------
        pandas.DataFrame
            A row for each recording; ``frame.attrs["units"]`` has the unit of each column.

        Raises
        ------
        ExtraMissingError
            Where pandas is not installed: it comes with the extra ``frames``.
        ShardError
            As :meth:`recordings`.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> frame = Shards(example_maps()).recordings_frame(subject="p001")
        >>> frame[["recording_id", "frames"]].values.tolist(), frame.attrs["units"]["duration_s"]
        ([['p001_v1', 120], ['p001_v2', 150]], 's')
        """
        fixed = [column.name for column in RECORDINGS]
        rows = ({name: getattr(one, name) for name in fixed} | one.attributes for one in self.recordings(**selection))
        return frame_from_rows(read_columns(self.root / "recordings.csv"), rows)

    def to_xarray(self, recording_id: str) -> xarray.Dataset:
        """Return all samples of a recording as a dataset with named dimensions, see :func:`~stmap_pipeline.shards.frames.dataset_from_recording`.

        Raises
        ------
        ExtraMissingError
            Where xarray is not installed: it comes with the extra ``frames``.
        UnknownNameError, ShardError
            As :meth:`recording`.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> data = Shards(example_maps()).to_xarray("p001_v1")
        >>> green = data.means.sel(color="G").where(data.row == 0, drop=True).mean("block")
        >>> green.dims, green.sel(time=1.0, method="nearest").time.item()
        (('time',), 1.0)
        """
        return dataset_from_recording(self.recording(recording_id))

    def split(
        self,
        *,
        fold: int | Collection[int] | None = None,
        subject: str | Collection[str] | None = None,
        min_valid_fraction: float = 1.0,
        augmented: bool = True,
    ) -> Split:
        """List the windows to train on and those to evaluate on, labeled ones only.

        Parameters
        ----------
        fold, subject : one or several
            What is held out for evaluation: official folds, or subjects. One of the two is needed.
        min_valid_fraction : float
            Only windows in which the face was known for at least this share.
        augmented : bool
            Also train on the resampled windows of ``stmap augment``, where there are any.

        Returns
        -------
        Split
            ``training``: windows of all other subjects. ``evaluation``: windows of the subjects held out, as recorded. No
            subject is in both.

        Raises
        ------
        UnknownNameError
            Where a fold or subject is not there.
        ShardError
            Where the database has no folds, or a table is damaged.
        ValueError
            Where both or neither of fold and subject are given.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> [len(side) for side in Shards(example_maps()).split(fold=2)]
        [5, 3]
        """
        if (fold is None) == (subject is None):
            raise ValueError("a split is by fold or by subject: give one of the two")
        if fold is not None:
            held_out = self._subjects_of(set(_several(fold) or ()))
        else:
            held_out, known = set(_several(subject) or ()), {one.subject for one in self._infos.values()}
            if not held_out or not held_out <= known:
                raise UnknownNameError(f"no subject {', '.join(sorted(held_out - known))}; recordings() lists them")
        split = Split([], [])
        for one in self.windows(min_valid_fraction=min_valid_fraction, labeled=True, augmented=augmented):
            if self._infos[one.recording_id].subject not in held_out:
                split.training.append(one)
            elif not one.augmented:
                split.evaluation.append(one)
        return split

    def outcomes(self) -> list[Outcome]:
        """List what became of each recording of the database.

        Raises
        ------
        ShardError
            Where the table is damaged.
        """
        path = self.root / "outcomes.csv"
        with guarded(path):
            return [outcome_from_row(row) for row in read_table(path)]

    def info(self, recording_id: str) -> RecordingInfo:
        """Return the row of one recording, whose id may be written in any case.

        Raises
        ------
        UnknownNameError
            Where the build has no such recording; with the nearest id, or the reason why it was not built.
        """
        if recording_id in self._infos:
            return self._infos[recording_id]
        wanted = plain_name(recording_id)
        for name, info in self._infos.items():
            if plain_name(name) == wanted:
                return info
        raise UnknownNameError(f"{self.root}: no recording is called '{recording_id}'{self._why_not(recording_id)}")

    def _why_not(self, recording_id: str) -> str:
        for one in self.outcomes():
            if plain_name(one.recording_id) == plain_name(recording_id) and one.reason:
                return f" here: it {'failed' if one.status == 'failed' else 'was skipped'} ({one.reason}): {one.message}"
        first = next(iter(self._infos), "")
        return did_you_mean(recording_id, self._infos) or (f"; the first of {len(self._infos)} is '{first}'" if first else "")

    def recording(self, recording_id: str) -> RecordingResult:
        """Read a whole recording - traces, landmarks, labels - and compare it with its checksum.

        Raises
        ------
        UnknownNameError
            Where the build has no such recording.
        ShardError
            Where its file is missing or damaged, or holds another recording.
        """
        path = self._checked_path(recording_id)
        result = read_recording(path)
        if result.recording.recording_id != self.info(recording_id).recording_id:
            raise ShardError(f"{path}: holds the recording {result.recording.recording_id!r}")
        return result

    def means(self, recording_id: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Read the times (T,) and means (T, N, 3) of the frames of a recording, guarded by the file's own checksums.

        Raises
        ------
        UnknownNameError, ShardError
            As :meth:`recording`.
        """
        with self._opened(recording_id) as file:
            datasets = open_datasets(file, ("times_s", "means"))
            return read_all(datasets["times_s"]), read_all(datasets["means"])

    def trace(
        self, recording_id: str, speed: float = 1.0, start: int = 0, stop: int | None = None, *, rate_hz: float | None = None
    ) -> Trace:
        """Read block means on the clock that windows are counted in, played ``speed`` times as fast.

        At speed 1 the samples are the frames as recorded (native clock) or a uniform grid at ``windows.rate_hz``. At another
        speed what happened at time t happens at ``t / speed``, and the samples are evenly spaced, on the native clock by the
        median interval of the recording's frames: a slowed recording is longer than its camera's jitter is known for. What
        such a sampling cannot hold is filtered out, see :func:`stmap_pipeline.signals.resample.play`.

        Parameters
        ----------
        recording_id : str
        speed : float
            Factor on the heart rate, above 0.
        start, stop : int
            First sample and one past the last; the whole recording where they are not given.
        rate_hz : float, optional
            Read samples on a uniform grid at this rate, whatever the clock of the windows is.

        Returns
        -------
        Trace
            On the clock of the played recording. At speed 1 it is shared with later calls and must not be written to.

        Raises
        ------
        UnknownNameError
            Where the build has no such recording.
        ShardError
            Where the shard is missing or damaged, or the samples do not lie inside the recording.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> maps = Shards(example_maps())
        >>> maps.trace("p001_v1").means.shape, maps.trace("p001_v1", speed=1.5).means.shape
        ((120, 4, 3), (80, 4, 3))
        """
        rate_hz = self._rate_hz if rate_hz is None else rate_hz
        if speed != 1:
            try:
                return Trace(*play(self._uniform(recording_id), speed, rate_hz and 1 / rate_hz, start, stop))
            except ValueError as error:
                raise ShardError(f"{self.root}: {recording_id}: {error}") from None
        whole = self._recorded(recording_id, rate_hz)
        samples = len(whole.times_s)
        end = samples if stop is None else stop
        if not 0 <= start < end <= samples:
            clock = "native clock" if rate_hz is None else f"uniform clock at {rate_hz:g} Hz"
            raise ShardError(
                f"{self.root}: {recording_id}: samples {start} to {end} do not lie inside its {samples} samples ({clock})"
            )
        return Trace(whole.times_s[start:end], whole.means[start:end])

    def sample_times(self, recording_id: str, speed: float = 1.0, *, rate_hz: float | None = None) -> npt.NDArray[np.float64]:
        """Return the times (T,) of all samples of :meth:`trace`.

        Raises
        ------
        UnknownNameError, ShardError
            As :meth:`trace`.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> Shards(example_maps()).sample_times("p001_v1", speed=2.0, rate_hz=10.0)[:3].tolist()
        [0.0, 0.1, 0.2]
        """
        rate_hz = self._rate_hz if rate_hz is None else rate_hz
        if speed == 1:
            return self._recorded(recording_id, rate_hz).times_s
        return played_times(self._uniform(recording_id).frame_times_s, speed, rate_hz and 1 / rate_hz)

    def stmap(self, window: Window, *, color: str = "yuv", normalize: Normalization = "minmax", fill: Fill = "nan") -> STMap:
        """Compute the map of a window from its part of :meth:`trace`.

        Parameters
        ----------
        window : Window
        color, normalize, fill
            See :func:`stmap_pipeline.maps.stmap_from_means`.

        Raises
        ------
        ShardError
            Where the shard is missing or damaged, or does not hold the window.
        UnknownNameError
            Where the recording or the color space is unknown.
        """
        times_s, means = self.trace(window.recording_id, window.speed, window.start, window.stop)
        return stmap_from_means(times_s, means, color=color, normalize=normalize, fill=fill)

    def source(self, recording_id: str) -> Source:
        """Read of a recording what an augmentation is planned with: clock, coverage and heart rate, but no means.

        Raises
        ------
        UnknownNameError, ShardError
            As :meth:`recording`.
        """
        info = self.info(recording_id)
        # where the table says that all was seen all the time, there is nothing to look up
        seen = info.valid_fraction == 1 and info.coverage == 1
        wanted = ["times_s", *(one.name for one in DATASETS if one.name.startswith("heart_rate_")), *([] if seen else ["coverage"])]
        with self._opened(recording_id) as file:
            found = {name: read_all(dataset) for name, dataset in open_datasets(file, wanted).items()}
        rates = heart_rate_from_arrays(found)
        times_s = found["times_s"]
        if seen:
            valid, share = np.ones(len(times_s), dtype=np.bool_), np.ones(len(times_s))
        else:
            coverage = restore_coverage(found["coverage"])
            # a block is known where enough of it was seen; how much that is was a setting of the build
            limit = np.float32(self.config.blocks.min_coverage - 0.5 / 255)
            valid, share = coverage.max(axis=1, initial=0) >= limit, coverage.mean(axis=1, dtype=np.float64)
        return Source(recording_id, info.subject, info.fold, times_s, valid, share, rates)

    @property
    def cached_bytes(self) -> int:
        """Size of the traces that are in memory."""
        return self._cache.bytes

    def close(self) -> None:
        """Drop the traces that are in memory; reading again reads them again."""
        self._cache.clear()

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple[partial[Shards], tuple[()]]:
        # the folder is the whole state; it is absolute, as the other process may stand elsewhere
        return partial(Shards, self.root.absolute(), cache_bytes=self.cache_bytes), ()

    def __repr__(self) -> str:
        try:
            labeled = len(self.windows(labeled=True))
            subjects = len({one.subject for one in self._infos.values()})
            counts = f"{len(self._infos)} recordings of {subjects} subjects, {len(self._windows)} windows ({labeled} labeled)"
            if is_augmented(self.root):
                counts += f" and {len(self._resampled)} resampled"
        except StmapError as error:
            counts = str(error)
        return f"Shards({str(self.root)!r}: {counts})"

    @cached_property
    def _infos(self) -> dict[str, RecordingInfo]:
        path = self.root / "recordings.csv"
        fixed = [column.name for column in RECORDINGS]
        with guarded(path):
            rows = read_table(path)
            infos = (
                RecordingInfo(**{key: row.pop(key) for key in fixed}, attributes={k: v for k, v in row.items() if v is not None})
                for row in rows
            )
            return {one.recording_id: one for one in infos}

    @cached_property
    def _windows(self) -> list[Window]:
        return self._read_windows(self.root, self.manifest, "run the same stmap build-maps command again, or restore a copy")

    @cached_property
    def _resampled(self) -> list[Window]:
        manifest = augmentation_manifest(self.root, self.manifest)
        return self._read_windows(self.root / FOLDER, manifest, "run stmap augment again") if manifest else []

    def _read_windows(self, folder: Path, manifest: Manifest, remedy: str) -> list[Window]:
        path = folder / "windows.csv"
        with guarded(path):
            entry = {one.path: one for one in manifest.files}[path.name]
            if path.stat().st_size != entry.bytes or sha256(path) != entry.sha256:
                raise ShardError(f"{path}: is not what {folder / 'manifest.json'} says; {remedy}")
            windows = windows_from_columns(read_cells(path, OF_WINDOW))
        for number, one in enumerate(windows, 2):
            if (
                one.recording_id not in self._infos
                or one.start is None
                or one.stop is None
                or one.augmented == (folder == self.root)
            ):
                raise ShardError(f"{path}, line {number}: is no window of a recording in recordings.csv; {remedy}")
        return windows

    @contextmanager
    def _opened(self, recording_id: str) -> Iterator[Any]:
        path = self._checked_path(recording_id)
        with open_recording(path) as file:
            if attribute(file, "recording_id", "str") != self.info(recording_id).recording_id:
                raise ShardError(f"{path}: holds another recording")
            yield file

    def _checked_path(self, recording_id: str) -> Path:
        """Return the path of a file that the manifest lists with this size; no other is opened."""
        path = recording_path(self.root, self.info(recording_id).recording_id)
        name = path.relative_to(self.root).as_posix()
        if name not in self._bytes:
            raise ShardError(f"{path}: is not in the manifest; build again or restore a copy")
        if problem := unsafe_path(self.root, name):
            raise ShardError(f"{path}: {problem}")
        with guarded(path):
            if (size := path.stat().st_size) != self._bytes[name]:
                raise ShardError(f"{path}: has {size} bytes, not {self._bytes[name]}; build again or restore a copy")
        return path

    @property
    def _rate_hz(self) -> float | None:
        """Rate of the clock that windows are counted in; None where it is the native one."""
        return self.config.windows.rate_hz if self.config.windows.clock == "uniform" else None

    def _recorded(self, recording_id: str, rate_hz: float | None) -> Trace:
        """Return the trace as recorded, or on a uniform clock."""

        def read() -> tuple[Trace, int]:
            times_s, means = self.means(recording_id)
            if rate_hz is not None:
                times_s, values = resample_uniform(times_s, means, rate_hz)
                means = values.astype(np.float32)
            return Trace(times_s, means), times_s.nbytes + means.nbytes

        return self._cache.get(("recorded", recording_id, rate_hz), read)

    def _uniform(self, recording_id: str) -> UniformTrace:
        """Return the trace from which other speeds are resampled."""

        def read() -> tuple[UniformTrace, int]:
            # on the native clock the frames themselves are wanted, too
            frames = self._recorded(recording_id, None) if self._rate_hz is None else self.means(recording_id)
            trace = uniform_trace(*frames)
            return trace, trace.nbytes

        return self._cache.get(("uniform", recording_id), read)

    def _subjects_of(self, folds: set[int]) -> set[str]:
        known = sorted({one.fold for one in self._infos.values()} - {0})
        if not known:
            raise ShardError(f"{self.root}: the database has no official folds; split by subject")
        if not folds or not folds <= set(known):
            wanted = ", ".join(map(str, sorted(folds - set(known)))) or "is named"
            raise UnknownNameError(f"{self.root}: no fold {wanted} (folds: {', '.join(map(str, known))})")
        return {one.subject for one in self._infos.values() if one.fold in folds}


class LruCache:
    """Least recently used cache, bounded by the size of what it holds.

    Parameters
    ----------
    max_bytes : int
        The cache holds no more than this, or a single value that is larger.

    Examples
    --------
    >>> cache = LruCache(max_bytes=10)
    >>> [cache.get(key, lambda: (key, 6)) for key in "abba"], cache.bytes
    (['a', 'b', 'b', 'a'], 6)
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.bytes = max_bytes, 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return the value of a key; ``make`` returns value and size in bytes where the cache does not hold it."""
        if key not in self._values:
            value, size = make()
            while self._values and self.bytes + size > self.max_bytes:
                self.bytes -= self._values.popitem(last=False)[1][1]
            self._values[key] = value, size
            self.bytes += size
        self._values.move_to_end(key)
        found: T = self._values[key][0]
        return found

    def clear(self) -> None:
        """Drop everything."""
        self._values.clear()
        self.bytes = 0


def _several(wanted: Any) -> Collection[Any] | None:
    # one name or number, be it NumPy's, is a collection of one
    if isinstance(wanted, np.ndarray):
        return list(np.atleast_1d(wanted))
    return wanted if wanted is None or (isinstance(wanted, Collection) and not isinstance(wanted, str)) else (wanted,)


def _among(value: Any, wanted: Collection[Any] | None) -> bool:
    return wanted is None or value in wanted
