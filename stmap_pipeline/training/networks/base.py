"""Interface of a network: a batch of maps in, one number for each of them out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from stmap_pipeline import registry


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """Size of the maps that a network reads.

    Parameters
    ----------
    channels : int
        3 for one color space, 6 for two.
    blocks : int
        Regions of the face: rows of the map.
    samples : int
        Samples of a window: columns of the map.

    Examples
    --------
    >>> NetworkInput(3, 25, 300).samples
    300
    """

    channels: int
    blocks: int
    samples: int


class Network(nn.Module):
    """Base class of the networks.

    The output is the target in standard units, ``(target - mean) / scale``: mean and scale are those of the training windows and
    are part of a checkpoint.

    Parameters
    ----------
    shape : NetworkInput
    """

    def __init__(self, shape: NetworkInput) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, batch: Tensor) -> Tensor:
        """Estimate each window.

        Parameters
        ----------
        batch : (B, C, N, T) tensor
            Maps, as made by :meth:`stmap_pipeline.training.data.TrainingSet.batch`.

        Returns
        -------
        (B,) tensor

        Raises
        ------
        ValueError
            Where the maps have another size than the network was built for.
        """
        raise NotImplementedError

    def attention_maps(self, batch: Tensor) -> dict[str, Tensor]:  # noqa: ARG002 - a network without attention has none
        """Return the attention weights for a batch of maps; an empty dict where the network has no attention.

        Parameters
        ----------
        batch : (B, C, N, T) tensor

        Returns
        -------
        dict of tensor
            ``spatial1`` to ``spatial4`` (B, N, T): weight of each block and sample after each stage, 0 to 1, resized to the size
            of the map. ``channel1`` to ``channel4`` (B, channels): weight of each feature channel, 0 to 1.
        """
        return {}

    def check(self, batch: Tensor) -> None:
        """Raise an error where maps have another size than the network was built for.

        Raises
        ------
        ValueError
            With both sizes.
        """
        ours = (self.shape.channels, self.shape.blocks, self.shape.samples)
        if batch.ndim != 4 or tuple(batch.shape[1:]) != ours:
            raise ValueError(f"the network reads maps of (channels, blocks, samples) {ours}, not an array {tuple(batch.shape)}")


def build_network(name: str, shape: NetworkInput, *, resize: tuple[int, int] | None = None, width: int = 64) -> Network:
    """Return a network with random weights, drawn from torch's own generator.

    Parameters
    ----------
    name : str
        A name of the registry ``networks``.
    shape : NetworkInput
        Size of the maps.
    resize : (int, int), optional
        Height and width, in pixels, to which maps are resized first; their own size where none is given.
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
