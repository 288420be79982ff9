"""Read a finished build: recordings, windows and maps, with files opened as late as possible and in each process anew."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ShardError, StmapError, UnknownNameError
from stmap_pipeline.maps.normalize import Fill, Normalization
from stmap_pipeline.maps.stmap import make_stmap, resample_blocks, stmap_from_means
from stmap_pipeline.records import BlockTrace, Outcome, RecordingResult, STMap, Window
from stmap_pipeline.shards.columns import RECORDINGS, outcome_from_row, window_from_row
from stmap_pipeline.shards.hdf5 import guarded
from stmap_pipeline.shards.manifest import Problem, check_manifest, read_manifest
from stmap_pipeline.shards.open_shards import OpenShards
from stmap_pipeline.shards.tables import read_table

# resampled traces kept in memory, about half a megabyte each
_MAX_RESAMPLED = 8


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
        Facts and quality figures of the build.

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
        self._resampled: OrderedDict[str, BlockTrace] = OrderedDict()

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
    ) -> list[Window]:
        """List the windows, all of them unless filtered.

        Parameters
        ----------
        min_valid_fraction : float
            Only windows in which the face was known for at least this share.
        labeled : bool
            Only windows with a heart rate.
        subject, fold, recording_id : one or several, optional
            Only these.

        Raises
        ------
        ShardError
            Where the table is damaged.
        """
        return [
            one
            for one in self._windows
            if one.valid_fraction >= min_valid_fraction
            and not (labeled and np.isnan(one.heart_rate_bpm))
            and _among(self._infos[one.recording_id].subject, subject)
            and _among(one.fold, fold)
            and _among(one.recording_id, recording_id)
        ]

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

    def stmap(self, window: Window, *, color: str = "yuv", normalize: Normalization = "minmax", fill: Fill = "nan") -> STMap:
        """Make the map of a window, on the clock of the build's configuration.

        Only the samples of the window are read (on the uniform clock the trace, once). They are guarded by the file's own
        checksums; :meth:`recording` and :meth:`check` compare more.

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
        if window.hr_scale != 1:
            raise ShardError(
                f"{window.recording_id}: this stmap makes maps of windows as recorded, not of hr_scale {window.hr_scale}"
            )
        if self.config.windows.clock == "uniform":
            blocks = self._uniform(window.recording_id)
            self._check_inside(window, len(blocks.times_s))
            return make_stmap(blocks, window.start, window.stop, color=color, normalize=normalize, fill=fill)
        series = self._files.series(self.info(window.recording_id).subject, window.recording_id)
        self._check_inside(window, len(series.times_s))
        means = series.means(window.start, window.stop)
        return stmap_from_means(series.times_s[window.start : window.stop], means, color=color, normalize=normalize, fill=fill)

    def check(self, quick: bool = False) -> list[Problem]:
        """Compare the folder with its manifest; see :func:`stmap_pipeline.shards.check_manifest`."""
        return check_manifest(self.root, quick)

    def close(self) -> None:
        """Close all files; reading again opens them again."""
        self._files.close()
        self._resampled.clear()

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
        path = self.root / "windows.csv"
        with guarded(path):
            windows = [window_from_row(row) for row in read_table(path)]
        for number, one in enumerate(windows, 2):
            if one.recording_id not in self._infos or one.start is None or one.stop is None:
                raise ShardError(
                    f"{path}, line {number}: is no window of a recording in recordings.csv; build again or restore a copy"
                )
        return windows

    def _uniform(self, recording_id: str) -> BlockTrace:
        if recording_id not in self._resampled:
            while len(self._resampled) >= _MAX_RESAMPLED:
                self._resampled.popitem(last=False)
            self._resampled[recording_id] = resample_blocks(self.recording(recording_id).blocks, self.config.windows.rate_hz)
        self._resampled.move_to_end(recording_id)
        return self._resampled[recording_id]

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
