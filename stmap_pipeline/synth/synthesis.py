"""Write drawn databases, recording by recording in parallel; a run that was stopped resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from stmap_pipeline import registry
from stmap_pipeline.config import compare_settings
from stmap_pipeline.databases.synthetic import FILE_NAME, FORMAT, SCHEMA_VERSION
from stmap_pipeline.errors import ConfigError, OtherSettingsError, OutputError
from stmap_pipeline.files import atomic_write_text, remove_temporaries
from stmap_pipeline.parallel import one_thread, unordered
from stmap_pipeline.synth.layouts import SETTINGS, Layout, SettingName
from stmap_pipeline.synth.recordings import RecordingPlan, SyntheticRecording

GENERATOR_VERSION = 1
"""Raised with each change that alters a pixel or a label, so that outputs of two generators are never mixed in one folder."""

_UNFINISHED = "synthetic.partial.json"


@dataclass(frozen=True, slots=True)
class Synthesis:
    """A drawn database that is to be written. Made by :func:`plan_synthesis`.

    Parameters
    ----------
    out : Path
    settings : dict
        What decides every byte; stored in ``synthetic.json``.
    recordings : tuple of RecordingPlan
        In the order of their ids.
    """

    out: Path
    settings: dict[str, Any]
    recordings: tuple[RecordingPlan, ...]

    def run(self, jobs: int = 1) -> Iterator[SyntheticRecording]:
        """Write what is missing and yield each recording when it is finished, those of an earlier run first.

        ``synthetic.json`` is written last: with it the database is complete. Running again, also after a kill, resumes.

        Parameters
        ----------
        jobs : int
            Number of processes. The bytes do not depend on it.

        Raises
        ------
        OutputError
            Where the folder holds something else, or cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     done = list(plan_synthesis(Path(name), "folder", 1, seed=5, duration_s=1.0).run())
        ...     sorted(path.name for path in Path(name).iterdir())[:4]
        ['database.toml', 's01_free.avi', 's01_rest.csv', 's01_rest.mp4']
        """
        complete = self.check_output()
        if not complete:
            # beside this file, every temporary name belongs to a killed run
            atomic_write_text(self.out / _UNFINISHED, _json(self.settings))
            remove_temporaries(self.out)
        missing: list[RecordingPlan] = []
        for one in self.recordings:
            if complete or (self.out / one.path).exists():
                yield replace(one.metadata(), resumed=True)
            else:
                missing.append(one)
        if complete:
            return
        layout: Layout = registry.load("layouts", self.settings["layout"])
        write = partial(_write, layout, self.out.absolute())
        yield from map(write, missing) if jobs < 2 or len(missing) < 2 else unordered(write, missing, jobs)
        layout.finish(self.out, self.recordings)
        stored = [asdict(one.metadata()) for one in self.recordings]
        for entry in stored:
            del entry["resumed"]
        content = {"format": FORMAT, "schema_version": SCHEMA_VERSION, **self.settings, "recordings": stored}
        atomic_write_text(self.out / FILE_NAME, _json(content))
        (self.out / _UNFINISHED).unlink(missing_ok=True)

    def check_output(self) -> bool:
        """Check whether the database is complete already; writes nothing.

        Raises
        ------
        OutputError
            Where the folder holds something else, or a synthetic database of other settings.
        """
        for name in (FILE_NAME, _UNFINISHED):
            path = self.out / name
            if path.is_file():
                try:
                    found = json.loads(path.read_text("utf-8"))
                    found = {key: value for key, value in found.items() if key not in ("format", "schema_version", "recordings")}
                except (OSError, ValueError, AttributeError):
                    raise OutputError(f"{path}: is damaged; remove {self.out} or give another folder") from None
                check_settings(self.out, found, self.settings)
                return name == FILE_NAME
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            what = "is not empty" if self.out.is_dir() else "is a file"
            raise OutputError(f"{self.out}: {what} and holds no synthetic database; give a new or an empty folder")
        return False


def plan_synthesis(
    out: Path,
    layout: str,
    subjects: int,
    seed: int = 0,
    *,
    duration_s: float = 20.0,
    setting: SettingName = "easy",
) -> Synthesis:
    """Plan a drawn database and check that it can be written to ``out``.

    Two subjects already show each quirk of a layout.

    Parameters
    ----------
    out : Path
        New, empty, or with a synthesis of the same settings.
    layout : str
        Whose tree to write: a name of the registry ``layouts``, most of the databases.
    subjects : int
        From 1; at most as many as the database has.
    seed : int
        From 0. The same seed gives the same bytes on one machine.
    duration_s : float
        Length of each video; windows of 300 frames at 16 frames/s need 19 s.
    setting : {"easy", "hard", "mixed"}
        Sitting still; large motion, talk and dim, drifting light; or both in turn.

    Raises
    ------
    UnknownNameError
        Where there is no such layout.
    ConfigError
        Where another parameter is not allowed.
    OutputError
        Where ``out`` holds something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     synthesis = plan_synthesis(Path(name), "mmse-hr", 2, seed=1)
    >>> [one.recording_id for one in synthesis.recordings]
    ['F013_T01', 'F013_T10', 'F014_T10', 'F014_T11']
    """
    layout = registry.find("layouts", layout)
    chosen: Layout = registry.load("layouts", layout)
    if setting not in SETTINGS:
        raise ConfigError(f"no setting is called {setting!r} (known: {', '.join(SETTINGS)})")
    most = chosen.most_subjects
    if not 1 <= subjects <= most:
        raise ConfigError(f"{layout} has 1 to {most} subjects, not {subjects}")
    check_seed_and_duration(seed, duration_s)
    settings = {
        "generator_version": GENERATOR_VERSION,
        "layout": layout,
        "subjects": subjects,
        "seed": seed,
        "setting": setting,
        "duration_s": float(duration_s),
    }
    recordings = chosen.plan(subjects, seed, setting, float(duration_s))
    synthesis = Synthesis(Path(out), settings, tuple(sorted(recordings, key=lambda one: one.recording_id)))
    synthesis.check_output()
    return synthesis


def check_seed_and_duration(seed: int, duration_s: float) -> None:
    """Raise ConfigError where a seed is negative or a recording shorter than 1 s or longer than an hour."""
    if seed < 0:
        raise ConfigError(f"a seed is a whole number from 0, not {seed}")
    if not 1 <= duration_s <= 3600:
        raise ConfigError(f"a recording lasts 1 to 3600 s, not {duration_s}")


def check_settings(out: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise OtherSettingsError where a folder was written with other settings."""
    if changed := compare_settings(found, wanted):
        raise OtherSettingsError(out, "was written with other settings", changed, "give another folder or the same settings")


def _write(layout: Layout, out: Path, recording: RecordingPlan) -> SyntheticRecording:
    with one_thread():
        layout.write(out, recording)
    return recording.metadata()


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"
