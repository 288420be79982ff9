"""Run status of a build: read from its folder while it runs, after it was stopped, or when it is finished."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stmap_pipeline.errors import OutputError
from stmap_pipeline.lock import holder
from stmap_pipeline.pipeline.scratch import Scratch
from stmap_pipeline.records import file_name
from stmap_pipeline.shards import Shards


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """State of an output folder.

    Parameters
    ----------
    state : {"finished", "running", "stopped"}
        ``stopped``: unfinished, and no process works on it; the same command resumes.
    database : str
        Empty where it is not known.
    listed : int
        Recordings that the last run was asked for.
    ok, skipped, failed : int
        Recordings with this outcome so far, those of earlier and wider runs included.
    left : int
        Recordings still to do.
    reasons : mapping of str to int
        How often each reason code occurs.
    in_progress : tuple of str
        Recordings in progress now; of a stopped run, those that were interrupted.
    host, pid : str, int, optional
        Who is at work.
    """

    state: Literal["finished", "running", "stopped"]
    database: str
    listed: int
    ok: int
    skipped: int
    failed: int
    left: int
    reasons: dict[str, int]
    in_progress: tuple[str, ...] = ()
    host: str = ""
    pid: int | None = None


def read_status(out: str | Path) -> BuildStatus:
    """Read how far a build is; nothing is written.

    Raises
    ------
    OutputError
        Where the folder is no output of ``stmap build-maps``.
    ShardError
        Where its tables are damaged.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> status = read_status(example_maps())
    >>> status.state, status.ok, status.failed, status.reasons
    ('finished', 3, 1, {'no_face': 1})
    """
    out = Path(out)
    scratch = Scratch(out)
    finished = (out / "manifest.json").is_file()
    if not finished and not (out / "stmap.toml").is_file():
        raise OutputError(f"{out}: is no output of stmap build-maps; give the folder that was its OUT")
    # status and reason by recording, so that one that several runs know is counted once
    outcomes: dict[str, tuple[str, str]] = {}
    database = ""
    if finished:
        with Shards(out) as shards:
            database = shards.database
            outcomes = {one.recording_id: (one.status, one.reason) for one in shards.outcomes()}
    info = scratch.run()
    decoded = scratch.outcomes()
    todo = set(info.todo) - decoded.keys()
    # what the plan found is in the tables at the end alone
    outcomes |= dict.fromkeys(info.stored, ("ok", "")) | info.settled
    outcomes |= {name: (one.status, one.reason) for name, one in decoded.items()}
    outcomes = {name: one for name, one in outcomes.items() if name not in todo}
    statuses = Counter(status for status, _ in outcomes.values())
    ids = {file_name(one): one for one in info.todo}
    owner = holder(out)
    unfinished = owner is not None or scratch.folder.exists() or not finished
    return BuildStatus(
        "running" if owner is not None else "stopped" if unfinished else "finished",
        info.database or database,
        info.listed or len(outcomes),
        statuses["ok"],
        statuses["skipped"],
        statuses["failed"],
        len(todo),
        dict(sorted(Counter(reason for _, reason in outcomes.values() if reason).items())),
        tuple(ids.get(mark, mark) for mark in scratch.in_progress()) if unfinished else (),
        **(owner or {}),
    )
