"""``database.toml`` and ``database.csv``: what a user says of their own videos.

Both give the same entries. Nothing of a file is executed: placeholders such as ``{stem}`` are plain replacements.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stmap_pipeline.databases.folder_entries import Defaults, LabelEntry, RecordingEntry, checked
from stmap_pipeline.databases.tree import shown
from stmap_pipeline.errors import DatabaseError

_MAX_BYTES = 16 * 2**20
_LABEL_COLUMN = re.compile(r"(label[0-9]*)_(\w+)\Z")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = ""
    defaults: dict[str, Any] = Field(default_factory=dict)
    recording: list[dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Spec:
    """A checked file.

    Parameters
    ----------
    name : str
        Name of the study; empty where the file gives none.
    entries : tuple of (str, RecordingEntry)
        Where each entry stands, for messages, and the entry.
    """

    name: str
    entries: tuple[tuple[str, RecordingEntry], ...]


def read_toml(path: Path) -> Spec:
    r"""Read ``database.toml``.

    Raises
    ------
    DatabaseError
        Where it cannot be read, is no TOML, or holds a key or value that is not allowed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "database.toml"
    ...     _ = path.write_text('[[recording]]\nvideo = "a.mp4"\nrate = 30')
    ...     read_toml(path)
    Traceback (most recent call last):
    stmap_pipeline.errors.DatabaseError: ...database.toml: recording 1:
      unknown key 'rate'; the keys are subject, scenario, camera, ...
    """
    try:
        values = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise DatabaseError(f"{shown(path)}: is not TOML: {error}") from None
    document = checked(_Document, values, shown(path))
    checked(Defaults, document.defaults, f"{shown(path)}: [defaults]")
    entries = []
    for number, own in enumerate(document.recording, start=1):
        common = dict(document.defaults)
        if own.keys() & {"rate_hz", "times"}:  # a recording's own clock replaces the common one, whichever kind that is
            common.pop("rate_hz", None)
            common.pop("times", None)
        where = f"{path.name}, recording {number}"
        entries.append((where, checked(RecordingEntry, {**common, **own}, f"{shown(path)}: recording {number}")))
    return Spec(document.name, tuple(entries))


def read_csv(path: Path) -> Spec:
    r"""Read ``database.csv``: a row for each recording, a column for each key; an empty cell is a key left out.

    The keys of a label are columns such as ``label_file`` and ``label_column``, of a second label ``label2_file`` and so on;
    ``extra_NAME`` keeps anything else; several missing values stand in one cell with blanks between.

    Raises
    ------
    DatabaseError
        Where it cannot be read, or holds a column or value that is not allowed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "database.csv"
    ...     _ = path.write_text("video,subject,label_file,label_rate_hz\na.mp4,s01,a.txt,1\n")
    ...     read_csv(path).entries[0][1].label[0].file
    'a.txt'
    """
    text = _text(path)
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise DatabaseError(f"{shown(path)}: is no CSV file ({error})") from None
    header = [name.strip() for name in rows[0]] if rows else []
    _check_columns(path, header)
    entries = []
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        where = f"{shown(path)}: row {line}"
        if len(row) > len(header):
            raise DatabaseError(f"{where}: holds {len(row)} cells, but the header names {len(header)}")
        entries.append((f"{path.name}, row {line}", checked(RecordingEntry, _nested(dict(zip(header, row, strict=False))), where)))
    if not entries:
        raise DatabaseError(f"{shown(path)}: holds no row; write one for each video, or remove the file")
    return Spec("", tuple(entries))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise DatabaseError(f"{shown(path)}: cannot be read ({error.strerror})") from None
    if len(data) > _MAX_BYTES:
        raise DatabaseError(f"{shown(path)}: is larger than {_MAX_BYTES // 2**20} MB, so it is no list of recordings")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatabaseError(f"{shown(path)}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _check_columns(path: Path, header: list[str]) -> None:
    flat = [name for name in RecordingEntry.model_fields if name not in ("label", "extras")]
    allowed = f"the columns are {', '.join(flat)}, label_KEY, label2_KEY with {', '.join(LabelEntry.model_fields)}, and extra_NAME"
    for name in header:
        match = _LABEL_COLUMN.match(name)
        known = name in flat or (name.startswith("extra_") and len(name) > 6) or (match and match[2] in LabelEntry.model_fields)
        if not known:
            raise DatabaseError(f"{shown(path)}: unknown column {name!r}; {allowed}")
        if header.count(name) > 1:
            raise DatabaseError(f"{shown(path)}: column {name!r} is there twice")
    if "video" not in header:
        raise DatabaseError(f"{shown(path)}: has no column 'video'; {allowed}")


def _nested(cells: dict[str, str]) -> dict[str, Any]:
    """Turn a flat row into the shape of a TOML entry."""
    entry: dict[str, Any] = {}
    extras: dict[str, str] = {}
    labels: dict[str, dict[str, Any]] = {}
    for name, cell in cells.items():
        value = cell.strip()
        match = _LABEL_COLUMN.match(name)
        if not value:
            continue
        if match:
            labels.setdefault(match[1], {})[match[2]] = _label_value(match[2], value)
        elif name.startswith("extra_"):
            extras[name.removeprefix("extra_")] = value
        else:
            entry[name] = value
    # a label without a file is a column that this recording leaves out: settings alone describe nothing
    files = [labels[name] for name in sorted(labels) if "file" in labels[name]]
    return {**entry, "label": files, "extras": extras}


def _label_value(key: str, text: str) -> Any:
    if key == "missing":
        return text.split()
    return int(text) if key in ("column", "time_column") and text.isascii() and text.isdigit() else text
