"""How far a build is: read from its folder while it runs, after it was stopped, or when it is finished."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stmap_pipeline.errors import OutputError
from stmap_pipeline.lock import holder
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Outcome
from stmap_pipeline.shards import Shards


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """State of an output folder.

    Parameters
    ----------
    state : {"finished", "running", "stopped"}
        ``stopped``: unfinished, and nobody is at work; the same command goes on.
    database : str
        Empty where nothing tells.
    listed : int
        Recordings that the last run was asked for.
    ok, skipped, failed : int
        Recordings with this outcome so far, those of earlier and wider runs included.
    left : int
        Recordings still to do.
    reasons : mapping of str to int
        How often each reason code occurs.
    in_work : tuple of str
        Recordings in work just now; of a stopped run, those that were interrupted.
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
    in_work: tuple[str, ...] = ()
    host: str = ""
    pid: int | None = None


def read_status(out: Path) -> BuildStatus:
    """Tell how far a build is, without touching it.

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
    work = Work(out)
    finished = (out / "manifest.json").is_file()
    if not finished and not (out / "stmap.toml").is_file():
        raise OutputError(f"{out}: is no output of stmap build-maps; give the folder that was its OUT")
    outcomes: dict[str, Outcome] = {}
    database = ""
    if finished:
        with Shards(out) as shards:
            database = str(shards.manifest.settings.get("database", ""))
            outcomes = {one.recording_id: one for one in shards.outcomes()}
    told = work.run()
    outcomes |= {one.recording_id: one for one in work.outcomes()}
    todo = {name for name in _texts(told.get("todo")) if name not in outcomes}
    statuses = Counter(one.status for one in outcomes.values())
    owner = holder(out)
    unfinished = owner is not None or work.folder.exists() or not finished
    pid = (owner or {}).get("pid")
    return BuildStatus(
        "running" if owner is not None else "stopped" if unfinished else "finished",
        str(told.get("database", "")) or database,
        _count(told.get("listed")) or len(outcomes),
        statuses["ok"],
        # those that were settled by the listing alone are written down at the end
        max(statuses["skipped"], _count(told.get("skipped"))),
        statuses["failed"],
        len(todo),
        dict(sorted(Counter(one.reason for one in outcomes.values() if one.reason).items())),
        tuple(work.in_work()) if unfinished else (),
        str((owner or {}).get("host", "")),
        pid if isinstance(pid, int) else None,
    )


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
