r"""Labels in JSON: lists of numbers, or lists of objects with a number each, as PURE has them.

A column is the path to the numbers, with ``/`` between its parts; a list on the way is passed through. The path
``/FullPackage/Value/waveform`` finds all of ``{"/FullPackage": [{"Value": {"waveform": 55}}, ...]}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from stmap_pipeline.errors import printable
from stmap_pipeline.labels.label_file import Column, Columns, LabelFileError, LabelFormat, check_columns, no_column
from stmap_pipeline.labels.times import Times, text_times, time_unit_of, unwrapped, value_unit_of

# as Python objects a number takes several times its digits
_MAX_BYTES = 32 * 2**20
_MAX_NAMES = 200
_MAX_DEPTH = 20


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file begins as JSON does."""
    text = head.decode(json.detect_encoding(head), "replace").removeprefix("\ufeff").lstrip()
    return text[:1] in ("{", "[") and not text.startswith("[[")


def read_json(path: Path, wanted: Sequence[Column], time_column: Column | None = None, skip_rows: int = 0) -> Columns:
    r"""Read columns of a JSON file.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    LabelFileError
        Where it is no JSON, too large, has no such column, or columns of different lengths.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name) / "01-01.json"
    ...     _ = path.write_text('{"/FullPackage": [{"Timestamp": 7, "Value": {"pulseRate": 64}}, {"Timestamp": 9, "Value": {"pulseRate": 65}}]}')
    ...     read_json(path, ["/FullPackage/Value/pulseRate"], "/FullPackage/Timestamp").values
    (array([64., 65.]),)
    """
    content = _content(path)
    asked = [*wanted] if time_column is None else [*wanted, time_column]
    names = _names(content)
    cells = []
    for one in asked:
        name = names[one] if isinstance(one, int) and 0 <= one < len(names) else one
        found = _find(content, name) if isinstance(name, str) else None
        if not isinstance(found, list):
            raise no_column(path, one, names)
        cells.append(found)
    check_columns(path, cells)
    odd = [next((str(cell)[:80] for cell in one if isinstance(cell, str) and np.isnan(_number(cell))), "") for one in cells]
    times = None
    if time_column is not None:
        times = _times(path, cells.pop(), str(time_column))
    units = tuple(value_unit_of(str(one)) for one in wanted)
    values = tuple(np.array([_number(cell) for cell in one], dtype=np.float64) for one in cells)
    return Columns(values, tuple(names), times, units=units, width=len(names), no_number=tuple(odd))


def _times(path: Path, cells: list[Any], name: str) -> Times:
    texts = [cell if isinstance(cell, str) else "" for cell in cells]
    try:
        found = text_times(texts)
    except ValueError as error:
        raise LabelFileError(f"{printable(path)}: {error}") from None
    if found is not None:
        return Times(unwrapped(found[0]) if found[1] == "clock" else found[0], found[1])
    return Times(np.array([_number(cell) for cell in cells], dtype=np.float64), "number", time_unit_of(name))


def _content(path: Path) -> Any:
    if path.stat().st_size > _MAX_BYTES:
        raise LabelFileError(f"{printable(path)}: is larger than {_MAX_BYTES // 2**20} MB; a label of a video is smaller")
    data = path.read_bytes()
    try:
        text = data.decode(json.detect_encoding(data))
        try:
            return json.loads(text)
        except ValueError:
            lines = [line for line in text.splitlines() if line.strip()]
            if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
                raise
            return [json.loads(line) for line in lines]  # an object on each line
    except (ValueError, RecursionError) as error:
        raise LabelFileError(f"{printable(path)}: is not JSON ({str(error)[:100]})") from None


def _number(cell: Any) -> float:
    try:
        value = float(cell) if isinstance(cell, int | float | str) else float("nan")
    except (ValueError, OverflowError):
        return float("nan")
    return value if np.isfinite(value) else float("nan")


def _find(node: Any, path: str) -> Any:
    """Return what a path leads to: a list through lists, otherwise one value; None where it leads nowhere."""
    if isinstance(node, list):
        rest = path.removeprefix("[]")
        return node if not rest.strip("/") else [_find(one, rest) for one in node]
    if not path.strip("/"):
        return node
    if not isinstance(node, dict):
        return None
    for text in (path, path.lstrip("/")):
        # keys may hold slashes themselves: the longest that fits
        for key in sorted(node, key=len, reverse=True):
            if text == key or text.startswith((f"{key}/", f"{key}[]")):
                return _find(node[key], text[len(key) :])
    return None


def _names(content: Any) -> list[str]:
    """Return the paths of all columns."""
    return list(islice(_walk(content, "", 0), _MAX_NAMES))


def _walk(node: Any, path: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(node, list):
        first = node[0] if node else None
        if isinstance(first, dict):
            yield from (f"{path}/{name}".lstrip("/") if not name.startswith("/") else f"{path}{name}" for name in _fields(first, 0))
        elif isinstance(first, int | float | str):
            yield path or "/"
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _walk(value, key if not path else f"{path}/{key}", depth + 1)


def _fields(node: dict[str, Any], depth: int) -> Iterator[str]:
    """Yield the paths of numbers and texts inside one object of a list."""
    for key, value in node.items():
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from (f"{key}/{name}" for name in _fields(value, depth + 1))
        elif isinstance(value, int | float | str) or value is None:
            yield key


FORMAT = LabelFormat("json", "JSON", recognizes, read_json, lambda path: tuple(_names(_content(path))))
