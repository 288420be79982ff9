"""What there is to do: the database's listing, less what is done already with the same settings."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from stmap_pipeline import registry
from stmap_pipeline.config import Config
from stmap_pipeline.databases.base import Database
from stmap_pipeline.errors import DatabaseError
from stmap_pipeline.pipeline.earlier import earlier_outcomes
from stmap_pipeline.pipeline.reuse import Reuse, plan_reuse, reusable
from stmap_pipeline.pipeline.source import source_key
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Outcome, Recording
from stmap_pipeline.version import __version__

# Raised when the same settings give other numbers than before, so that old and new are never mixed in one output.
PIPELINE_VERSION = 4

# Listed as unusable by what is known of the database; `limits.known_bad = "build"` tries them all the same.
_KNOWN_BAD = ("known_missing_frames", "known_too_short", "known_excluded")


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """A build before it starts.

    Parameters
    ----------
    database : Database
    source, out : Path
    config : Config
    listed : tuple of Recording
        All that was asked for, in the order of their ids.
    todo : tuple of Recording
        Those that will be built now.
    settled : tuple of Outcome
        Those that need no work: done by an earlier run, or skipped.
    complete : bool
        Whether the output holds all of this already.
    reuse : Reuse, optional
        What is taken over from another output.
    reused_ids : frozenset of str
        Those of ``todo`` to which that applies.
    """

    database: Database
    source: Path
    out: Path
    config: Config
    listed: tuple[Recording, ...]
    todo: tuple[Recording, ...]
    settled: tuple[Outcome, ...]
    complete: bool
    reuse: Reuse | None = None
    reused_ids: frozenset[str] = frozenset()

    @property
    def resumed(self) -> int:
        """Recordings that an earlier run settled."""
        return sum(one.resumed for one in self.settled)


def plan_build(
    database: str,
    source: Path,
    out: Path,
    config: Config | None = None,
    *,
    limit: int | None = None,
    only: str | None = None,
    retry_failed: bool = False,
    reuse: Path | None = None,
) -> BuildPlan:
    """List the recordings of a database and compare them with what the output holds.

    Parameters
    ----------
    database : str
        Name in the registry.
    source : Path
        Folder of the database.
    out : Path
        Output folder; new, empty, or of an earlier build with the same settings.
    config : Config, optional
    limit : int, optional
        Take the first so many recordings.
    only : str, optional
        Take the recordings whose id matches a shell pattern such as ``p00*_source1``.
    retry_failed : bool
        Build again what failed before.
    reuse : Path, optional
        Another output of the same database, made with other settings: what these leave as it is is taken over.

    Raises
    ------
    UnknownNameError, DatabaseError, OutputError
        Where there is no such database, nothing of it under ``source``, nothing matches, ``out`` is not ours or has other
        settings (the message lists those that differ), or ``reuse`` is no output of this database.
    """
    settings = config or Config()
    adapter: Database = registry.load("databases", database)
    if not source.exists():
        raise DatabaseError(f"{source}: no such folder; give the one that holds the videos ({adapter.title})")
    listed = sorted(adapter.list_recordings(source), key=lambda one: one.recording_id)
    total = len(listed)
    for one, other in pairwise(listed):
        if one.recording_id == other.recording_id:
            raise DatabaseError(f"{source}: the listing holds {one.recording_id} twice: {one.video.path} and {other.video.path}")
    if only is not None:
        listed = [one for one in listed if fnmatch.fnmatchcase(one.recording_id, only)]
    listed = listed[:limit]
    if not listed:
        near = f"none of {total} ids matches {only!r}" if only and total else "the listing is empty"
        raise DatabaseError(f"{source}: nothing to build: {near}")
    taken = plan_reuse(reuse, out, database, settings, PIPELINE_VERSION) if reuse is not None else None
    earlier = earlier_outcomes(out, database, settings, PIPELINE_VERSION)
    todo: list[Recording] = []
    settled: list[Outcome] = []
    for recording in listed:
        known_bad = recording.skip_reason in _KNOWN_BAD
        if recording.skip_reason and not (known_bad and settings.limits.known_bad == "build"):
            settled.append(
                Outcome(recording.recording_id, recording.subject, "skipped", "list", recording.skip_reason, recording.skip_message)
            )
            continue
        before = earlier.get(recording.recording_id)
        if before is None or (before.failed and retry_failed) or (before.key and before.key != source_key(recording)):
            todo.append(recording)
        else:
            settled.append(replace(before.outcome, resumed=True))
    complete = (
        not todo
        and (out / "manifest.json").is_file()
        and not Work(out).folder.exists()
        and all(one.recording_id in earlier and earlier[one.recording_id].outcome.reason == one.reason for one in settled)
    )
    ids = _reusable_ids(taken, todo) if taken is not None and todo else frozenset()
    return BuildPlan(adapter, source, out, settings, tuple(listed), tuple(todo), tuple(settled), complete, taken, ids)


def _reusable_ids(reuse: Reuse, todo: list[Recording]) -> frozenset[str]:
    stored = reusable(reuse)
    # the key of one that an unfinished run built is read with it
    known = ((one, stored[one.recording_id].key) for one in todo if one.recording_id in stored)
    return frozenset(one.recording_id for one, key in known if not key or key == source_key(one))


def description(database: Database) -> dict[str, Any]:
    """Say what an output is and how it was made, in the words of BIDS derivatives."""
    return {
        "Name": f"Spatial-temporal maps of {database.title}",
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "stmap",
                "Version": __version__,
                "Command": f"stmap build-maps --db {database.name} SOURCE OUT --config stmap.toml",
            }
        ],
        "SourceDatasets": [
            {"Name": database.title, "Key": database.name, "License": database.license, "BibTeX": database.citation}
        ],
        "PipelineVersion": PIPELINE_VERSION,
    }
