"""The device of a training: a CPU, a GPU, or one of the processes that ``torchrun`` started."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import torch

from stmap_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed"}


def find_device(name: str = "auto") -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1``; ``auto`` is a GPU where there is one.

    Raises
    ------
    ConfigError
        Where this machine, or this torch, has no such device.

    Examples
    --------
    >>> find_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda") or (device.index is not None and device.type == "cpu"):
            raise ValueError("it is of another kind")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"device {name!r} cannot be used ({reason}); give cpu, cuda or cuda:1, or install torch for your GPU"
        ) from None
    return device


def start_fabric(device: str, precision: str) -> Fabric:
    """Return Fabric on one device, or joined with the other processes that ``torchrun`` started.

    Raises
    ------
    ConfigError
        Where the device cannot be used.
    """
    # predictions need no Fabric
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    found = find_device(device)
    if precision == "auto":
        # older GPUs only imitate bfloat16, slowly
        half = found.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bfloat16" if half else "float32"
    # Fabric logs each start to stderr
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    fabric = Fabric(
        accelerator=found.type,
        strategy="ddp" if processes > 1 else "auto",
        devices=here if processes > 1 or found.type == "cpu" else [found.index or 0],
        num_nodes=processes // here,
        precision=_PRECISIONS[precision],
        plugins=[TorchElasticEnvironment() if processes > 1 else LightningEnvironment()],
    )
    fabric.launch()
    return fabric
