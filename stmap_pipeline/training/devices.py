"""Where a training runs: one device, or one process a device, started by ``torchrun``."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.training.networks import Network

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def find_device(name: str = "auto") -> torch.device:
    """Give a device by name; ``auto`` is a GPU where there is one.

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
        if device.type == "cuda" and not torch.cuda.is_available():
            built = "finds no GPU" if torch.version.cuda else "is a build without CUDA"
            raise ConfigError(
                f"device {name!r}: torch {torch.__version__} {built}; use --device cpu, or install torch for your GPU"
            )
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device {name!r} cannot be used ({reason}); give cpu, cuda or cuda:1") from None
    return device


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """Give the arithmetic for a setting and a device.

    Raises
    ------
    ConfigError
        Where the device cannot do it.

    Examples
    --------
    >>> find_precision("auto", torch.device("cpu"))
    torch.float32
    """
    if name != "auto":
        if name == "float16" and device.type == "cpu":
            raise ConfigError("precision float16 needs a GPU; use float32 or bfloat16")
        return DTYPES[name]
    if device.type != "cuda":
        return torch.float32
    # older GPUs only imitate bfloat16, slowly
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a training; alone, it is one of one.

    Parameters
    ----------
    device : torch.device
    rank, size : int
        Number of this process, and how many there are. Rank 0 alone writes and tells.

    Examples
    --------
    >>> World(torch.device("cpu")).leads
    True
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def wrap(self, network: Network) -> nn.Module:
        """Give the network whose gradients are the mean over all processes."""
        if self.size == 1:
            return network
        ids = [self.device] if self.device.type == "cuda" else None
        wrapped: nn.Module = DistributedDataParallel(network, device_ids=ids)
        return wrapped

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def autocast(self, dtype: torch.dtype) -> AbstractContextManager[Any]:
        """Let the operations of a network choose 16 bits where that is enough."""
        return nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype)


@contextmanager
def joined(device: str = "auto") -> Iterator[World]:
    """Join the processes that ``torchrun`` started, each with its own device; without it, work alone.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``; under torchrun ``cuda`` is the GPU of the process's own number.

    Raises
    ------
    ConfigError
        As :func:`find_device`.

    Examples
    --------
    >>> with joined("cpu") as world:
    ...     world.size
    1
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(find_device(device))
        return
    found = find_device(device)
    if found.type == "cuda":
        found = find_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(found)
    distributed.init_process_group("nccl" if found.type == "cuda" else "gloo")
    try:
        yield World(found, distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C wait until the block is done: half a step would leave weights that belong to no position."""
    if threading.current_thread() is not threading.main_thread() or not callable(before := signal.getsignal(signal.SIGINT)):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)
