"""A small finished build made of numbers alone, for the examples in docstrings and for tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stmap_pipeline.config import Config
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.maps.windows import cut_windows
from stmap_pipeline.records import Outcome, RecordingResult
from stmap_pipeline.shards.manifest import write_manifest
from stmap_pipeline.shards.recording_file import recording_path, write_recording
from stmap_pipeline.shards.tables import recording_row, window_row, write_build_tables

EXAMPLE_CONFIG = Config.from_mapping({"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames", "step": "1 s"}})


def example_maps(
    root: Path | None = None, results: Sequence[RecordingResult] | None = None, config: Config = EXAMPLE_CONFIG
) -> Path:
    """Write a finished build of three recordings of two subjects, or of the recordings given.

    Parameters
    ----------
    root : Path, optional
        Where to write; a temporary folder, removed at the end of the process, where none is given.
    results : sequence of RecordingResult, optional
    config : Config

    Returns
    -------
    Path
        The folder.

    Examples
    --------
    >>> sorted(one.name for one in example_maps().iterdir() if one.suffix != ".json")
    ['outcomes.csv', 'recordings.csv', 'shards', 'stmap.toml', 'windows.csv']
    """
    if root is None:
        root = Path(tempfile.mkdtemp(prefix="stmap-example-"))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
    if results is None:
        results = [
            example_result("p001_v1", frames=120, heart_rate_bpm=66.0),
            example_result("p001_v2", frames=150, heart_rate_bpm=96.0, lost=slice(100, 140)),
            example_result("p002_v1", subject="p002", fold=2, frames=120, rate_hz=24.0),
        ]
    stored = [write_recording(recording_path(root, one.recording.recording_id), one) for one in results]
    stored.sort(key=lambda one: one.recording.recording_id)
    windows = [window_row(window, one.recording.subject) for one in stored for window in cut_windows(one, config.windows)]
    outcomes = [Outcome(one.recording.recording_id, one.recording.subject, "ok") for one in stored]
    outcomes.append(Outcome("p003_v1", "p003", "failed", "faces", "no_face", "no face in 94 % of frames (limit 50 %)"))
    write_build_tables(root, [recording_row(one) for one in stored], windows, outcomes)
    atomic_write_text(root / "stmap.toml", config.to_toml())
    files = [one for one in root.rglob("*") if one.is_file()]
    write_manifest(root, fingerprint=config.fingerprint(), files=files, settings={"database": "example"})
    return root
