"""Files of a run: their names, the columns of its tables, and the metadata of its checkpoints. Needs no torch.

======================  ================================================================================
``run.toml``            all settings
``maps.json``           which maps: their name, fingerprint and the hash of their manifest
``fold1/`` ...          a folder for each fold (``fold0`` without folds), finished where it has a ``predictions.csv``
``predictions.csv``     the predictions of all folds
``run.json``            written last: what was trained, on what, and in which time
======================  ================================================================================
"""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stmap_pipeline.config import compare_settings, read_toml
from stmap_pipeline.errors import ModelError, OtherSettingsError, OutputError
from stmap_pipeline.files import atomic_write_text, is_temporary, read_bytes, remove_temporaries, sha256
from stmap_pipeline.lock import LOCK
from stmap_pipeline.shards import Column, Shards
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.version import __version__

SETTINGS, MAPS, RUN = "run.toml", "maps.json", "run.json"
WEIGHTS, RESUME = "weights.safetensors", "resume.safetensors"

HISTORY: tuple[Column, ...] = (
    Column("epoch", "", "passes over the training windows, from 1", "int"),
    Column("step", "", "steps of the optimizer since the beginning", "int"),
    Column("train_loss", "1", "mean loss of the training windows during the epoch", "float"),
    Column("validation_mae_bpm", "beats/min", "mean absolute error of the validation windows; empty without validation", "float"),
    Column("learning_rate", "1", "learning rate of the last step", "float"),
    Column("windows_per_s", "1/s", "training windows per second, without validation", "float"),
    Column("seconds", "s", "time since the beginning of the fold, without interruptions", "float"),
)

PREDICTIONS: tuple[Column, ...] = (
    Column("recording_id", "", "recording, unique in the database"),
    Column("fold", "", "official fold that was held out; 0 where there is none", "int"),
    Column("start", "", "first sample of the window, on the clock of the maps", "int"),
    Column("stop", "", "one past the last sample", "int"),
    Column("start_s", "s", "time of the first sample", "float"),
    Column("stop_s", "s", "one sampling interval after the last sample", "float"),
    Column("heart_rate_bpm", "beats/min", "mean ground-truth heart rate inside the window", "float"),
    Column("predicted_bpm", "beats/min", "heart rate predicted by the network", "float"),
    Column("confidence", "1", "probability that the prediction is right; empty where the network has none", "float"),
)

OF_WINDOW = ("recording_id", "start", "stop", "start_s", "stop_s", "heart_rate_bpm")

# what an evaluation writes into the folder of a run
_OF_EVALUATION = ("evaluation.json", "videos.csv", "videos.json", "baselines.csv", "baselines.json")

T = TypeVar("T", bound=BaseModel)
RunStatus = Literal["new", "unfinished", "finished"]
_Size = Annotated[int, Field(ge=1, le=2**20)]
# a thousand times what is written
_MAX_JSON = 2**24


class MapsMetadata(BaseModel):
    """Identity of the maps that a network was trained on.

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
    settings : mapping
        Those that they were built with, by section; empty where that is not known.

    Examples
    --------
    >>> MapsMetadata(path_name="maps", fingerprint="c0ffee", manifest_sha256="", database="vipl-hr", simulated=False).database
    'vipl-hr'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path_name: str
    fingerprint: str
    manifest_sha256: str
    database: str
    simulated: bool
    augmentation_sha256: str = ""
    settings: dict[str, dict[str, Any]] = {}


class ModelMetadata(BaseModel):
    """What must be known to use the weights of a network.

    Parameters
    ----------
    blocks, samples : int
        Size of the windows it reads.
    clock : {"native", "uniform"}
        Their clock; ``rate_hz`` is that of the uniform one.
    fold, epoch : int
        Epochs are counted from 1.
    validation_mae_bpm : float, optional
        Mean absolute error of the validation windows after that epoch.
    maps : MapsMetadata
    config : TrainConfig
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["stmap-model"] = "stmap-model"
    schema_version: Literal[3] = 3
    software: str = f"stmap {__version__}"
    blocks: _Size
    samples: _Size
    clock: Literal["native", "uniform"]
    rate_hz: float | None = None
    fold: int = Field(ge=0)
    epoch: int = Field(0, ge=0)
    validation_mae_bpm: float | None = None
    maps: MapsMetadata
    config: TrainConfig


def maps_metadata(shards: Shards) -> MapsMetadata:
    """Return the identity of a build.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> maps_metadata(Shards(example_maps())).database
    'example'
    """
    return MapsMetadata(
        path_name=shards.root.resolve().name,
        fingerprint=shards.manifest.fingerprint,
        manifest_sha256=sha256(shards.root / "manifest.json"),
        database=shards.database,
        simulated=shards.simulated,
        augmentation_sha256=shards.augmentation_sha256,
        settings=shards.config.model_dump(mode="json"),
    )


_SIMULATION = "simulation"
# not imported: that takes a quarter of a second, and most commands read runs
_SIMULATOR = Path(__file__).parents[1] / "simulation"


