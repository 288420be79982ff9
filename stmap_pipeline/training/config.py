"""Settings of a training: every choice that changes its result, written into the run as ``run.toml``.

Device, number of threads and the folds of one call are not settings.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from stmap_pipeline.config import Settings

PULSE_NETWORK = "pulse-net"

#: Settings of `--preset`: ``laptop`` ends in minutes to hours on a CPU, ``paper`` is the training of the paper.
PRESETS: dict[str, dict[str, Any]] = {
    "laptop": {"windows_per_epoch": 3200, "epochs": 10, "width": 16},
    "paper": {"network": "attention-resnet18"},
}
# what differs from the defaults below in a training of the pulse network: on simulated windows, further on recordings, on recordings alone
_PULSE: dict[str, Any] = {"init": "simulated", "batch": 32, "weight_decay": 1e-3, "ema_decay": 0.999, "precision": "float32"}
_SIMULATED: dict[str, Any] = _PULSE | {
    "init": "random",
    "epochs": 60,
    "windows_per_epoch": 19_200,
    # learns as much from half as many windows
    "optimizer": "muon",
    "learning_rate": 3e-3,
    # on a processor with bfloat16 a third faster, and no worse
    "precision": "bfloat16",
}
_FURTHER: dict[str, Any] = _PULSE | {"epochs": 10, "learning_rate": 3e-4, "ema_decay": 0.99}
_FROM_SCRATCH: dict[str, Any] = _PULSE | {"learning_rate": 2e-3}


class TrainConfig(Settings):
    """Settings of a training. What is not given has a default, which depends on the network and on its initial weights.

    Examples
    --------
    >>> config = TrainConfig.from_mapping({"epochs": 20})
    >>> config.network, config.init, config.epochs
    ('pulse-net', 'simulated', 20)
    >>> config.differences(TrainConfig())
    [('epochs', '10', '20')]
    >>> TrainConfig(network="attention-resnet18").epochs, TrainConfig(init="random").learning_rate
    (50, 0.002)
    """

    recipe: Literal["maps", "simulated"] = Field(
        "maps",
        description="'maps': train on recordings. 'simulated': train on simulated windows, which gives the weights of the package.",
    )
    network: str = Field(PULSE_NETWORK, min_length=1, description="Network, by name.")
    init: str = Field(
        "random",
        min_length=1,
        description="'random', 'simulated' (the weights of the package), or the path of a .safetensors file: a run's, or a ResNet-18's.",
    )
    width: int = Field(
        64,
        ge=4,
        le=512,
        description="ResNet: channels after the first stage, twice as many after each further one; 64 is ResNet-18's own.",
    )
    color: str = Field("yuv", description="ResNet: color space of the maps: rgb, yuv, ycbcr, or two such as rgb+yuv.")
    protocol: Literal["within", "holdout", "cross"] = Field(
        "within",
        description="'within': the database's official folds, one network each. 'holdout': a share of the subjects is held out. "
        "'cross': all subjects are trained on, to be evaluated on another database.",
    )
    holdout_share: float = Field(0.2, gt=0, lt=1, description="Share of the subjects held out by the protocol 'holdout'.")
    validation_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the training subjects on which the best epoch is chosen; with 0 the last epoch is taken.",
    )
    subjects: int | None = Field(
        None,
        ge=1,
        description="Train on so many subjects at most, drawn at random of those that are neither held out nor chosen for validation.",
    )
    augment: Literal["none", "plan"] = Field(
        "none", description="'plan': also train on the resampled windows that `stmap augment` added. 'none': as recorded alone."
    )
    min_valid_fraction: float = Field(
        1.0, ge=0, le=1, description="Use windows in which the face was known in this share of the frames or more."
    )
    epochs: int = Field(50, ge=1, le=100_000, description="Passes over the training windows.")
    windows_per_epoch: int | None = Field(
        None,
        ge=1,
        description="Windows that an epoch draws at random of the training windows, which overlap; without it, each of them once.",
    )
    batch: int = Field(64, ge=2, le=65_536, description="Windows in a batch, over all devices.")
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="'adamw', or 'muon': Muon for the matrices of the network and AdamW for all else."
    )
    learning_rate: float = Field(
        1e-3, gt=0, le=1, description="Largest learning rate of AdamW; that of Muon is seven times as large."
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="Decoupled weight decay of AdamW.")
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Use an exponential moving average of the weights, with this decay per step; 0: the weights as they are.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Arithmetic of the network. 'auto': bfloat16 on a GPU that has it, otherwise float32."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of all random numbers.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_network(cls, given: Any) -> Any:
        # a checked instance comes this way, too
        if not isinstance(given, dict) or given.get("network", PULSE_NETWORK) != PULSE_NETWORK:
            return given
        if given.get("recipe") == "simulated":
            return _SIMULATED | given
        return (_FROM_SCRATCH if given.get("init") == "random" else _FURTHER) | given

    @property
    def network_options(self) -> dict[str, Any]:
        """What :func:`~stmap_pipeline.training.networks.build_network` passes on to a network that takes it."""
        return {"width": self.width, "color": self.color}
