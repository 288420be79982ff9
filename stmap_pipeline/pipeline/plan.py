"""Plan a build: list a database, check its clocks and labels, and compare them with what the output holds."""

from __future__ import annotations

import contextlib
import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from stmap_pipeline import registry
from stmap_pipeline.config import Config
from stmap_pipeline.databases.base import Database
from stmap_pipeline.errors import (
    ConfigError,
    DatabaseError,
    OtherSettingsError,
    OutputError,
    RecordingError,
    ShardError,
    StmapError,
    did_you_mean,
)
from stmap_pipeline.files import is_temporary, read_bytes
from stmap_pipeline.labels import check_sources
from stmap_pipeline.lock import LOCK
from stmap_pipeline.pipeline.findings import Finding
from stmap_pipeline.pipeline.scratch import SET_ASIDE, Scratch
from stmap_pipeline.pipeline.sources import PIPELINE_VERSION, clock_key, labels_key, settings_key, video_stamp
from stmap_pipeline.pipeline.user_videos import fit_windows, notes_of_listing
from stmap_pipeline.pipeline.worker import attempt_key, one_line, stored_path
from stmap_pipeline.records import Outcome, Recording, SourceKeys
from stmap_pipeline.shards import Shards, check_manifest, read_manifest, read_table, recording_path
from stmap_pipeline.shards.recording_file import read_keys, storage_problem
from stmap_pipeline.video import check_video, known_frame_times, video_start

