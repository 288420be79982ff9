"""Networks by name: one file and one line of :mod:`stmap_pipeline.registry` each.

================================  ======================================================================
:mod:`.base`                      what the trainer asks of a network
:mod:`.resnet18`                  the trunk alone, for the ablation
:mod:`.attention_resnet18`        with channel and spatial attention after each stage: the default
:mod:`.attention_resnet18_gru`    the same over windows in a row
:mod:`.attention`                 the attention itself
:mod:`.weights`                   ImageNet weights of a user
================================  ======================================================================
"""

from __future__ import annotations

from stmap_pipeline import registry
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.networks.base import Network, NetworkInput
from stmap_pipeline.training.networks.weights import LoadedTrunk, load_trunk

__all__ = ["LoadedTrunk", "Network", "NetworkInput", "build_network", "configured_network", "load_trunk"]


def build_network(name: str, shape: NetworkInput, *, resize: tuple[int, int] | None = None, width: int = 64) -> Network:
    """Build a network with random weights, drawn from torch's own generator.

    Parameters
    ----------
    name : str
        A name of the registry ``networks``.
    shape : NetworkInput
        Size of the maps.
    resize : (int, int), optional
        Height and width, in pixels, to which maps are brought first; native where none is given.
    width : int
        Channels after the first stage; those after it have two, four and eight times as many.

    Raises
    ------
    UnknownNameError
        Where no network has that name; the message lists the names.

    Examples
    --------
    >>> import torch
    >>> network = build_network("attention-resnet18", NetworkInput(channels=3, blocks=25, samples=300))
    >>> network(torch.zeros(2, 3, 25, 300)).shape
    torch.Size([2])
    """
    network: Network = registry.load("networks", name)(shape, resize=resize, width=width)
    return network


def configured_network(config: TrainConfig, shape: NetworkInput) -> Network:
    """Build the network that a training asks for, as :func:`build_network` does; ``config.init`` is not read.

    Raises
    ------
    UnknownNameError
        Where no network has that name.

    Examples
    --------
    >>> type(configured_network(TrainConfig(network="resnet18", width=8), NetworkInput(3, 25, 300))).__name__
    'ResNet18'
    """
    return build_network(config.network, shape, resize=config.resize, width=config.width)
