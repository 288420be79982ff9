"""Simulated databases: the recordings, gaps, folds and heart rates of VIPL-HR, written as a finished build without any video.

:mod:`stmap_pipeline.simulation.trace_model` simulates a recording; this module lists the recordings, and the code of a build writes shards,
tables and manifest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import Config
from stmap_pipeline.databases.base import Database
from stmap_pipeline.databases.vipl_hr import official_folds
from stmap_pipeline.errors import ConfigError, OutputError, ShardError
from stmap_pipeline.files import atomic_write_text, is_temporary, read_bytes, remove_temporaries
from stmap_pipeline.lock import LOCK, locked
from stmap_pipeline.parallel import unordered
from stmap_pipeline.pipeline.build import write_output
from stmap_pipeline.pipeline.sources import PIPELINE_VERSION
from stmap_pipeline.pipeline.worker import Rows, rows_of
from stmap_pipeline.records import Outcome
from stmap_pipeline.shards import read_recording, recording_path, write_recording
from stmap_pipeline.shards.manifest import MAX_BYTES
from stmap_pipeline.simulation.face import COLS, ROWS
from stmap_pipeline.simulation.trace_model import NAME, TracePlan, simulate
from stmap_pipeline.synth.synthesis import check_seed_and_duration, check_settings
from stmap_pipeline.version import __version__

TRACES_VERSION = 1
"""Raised with each change that alters a number, so that outputs of two generators are never mixed in one folder."""

SUBJECTS = 107
FOLDS = 5
#: First heart rate of a band of 10 bpm -> how many of the 2,377 labeled videos of VIPL-HR have their mean in it.
VIDEOS_BY_RATE_BPM = {40: 5, 50: 144, 60: 541, 70: 926, 80: 500, 90: 155, 100: 66, 110: 29, 120: 8, 130: 3}
#: Scenario -> how many recordings of it each camera of VIPL-HR has.
TAKES = {
    "v1": (95, 107, 107),
    "v2": (93, 107, 107),
    "v3": (95, 106, 106),
    "v4": (96, 107, 107),
    "v5": (93, 107, 106),
    "v6": (94, 106, 106),
    "v7": (91, 106, 105),
    "v8": (0, 106, 0),
    "v9": (0, 105, 0),
}
_SECOND_TAKES = 20
_SLOW_HZ = 16.2
# how far a scenario moves a heart rate, in units of the spread between people; v7 comes after rope skipping
_SCENARIO_SHIFT = {"v2": 0.2, "v3": 0.15, "v7": 2.1, "v9": 0.1}
# known gaps: subject, scenario ("" for all), camera (0 for all)
_ABSENT = {
    *((subject, "", 1) for subject in range(97, 108)),
    (84, "v1", 1),
    *((56, scenario, 0) for scenario in ("v6", "v7", "v8", "v9")),
    (42, "v3", 0),
    (45, "v9", 0),
}
# subject, scenario, camera, take
_Slot = tuple[int, str, int, int]


def vipl_rates(count: int) -> npt.NDArray[np.float64]:
    """Return ``count`` mean heart rates in bpm, ascending, distributed as those of the videos of VIPL-HR.

    Examples
    --------
    >>> rates = vipl_rates(2377)
    >>> int((rates < 60).sum()), int(((rates >= 70) & (rates < 80)).sum()), int((rates >= 100).sum())
    (149, 926, 106)
    """
    numbers = np.array(list(VIDEOS_BY_RATE_BPM.values()))
    edges = np.array([*VIDEOS_BY_RATE_BPM, max(VIDEOS_BY_RATE_BPM) + 10], dtype=np.float64)
    share = np.concatenate(([0.0], np.cumsum(numbers) / numbers.sum()))
    return np.interp((np.arange(count) + 0.5) / count, share, edges)


def plan_recordings(subjects: int, seed: int, per_subject: int | None, duration_s: float) -> list[TracePlan]:
    """List the recordings of a simulated database in the order of their ids.

    Parameters
    ----------
    subjects : int
        With 107, recordings and folds are those of VIPL-HR: known gaps are kept, the other gaps are drawn.
    seed : int
    per_subject : int, optional
        Take this many recordings of each subject, drawn over scenarios and cameras; all where not given.
    duration_s : float
        Usual length; single recordings last 0.9 to 1.2 times as long.

    Examples
    --------
    >>> plans = plan_recordings(107, 0, None, 30.0)
    >>> len(plans), len({one.subject for one in plans}), plans[0].recording_id
    (2378, 107, 'p001_v1_source1')
    >>> [one.recording_id for one in plan_recordings(1, 0, 3, 30.0)]
    ['p001_v2_source3', 'p001_v3_source2', 'p001_v5_source2']
    """
    random = np.random.default_rng([seed, 1])
    slots = _slots(subjects, random)
    if per_subject is not None:
        own = [[one for one in slots if one[0] == number] for number in range(1, subjects + 1)]
        slots = [one[index] for one in own for index in sorted(random.permutation(len(one))[:per_subject].tolist())]
    rates = _rates(slots, random)
    folds = official_folds() if subjects == SUBJECTS else {}
    poor_light = random.random(subjects + 1) < 0.2
    plans = []
    for (number, scenario, camera, take), mean_bpm in zip(slots, rates.tolist(), strict=True):
        # the webcam slows down in poor light; VIPL-HR has about 16 frames a second in nearly all of v5 and in a fifth of v1
        slow = camera == 1 and (scenario == "v5" or poor_light[number])
        name = scenario if take == 1 else f"{scenario}-{take}"
        plans.append(
            TracePlan(
                recording_id=f"p{number:03d}_{name}_source{camera}",
                subject=f"p{number:03d}",
                number=number,
                scenario=scenario,
                camera=camera,
                take=take,
                fold=folds.get(number, 1 + (number - 1) % FOLDS),
                mean_bpm=mean_bpm,
                rate_hz={1: _SLOW_HZ if slow else 25.0, 2: 30.0, 3: 29.9}[camera],
                duration_s=float(duration_s * random.uniform(0.9, 1.2)),
            )
        )
    return sorted(plans, key=lambda one: one.recording_id)


def _slots(subjects: int, random: np.random.Generator) -> list[_Slot]:
    """List which subject has which recording."""
    found: list[_Slot] = []
    for scenario, takes in TAKES.items():
        for camera, count in enumerate(takes, 1):
            gaps = {number for number, s, c in _ABSENT if s in ("", scenario) and c in (0, camera)}
            present = [number for number in range(1, subjects + 1) if count and number not in gaps]
            if subjects == SUBJECTS:
                present = sorted(random.choice(present, count, replace=False).tolist())
            found += [(number, scenario, camera, 1) for number in present]
    # 20 second takes in VIPL-HR; with fewer subjects in proportion
    repeated = random.permutation(len(found))[: round(_SECOND_TAKES * subjects / SUBJECTS)]
    found += [(*found[index][:3], 2) for index in repeated.tolist()]
    return sorted(found)


def _rates(slots: list[_Slot], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Rank all recordings by what is known to move a heart rate, and assign the rates by rank."""
    number = np.array([one[0] for one in slots])
    person = random.normal(0, 1.0, int(number.max()) + 1)[number]
    # cameras of one take film the same minute
    drawn: dict[tuple[int, str, int], float] = {}
    day = np.array([drawn.setdefault((n, s, t), float(random.normal(0, 0.6))) for n, s, _, t in slots])
    shift = np.array([_SCENARIO_SHIFT.get(one[1], 0.0) for one in slots])
    rank = person + day + shift + random.normal(0, 0.15, len(slots))
    rates = np.empty(len(slots))
    rates[np.argsort(rank, kind="stable")] = vipl_rates(len(slots))
    return rates


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

    def run(self, jobs: int = 1) -> Iterator[str]:
        """Write what is missing and yield the id of each recording when it is written; tables and manifest come last.

        The output is complete when the iterator ends. After a kill the same call resumes; the bytes do not depend on the number of
        processes.

        Raises
        ------
        OutputError
            Where the folder holds something else or cannot be written.
        """
        if self.check_output():
            yield from (one.recording_id for one in self.recordings)
            return
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with locked(self.out):
                yield from self._run(jobs)
        except OSError as error:
            raise OutputError(f"{error.filename or self.out}: cannot be written ({error.strerror}); fix it and run again") from None

    def check_output(self) -> bool:
        """Check whether the maps are complete already; writes nothing.

        Raises
        ------
        OutputError
            Where the folder holds something else, or simulated maps of other settings.
        """
        description = self.out / "dataset_description.json"
        if description.is_file():
            try:
                found = json.loads(read_bytes(description, MAX_BYTES)).get("Simulation")
            except (OSError, ValueError, AttributeError):
                raise OutputError(f"{description}: is damaged; remove {self.out} or give another folder") from None
            if not isinstance(found, dict):
                raise OutputError(f"{self.out}: holds the maps of another database; give a new or an empty folder")
            written = self.out / "stmap.toml"
            earlier = Config.from_toml(written) if written.is_file() else self.config
            check_settings(self.out, found | earlier.model_dump(), self.settings | self.config.model_dump())
            return (self.out / "manifest.json").is_file()
        if self.out.exists() and not self.out.is_dir():
            raise OutputError(f"{self.out}: is a file; give a folder for the maps")
        # a run that was killed at once leaves no more than these
        if self.out.is_dir() and any(one.name != LOCK and not is_temporary(one) for one in self.out.iterdir()):
            raise OutputError(f"{self.out}: is not empty and holds no simulated maps; give a new or an empty folder")
        return False

    def _run(self, jobs: int) -> Iterator[str]:
        remove_temporaries(self.out)
        atomic_write_text(self.out / "dataset_description.json", json.dumps(self._description(), indent=2, sort_keys=True) + "\n")
        atomic_write_text(self.out / "stmap.toml", self.config.to_toml())
        write = partial(_write, self.out.absolute(), self.settings["seed"], self.settings["severity"], self.config)
        found: list[Rows] = []
        for rows in map(write, self.recordings) if jobs < 2 else unordered(write, self.recordings, jobs):
            found.append(rows)
            yield rows.outcome.recording_id
        write_output(self.out, self.config, _DATABASE.name, found, simulated=True)

    def _description(self) -> dict[str, Any]:
        options = (
            f"--subjects {self.settings['subjects']} --seed {self.settings['seed']} --duration {self.settings['duration_s']:g}"
        )
        if self.settings["recordings_per_subject"]:
            options += f" --recordings-per-subject {self.settings['recordings_per_subject']}"
        if self.config != Config():
            options += " --config stmap.toml"
        return {
            "Name": "Simulated spatial-temporal maps: synthetic data without video",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "stmap", "Version": __version__, "Command": f"stmap synth OUT --traces {options}"}],
            "SourceDatasets": [{"Name": _DATABASE.title, "Key": NAME, "License": _DATABASE.license, "BibTeX": ""}],
            "PipelineVersion": PIPELINE_VERSION,
            "Simulated": True,
            "Simulation": self.settings,
        }


