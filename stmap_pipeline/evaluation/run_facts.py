"""What a run folder says of itself, read without torch: settings, maps, and how far it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stmap_pipeline.errors import ConfigError, ModelError
from stmap_pipeline.training.config import TrainConfig

_MAX_JSON = 2**24

T = TypeVar("T", bound=BaseModel)


class TrainedOn(BaseModel):
    """The maps that a run was trained on, as it says itself.

    Parameters
    ----------
    path_name, fingerprint, manifest_sha256, database : str
    simulated : bool
        Whether no camera was involved.

    Examples
    --------
    >>> TrainedOn(path_name="maps", fingerprint="c0ffee", manifest_sha256="", database="vipl-hr", simulated=False).database
    'vipl-hr'
    """

    path_name: str
    fingerprint: str
    manifest_sha256: str
    database: str
    simulated: bool


class _RunJson(BaseModel):
    format: str
    schema_version: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run folder.

    Parameters
    ----------
    path : Path
    config : TrainConfig
    finished : bool
        Whether all of its folds are trained.
    maps : TrainedOn

    Examples
    --------
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> facts = read_run(example_run()[0])
    >>> facts.config.protocol, facts.finished, facts.maps.database
    ('within', True, 'example')
    """

    path: Path
    config: TrainConfig
    finished: bool
    maps: TrainedOn

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.resolve().name

    def tables(self) -> list[Path]:
        """List the tables of predictions: that of the run, or of the folds that are done."""
        whole = self.path / "predictions.csv"
        return [whole] if whole.is_file() else sorted(self.path.glob("fold*/predictions.csv"))


def read_run(path: Path) -> RunFacts:
    """Read what a run folder says of itself; the run may still be in work.

    Raises
    ------
    ModelError
        Where it is no run folder, or a file of it is damaged.

    Examples
    --------
    >>> read_run(Path("nowhere"))
    Traceback (most recent call last):
    ...
    stmap_pipeline.errors.ModelError: nowhere: there is no such folder; give the RUN folder of a stmap train
    """
    if not path.is_dir():
        raise ModelError(f"{path}: there is no such folder; give the RUN folder of a stmap train")
    if not (path / "run.toml").is_file():
        raise ModelError(f"{path}: holds no run.toml, so it is no run of stmap train; give the folder that stmap train wrote")
    try:
        config = TrainConfig.from_toml(path / "run.toml")
    except ConfigError as error:
        raise ModelError(f"{error}; restore a copy or train again") from None
    maps = _parsed(path / "maps.json", TrainedOn)
    finished = (path / "run.json").is_file()
    if finished:
        run = _parsed(path / "run.json", _RunJson)
        if run.format != "stmap-run" or run.schema_version != 1:
            raise ModelError(
                f"{path / 'run.json'}: is {run.format!r}, version {run.schema_version}; this stmap reads 'stmap-run', version 1"
            )
    return RunFacts(path, config, finished, maps)


def _parsed(path: Path, kind: type[T]) -> T:
    try:
        if path.stat().st_size > _MAX_JSON:
            raise ValueError(f"it has more than {_MAX_JSON:,} bytes")
        return kind.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'content'}: {one['msg']}" for one in error.errors()[:3])
        raise ModelError(f"{path}: was not written by this stmap, or was changed ({wrong})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is damaged ({error}); restore a copy or train again") from None
