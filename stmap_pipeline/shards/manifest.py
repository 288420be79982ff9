"""The manifest: which files a finished build has, with sizes and hashes. It is written last: an output that has one is finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from stmap_pipeline.errors import ShardError, content_problem
from stmap_pipeline.files import atomic_write_text, read_bytes, sha256
from stmap_pipeline.shards.recording_file import SCHEMA_VERSION
from stmap_pipeline.version import __version__

MANIFEST = "manifest.json"
FORMAT = "stmap-maps"
CHECKSUM = "checksum"
# a thousand times VIPL-HR has 30 MB
MAX_BYTES = 2**28

#: What `stmap report` writes into a build.
REPORTS = ("report.html", "report_files", "report.json", "report", "report.tex")
#: What is not listed: it differs from run to run, is safe to delete, or has a manifest of its own.
UNLISTED = (MANIFEST, "timings.csv", "timings.json", "work", "logs", "set-aside", "augmentation", *REPORTS)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a build: ``path`` below the root with forward slashes, size in bytes, SHA-256 in hex.

    Examples
    --------
    >>> FileEntry("stmap.toml", 0, "e3b0c44298fc1c149afbf4c8996fb924").path
    'stmap.toml'
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished build says of itself.

    Parameters
    ----------
    software : str
    fingerprint : str
        Of the configuration; equal settings, equal fingerprint.
    settings : mapping
        Whatever else the build recorded of how it was made.
    files : tuple of FileEntry
        In the order of their paths.

    Examples
    --------
    >>> Manifest("stmap 0.1.0", "c0ffee").files
    ()
    """

    software: str
    fingerprint: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[FileEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """One difference between a manifest and its folder.

    Parameters
    ----------
    path : str
    kind : {"missing", "size", "hash", "unexpected", "unsafe", "content", "unfinished"}
        ``unsafe``: the listed path leads out of the folder, or the file is a link; it is not opened. ``content``: two files
        contradict each other, or one cannot be read. ``unfinished``: a build is under way or was stopped.
    message : str
        For a person.

    Examples
    --------
    >>> Problem("shards/p001_v1.h5", "missing", "shards/p001_v1.h5 is missing").kind
    'missing'
    """

    path: str
    kind: Literal["missing", "size", "hash", "unexpected", "unsafe", "content", "unfinished"]
    message: str


def write_manifest(root: Path, *, fingerprint: str, files: Iterable[Path], settings: Mapping[str, Any] | None = None) -> None:
    """Hash the files of a build and write its manifest. Call it last.

    Parameters
    ----------
    root : Path
    fingerprint : str
    files : iterable of Path
        Below ``root``.
    settings : mapping, optional
        What JSON can hold; no times, as the same build is to give the same bytes.

    Raises
    ------
    ValueError
        Where a file does not lie below the root or is a link.
    OutputError
        Where the system refuses to write.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = Path(folder)
    ...     _ = (root / "stmap.toml").write_text("")
    ...     write_manifest(root, fingerprint="c0ffee", files=[root / "stmap.toml"])
    ...     read_manifest(root).files[0].path, check_manifest(root)
    ('stmap.toml', [])
    """
    entries = []
    for name in sorted({file.relative_to(root).as_posix() for file in files}):
        if unsafe := unsafe_path(root, name):
            raise ValueError(f"{root / name}: {unsafe}")
        entries.append({"path": name, "bytes": (root / name).stat().st_size, "sha256": sha256(root / name)})
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "software": f"stmap {__version__}",
        "fingerprint": fingerprint,
        "settings": settings or {},
        "files": entries,
    }
    atomic_write_text(root / MANIFEST, _with_checksum(content))


def _with_checksum(content: Mapping[str, Any]) -> str:
    body = json.dumps(content, indent=1, ensure_ascii=False)
    checksum = hashlib.sha256(body.encode("utf-8", "backslashreplace")).hexdigest()
    return json.dumps({**content, CHECKSUM: f"sha256:{checksum}"}, indent=1, ensure_ascii=False) + "\n"


