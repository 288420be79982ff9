"""Simulated maps of the size of a database, written as a finished build without any video.

:mod:`.traces_cast` says who, when and at which rate, :mod:`.traces_pulse` makes the heart, :mod:`.traces_model` what a camera would
see of it, :mod:`.traces_simulate` puts them together; here they become shards, tables and a manifest, by the same code as a build.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.databases.base import Database
from stmap_pipeline.errors import ConfigError, OutputError, ShardError
from stmap_pipeline.files import is_temporary
from stmap_pipeline.lock import LOCK, locked
from stmap_pipeline.parallel import unordered
from stmap_pipeline.pipeline.assemble import assemble
from stmap_pipeline.pipeline.plan import PIPELINE_VERSION, BuildPlan
from stmap_pipeline.records import Outcome
from stmap_pipeline.shards import atomic_write_text, forget_augmentation, recording_ids, remove_temporaries, write_shard
from stmap_pipeline.synth.settings import changed_settings
from stmap_pipeline.synth.traces_cast import SUBJECTS, TracePlan, cast
from stmap_pipeline.synth.traces_layout import COLS, ROWS
from stmap_pipeline.synth.traces_model import SEVERITY
from stmap_pipeline.synth.traces_simulate import NAME, simulate
from stmap_pipeline.version import __version__

TRACES_VERSION = 1
"""Raised with each change that moves a number: parts of two generators never stand in one folder."""

_SIMULATION = "Simulation"
_SHORTEST_S = 1.0


@dataclass(frozen=True, slots=True)
class TraceSynthesis:
    """Simulated maps that are to be written. Made by :func:`plan_traces`.

    Parameters
    ----------
    out : Path
    settings : dict
        What decides every number; stored in ``dataset_description.json``.
    config : Config
        Windows of the build.
    recordings : tuple of TracePlan
        In the order of their ids.
    """

    out: Path
    settings: dict[str, Any]
    config: Config
    recordings: tuple[TracePlan, ...]

    @property
    def subjects(self) -> int:
        """Number of subjects, each of which is one shard."""
        return len({one.subject for one in self.recordings})

    def run(self, jobs: int = 1) -> Iterator[str]:
        """Write what is not there yet and yield each subject when its shard is; tables and manifest come last.

        The output is complete when the iterator ends. After a kill the same call goes on; the bytes are the same for each
        number of processes.

        Raises
        ------
        ConfigError
            Where ``jobs`` is below 1.
        OutputError
            Where the folder holds something else or cannot be written.
        """
        if jobs < 1:
            raise ConfigError(f"jobs must be at least 1, not {jobs}")
        groups = [(name, tuple(group)) for name, group in groupby(self.recordings, key=lambda one: one.subject)]
        if self.check_output():
            yield from (name for name, _ in groups)
            return
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with locked(self.out):
                yield from self._run(groups, jobs)
        except OSError as error:
            raise OutputError(
                f"{error.filename or self.out}: cannot be written ({error.strerror}); mend it and run again"
            ) from None

    def check_output(self) -> bool:
        """Tell whether the maps are complete already; write nothing.

        Raises
        ------
        OutputError
            Where the folder holds something else, or simulated maps of other settings.
        """
        description = self.out / "dataset_description.json"
        if description.is_file():
            self._same_settings(description)
            return (self.out / "manifest.json").is_file()
        if self.out.exists() and not self.out.is_dir():
            raise OutputError(f"{self.out}: is a file; give a folder for the maps")
        # a run that was killed at once leaves no more than these
        if self.out.is_dir() and any(one.name != LOCK and not is_temporary(one) for one in self.out.iterdir()):
            raise OutputError(f"{self.out}: is not empty and holds no simulated maps; give a new or an empty folder")
        return False

    def _run(self, groups: list[tuple[str, tuple[TracePlan, ...]]], jobs: int) -> Iterator[str]:
        forget_augmentation(self.out)
        remove_temporaries(self.out)
        atomic_write_text(self.out / "dataset_description.json", json.dumps(self._description(), indent=2, sort_keys=True) + "\n")
        atomic_write_text(self.out / "stmap.toml", self.config.to_toml())
        folder = self.out / "shards"
        folder.mkdir(exist_ok=True)
        waiting = []
        for name, plans in groups:
            if _is_whole(folder / f"{name}.h5", [one.recording_id for one in plans]):
                yield name
            else:
                waiting.append(plans)
        write = partial(_write_subject, folder, self.settings["seed"], self.settings["severity"])
        yield from (write(plans) for plans in waiting) if jobs == 1 or len(waiting) < 2 else unordered(write, waiting, jobs)
        outcomes = tuple(Outcome(one.recording_id, one.subject, "ok") for one in self.recordings)
        assemble(BuildPlan(_DATABASE, self.out, self.out, self.config, (), (), outcomes, complete=False))

    def _description(self) -> dict[str, Any]:
        options = (
            f"--subjects {self.settings['subjects']} --seed {self.settings['seed']} --duration {self.settings['duration_s']:g}"
        )
        if self.settings["recordings_per_subject"]:
            options += f" --recordings-per-subject {self.settings['recordings_per_subject']}"
        if self.config != Config():
            options += " --config stmap.toml"
        return {
            "Name": "Simulated spatial-temporal maps: nobody was filmed and no picture was drawn",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "stmap", "Version": __version__, "Command": f"stmap synth OUT --traces {options}"}],
            "SourceDatasets": [{"Name": _DATABASE.title, "Key": NAME, "License": _DATABASE.license, "BibTeX": ""}],
            "PipelineVersion": PIPELINE_VERSION,
            "Simulated": True,
            _SIMULATION: self.settings,
        }

    def _same_settings(self, path: Path) -> None:
        try:
            told = json.loads(path.read_bytes())
            found = told.get(_SIMULATION) if isinstance(told, dict) else None
        except (OSError, ValueError, RecursionError):
            raise OutputError(f"{path}: is damaged; remove {self.out} or give another folder") from None
        if not isinstance(found, dict):
            raise OutputError(f"{self.out}: holds the maps of another database; give a new or an empty folder")
        changed = changed_settings(found, self.settings)
        if (self.out / "stmap.toml").is_file():
            changed += self.config.differences(Config.from_toml(self.out / "stmap.toml"))
        if changed:
            raise OutputError(
                f"{self.out}: holds simulated maps of other settings ({'; '.join(changed)}); give another folder or the same settings"
            )


def plan_traces(
    out: Path,
    subjects: int = SUBJECTS,
    seed: int = 0,
    *,
    recordings_per_subject: int | None = None,
    duration_s: float = 30.0,
    severity: float = SEVERITY,
    config: Config | None = None,
) -> TraceSynthesis:
    """Plan simulated maps and check that they can be written to ``out``.

    Parameters
    ----------
    out : Path
        New, empty, or with simulated maps of the same settings.
    subjects : int
        From 1 to 999. 107 give the 2,378 recordings and the official folds of VIPL-HR; others have five folds in turn.
    seed : int
        From 0. The same seed gives the same bytes on one machine.
    recordings_per_subject : int, optional
        At most so many of each subject, drawn over scenarios and cameras; all, about 22, where not given.
    duration_s : float
        Usual length of a recording; single ones last 0.9 to 1.2 times as long.
    severity : float
        Factor on all that hides the pulse; 0 is the pulse alone.
    config : Config, optional
        Only its windows matter; the grid is 5 x 5.

    Raises
    ------
    ConfigError
        Where a parameter is not allowed.
    OutputError
        Where ``out`` holds something else.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.shards import Shards
    >>> with tempfile.TemporaryDirectory() as name:
    ...     done = list(plan_traces(Path(name) / "maps", 2, recordings_per_subject=1, duration_s=20).run())
    ...     with Shards(Path(name) / "maps") as maps:
    ...         print(done, maps.simulated, [one.recording_id for one in maps.recordings()])
    ['p001', 'p002'] True ['p001_v7_source3', 'p002_v5_source2']
    """
    settings = config or Config()
    if not 1 <= subjects <= 999:
        raise ConfigError(f"simulated maps have 1 to 999 subjects, not {subjects}")
    if seed < 0:
        raise ConfigError(f"a seed is a whole number from 0, not {seed}")
    if recordings_per_subject is not None and recordings_per_subject < 1:
        raise ConfigError(f"a subject has at least one recording, not {recordings_per_subject}")
    if not _SHORTEST_S <= duration_s <= 3600:
        raise ConfigError(f"a recording lasts {_SHORTEST_S:g} to 3600 s, not {duration_s}")
    if not (math.isfinite(severity) and severity >= 0):
        raise ConfigError(f"severity is a factor from 0, not {severity}")
    if (settings.blocks.rows, settings.blocks.cols) != (ROWS, COLS):
        raise ConfigError(f"simulated maps have {ROWS} x {COLS} blocks, not {settings.blocks.rows} x {settings.blocks.cols}")
    told = {
        "traces_version": TRACES_VERSION,
        "subjects": subjects,
        "seed": seed,
        "recordings_per_subject": recordings_per_subject,
        "duration_s": float(duration_s),
        "severity": float(severity),
    }
    plans = tuple(cast(subjects, seed, recordings_per_subject, float(duration_s)))
    synthesis = TraceSynthesis(Path(out), told, settings, plans)
    synthesis.check_output()
    return synthesis


def _write_subject(folder: Path, seed: int, severity: float, plans: tuple[TracePlan, ...]) -> str:
    subject = plans[0].subject
    # an iterator: a subject has up to 24 recordings, and one is enough in memory
    write_shard(folder / f"{subject}.h5", (simulate(one, seed, severity) for one in plans))
    return subject


def _is_whole(path: Path, ids: list[str]) -> bool:
    try:
        return path.is_file() and recording_ids(path) == ids
    except ShardError:
        return False


_DATABASE = Database(
    name=NAME,
    title="simulated traces with the recordings, folds and heart rates of VIPL-HR",
    license="none needed: nobody was filmed",
    access="stmap synth OUT --traces",
    citation="",
    layout="",
    list_recordings=lambda _: iter(()),
    simulated=True,
)