def plan_traces(
    out: Path,
    subjects: int = SUBJECTS,
    seed: int = 0,
    *,
    recordings_per_subject: int | None = None,
    duration_s: float = 30.0,
    severity: float = 1.0,
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
    ...     with Shards(Path(name) / "maps") as shards:
    ...         print(done, shards.simulated)
    ['p001_v7_source3', 'p002_v5_source2'] True
    """
    config = config or Config()
    if not 1 <= subjects <= 999:
        raise ConfigError(f"simulated maps have 1 to 999 subjects, not {subjects}")
    check_seed_and_duration(seed, duration_s)
    if recordings_per_subject is not None and recordings_per_subject < 1:
        raise ConfigError(f"a subject has at least one recording, not {recordings_per_subject}")
    if not (math.isfinite(severity) and severity >= 0):
        raise ConfigError(f"severity is a factor from 0, not {severity}")
    if (config.blocks.rows, config.blocks.cols) != (ROWS, COLS):
        raise ConfigError(f"simulated maps have {ROWS} x {COLS} blocks, not {config.blocks.rows} x {config.blocks.cols}")
    settings = {
        "traces_version": TRACES_VERSION,
        "subjects": subjects,
        "seed": seed,
        "recordings_per_subject": recordings_per_subject,
        "duration_s": float(duration_s),
        "severity": float(severity),
    }
    recordings = tuple(plan_recordings(subjects, seed, recordings_per_subject, float(duration_s)))
    synthesis = TraceSynthesis(Path(out), settings, config, recordings)
    synthesis.check_output()
    return synthesis


def _write(out: Path, seed: int, severity: float, config: Config, plan: TracePlan) -> Rows:
    """Write a recording that is missing, and return its rows of the tables."""
    path = recording_path(out, plan.recording_id)
    try:
        result = read_recording(path)
    except ShardError:
        result = write_recording(path, simulate(plan, seed, severity))
    return Rows(Outcome(plan.recording_id, plan.subject, "ok"), *rows_of(result, config))


_DATABASE = Database(
    name=NAME,
    title="simulated traces with the recordings, folds and heart rates of VIPL-HR",
    license="none needed: synthetic data",
    access="stmap synth OUT --traces",
    citation="",
    layout="",
    list_recordings=lambda _: iter(()),
    simulated=True,
)