def read_manifest(root: str | Path) -> Manifest:
    """Read the manifest of a finished build.

    Raises
    ------
    ShardError
        Where the build is unfinished (there is no manifest), or the manifest is damaged or of another schema.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> read_manifest(example_maps()).settings
    {'database': 'example'}
    """
    root = Path(root)
    path = root / MANIFEST
    try:
        content = json.loads(read_bytes(path, MAX_BYTES))
        if content["format"] != FORMAT:
            raise ValueError("not written by stmap")
        if content["schema_version"] != SCHEMA_VERSION:
            raise ShardError(
                f"{path}: has schema version {content['schema_version']}, this stmap reads {SCHEMA_VERSION}; "
                "install the stmap that wrote it"
            )
        files = tuple(FileEntry(str(one["path"]), int(one["bytes"]), str(one["sha256"])) for one in content["files"])
        return Manifest(str(content["software"]), str(content["fingerprint"]), dict(content["settings"]), files)
    except (FileNotFoundError, NotADirectoryError):
        if not root.is_dir():
            raise ShardError(f"{root}: there is no such folder; give the output folder of stmap build-maps") from None
        raise ShardError(
            f"{root}: has no {MANIFEST}, so its build is unfinished (or it is no output of stmap); "
            "run the same stmap build-maps command again to finish it"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ShardError(f"{path}: is damaged ({content_problem(error)}); build again or restore a copy") from None


def check_manifest(root: str | Path, quick: bool = False, hashed: Iterable[str] = ()) -> list[Problem]:
    """Compare a folder with its manifest.

    Parameters
    ----------
    root : str or Path
    quick : bool
        Look at presence and size alone; otherwise each file is hashed.
    hashed : iterable of str
        Files that are hashed where ``quick`` is set, too.

    Returns
    -------
    list of Problem
        Empty where all is well. Files that a build does not list (:data:`UNLISTED`) and hidden files are no problem.

    Raises
    ------
    ShardError
        As :func:`read_manifest`.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> root = example_maps()
    >>> (root / "shards" / "p002_v1.h5").unlink()
    >>> [one.message for one in check_manifest(root, quick=True)]
    ['shards/p002_v1.h5 is missing']
    """
    root = Path(root)
    listed = read_manifest(root).files
    problems = list(_check_itself(root))
    always = frozenset(hashed)
    problems += [problem for entry in listed if (problem := _compare(root, entry, quick and entry.path not in always))]
    names = {entry.path for entry in listed}
    problems += [
        Problem(name, "unexpected", f"{name} is not in the manifest; was it put there by hand?")
        for name in _present(root)
        if name not in names
    ]
    return problems


def _check_itself(root: Path) -> Iterator[Problem]:
    # to the byte: a changed letter in the settings would change no hash of a file
    stored = read_bytes(root / MANIFEST, MAX_BYTES)
    content = json.loads(stored)
    content.pop(CHECKSUM, None)
    if _with_checksum(content).encode("utf-8", "backslashreplace") != stored:
        yield Problem(MANIFEST, "hash", f"{MANIFEST} was changed after the build: its own checksum differs")


def _compare(root: Path, entry: FileEntry, quick: bool) -> Problem | None:
    path = root / entry.path
    if unsafe := unsafe_path(root, entry.path):
        return Problem(entry.path, "unsafe", f"{entry.path}: {unsafe}")
    if not path.is_file():
        return Problem(entry.path, "missing", f"{entry.path} is missing")
    size = path.stat().st_size
    if size != entry.bytes:
        return Problem(entry.path, "size", f"{entry.path} has {size} bytes, not {entry.bytes}")
    if not quick and sha256(path) != entry.sha256:
        return Problem(entry.path, "hash", f"{entry.path} was changed after the build: its SHA-256 differs")
    return None


def unsafe_path(root: Path, name: str) -> str:
    """Describe why a listed path must not be opened: it leads out of the folder, or is a link; empty where neither."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\0" in name:
        return "the path leads out of the folder"
    path = root / name
    if path.is_symlink() or not path.resolve().is_relative_to(root.resolve()):
        return "the file is a link, or lies behind one that leads out of the folder"
    return ""


def _present(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not path.is_dir() and parts[0] not in UNLISTED and not any(part.startswith(".") for part in parts):
            yield "/".join(parts)
