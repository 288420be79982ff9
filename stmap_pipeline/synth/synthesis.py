"""Plan a synthetic database, write it recording by recording, and go on where an earlier run stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from stmap_pipeline.databases.synthetic import FILE_NAME, FORMAT, SCHEMA_VERSION
from stmap_pipeline.errors import ConfigError, OutputError
from stmap_pipeline.files import atomic_write_text, remove_temporaries
from stmap_pipeline.parallel import one_thread, unordered
from stmap_pipeline.synth import folder, mmse, vipl
from stmap_pipeline.synth.recording import RecordingPlan, SyntheticRecording
from stmap_pipeline.synth.settings import changed_settings

GENERATOR_VERSION = 1
"""Raised with each change that moves a pixel or a label: parts of two generators never stand in one folder."""

_UNFINISHED = "synthetic.partial.json"
_SHORTEST_S = 1.0

LayoutName = Literal["vipl-hr", "mmse-hr", "folder"]
SettingName = Literal["easy", "hard", "mixed"]


@dataclass(frozen=True, slots=True)
class _Layout:
    plan: Callable[..., list[RecordingPlan]]
    write: Callable[[Path, RecordingPlan], None]
    finish: Callable[[Path, Sequence[RecordingPlan]], None]
    most_subjects: int


_LAYOUTS = {
    "vipl-hr": _Layout(vipl.plan, vipl.write, vipl.finish, vipl.MOST_SUBJECTS),
    "mmse-hr": _Layout(mmse.plan, mmse.write, mmse.finish, mmse.MOST_SUBJECTS),
    "folder": _Layout(folder.plan, folder.write, folder.finish, folder.MOST_SUBJECTS),
}
LAYOUTS = tuple(_LAYOUTS)
"""Names of the layouts."""
SETTINGS = ("easy", "hard", "mixed")
"""Names of the settings."""


@dataclass(frozen=True, slots=True)
class Synthesis:
    """A synthetic database that is to be written. Made by :func:`plan_synthesis`.

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
        """Write what is not there yet and yield each recording when it is finished, those of an earlier run first.

        ``synthetic.json`` is written last: with it the database is complete. Run again, after a kill too, this goes on.

        Parameters
        ----------
        jobs : int
            Number of processes. The bytes are the same for each number.

        Raises
        ------
        ConfigError
            Where ``jobs`` is below 1.
        OutputError
            Where the folder holds something else, or cannot be written.
        """
        if jobs < 1:
            raise ConfigError(f"jobs must be at least 1, not {jobs}")
        complete = self.check_output()
        layout = _LAYOUTS[self.settings["layout"]]
        if not complete:
            # beside the mark of an unfinished synthesis, every temporary name is one of a killed run
            atomic_write_text(self.out / _UNFINISHED, _json(self.settings))
            remove_temporaries(self.out)
        waiting: list[RecordingPlan] = []
        for one in self.recordings:
            if complete or (self.out / one.place).exists():
                yield replace(one.facts(), resumed=True)
            else:
                waiting.append(one)
        if complete:
            return
        yield from _written(layout, self.out, waiting, jobs)
        layout.finish(self.out, self.recordings)
        facts = [asdict(one.facts()) for one in self.recordings]
        for fact in facts:
            del fact["resumed"]
        content = {"format": FORMAT, "schema_version": SCHEMA_VERSION, **self.settings, "recordings": facts}
        atomic_write_text(self.out / FILE_NAME, _json(content))
        (self.out / _UNFINISHED).unlink(missing_ok=True)

    def check_output(self) -> bool:
        """Tell whether the database is complete already; write nothing.

        Raises
        ------
        OutputError
            Where the folder holds something else, or a synthetic database of other settings.
        """
        for name in (FILE_NAME, _UNFINISHED):
            path = self.out / name
            if path.is_file():
                _same_settings(path, self.settings)
                return name == FILE_NAME
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            what = "is not empty" if self.out.is_dir() else "is a file"
            raise OutputError(f"{self.out}: {what} and holds no synthetic database; give a new or an empty folder")
        return False


