"""Settings as text: each key with its default, what is allowed and what it means. `stmap config` and the reference pages are made from it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stmap_pipeline.errors import UnknownNameError, did_you_mean, plain_name
from stmap_pipeline.validation import toml_value

_WIDTH = 118


def commented_toml(settings: BaseModel, section: str | None = None, preface: Sequence[str] = ()) -> str:
    """Return all keys of settings with their values, as TOML with a comment above each key: what it means, and what is allowed.

    A key without a value is a comment, too.

    Parameters
    ----------
    settings : BaseModel
        The defaults, or others.
    section : str, optional
        Name of a table: only this one. Case, and hyphens or underscores, do not matter.
    preface : sequence of str
        Lines of the comment at the top.

    Raises
    ------
    UnknownNameError
        Where there is no such table; with the nearest one.

    Examples
    --------
    >>> from stmap_pipeline.config import Config
    >>> print(commented_toml(Config(), "windows"))
    [windows]
    # How recordings are cut into windows with a label.
    <BLANKLINE>
    # 'native': windows of frames as recorded (the paper). 'uniform': resampled to rate_hz first.
    clock = "native"
    <BLANKLINE>
    # Sampling rate of the uniform clock. Number, above 1, to 1,000.
    rate_hz = 30.0
    <BLANKLINE>
    # Length of a window: '300 frames' or '10 s'.
    length = "300 frames"
    <BLANKLINE>
    # Step from one window to the next: '15 frames' or '0.5 s'.
    step = "0.5 s"
    <BLANKLINE>
    """
    fields = type(settings).model_fields
    tables = {name: table for name in fields if isinstance(table := getattr(settings, name), BaseModel)}
    chosen = tables
    if section is not None:
        chosen = {name: table for name, table in tables.items() if plain_name(name) == plain_name(section)}
        if not chosen:
            hint = did_you_mean(section, tables) or f"; the sections are {', '.join(tables)}"
            raise UnknownNameError(f"no section of settings is called '{section}'{hint}")
    lines = [*_comment(*preface), *([""] if preface else [])]
    if section is None:
        for name, field in fields.items():
            lines += _entry(name, field, getattr(settings, name)) if name not in tables else []
    for name, table in chosen.items():
        lines += [f"[{name}]", *_comment((table.__doc__ or "").partition("\n")[0]), ""]
        for key, field in type(table).model_fields.items():
            lines += _entry(key, field, getattr(table, key))
    return "\n".join(lines)


def allowed(field: FieldInfo) -> str:
    """Return what a value may be: ``"native" or "uniform"``, ``number, above 1, to 1,000``.

    Examples
    --------
    >>> from stmap_pipeline.config import WindowsConfig
    >>> allowed(WindowsConfig.model_fields["rate_hz"])
    'number, above 1, to 1,000'
    """
    words = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
    limits = [f"{words[key]} {_number(getattr(rule, key))}" for rule in field.metadata for key in words if hasattr(rule, key)]
    return ", ".join([_type(field.annotation), *limits])


def default_of(field: FieldInfo) -> str:
    """Return a default as it is written in TOML; empty where there is none.

    Examples
    --------
    >>> from stmap_pipeline.config import WindowsConfig
    >>> default_of(WindowsConfig.model_fields["length"])
    '"300 frames"'
    """
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return "" if value is None or isinstance(value, BaseModel) else toml_value(value)


def _entry(key: str, field: FieldInfo, value: Any) -> Iterator[str]:
    about, rule = field.description or "", allowed(field)
    # the choices stand in most descriptions, each with what it does
    told = rule in ("text", "table") or all(f"'{one}'" in about for one in get_args(field.annotation) or [None])
    yield from _comment(about if told else f"{about} {rule[:1].upper()}{rule[1:]}.")
    yield f"# {key} is not set" if value is None else f"{key} = {toml_value(value)}"
    yield ""


def _comment(*texts: str) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), [one for one in get_args(annotation) if one not in (type(None), Ellipsis)]
    if origin is Literal:
        return " or ".join(json.dumps(value) for value in parts)
    if origin in (Union, UnionType):
        return " or ".join(_type(one) for one in parts)
    if origin is Annotated:
        return _type(parts[0])
    if origin is tuple:
        return f"list of {_type(parts[0])}s"
    if origin is dict or issubclass(annotation, BaseModel):
        return "table"
    return {str: "text", float: "number", int: "whole number", bool: "true or false"}[annotation]
