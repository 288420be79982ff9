"""A synthetic database as ``stmap synth`` writes it: the recordings of its layout, with their true heart rates.

The tree is read by the adapter of the database whose layout it has; ``synthetic.json`` adds what only a drawn face has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stmap_pipeline import registry
from stmap_pipeline.databases.base import Database, contents, source_folder
from stmap_pipeline.errors import DatabaseError, printable
from stmap_pipeline.files import read_bytes
from stmap_pipeline.records import Recording

NAME = "synthetic"
FILE_NAME = "synthetic.json"
FORMAT = "stmap-synthetic"
SCHEMA_VERSION = 1
_MAX_BYTES = 16 * 2**20

_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=120)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    recording_id: _Word
    true_heart_rate_bpm: float = Field(gt=0, le=300)
    setting: _Word
    skin_tone: _Word
    quirks: tuple[_Word, ...] = ()


class _Document(BaseModel):
    format: Literal["stmap-synthetic"]
    schema_version: Literal[1]
    layout: str
    recordings: list[_Entry] = Field(min_length=1)

    @field_validator("layout")
    @classmethod
    def _known(cls, layout: str) -> str:
        # only our own databases: a file of the source never decides what is imported
        known = sorted(registry.REGISTRIES["databases"].keys() - {NAME})
        if layout not in known:
            raise ValueError(f"{layout!r} is none of {', '.join(known)}")
        return layout


def is_drawn(root: Path) -> bool:
    """Whether a tree was drawn by ``stmap synth``, whichever database it looks like."""
    return (root / FILE_NAME).is_file()


def known_quirks(root: Path) -> dict[str, tuple[str, ...]]:
    """Return how each recording of a drawn tree deviates on purpose; empty where the tree was not drawn."""
    return {one.recording_id: one.quirks for one in _read(root).recordings} if is_drawn(root) else {}


def list_recordings(root: Path) -> Iterator[Recording]:
    """List each recording, in the order of the ids, with its truth in ``extras``.

    ``extras`` has ``true_heart_rate_bpm``, ``setting``, ``skin_tone``, ``quirks`` and ``layout`` beside the layout's own.
    What the layout lists as absent has no truth.

    Raises
    ------
    DatabaseError
        Where ``synthetic.json`` is not there, not valid, or names recordings that are not there.
    """
    root = source_folder(root)
    document = _read(root)
    truth = {one.recording_id: one for one in document.recordings}
    adapter: Database = registry.load("databases", document.layout)
    listed = list(adapter.list_recordings(root))
    lost = sorted(truth.keys() - {one.recording_id for one in listed})
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        raise DatabaseError(
            f"{printable(root)}: {FILE_NAME} names {', '.join(lost[:3])}{more}, but the tree does not have them; "
            "write it anew with stmap synth into an empty folder"
        )
    return iter([_with_truth(one, document.layout, truth.get(one.recording_id)) for one in listed])


def _with_truth(recording: Recording, layout: str, truth: _Entry | None) -> Recording:
    extras = {**recording.extras, "layout": layout}
    if truth is not None:
        extras |= {
            "true_heart_rate_bpm": f"{truth.true_heart_rate_bpm:.3f}",
            "setting": truth.setting,
            "skin_tone": truth.skin_tone,
            "quirks": " ".join(truth.quirks),
        }
    return replace(recording, database=NAME, extras=extras)


def _read(root: Path) -> _Document:
    path = root / FILE_NAME
    try:
        data = read_bytes(path, _MAX_BYTES)
    except FileNotFoundError:
        unfinished = (root / "synthetic.partial.json").exists()
        hint = "its synthesis did not finish, run the same stmap synth again" if unfinished else f"found {contents(root)}"
        raise DatabaseError(f"{printable(root)}: no {FILE_NAME}, so this is no complete synthetic database; {hint}") from None
    except OSError as error:
        raise DatabaseError(f"{printable(path)}: cannot be read ({error.strerror})") from None
    try:
        return _Document.model_validate(json.loads(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DatabaseError(f"{printable(path)}: {where}: {first['msg']}; write the database anew with stmap synth") from None
    except (ValueError, RecursionError) as error:
        raise DatabaseError(
            f"{printable(path)}: is not JSON ({type(error).__name__}); write the database anew with stmap synth"
        ) from None


DATABASE = Database(
    name=NAME,
    title="drawn faces with a known pulse, in the layout of a real database",
    license="none needed: the data are synthetic",
    access="stmap synth OUT --layout vipl-hr --subjects 2",
    citation="",
    layout=f"{FILE_NAME}      layout, seed, and the true heart rate of each recording\nand the tree of that layout beside it\n",
    list_recordings=list_recordings,
)
