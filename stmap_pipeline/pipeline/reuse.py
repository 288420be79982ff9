"""What another output holds of the same recordings, made with other settings, and what of it need not be made again.

Traces are taken over where only windows or limits differ: nothing is decoded. Landmarks are taken over where the grid, the box or
the mask differ, too: the video is decoded and not tracked. Either way the new output has the bytes of one that was built in full.
Labels and files of frame times are small, so they are always read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stmap_pipeline.config import Config
from stmap_pipeline.errors import OutputError, ShardError
from stmap_pipeline.labels import read_frame_times
from stmap_pipeline.pipeline.attributes import ATTRIBUTES
from stmap_pipeline.pipeline.earlier import AFTER_FACES, Earlier, description_of, known_outcomes
from stmap_pipeline.pipeline.source import source_key
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Recording, RecordingResult
from stmap_pipeline.records.outcome import Reused
from stmap_pipeline.shards import read_one


class NotReusableError(Exception):
    """What is stored of a recording cannot be taken over, so it is built in full; the text says why."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """What is taken over, and from where.

    Parameters
    ----------
    maps : Path
        The other output, absolute.
    level : {"", "landmarks", "traces"}
    why : str
        The settings that keep more from being taken over.
    """

    maps: Path
    level: Reused
    why: str = ""


def plan_reuse(maps: Path, out: Path, database: str, config: Config, pipeline_version: int) -> Reuse:
    """Compare the settings of an earlier output with those of a build.

    Raises
    ------
    OutputError
        Where it is no output of a build, that of another database, or the one that is to be built.
    ConfigError
        Where its settings cannot be read.
    """
    if not maps.is_dir():
        raise OutputError(f"{maps}: no such folder; give --reuse the OUT of an earlier build")
    if maps.resolve() == out.resolve():
        raise OutputError(f"{maps}: cannot be both OUT and --reuse; give another folder for OUT, and both are kept")
    if not (maps / "stmap.toml").is_file():
        raise OutputError(f"{maps}: is no output of stmap build-maps; give --reuse the OUT of an earlier build")
    before = Config.from_toml(maps / "stmap.toml")
    made_of, version = description_of(maps)
    if made_of != database:
        raise OutputError(f"{maps}: holds maps of {made_of}, not of {database}; nothing of it can be reused")
    differences = config.differences(before)
    of_blocks = [one for one in differences if one.startswith("blocks.")]
    if config.limits.max_clock_mismatch < before.limits.max_clock_mismatch:
        # only decoding tells whether the new limit holds
        of_blocks += [one for one in differences if one.startswith("limits.max_clock_mismatch")]
    of_faces = [one for one in differences if not one.startswith(AFTER_FACES)]
    if version != pipeline_version:
        of_faces.append(f"pipeline version: {version} -> {pipeline_version}")
    level: Reused = "" if of_faces else "landmarks" if of_blocks else "traces"
    return Reuse(maps.absolute(), level, "; ".join(of_faces or of_blocks))


def reusable(reuse: Reuse) -> dict[str, Earlier]:
    """Give the recordings of which something can be taken over, as far as can be told without reading them.

    Raises
    ------
    OutputError
        Where the earlier output is damaged.
    """
    if not reuse.level:
        return {}
    try:
        return {name: one for name, one in known_outcomes(reuse.maps).items() if one.outcome.status == "ok"}
    except (OutputError, ShardError) as error:
        raise OutputError(f"--reuse: {error}") from None


def read_stored(reuse: Reuse, recording: Recording) -> RecordingResult:
    """Read what is stored of a recording, compared with its checksum.

    Raises
    ------
    NotReusableError
        Where it is missing or damaged, or was made of another source.
    """
    part = Work(reuse.maps).part(recording.recording_id)
    # an unfinished output has the newer ones there
    path = part if part.is_file() else reuse.maps / "shards" / f"{recording.subject}.h5"
    try:
        stored = read_one(path, recording.recording_id)
    except ShardError as error:
        raise NotReusableError(str(error)) from None
    if stored.attributes.keys() != ATTRIBUTES.keys():
        raise NotReusableError(f"{path}: was written by another version")
    if stored.attributes["source_key"] != source_key(recording):
        raise NotReusableError("the source has changed since")
    return stored


def check_times(recording: Recording, stored: RecordingResult) -> None:
    """Compare the stored times with the file that they came from, where there is one.

    Raises
    ------
    NotReusableError
        Where they are not in it.
    RecordingError
        Where it cannot be read.
    """
    clock = recording.clock
    if clock.kind == "times_file" and clock.path is not None:
        listed_s = read_frame_times(clock.path, clock.unit_s, clock.column)
        if not np.isin(stored.blocks.times_s, listed_s).all():
            raise NotReusableError(f"{clock.path.name} holds other times than before")


def check_facts(now: RecordingResult, stored: RecordingResult) -> None:
    """Compare what was found while decoding with what was found before.

    Raises
    ------
    NotReusableError
        With the facts that differ.
    """
    # by their text, in which unknown equals unknown
    different = [name for name, value in now.attributes.items() if str(value) != str(stored.attributes.get(name))]
    if different:
        raise NotReusableError(f"the video decodes differently: {', '.join(different)}")
