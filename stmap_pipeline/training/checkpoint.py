"""Weights on disk: a safetensors file with a JSON beside it that says what they are weights of.

Neither can run code when it is read. The JSON is written second and holds the hash of the other, so that the two belong together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stmap_pipeline.errors import ModelError
from stmap_pipeline.shards import atomic_write_bytes, atomic_write_text
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.version import __version__

# a thousand times what we write
_MAX_JSON = 2**24

T = TypeVar("T", bound=BaseModel)
_Size = Annotated[int, Field(ge=1, le=2**20)]


class MapsFacts(BaseModel):
    """Which maps a network was trained on.

    Parameters
    ----------
    path_name : str
        Name of their folder.
    fingerprint : str
        Of the settings they were built with.
    manifest_sha256 : str
        Of their manifest, and with it of every file.
    database : str
    simulated : bool
        Whether no camera was involved.
    augmentation_sha256 : str
        Of the manifest of their resampled windows; empty where there are none.

    Examples
    --------
    >>> MapsFacts(path_name="maps", fingerprint="c0ffee", manifest_sha256="", database="vipl-hr", simulated=False).database
    'vipl-hr'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path_name: str
    fingerprint: str
    manifest_sha256: str
    database: str
    simulated: bool
    augmentation_sha256: str = ""


class ModelFacts(BaseModel):
    """What must be known to use the weights of a network.

    Parameters
    ----------
    channels, blocks, samples : int
        Size of the maps it reads.
    clock : {"native", "uniform"}
        Clock of the maps; ``rate_hz`` is that of the uniform one.
    target_mean, target_scale : float
        The output times the scale plus the mean is the target: beats in the window, or bpm, as ``config.target`` says.
    fold, epoch : int
        Epochs are counted from 1.
    validation_mae_bpm : float, optional
        Mean absolute error of the validation windows after that epoch.
    maps : MapsFacts
    config : TrainConfig
    sha256 : str
        Of the file of weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["stmap-model"] = "stmap-model"
    schema_version: Literal[1] = 1
    software: str = f"stmap {__version__}"
    channels: _Size
    blocks: _Size
    samples: _Size
    clock: Literal["native", "uniform"]
    rate_hz: float | None = None
    target_mean: float
    target_scale: float = Field(gt=0)
    fold: int = Field(ge=0)
    epoch: int = Field(0, ge=0)
    validation_mae_bpm: float | None = None
    maps: MapsFacts
    config: TrainConfig
    sha256: str = ""


def write_checkpoint(folder: Path, name: str, weights: Mapping[str, Tensor], facts: ModelFacts) -> None:
    """Write ``name.safetensors``, then ``name.json``, each atomically.

    Raises
    ------
    OutputError
        Where the system refuses to write.

    Examples
    --------
    >>> import tempfile, torch
    >>> maps = MapsFacts(path_name="maps", fingerprint="", manifest_sha256="", database="vipl-hr", simulated=False)
    >>> facts = ModelFacts(
    ...     channels=3, blocks=25, samples=300, clock="native", target_mean=80, target_scale=9, fold=1, maps=maps, config=TrainConfig()
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_checkpoint(Path(folder), "last", {"head.bias": torch.ones(1)}, facts)
    ...     read_checkpoint(Path(folder), "last")[0]
    {'head.bias': tensor([1.])}
    """
    data = save({key: one.detach().cpu().contiguous() for key, one in weights.items()})
    known = facts.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    atomic_write_bytes(folder / f"{name}.safetensors", data)
    atomic_write_text(folder / f"{name}.json", known.model_dump_json(indent=1) + "\n")


def read_facts(folder: Path, name: str) -> ModelFacts:
    """Read what is said of a checkpoint, without its weights.

    Raises
    ------
    ModelError
        Where it is missing, damaged or not ours.
    """
    return parse_json(folder / f"{name}.json", ModelFacts)


def read_checkpoint(folder: Path, name: str) -> tuple[dict[str, Tensor], ModelFacts]:
    """Read weights and what is said of them.

    Raises
    ------
    ModelError
        Where one of the two is missing or damaged, or they do not belong together.
    """
    facts = read_facts(folder, name)
    path = folder / f"{name}.safetensors"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); restore a copy or train again") from None
    if hashlib.sha256(data).hexdigest() != facts.sha256:
        raise ModelError(
            f"{path}: is not the file that {path.with_suffix('.json').name} was written for; restore a copy or train again"
        )
    try:
        return load(data), facts
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: holds no weights ({error}); restore a copy or train again") from None


def parse_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file of ours.

    Raises
    ------
    ModelError
        Where it is missing, damaged or not ours; the message names each wrong key.
    """
    try:
        if path.stat().st_size > _MAX_JSON:
            raise ValueError(f"it has more than {_MAX_JSON:,} bytes")
        content: Any = json.loads(path.read_bytes())
        return kind.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'content'}: {one['msg']}" for one in error.errors()[:3])
        raise ModelError(f"{path}: was not written by this stmap, or was changed ({wrong})") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); is this the folder of a finished stmap train?") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is damaged ({error}); restore a copy or train again") from None
