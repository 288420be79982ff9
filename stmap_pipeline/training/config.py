"""Settings of a training: every choice that changes its result, written into the run as ``run.toml``.

Device, number of threads and the folds of one call are not settings.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stmap_pipeline.config import Settings
from stmap_pipeline.maps.normalize import Normalization


class TrainConfig(Settings):
    """Settings of a training.

    Examples
    --------
    >>> config = TrainConfig.from_mapping({"epochs": 20})
    >>> config.network, config.target
    ('attention-resnet18', 'beats')
    >>> config.differences(TrainConfig())
    ['epochs: 50 -> 20']
    """

    network: str = Field("attention-resnet18", min_length=1, description="Network, by name.")
    resize: tuple[int, int] | None = Field(
        None, description="Height and width to which maps are resized, such as [224, 224]; without it they keep their size."
    )
    width: int = Field(
        64, ge=4, le=512, description="Channels after the first stage, twice as many after each further one; 64 is ResNet-18's own."
    )
    init: str | None = Field(None, description="File with initial weights of a ResNet-18; without it weights are random.")
    color: str = Field("yuv", description="Color space of the maps: rgb, yuv, ycbcr, or two such as rgb+yuv.")
    normalize: Normalization = Field("minmax", description="How each row of a map is normalized over the window.")
    mask_frames: tuple[int, int] | None = Field(
        None,
        description="Hide a stretch of between so many frames in half of the training maps, as if the face had been lost; [10, 30].",
    )
    target: Literal["beats", "bpm"] = Field(
        "beats", description="What is learned: beats in the window, or beats per minute. Predictions are always written in bpm."
    )
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
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Largest learning rate of Adam.")
    warmup_share: float = Field(0.05, ge=0, lt=1, description="Share of all steps in which the learning rate rises.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="L2 penalty of Adam.")
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient; a longer one is shortened to it.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Arithmetic of the network. 'auto': on a GPU bfloat16, or float16 where it has no bfloat16; on a CPU float32.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of all random numbers.")

    @model_validator(mode="after")
    def _ordered(self) -> TrainConfig:
        if self.mask_frames is not None and not 1 <= self.mask_frames[0] <= self.mask_frames[1]:
            raise ValueError(f"mask_frames = {list(self.mask_frames)}: give the smallest and the largest number of frames, from 1")
        if self.resize is not None and min(self.resize) < 16:
            raise ValueError(f"resize = {list(self.resize)}: height and width are 16 or more")
        return self
