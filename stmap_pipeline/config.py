"""The configuration: every choice that changes a number in the output, checked once, written beside the result.

A file holds only what differs from the defaults; ``stmap.toml`` in an output holds all of it. Paths and the number of
processes are not configuration, because they must not change a result.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.files import read_bytes
from stmap_pipeline.validation import explain

_MAX_BYTES = 2**20
_SPAN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(frames?|s)\s*\Z")


def parse_span(text: str) -> tuple[float, Literal["frames", "s"]]:
    """Split a length such as ``300 frames`` or ``0.5 s``.

    Raises
    ------
    ValueError
        Where the text is no positive length, or a broken number of frames.

    Examples
    --------
    >>> parse_span("300 frames"), parse_span("0.5 s")
    ((300.0, 'frames'), (0.5, 's'))
    """
    match = _SPAN.match(text)
    if not match or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no length: write '300 frames' or '0.5 s'")
    value = float(match[1])
    if match[2] == "s":
        return value, "s"
    if value != int(value):
        raise ValueError(f"{text!r}: a number of frames is whole")
    return value, "frames"


def _normal_span(text: str) -> str:
    value, unit = parse_span(text)
    return f"{value:g} {unit}"


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"{value} is even: a centered moving average has an odd number of frames")
    return value


Span = Annotated[str, AfterValidator(_normal_span)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Settings(_Section):
    """Settings that are read from a TOML file, written beside a result, and compared with those of an earlier run."""

    @classmethod
    def from_mapping(cls, values: dict[str, Any], where: str = "configuration") -> Self:
        """Check a nested mapping.

        Raises
        ------
        ConfigError
            With each wrong key, its value and what is allowed.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError("\n  ".join([f"{where}:", *explain(error, cls)])) from None

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a TOML file; what it leaves out has its default.

        Raises
        ------
        ConfigError
            Where the file cannot be read, is no TOML or holds a wrong value.
        """
        path = Path(path)
        return cls.from_mapping(read_toml(path), str(path))

    def to_toml(self) -> str:
        """Write all settings, defaults included, as TOML."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def differences(self, other: Self) -> list[tuple[str, str, str]]:
        """List the settings in which this one differs from another: key, value of the other, value of this one."""
        return compare_settings(other.model_dump(), self.model_dump())


def compare_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """List the keys of nested settings whose values differ, with both values as text; ``-`` where there is none.

    Examples
    --------
    >>> compare_settings({"windows": {"length": "10 s", "step": "1 s"}}, {"windows": {"length": "6 s", "step": "1 s"}})
    [('windows.length', '10 s', '6 s')]
    """
    one, other = _flat(then), _flat(now)
    keys = [key for key in dict.fromkeys([*other, *one]) if one.get(key) != other.get(key) or (key in one) != (key in other)]
    return [(key, _as_text(one.get(key)), _as_text(other.get(key))) for key in keys]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else str(value)


