"""Hashes of what a recording is derived from. A later run compares them to find what must be derived again.

Keys hold no path and no date: they are equal on every machine with the same files. Only the stamp of a video has its date; it is kept
in ``timings.csv``, which the manifest does not cover.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.files import sha256
from stmap_pipeline.records import Recording
from stmap_pipeline.video.images import archive_members

# Raised when the same settings and videos give other numbers than before, so that old and new are never mixed in one output.
PIPELINE_VERSION = 5
# Raised when the same label files give other numbers than before: labels are then derived again, and nothing is decoded.
LABELS_VERSION = 2
_UNREADABLE = "unreadable"


def settings_key(config: Config) -> str:
    """Return a hash of the settings that traces depend on.

    Examples
    --------
    >>> settings_key(Config()) == settings_key(Config.from_mapping({"windows": {"length": "10 s"}}))
    True
    """
    return f"{PIPELINE_VERSION}-{config.fingerprint('faces', 'blocks')}"


def video_stamp(recording: Recording) -> str:
    """Return size and date of a video, or a hash over those of all images of a folder; empty where there is no such file."""
    try:
        if _is_folder(recording):
            return _hash([[one.name, *_size_and_date(one)] for one in _images(recording.video.path)])
        return "-".join(map(str, _size_and_date(recording.video.path)))
    except OSError:
        return ""


def video_key(recording: Recording) -> str:
    """Return a hash of the content of a video, or of the names and contents of all images of a folder.

    Of images in an archive, which holds those of other recordings too, the checksums in the archive stand for the contents.
    """
    try:
        if _is_folder(recording):
            return _hash([[one.name, _sha256(one)] for one in _images(recording.video.path)])
        if recording.video.kind == "images":
            return _hash([[one.filename, one.file_size, one.CRC] for one in archive_members(recording.video)])
    except OSError:
        return _UNREADABLE
    return _sha256(recording.video.path)


def video_bytes(recording: Recording) -> int:
    """Return the size of a video, or of all images of a folder, in bytes; 0 where it is missing."""
    try:
        if _is_folder(recording):
            return sum(one.stat().st_size for one in _images(recording.video.path))
        if recording.video.kind == "images":
            return sum(one.compress_size for one in archive_members(recording.video))
        return recording.video.path.stat().st_size
    except OSError:
        return 0


def clock_key(recording: Recording) -> str:
    """Return a hash of the choice of the clock and of the content of the file of frame times."""
    return _hash(_described({**asdict(recording.clock), "note": ""}))


def labels_key(recording: Recording) -> str:
    """Return a hash of what the listing says of a recording and of the content of its label files."""
    listed = asdict(recording)
    # the clock and the content of the video have keys of their own
    listed["clock"] = [recording.clock.note, recording.clock.path.name if recording.clock.path else ""]
    listed["video"] = [recording.video.path.name, recording.video.kind]
    if recording.video.member:
        listed["video"].append(recording.video.member)
    # a label in the file of the video: its content is in the key of the video, which is not computed anew in each run
    inside = [{**one, "path": one["path"].name} if one["path"] == recording.video.path else one for one in listed["labels"]]
    listed["labels"] = [_described(one) for one in inside]
    return _hash([LABELS_VERSION, listed])


def _described(source: dict[str, Any]) -> dict[str, Any]:
    """Replace each path by its name and a hash of its content."""
    return {key: [value.name, _sha256(value)] if isinstance(value, Path) else value for key, value in source.items()}


def _is_folder(recording: Recording) -> bool:
    return recording.video.kind == "images" and not recording.video.member


def _images(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_file())


def _size_and_date(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _sha256(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:
        return _UNREADABLE


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]