@cache
def simulated_maps() -> MapsMetadata:
    """Return the identity of simulated windows, which no folder holds: that of the code that simulates them.

    Examples
    --------
    >>> simulated_maps().simulated
    True
    """
    code = b"".join(one.read_bytes() for one in sorted(_SIMULATOR.glob("*.py")))
    fingerprint = hashlib.sha256(code.replace(b"\r\n", b"\n")).hexdigest()
    return MapsMetadata(
        path_name="simulated windows", fingerprint=fingerprint, manifest_sha256="", database=_SIMULATION, simulated=True
    )


def fold_folder(out: Path, fold: int) -> Path:
    """Return the folder of a fold.

    Examples
    --------
    >>> fold_folder(Path("runs/a"), 2).as_posix()
    'runs/a/fold2'
    """
    return out / f"fold{fold}"


def finished_folds(out: Path) -> list[int]:
    """List the folds of a run that are trained to their last epoch; 0 stands for a run without folds.

    Examples
    --------
    >>> finished_folds(Path("nowhere"))
    []
    """
    return sorted(int(one.parent.name[4:]) for one in out.glob("fold*/predictions.csv") if one.parent.name[4:].isdecimal())


def begin_run(out: Path, config: TrainConfig, maps: MapsMetadata, *, replace: bool = False) -> None:
    """Write what is going to be trained, and remove what an earlier end of the run or a kill left.

    Parameters
    ----------
    out : Path
    config : TrainConfig
    maps : MapsMetadata
    replace : bool
        Whether to remove the networks and evaluations of the run that is there.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    remove_temporaries(out)
    for name in (RUN, "predictions.csv", "predictions.json"):
        (out / name).unlink(missing_ok=True)
    if replace:
        _remove_results(out)
    atomic_write_text(out / MAPS, maps.model_dump_json(indent=1) + "\n")
    atomic_write_text(out / SETTINGS, config.to_toml())


def _remove_results(out: Path) -> None:
    """Remove folds and evaluations; what a user put beside them stays."""
    for name in (*_OF_EVALUATION, "report.html"):
        (out / name).unlink(missing_ok=True)
    folds = [one for one in out.glob("fold*") if one.name[4:].isdecimal()]
    for folder in [*folds, *(one.parent for one in out.glob("on-*/evaluation.json"))]:
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)


def run_status(out: Path, config: TrainConfig, maps: MapsMetadata) -> RunStatus:
    """Return how far a run is.

    Raises
    ------
    OtherSettingsError
        Where the run has other settings, or other maps.
    OutputError
        Where the folder is no run.
    """
    if not out.exists():
        return "new"
    if not out.is_dir():
        raise OutputError(f"{out}: is a file; give a folder for the run")
    names = {one.name for one in out.iterdir() if one.name != LOCK and not is_temporary(one)}
    if names <= {MAPS, SETTINGS}:
        # nothing is trained yet, so nothing can be lost
        return "new"
    if SETTINGS not in names:
        raise OutputError(f"{out}: is not empty and not a run of stmap train; give another folder")
    # runs from before there was a choice learned by AdamW
    settings = {"optimizer": "adamw"} | read_toml(out / SETTINGS)
    if differences := config.differences(TrainConfig.from_mapping(settings, str(out / SETTINGS))):
        advice = f"give another folder, or the settings of {out / SETTINGS}"
        raise OtherSettingsError(out, "was trained with other settings", differences, advice)
    before = read_json(out / MAPS, MapsMetadata)
    if before.database == maps.database == _SIMULATION and before.fingerprint != maps.fingerprint:
        raise OtherSettingsError(
            out, "was trained on windows that this version simulates in another way", [], "give another folder"
        )
    resampled = config.augment == "plan" and before.augmentation_sha256 != maps.augmentation_sha256
    if before.manifest_sha256 != maps.manifest_sha256 or resampled:
        changed = compare_settings(before.settings, maps.settings) if before.settings else []
        other = before.fingerprint != maps.fingerprint
        what = "settings" if other else "recordings, labels or resampled windows"
        advice = f"give another folder, or those maps ({before.path_name}, of {before.database})"
        raise OtherSettingsError(out, f"was trained on maps with other {what}", changed, advice)
    return "finished" if RUN in names else "unfinished"


def read_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file of a run.

    Raises
    ------
    ModelError
        Where it is missing, damaged or of another program; the message names each wrong key.
    """
    try:
        content = read_bytes(path, _MAX_JSON)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); is this the folder of a finished stmap train?") from None
    return parse_json(path, content, kind)


def parse_json(path: Path, content: bytes | str, kind: type[T]) -> T:
    """Check JSON that was read from a file.

    Raises
    ------
    ModelError
        As :func:`read_json`.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'content'}: {one['msg']}" for one in error.errors()[:3])
        raise ModelError(
            f"{path}: was not written by this stmap, or was changed ({wrong}); restore a copy or train again"
        ) from None