# Listed as unusable by what is known of the database; `limits.known_bad = "build"` tries them all the same.
_KNOWN_BAD = ("known_missing_frames", "known_too_short", "known_excluded")
# Settings that traces depend on; others change tables alone.
_OF_TRACES = ("faces.", "blocks.")
_MAX_DESCRIPTION_BYTES = 2**24
_FOLDERS = frozenset({"shards", "work", "logs", SET_ASIDE})


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
        Those to decode, or to compare with what is stored of them because their video has another date.
    stored : tuple of Recording
        Those of which traces are stored, whether asked for or not: labels, windows and tables are derived again.
    stamps : mapping of str to str
        Stamp of the video of each of these.
    settled : tuple of Outcome
        Those that need no work: skipped, failed by a label or a clock that cannot be read, or failed before.
    kept : tuple of Outcome
        What became earlier of recordings that are listed and not asked for now.
    gone : tuple of str
        Recordings of the output that are no longer listed: they are removed.
    complete : bool
        Whether the output holds all of this already; ``settled`` then has the outcomes of all.
    findings : tuple of Finding
        What a user should know before the build.
    """

    database: Database
    source: Path
    out: Path
    config: Config
    listed: tuple[Recording, ...]
    todo: tuple[Recording, ...] = ()
    stored: tuple[Recording, ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    settled: tuple[Outcome, ...] = ()
    kept: tuple[Outcome, ...] = ()
    gone: tuple[str, ...] = ()
    complete: bool = False
    findings: tuple[Finding, ...] = ()


def plan_build(
    database: str,
    source: str | Path,
    out: str | Path,
    config: Config | None = None,
    *,
    subject: str = "",
    limit: int | None = None,
    only: str | None = None,
    retry_failed: bool = False,
    rebuild: bool = False,
) -> BuildPlan:
    """List the recordings of a database, check their clocks and labels, and compare them with what the output holds.

    Parameters
    ----------
    database : str
        Name in the registry.
    source : str or Path
        Folder of the database.
    out : str or Path
        Output folder; new, empty, or of an earlier build with the same settings of faces and blocks.
    config : Config, optional
        Where it chooses no windows and ``source`` is a folder of user videos, :func:`.user_videos.fit_windows` may choose some.
    subject : str
        Who is seen in a user's video, by placeholders such as ``{parent}``.
    limit : int, optional
        Take the first so many recordings.
    only : str, optional
        Take the recordings whose id matches a shell pattern such as ``p00*_source1``.
    retry_failed : bool
        Build again what failed before.
    rebuild : bool
        Replace an output of other settings of faces and blocks, or of another version of the pipeline.

    Raises
    ------
    UnknownNameError, DatabaseError, OutputError
        Where there is no such database, nothing of it under ``source``, nothing matches, or ``out`` is not ours or has other
        settings (the message lists those that differ).
    """
    source, out = Path(source), Path(out)
    settings = config or Config()
    adapter: Database = registry.load("databases", database)
    everything = list_recordings(adapter, source, subject)
    findings: list[Finding] = []
    if adapter.list_by_subject is not None:
        settings, findings = fit_windows(everything, settings)
    listed = [one for one in everything if only is None or _matches(one.recording_id, only)][:limit]
    if not listed:
        ids = [one.recording_id for one in everything]
        hint = (did_you_mean(only, ids) or f", such as '{ids[0]}'") if only and ids else ""
        near = f"none of {len(ids)} ids matches '{only}'{hint}" if only and ids else "the listing is empty"
        raise DatabaseError(f"{source}: nothing to build: {near}")
    differences = _check_output(out, database, settings, rebuild)
    asked = {one.recording_id for one in listed}
    if any(key.startswith(_OF_TRACES) for key, _, _ in differences) and any(
        recording_path(out, one.recording_id).is_file() for one in everything if one.recording_id not in asked
    ):
        raise OutputError(
            f"{out}: holds recordings that are not asked for now and would be lost; rebuild without --only and --limit"
        )
    earlier = _earlier_outcomes(out)
    if adapter.list_by_subject is not None:
        findings += notes_of_listing(source, everything, {name: one.subject for name, one in earlier.items()})
    gone = sorted(earlier.keys() - {one.recording_id for one in everything})
    if gone and len(gone) == len(earlier):
        raise OutputError(
            f"{out}: holds {len(gone)} recordings, and {source} lists none of them; give another folder for the output"
        )
    plan = _Sorted(settings, retry_failed)
    for one in everything:
        plan.add(one, stored_path(out, one.recording_id), earlier.get(one.recording_id), one.recording_id in asked)
    complete = not differences and not plan.todo and not plan.changed and _is_finished(out, plan, earlier)
    if complete:
        plan.settled = [replace(earlier[one.recording_id], resumed=True) for one in listed]
    return BuildPlan(
        adapter,
        source,
        out,
        settings,
        tuple(listed),
        tuple(plan.todo),
        tuple(plan.stored),
        plan.stamps,
        tuple(plan.settled),
        tuple(plan.kept),
        tuple(gone),
        complete,
        tuple(findings),
    )


def _matches(recording_id: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(recording_id.casefold(), pattern.casefold())


def list_recordings(adapter: Database, source: Path, subject: str = "") -> list[Recording]:
    """List the recordings of a database in the order of their ids.

    Raises
    ------
    DatabaseError
        Where nothing of the database is under ``source``, two recordings have one id, or ``subject`` is given for a database that names
        its subjects itself.
    """
    if not source.exists():
        raise DatabaseError(f"{source}: no such folder; give the one that holds the videos ({adapter.title})")
    if subject and adapter.list_by_subject is None:
        raise DatabaseError(f"{adapter.name} names its subjects itself; leave out --subject")
    found = adapter.list_by_subject(source, subject) if adapter.list_by_subject is not None else adapter.list_recordings(source)
    recordings = sorted(found, key=lambda one: one.recording_id)
    for one, other in pairwise(recordings):
        if one.recording_id == other.recording_id:
            raise DatabaseError(f"{source}: the listing holds {one.recording_id} twice: {one.video.path} and {other.video.path}")
    return recordings


def recognize_databases(source: Path) -> list[str]:
    """List the databases whose layout a folder has; more than one where two are laid out alike.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "data" / "p1" / "v1" / "source1").mkdir(parents=True)
    ...     recognize_databases(Path(name))
    ['vipl-hr']
    """
    found = []
    for name in registry.names("databases"):
        adapter: Database = registry.load("databases", name)
        # a drawn database has the layout of another one
        if adapter.list_by_subject is not None or name == "synthetic":
            continue
        with contextlib.suppress(StmapError):
            if any(True for _ in adapter.list_recordings(source)):
                found.append(name)
    return found


class _Sorted:
    """Recordings of a listing, sorted into those to decode, to derive again, and settled ones."""

    def __init__(self, config: Config, retry_failed: bool) -> None:
        self._config, self._retry_failed, self._settings_key = config, retry_failed, settings_key(config)
        self.todo: list[Recording] = []
        self.stored: list[Recording] = []
        self.stamps: dict[str, str] = {}
        self.settled: list[Outcome] = []
        self.kept: list[Outcome] = []
        self.changed = False

    def add(self, one: Recording, path: Path, earlier: Outcome | None, asked: bool) -> None:
        known_bad = one.skip_reason in _KNOWN_BAD and self._config.limits.known_bad == "build"
        if one.skip_reason and not known_bad:
            if asked or earlier is not None:
                skipped = Outcome(one.recording_id, one.subject, "skipped", "list", one.skip_reason, one.skip_message)
                (self.settled if asked else self.kept).append(skipped)
            return
        stamp = video_stamp(one)
        failed = earlier is not None and earlier.status == "failed"
        if earlier is not None and failed and not asked:
            self.kept.append(earlier)
            return
        if earlier is not None and failed and not self._retry_failed and earlier.attempt == attempt_key(one, self._config, stamp):
            self.settled.append(replace(earlier, resumed=True))
            return
        # traces beside a failure may be those of the video as it was before; a worker compares the content
        same_video = earlier is not None and not failed and bool(stamp) and earlier.video_stamp == stamp
        stored = _stored_keys(path, one, self._settings_key) if same_video or not asked else None
        if not asked and stored is None:
            return
        changed = stored is not None and replace(stored, clock=clock_key(one), labels=labels_key(one)) != stored
        self.changed |= changed
        problem = _problem_of_sources(one) if stored is None or (changed and asked) else None
        if problem is not None:
            self.settled.append(problem)
        elif stored is not None:
            self.stored.append(one)
            self.stamps[one.recording_id] = earlier.video_stamp if earlier is not None else ""
        else:
            self.todo.append(one)


def _stored_keys(path: Path, recording: Recording, settings: str) -> SourceKeys | None:
    # what lies behind a link may be anybody's, and no manifest lists a link
    if path.is_symlink():
        return None
    try:
        name, keys = read_keys(path)
    except ShardError:
        return None
    return keys if name == recording.recording_id and keys.settings == settings else None


def _problem_of_sources(one: Recording) -> Outcome | None:
    """Read clock and labels of a recording, look for its video, and return the outcome where it cannot be built."""
    try:
        if problem := storage_problem(one):
            raise RecordingError("list", "not_storable", problem)
        check_video(one)
        check_sources(one, partial(video_start, one.video), partial(known_frame_times, one))
    except RecordingError as error:
        return Outcome(one.recording_id, one.subject, "failed", error.stage, error.reason, one_line(str(error)))
    return None


def _check_output(out: Path, database: str, config: Config, rebuild: bool) -> list[tuple[str, str, str]]:
    """List the settings that differ from those of the output: key, value then, value now.

    Raises
    ------
    OutputError
        Where the folder is not ours, or was built with other settings of traces and is not to be rebuilt.
    """
    if not out.exists():
        return []
    if not out.is_dir():
        raise OutputError(f"{out}: is a file; give a folder for the output")
    # a run that was killed at once leaves no more than these
    names = {one.name for one in out.iterdir() if one.name != LOCK and not is_temporary(one)}
    if not names:
        return []
    if "stmap.toml" not in names or ("dataset_description.json" not in names and len(names) > 1):
        raise OutputError(f"{out}: is not empty and not an output of stmap; give another folder")
    for name in sorted(names & _FOLDERS):
        if (out / name).is_symlink():
            raise OutputError(f"{out / name}: is a link; link the whole output, or move this folder back in its place")
    differences = config.differences(Config.from_toml(out / "stmap.toml"))
    of_traces = [one for one in differences if one[0].startswith(_OF_TRACES)]
    if "dataset_description.json" in names:
        built_from, version = _description_of(out)
        if built_from != database:
            raise OutputError(f"{out}: was built from another database ({built_from}, not {database}); give another folder")
        if version != PIPELINE_VERSION:
            of_traces.append(("pipeline version", str(version), str(PIPELINE_VERSION)))
    if of_traces and not rebuild:
        advice = f"give another folder, the same settings as in {out / 'stmap.toml'}, or --rebuild to decode all recordings again"
        raise OtherSettingsError(out, "was built with other settings", of_traces, advice)
    return [*of_traces, *(one for one in differences if one not in of_traces)]


def _description_of(out: Path) -> tuple[str, int]:
    path = out / "dataset_description.json"
    try:
        text = json.loads(read_bytes(path, _MAX_DESCRIPTION_BYTES))
        return text["SourceDatasets"][0]["Key"], text["PipelineVersion"]
    except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise OutputError(f"{path}: cannot be read; move the output away and build anew") from None


def _earlier_outcomes(out: Path) -> dict[str, Outcome]:
    """Read what became of recordings in finished and unfinished runs, as far as it can be read."""
    found: dict[str, Outcome] = {}
    try:
        with Shards(out) as shards:
            found = {one.recording_id: one for one in shards.outcomes()}
        rows = {str(row["recording_id"]): row for row in read_table(out / "timings.csv")}
        stamps = {name: (str(row.get("video_stamp", "")), str(row.get("attempt", ""))) for name, row in rows.items()}
        found = {
            name: replace(one, video_stamp=stamps[name][0], attempt=stamps[name][1]) if name in stamps else one
            for name, one in found.items()
        }
    except (ShardError, OutputError, ConfigError):
        # tables are derived again; what failed is tried again
        pass
    return found | Scratch(out).outcomes()


def _is_finished(out: Path, plan: _Sorted, earlier: Mapping[str, Outcome]) -> bool:
    """Return whether an output whose traces are all there has a manifest of these files, and tables of these outcomes."""
    if Scratch(out).folder.exists():
        return False
    try:
        listed = {entry.path for entry in read_manifest(out).files}
        # the tables are small: a changed byte in one is found, and all are derived again
        problems = check_manifest(out, quick=True, hashed=[path for path in listed if not path.startswith("shards/")])
    except (ShardError, OSError):
        return False
    # what is not listed was put there by hand and is no reason to derive anything again
    if any(one.kind != "unexpected" for one in problems):
        return False
    reasons = {one.recording_id: "" for one in plan.stored} | {one.recording_id: one.reason for one in (*plan.settled, *plan.kept)}
    if {name: one.reason for name, one in earlier.items()} != reasons:
        return False
    return {recording_path(out, one.recording_id).relative_to(out).as_posix() for one in plan.stored} <= listed
