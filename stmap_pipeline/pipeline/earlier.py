"""What an output holds already: of finished builds by its tables and shards, of an unfinished one by its ``work/``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.files import is_temporary
from stmap_pipeline.lock import LOCK
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Outcome
from stmap_pipeline.shards import Shards, read_shard

# Settings that change no landmark, so that something of an output can be taken over into one with others.
AFTER_FACES = ("blocks.", "windows.", "limits.")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An outcome of an earlier run.

    Parameters
    ----------
    outcome : Outcome
    key : str
        What :func:`stmap_pipeline.pipeline.source.source_key` gave for its source; empty where that is not known.
    """

    outcome: Outcome
    key: str = ""

    @property
    def failed(self) -> bool:
        """Whether it failed."""
        return self.outcome.status == "failed"


def earlier_outcomes(out: Path, database: str, config: Config, pipeline_version: int) -> dict[str, Earlier]:
    """Give the outcomes of earlier runs into the same output.

    A recording whose shard is gone, or has another size than the manifest says, counts as never built.

    Raises
    ------
    OutputError
        Where the folder is not ours, has other settings, or is damaged.
    """
    if not out.exists():
        return {}
    if not out.is_dir():
        raise OutputError(f"{out}: is a file; give a folder for the output")
    # a run that was killed at once leaves no more than these
    names = {one.name for one in out.iterdir() if one.name != LOCK and not is_temporary(one)}
    if not names:
        return {}
    if "stmap.toml" not in names or ("dataset_description.json" not in names and len(names) > 1):
        raise OutputError(f"{out}: is not empty and not an output of stmap; give another folder")
    differences = config.differences(Config.from_toml(out / "stmap.toml"))
    if "dataset_description.json" in names:
        before, now = description_of(out), (database, pipeline_version)
        what = ("database", "pipeline version")
        differences += [f"{key}: {old} -> {new}" for key, old, new in zip(what, before, now, strict=True) if old != new]
    if differences:
        folder = "another folder"
        if all(one.startswith(AFTER_FACES) for one in differences):
            folder += f", with --reuse {shlex.quote(str(out))} to take over what the settings leave as it is"
        raise OutputError(
            f"{out}: was built with other settings ({'; '.join(differences)}); give {folder}, or the same settings as in {out / 'stmap.toml'}"
        )
    return known_outcomes(out)


def known_outcomes(out: Path) -> dict[str, Earlier]:
    """Give the outcomes that an output tells of, finished or not.

    Raises
    ------
    OutputError
        Where its tables are damaged.
    """
    found = {one.outcome.recording_id: one for one in (_of_tables(out) if (out / "manifest.json").is_file() else _of_shards(out))}
    for outcome in Work(out).outcomes():
        found[outcome.recording_id] = Earlier(outcome)
    return found


def _of_tables(out: Path) -> Iterator[Earlier]:
    try:
        with Shards(out) as shards:
            keys = {one.recording_id: str(one.attributes.get("source_key", "")) for one in shards.recordings()}
            outcomes = shards.outcomes()
            sizes = {entry.path: entry.bytes for entry in shards.manifest.files}
    except ShardError as error:
        raise OutputError(
            f"{out}: its tables are damaged ({error}); remove {out / 'manifest.json'} and run the same command again: what is in the "
            "shards is kept"
        ) from None
    # where an update was stopped while it wrote shards, they are newer than the manifest
    updating = Work(out).folder.exists()
    for one in outcomes:
        if one.status == "ok":
            name = f"shards/{one.subject}.h5"
            try:
                size = (out / name).stat().st_size
            except OSError:
                continue
            if size != sizes.get(name) and not updating:
                continue
        yield Earlier(one, keys.get(one.recording_id, ""))


def _of_shards(out: Path) -> Iterator[Earlier]:
    """Give the recordings of shards that read well, for an output without a manifest."""
    for path in sorted((out / "shards").glob("[!.]*.h5")):
        try:
            for result in read_shard(path):
                one = result.recording
                if one.subject == path.stem:
                    yield Earlier(Outcome(one.recording_id, one.subject, "ok"), str(result.attributes.get("source_key", "")))
        except ShardError:
            # what of it was read is known; the rest is built again
            continue


def description_of(out: Path) -> tuple[str, int]:
    """Give the database of an output and the version of the pipeline that built it.

    Raises
    ------
    OutputError
        Where the description cannot be read.
    """
    try:
        text = json.loads((out / "dataset_description.json").read_bytes())
        return text["SourceDatasets"][0]["Key"], text["PipelineVersion"]
    except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise OutputError(f"{out / 'dataset_description.json'}: cannot be read; move the output away and build anew") from None
