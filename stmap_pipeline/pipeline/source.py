"""Has the source of a recording changed since it was built? Told by sizes and choices, never by paths or dates."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from stmap_pipeline.records import Recording


def source_bytes(recording: Recording) -> int:
    """Size of the video in bytes; of all pictures where it is a folder; 0 where it is missing."""
    path = recording.video.path
    try:
        if path.is_dir():
            return sum(one.stat().st_size for one in path.iterdir() if one.is_file())
        return path.stat().st_size
    except OSError:
        return 0


def source_key(recording: Recording) -> str:
    """Hash what the listing says of a recording together with the sizes of its files.

    Equal on every machine that holds the same files, so that outputs can be compared byte by byte.
    """
    clock = recording.clock
    told = {
        "id": recording.recording_id,
        "video": [recording.video.kind, recording.video.path.name, source_bytes(recording)],
        "clock": [clock.kind, clock.rate_hz, clock.unit_s, _size(clock.path)],
        "labels": [
            [
                one.kind,
                one.path.name,
                _size(one.path),
                one.column,
                one.rate_hz,
                one.time_column,
                one.time_unit_s,
                one.per_frame,
                one.missing,
                one.scale,
            ]
            for one in recording.labels
        ],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path is not None else 0
    except OSError:
        return 0
