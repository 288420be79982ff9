"""The keys of ``database.toml`` and ``database.csv``, and how a mistake in one is told."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from stmap_pipeline.errors import DatabaseError

PLACEHOLDERS = ("stem", "parent", "grandparent", "dir")
_BRACES = re.compile(r"\{([^{}]*)\}")
_Model = TypeVar("_Model", bound=BaseModel)

_Column = str | Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _known_placeholders(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("a NUL character is in no file name")
        if isinstance(value, str) and info.field_name != "video":
            for name in _BRACES.findall(value):
                if name not in PLACEHOLDERS:
                    raise ValueError(f"unknown placeholder {{{name}}}; the placeholders are {{{'}, {'.join(PLACEHOLDERS)}}}")
        return value


class LabelEntry(_Entry):
    """One label file of a recording."""

    kind: Literal["heart_rate", "pulse"] = Field("heart_rate", description="What the file holds.")
    file: str = Field(min_length=1, description="Path from the source folder; may hold placeholders.")
    column: _Column = Field(0, description="Column of the values: header name, or number from 0.")
    unit: Literal["bpm", "hz"] = Field("bpm", description="Unit of a heart rate.")
    missing: Annotated[tuple[float, ...], BeforeValidator(lambda value: value if isinstance(value, list | tuple) else (value,))] = (
        Field((), description="Values that stand for 'no value'.")
    )
    rate_hz: float | None = Field(None, gt=0, description="Sampling rate; the first row is at the first frame.")
    time_column: _Column | None = Field(None, description="Column of the times, on the clock of the video, instead of a rate.")
    time_unit_s: float = Field(1.0, gt=0, description="Length of one unit of the times in seconds; 0.001 for milliseconds.")
    per_frame: bool = Field(False, description="Whether row i belongs to frame i, instead of a rate or times.")
    required: bool = Field(False, description="Whether the recording fails where the file is not there, instead of a note.")

    @model_validator(mode="after")
    def _consistent(self) -> LabelEntry:
        given = [f"rate_hz = {self.rate_hz:g}"] if self.rate_hz is not None else []
        given += [f"time_column = {self.time_column!r}"] if self.time_column is not None else []
        given += ["per_frame = true"] if self.per_frame else []
        if len(given) != 1:
            raise ValueError(
                f"exactly one of rate_hz, time_column and per_frame says when a row was taken, not {' and '.join(given) or 'none'}"
            )
        if self.time_column is not None and self.time_column == self.column:
            raise ValueError(f"column and time_column are both {self.column!r}; say which column holds the values")
        if self.unit == "hz" and self.kind != "heart_rate":
            raise ValueError("unit = 'hz' is for a heart rate; a pulse wave has no unit here")
        return self


class Defaults(_Entry):
    """What may stand in ``[defaults]`` and in each recording."""

    subject: str = Field("", description="Who is seen; empty: the recording's id. May hold placeholders.")
    scenario: str = Field("", description="What was done. May hold placeholders.")
    camera: str = Field("", description="Which camera. May hold placeholders.")
    fold: int | None = Field(None, ge=1, description="Fold of the subject, from 1.")
    rate_hz: float | None = Field(None, gt=0, le=10_000, description="Constant frame rate, instead of the container's times.")
    times: str | None = Field(None, min_length=1, description="File of frame times, one number a line; may hold placeholders.")
    times_unit_s: float = Field(1.0, gt=0, description="Length of one unit of that file in seconds.")
    label: tuple[LabelEntry, ...] = Field((), description="Label files, at most one of each kind.")
    extras: dict[str, str | int | float] = Field(default_factory=dict, description="Anything else, kept with the recording.")

    @model_validator(mode="after")
    def _one_of_each(self) -> Defaults:
        if self.rate_hz is not None and self.times is not None:
            raise ValueError("rate_hz and times are two clocks; keep one")
        kinds = [one.kind for one in self.label]
        if len(set(kinds)) < len(kinds):
            raise ValueError("two labels of one kind; keep one")
        return self


class RecordingEntry(Defaults):
    """One video, or all videos that a pattern matches."""

    video: str = Field(
        min_length=1, description="Path from the source folder: a file, a folder of pictures, or a pattern such as *.mp4."
    )
    id: str = Field("", description="Id; empty: the video's name without suffix. May hold placeholders.")


def checked(model: type[_Model], values: dict[str, Any], where: str) -> _Model:
    """Check a mapping.

    Raises
    ------
    DatabaseError
        With each wrong key, its value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"  {_explained(dict(one), model)}" for one in error.errors()]
        raise DatabaseError(f"{where}:\n" + "\n".join(dict.fromkeys(lines))) from None


def _explained(error: dict[str, Any], model: type[BaseModel]) -> str:
    """Say one error of pydantic in the words of the file: where, key, value, what is allowed."""
    loc = list(error["loc"])
    place = ""
    if len(loc) > 1 and loc[0] == "label" and isinstance(loc[1], int):
        place, model, loc = f"label {loc[1] + 1}: ", LabelEntry, loc[2:]
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{place}unknown key {loc[0]!r}; the keys are {', '.join(model.model_fields)}"
    if not loc:
        return f"{place}{message}"
    if error["type"] == "missing":
        return f"{place}{loc[0]} is missing"
    value = repr(error["input"])
    return f"{place}{loc[0]} = {value if len(value) <= 80 else value[:80] + '...'}: {message}"