def read_toml(path: Path) -> dict[str, Any]:
    """Read the values of a TOML file.

    Raises
    ------
    ConfigError
        Where the file cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(read_bytes(path, _MAX_BYTES).decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None


class FacesConfig(_Section):
    """Face detection, landmarks and their smoothing."""

    backend: str = Field(
        "dlib68",
        description="Face detector and landmark model, by name: 'dlib68' (research use), or 'facemesh' (free for commercial use).",
    )
    mode: Literal["tracked", "per-frame"] = Field(
        "tracked",
        description="'tracked': each frame aligned with a template of the face, shape from the landmark model, detector only where needed. "
        "'per-frame': detector and landmark model in every frame and a moving average, as in the paper.",
    )
    rotate: Literal["auto", "0", "90", "180", "270"] = Field(
        "auto",
        description="Counterclockwise turn of the image in degrees, beyond the one that the video's metadata ask for. 'auto': none, and where no "
        "face is found at all, the one in which there is a face.",
    )
    landmark_every_s: float = Field(3.0, gt=0, le=5, description="Time between two runs of the landmark model while tracking.")
    check_every_s: float = Field(
        4.0, gt=0, le=10, description="Time between two checks by the detector that the tracked face is there."
    )
    search_every_s: float = Field(
        0.5, gt=0, le=10, description="Time between two searches of the full image while no face is known."
    )
    smoothing_s: float = Field(
        2.0,
        gt=0,
        le=10,
        description="Time in which an update by the landmark model comes in; frames wait for half of it.",
    )
    memory_s: float = Field(
        10.0,
        gt=0,
        le=1000,
        description="Time after which an update by the landmark model weighs 1/e; a longer one has less jitter.",
    )
    per_frame_smoothing_frames: Annotated[int, AfterValidator(_odd)] = Field(
        5, ge=1, le=61, description="Length of the centered moving average over the landmarks in the per-frame mode; odd."
    )


class BlocksConfig(_Section):
    """Aligned face box, grid and mask."""

    rows: int = Field(5, ge=1, le=64, description="Rows of the grid.")
    cols: int = Field(5, ge=1, le=64, description="Columns of the grid.")
    height_factor: float = Field(
        1.2, gt=0.5, le=3, description="Height of the face box in units of the distance from chin to brow center."
    )
    align: Literal["pose", "eyes"] = Field(
        "pose",
        description="'pose': the box of the reference shape, projected by the pose of the head that is fitted to all landmarks. "
        "'eyes': a new box from the landmarks of each frame, rotated with the line of the eyes, as in the paper.",
    )
    mask: Literal["none", "hull", "skin"] = Field(
        "none",
        description="'hull': pixels inside the landmark hull, without eyes and mouth. 'skin': the same, weighted by one soft skin "
        "color mask for the whole recording. A mask is fixed in the face's own frame; it never changes from frame to frame.",
    )
    min_coverage: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of a block's area that must be inside the image and the mask; below it the mean is NaN.",
    )


class WindowsConfig(_Section):
    """How recordings are cut into windows with a label."""

    clock: Literal["native", "uniform"] = Field(
        "native", description="'native': windows of frames as recorded (the paper). 'uniform': resampled to rate_hz first."
    )
    rate_hz: float = Field(30.0, gt=1, le=1000, description="Sampling rate of the uniform clock.")
    length: Span = Field("300 frames", description="Length of a window: '300 frames' or '10 s'.")
    step: Span = Field("0.5 s", description="Step from one window to the next: '15 frames' or '0.5 s'.")


class LimitsConfig(_Section):
    """When a recording is given up, with a reason."""

    max_lost_fraction: float = Field(
        0.5, ge=0, le=1, description="Largest share of frames without a face; above it: failed, 'no_face'."
    )
    min_duration_s: float = Field(1.0, ge=0, description="Shortest recording; below it: failed, 'too_short'.")
    max_clock_mismatch: float = Field(
        0.05, ge=0, le=1, description="Largest share by which decoded frames and listed frame times may differ in number."
    )
    known_bad: Literal["skip", "build"] = Field(
        "skip", description="Whether recordings that are known to be unusable are skipped with their reason, or tried."
    )


class Config(Settings):
    """All settings of a build.

    Examples
    --------
    >>> config = Config.from_mapping({"blocks": {"rows": 7}})
    >>> config.blocks.rows, config.windows.length
    (7, '300 frames')
    >>> config.differences(Config())
    [('blocks.rows', '5', '7')]
    """

    faces: FacesConfig = Field(default_factory=FacesConfig)
    blocks: BlocksConfig = Field(default_factory=BlocksConfig)
    windows: WindowsConfig = Field(default_factory=WindowsConfig)
    limits: LimitsConfig = Field(default_factory=LimitsConfig)

    def fingerprint(self, *sections: str) -> str:
        """Hash the named sections (all where none is named): equal settings, equal fingerprint."""
        values = self.model_dump()
        chosen = {name: values[name] for name in (sections or sorted(values))}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return flat