def plan_synthesis(
    out: Path,
    layout: LayoutName,
    subjects: int,
    seed: int = 0,
    *,
    duration_s: float = 20.0,
    setting: SettingName = "easy",
    archive_folders: bool = False,
) -> Synthesis:
    """Plan a synthetic database and check that it can be written to ``out``.

    Two subjects already show each quirk of a layout.

    Parameters
    ----------
    out : Path
        New, empty, or with a synthesis of the same settings.
    layout : {"vipl-hr", "mmse-hr", "folder"}
        Whose tree to write.
    subjects : int
        From 1; at most as many as the database has.
    seed : int
        From 0. The same seed gives the same bytes on one machine.
    duration_s : float
        Length of each video; windows of 300 frames at 16 frames/s need 19 s.
    setting : {"easy", "hard", "mixed"}
        Quiet sitting; large motion, talk and dim, drifting light; or both in turn.
    archive_folders : bool
        vipl-hr only: a folder such as ``p1-5`` above the subjects.

    Raises
    ------
    ConfigError
        Where a parameter is not allowed.
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
    if layout not in _LAYOUTS:
        raise ConfigError(f"no layout is called {layout!r} (known: {', '.join(LAYOUTS)})")
    if setting not in SETTINGS:
        raise ConfigError(f"no setting is called {setting!r} (known: {', '.join(SETTINGS)})")
    most = _LAYOUTS[layout].most_subjects
    if not 1 <= subjects <= most:
        raise ConfigError(f"{layout} has 1 to {most} subjects, not {subjects}")
    if seed < 0:
        raise ConfigError(f"a seed is a whole number from 0, not {seed}")
    if not _SHORTEST_S <= duration_s <= 3600:
        raise ConfigError(f"a video lasts {_SHORTEST_S:g} to 3600 s, not {duration_s}")
    if archive_folders and layout != "vipl-hr":
        raise ConfigError(f"only vipl-hr is shipped in archives of several subjects, not {layout}")
    extra = {"archive_folders": True} if archive_folders else {}
    recordings = _LAYOUTS[layout].plan(subjects, seed, setting, float(duration_s), **extra)
    settings = {
        "generator_version": GENERATOR_VERSION,
        "layout": layout,
        "subjects": subjects,
        "seed": seed,
        "setting": setting,
        "duration_s": float(duration_s),
        **extra,
    }
    synthesis = Synthesis(Path(out), settings, tuple(sorted(recordings, key=lambda one: one.recording_id)))
    synthesis.check_output()
    return synthesis


def synthesize(
    out: Path,
    layout: LayoutName,
    subjects: int,
    seed: int = 0,
    *,
    duration_s: float = 20.0,
    setting: SettingName = "easy",
    jobs: int = 1,
) -> Iterator[SyntheticRecording]:
    """Write a synthetic database and yield each recording when it is finished.

    Parameters and errors as for :func:`plan_synthesis` and :meth:`Synthesis.run`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     done = list(synthesize(Path(name), "folder", 1, seed=5, duration_s=1.0))
    ...     sorted(path.name for path in Path(name).iterdir())[:4]
    ['database.toml', 's01_free.avi', 's01_rest.csv', 's01_rest.mp4']
    """
    yield from plan_synthesis(out, layout, subjects, seed, duration_s=duration_s, setting=setting).run(jobs)


def _written(layout: _Layout, out: Path, recordings: Sequence[RecordingPlan], jobs: int) -> Iterator[SyntheticRecording]:
    if jobs == 1 or len(recordings) < 2:
        for one in recordings:
            yield _write(layout.write, out, one)
        return
    yield from unordered(partial(_write, layout.write, out), recordings, jobs)


def _write(write: Callable[[Path, RecordingPlan], None], out: Path, recording: RecordingPlan) -> SyntheticRecording:
    with one_thread():
        write(out, recording)
    return recording.facts()


def _same_settings(path: Path, settings: dict[str, Any]) -> None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise OutputError(f"{path}: is damaged; remove {path.parent} or give another folder")
    found = {key: value for key, value in found.items() if key not in ("format", "schema_version", "recordings")}
    if changed := changed_settings(found, settings):
        raise OutputError(
            f"{path.parent}: holds a synthetic database of other settings ({'; '.join(changed)}); give another folder or the same settings"
        )


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"
