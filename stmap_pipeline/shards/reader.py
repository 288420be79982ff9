"""Read a finished build: recordings, windows and maps, with files opened as late as possible and in each process anew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ShardError, StmapError, UnknownNameError
from stmap_pipeline.maps.balance import Source
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.maps.resample import (
    EvenTrace,
    even_means,
    last_source_time,
    play,
    played_times,
    resample_window,
    source_times,
)
from stmap_pipeline.maps.stmap import stmap_from_means
from stmap_pipeline.maps.uniform import resample_uniform, uniform_times
from stmap_pipeline.maps.windows import window_clock
from stmap_pipeline.records import Outcome, RecordingResult, STMap, Window
from stmap_pipeline.shards.columns import RECORDINGS, outcome_from_row
from stmap_pipeline.shards.hdf5 import guarded
from stmap_pipeline.shards.info import RecordingInfo
from stmap_pipeline.shards.manifest import Problem, check_manifest, read_manifest
from stmap_pipeline.shards.open_shards import OpenShards
from stmap_pipeline.shards.recent import LruCache
from stmap_pipeline.shards.split import Split, split_windows, subjects_of
from stmap_pipeline.shards.tables import read_table
from stmap_pipeline.shards.window_table import WindowTable, parse_windows, read_window_table, recorded_columns

# half a minute at 30 frames/s with 25 blocks takes 0.3 MB
_CACHE_BYTES = 512 * 2**20
# databases of which nobody was filmed; outputs of 0.1 tell it by the name alone
_SIMULATED = ("synthetic", "synthetic-traces")


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


class Shards:
    """The output folder of a finished build.

    Files are opened when first needed, in each process for itself: an object may be sent to another process or be
    inherited by a forked one, and takes no open file along. It is not made for several threads at once.

    Parameters
    ----------
    path : str or Path
        The output folder of ``stmap build-maps``.

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

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path)
        self.manifest = read_manifest(self.root)
        self.config = Config.from_toml(self.root / "stmap.toml")
        self._files = OpenShards(self.root, self.manifest)
        # on the clock of the windows, and on a uniform grid from which other speeds are resampled
        self._traces = LruCache(self._read_trace, _CACHE_BYTES // 2)
        self._grids = LruCache(self._read_grid, _CACHE_BYTES // 2)

    @property
    def simulated(self) -> bool:
        """Whether nobody was filmed: faces were drawn, or traces were simulated without any picture.

        A drawn tree stays one when it is built as the database that it imitates.
        """
        settings = self.manifest.settings
        return settings.get("simulated") is True or settings.get("database") in _SIMULATED

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
        return [one for one in self._infos.values() if _among(one.subject, subject) and _among(one.fold, fold)]

    def windows(
        self,
        *,
        min_valid_fraction: float = 0.0,
        labeled: bool = False,
        subject: str | Collection[str] | None = None,
        fold: int | Collection[int] | None = None,
        recording_id: str | Collection[str] | None = None,
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
        augmented : bool
            Also those that ``stmap augment`` added, behind the others. They are for training alone; :meth:`split` keeps to that.

        Raises
        ------
        ShardError
            Where the table is damaged.
        """
        return [
            one
            for one in (self._windows + self._added if augmented else self._windows)
            if one.valid_fraction >= min_valid_fraction
            and not (labeled and np.isnan(one.heart_rate_bpm))
            and _among(self._infos[one.recording_id].subject, subject)
            and _among(one.fold, fold)
            and _among(one.recording_id, recording_id)
        ]

    def window_columns(self, names: Collection[str]) -> dict[str, list[Any]]:
        """Read columns of ``windows.csv`` as recorded, without making a window of each row.

        Raises
        ------
        ShardError
            Where the table is damaged.
        """
        return recorded_columns(self.root, self._table, names)

    def split(
        self,
        *,
        fold: int | Collection[int] | None = None,
        subject: str | Collection[str] | None = None,
        min_valid_fraction: float = 1.0,
    ) -> Split:
        """Give the windows to train on and those to evaluate on, labeled ones only.

        Parameters
        ----------
        fold, subject : one or several
            What is held out for evaluation: official folds, or subjects. One of the two is needed.
        min_valid_fraction : float
            Only windows in which the face was known for at least this share.

        Returns
        -------
        Split
            ``training``: windows of all other subjects, resampled ones included. ``evaluation``: windows of the subjects held
            out, as recorded. No subject is in both.

        Raises
        ------
        UnknownNameError
            Where a fold or subject is not there.
        ShardError
            Where the database has no folds, or the table is damaged.
        """
        folds = {one.subject: one.fold for one in self._infos.values()}
        windows = self.windows(min_valid_fraction=min_valid_fraction, labeled=True, augmented=True)
        return split_windows(windows, {name: one.subject for name, one in self._infos.items()}, subjects_of(folds, fold, subject))

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
        """Give the row of one recording.

        Raises
        ------
        UnknownNameError
            Where the build has no such recording.
        """
        if recording_id not in self._infos:
            raise UnknownNameError(
                f"{self.root}: no recording is called {recording_id!r}; recordings() lists them, outcomes() the others"
            )
        return self._infos[recording_id]

    def recording(self, recording_id: str) -> RecordingResult:
        """Read a whole recording - traces, landmarks, labels - and compare it with its checksum.

        Raises
        ------
        UnknownNameError
            Where the build has no such recording.
        ShardError
            Where the shard is missing or damaged.
        """
        return self._files.recording(self.info(recording_id).subject, recording_id)

    def means(self, recording_id: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Read the times (T,) and means (T, N, 3) of a whole recording, guarded by the file's own checksums.

        Raises
        ------
        UnknownNameError, ShardError
            As :meth:`recording`.
        """
        return self._files.means(self.info(recording_id).subject, recording_id)

    def trace(self, recording_id: str, speed: float = 1.0, start: int = 0, stop: int | None = None) -> Trace:
        """Read block means on the clock that windows are counted in, played ``speed`` times as fast.

        At speed 1 the samples are the frames as recorded (native clock) or a uniform grid at ``windows.rate_hz``. At another
        speed what happened at time t happens at ``t / speed``, and the samples are evenly spaced, on the native clock by the
        median interval of the recording's frames: a slowed recording is longer than its camera's jitter is known for. What
        such a sampling cannot hold is filtered out. The last traces stay in memory.

        Parameters
        ----------
        recording_id : str
        speed : float
            Factor on the heart rate, above 0.
        start, stop : int
            First sample and one past the last; the whole recording where they are not given.

        Returns
        -------
        Trace
            ``times_s`` (T,), on the clock of the played recording, and ``means`` (T, N, 3) in float32, NaN where a block was
            not seen. Both are shared with later calls and must not be written to.

        Raises
        ------
        UnknownNameError
            Where the build has no such recording.
        ShardError
            Where the shard is missing or damaged, or the samples do not lie inside the recording.
        ValueError
            Where ``speed`` is not positive.

        Examples
        --------
        >>> from stmap_pipeline.shards.example import example_maps
        >>> maps = Shards(example_maps())
        >>> maps.trace("p001_v1").means.shape, maps.trace("p001_v1", speed=1.5).means.shape
        ((120, 4, 3), (80, 4, 3))
        """
        if speed == 1:
            whole = self._traces.get(recording_id)
            samples = len(whole.times_s)
            end = samples if stop is None else stop
            self._check_samples(recording_id, start, end, samples, speed)
            return Trace(whole.times_s[start:end], whole.means[start:end])
        grid, frame_times_s = self._grids.get(recording_id)
        settings = self.config.windows
        interval_s = 1 / settings.rate_hz if settings.clock == "uniform" else None
        times_s = played_times(frame_times_s, speed, interval_s)
        end = len(times_s) if stop is None else stop
        self._check_samples(recording_id, start, end, len(times_s), speed)
        return Trace(times_s[start:end], play(grid, speed, interval_s, start, end))

    def _read_trace(self, recording_id: str) -> tuple[Trace, int]:
        times_s, means = self.means(recording_id)
        settings = self.config.windows
        if settings.clock == "uniform":
            times_s, values = resample_uniform(times_s, means, settings.rate_hz)
            means = values.astype(np.float32)
        return Trace(times_s, means), times_s.nbytes + means.nbytes

    def _read_grid(self, recording_id: str) -> tuple[tuple[EvenTrace, npt.NDArray[np.float64]], int]:
        times_s, means = self.means(recording_id)
        grid = even_means(times_s, means)
        grid = replace(grid, values=grid.values.astype(np.float32))
        return (grid, times_s), times_s.nbytes + grid.values.nbytes + grid.known.nbytes

    def _check_samples(self, recording_id: str, start: int, stop: int, samples: int, speed: float) -> None:
        if not 0 <= start < stop <= samples:
            at = "" if speed == 1 else f" at speed {speed:g}"
            raise ShardError(
                f"{recording_id}: samples {start} to {stop} do not lie inside its {samples} samples "
                f"({self.config.windows.clock} clock{at})"
            )

    def stmap(self, window: Window, *, color: str = "yuv", normalize: Normalization = "minmax", fill: Fill = "nan") -> STMap:
        """Make the map of a window, on the clock of the build's configuration.

        Only the samples of the window are read (for a resampled one, and on the uniform clock, the trace, once). They are
        guarded by the file's own checksums; :meth:`recording` and :meth:`check` compare more. A window with an ``hr_scale`` is
        resampled from the whole trace as stored and normalized afterwards, see :mod:`stmap_pipeline.maps.resample`.

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
        if window.augmented:
            return self._resampled_map(window, color, normalize, fill)
        trace = self.trace(window.recording_id, 1.0, window.start, window.stop)
        return stmap_from_means(trace.times_s, trace.means, color=color, normalize=normalize, fill=fill)

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
        facts = self._files.facts(info.subject, recording_id, coverage=not seen)
        if facts.coverage is None:
            valid, share = np.ones(len(facts.times_s), dtype=np.bool_), np.ones(len(facts.times_s))
        else:
            # a block is known where enough of it was seen; how much that is was a setting of the build
            limit = np.float32(self.config.blocks.min_coverage - 0.5 / 255)
            valid, share = facts.coverage.max(axis=1, initial=0) >= limit, facts.coverage.mean(axis=1, dtype=np.float64)
        return Source(window_clock(facts.times_s, valid, share, self.config.windows), facts.times_s, facts.heart_rate)

    def check(self, quick: bool = False) -> list[Problem]:
        """Compare the folder with its manifest; see :func:`stmap_pipeline.shards.check_manifest`."""
        return check_manifest(self.root, quick)

    def close(self) -> None:
        """Close all files; reading again opens them again."""
        self._files.close()
        self._traces.clear()
        self._grids.clear()

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Shards], tuple[Path]]:
        # the folder is the whole state; it is absolute, as the other process may stand elsewhere
        return Shards, (self.root.absolute(),)

    def __repr__(self) -> str:
        try:
            labeled = len(self.windows(labeled=True))
            subjects = len({one.subject for one in self._infos.values()})
            counts = f"{len(self._infos)} recordings of {subjects} subjects, {len(self._windows)} windows ({labeled} labeled)"
            if self._table.added:
                counts += f" and {len(self._added)} resampled"
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
    def _table(self) -> WindowTable:
        return read_window_table(self.root, self.manifest)

    @cached_property
    def _windows(self) -> list[Window]:
        return parse_windows(self.root, self._table, self._infos, added=False)

    @cached_property
    def _added(self) -> list[Window]:
        return parse_windows(self.root, self._table, self._infos, added=True)

    def _resampled_map(self, window: Window, color: str, normalize: Normalization, fill: Fill) -> STMap:
        settings = self.config.windows
        times_s = self._files.series(self.info(window.recording_id).subject, window.recording_id).times_s
        interval_s = None
        samples_s = times_s
        if settings.clock == "uniform":
            samples_s, interval_s = uniform_times(times_s, settings.rate_hz), 1 / settings.rate_hz
        self._check_inside(window, len(samples_s))
        inside_s = samples_s[window.start : window.stop]
        if not window.hr_scale > 0 or source_times(inside_s, window.hr_scale)[-1] > last_source_time(times_s):
            raise ShardError(
                f"{window.recording_id}: {window.source_start_s:.2f} s to {window.source_stop_s:.2f} s "
                f"(hr_scale {window.hr_scale:g}) do not lie inside its {times_s[-1]:.2f} s"
            )
        means = resample_window(self._grids.get(window.recording_id)[0], inside_s, window.hr_scale, interval_s)
        return stmap_from_means(inside_s, means, color=color, normalize=normalize, fill=fill)

    def _check_inside(self, window: Window, samples: int) -> None:
        if not 0 <= window.start < window.stop <= samples:
            raise ShardError(
                f"{window.recording_id}: samples {window.start} to {window.stop} do not lie inside its {samples} samples "
                f"({self.config.windows.clock} clock)"
            )


def _among(value: Any, wanted: Any) -> bool:
    if wanted is None:
        return True
    return value == wanted if isinstance(wanted, str | int) else value in wanted
