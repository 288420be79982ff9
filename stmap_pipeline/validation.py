"""What is wrong in a settings file, in the words of the file: its keys, its values, and what is allowed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from stmap_pipeline.errors import did_you_mean

_LIMITS = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have {max_length} characters at most",
    "too_short": "must have {min_length} or more",
    "finite_number": "must be a finite number",
}
# how the types of pydantic's errors begin
_KINDS = {
    "string_": "must be text in quotes",
    "int_": "must be a whole number",
    "float_": "must be a number",
    "bool_": "must be true or false",
    "dict_": "must be a table",
    "model_": "must be a table",
    "list_": "must be a list in brackets",
    "tuple_": "must be a list in brackets",
}
_SHOWN = 80


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    r"""Return a line for each thing that is wrong: key, value, and what is allowed or the nearest key.

    Parameters
    ----------
    error : ValidationError
    model : type of BaseModel
        What was validated: its keys are those that are known.

    Examples
    --------
    >>> from stmap_pipeline.config import Config
    >>> try:
    ...     Config.model_validate({"blocks": {"row": 7, "cols": 0}})
    ... except ValidationError as error:
    ...     print(*explain(error, Config), sep="\n")
    blocks.cols = 0: must be 1 or more
    unknown key 'blocks.row'; did you mean 'blocks.rows'?
    """
    rules: dict[str, list[str]] = {}
    for one in error.errors():
        what, rule = _parts(dict(one), model)
        rules.setdefault(what, []).append(rule)
    return [what + " or ".join(dict.fromkeys(found)) for what, found in rules.items()]


def _parts(error: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    """Return the key with its value, and what is wrong with it."""
    loc = list(error["loc"])
    if error["type"] not in ("extra_forbidden", "missing") and not isinstance(error["input"], Mapping):
        # an item of a list stands for the list; a field of several types has an error for each of them
        while loc and (isinstance(loc[-1], int) or "-" in loc[-1] or loc[-1] in ("str", "int", "float", "bool")):
            loc.pop()
    place, tables, keys = "", list[str](), list[str]()
    for part in loc:
        if isinstance(part, int):
            # an entry of a list of tables: the keys after it are its own
            place, tables, keys = f"{'.'.join(keys)} {part + 1}: ", [*tables, *keys], []
        else:
            keys.append(str(part))
    key = ".".join(keys)
    if error["type"] == "extra_forbidden":
        return f"{place}unknown key '{key}'", _nearest(tables, keys, model)
    if error["type"] == "missing":
        return f"{place}{key}", " is missing"
    if not keys:
        return place, _rule(error)
    value = toml_value(error["input"])
    return f"{place}{key} = {value if len(value) <= _SHOWN else value[:_SHOWN] + '...'}: ", _rule(error)


def toml_value(value: Any) -> str:
    """Return a value as it is written in TOML, as far as it can be.

    Examples
    --------
    >>> toml_value("10 s"), toml_value(True), toml_value(0.5), toml_value([1, 2])
    ('"10 s"', 'true', '0.5', '[1, 2]')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _rule(error: Mapping[str, Any]) -> str:
    kind, limits = str(error["type"]), error.get("ctx", {})
    if kind in _LIMITS:
        return _LIMITS[kind].format(**{name: f"{one:g}" if isinstance(one, float) else one for name, one in limits.items()})
    return next((text for start, text in _KINDS.items() if kind.startswith(start)), str(error["msg"]).removeprefix("Value error, "))


def _nearest(above: list[str], loc: list[str], model: type[BaseModel]) -> str:
    """Return the nearest key of the same table, or the same key of another one; the keys of the table where nothing is near."""
    *tables, key = loc
    top: type[BaseModel] | None = model
    for name in above:
        top = _table(top, name)
    place = top
    for name in tables:
        place = _table(place, name)
    prefix = "".join(f"{one}." for one in tables)
    known = list(place.model_fields) if place is not None else []
    if hint := did_you_mean(key, known, prefix):
        return hint
    elsewhere = [one for one in _every_key(top) if one.rpartition(".")[2] == key]
    if elsewhere:
        return f"; did you mean '{elsewhere[0]}'?"
    return f"; the keys are {', '.join(prefix + one for one in known)}" if known else ""


def _table(model: type[BaseModel] | None, name: str) -> type[BaseModel] | None:
    """Return the model of a table, or of the entries of a list of tables."""
    field = model.model_fields.get(name) if model is not None else None
    kinds = [field.annotation, *get_args(field.annotation)] if field is not None else []
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _every_key(model: type[BaseModel] | None, prefix: str = "") -> Iterator[str]:
    for name in model.model_fields if model is not None else ():
        yield prefix + name
        yield from _every_key(_table(model, name), f"{prefix}{name}.")
