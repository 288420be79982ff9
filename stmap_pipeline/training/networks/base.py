"""What every network is: maps in, one number a window out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


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
    """A network that a trainer, an evaluation and a report can work with without knowing which one it is.

    Its output is the target in standard units, ``(target - mean) / scale``: mean and scale are those of the training windows
    and stand beside the weights in a checkpoint.

    Parameters
    ----------
    shape : NetworkInput
    consecutive : int
        Windows of a sample: 1, or more for a network that reads windows in a row.
    """

    def __init__(self, shape: NetworkInput, consecutive: int = 1) -> None:
        super().__init__()
        self.shape = shape
        self.consecutive = consecutive

    def forward(self, maps: Tensor) -> Tensor:
        """Estimate each window.

        Parameters
        ----------
        maps : (B, C, N, T) tensor, or (B, K, C, N, T) of K windows in a row
            As :meth:`stmap_pipeline.training.dataset.TrainingSet.maps` gives them.

        Returns
        -------
        (B,) or (B, K) tensor

        Raises
        ------
        ValueError
            Where the maps have another size than the network was built for.
        """
        raise NotImplementedError

    def attention_maps(self, maps: Tensor) -> dict[str, Tensor]:  # noqa: ARG002 - what a network without attention answers
        """Give the weights by which the network looked at the maps; an empty dict where it has none.

        Parameters
        ----------
        maps : tensor
            As for :meth:`forward`; with K windows in a row the results have that axis, too.

        Returns
        -------
        dict of tensor
            ``spatial1`` to ``spatial4`` (B, N, T): weight of each block and sample after each stage, 0 to 1, brought to the size
            of the map. ``channel1`` to ``channel4`` (B, channels): weight of each channel of features, 0 to 1.
        """
        return {}

    def check(self, maps: Tensor) -> None:
        """Refuse maps of another size.

        Raises
        ------
        ValueError
            With both sizes.
        """
        ours = (self.shape.channels, self.shape.blocks, self.shape.samples)
        if maps.ndim not in ((4,) if self.consecutive == 1 else (4, 5)) or tuple(maps.shape[-3:]) != ours:
            windows = "windows" if self.consecutive == 1 else "windows, in a row,"
            raise ValueError(f"the network reads {windows} of (channels, blocks, samples) {ours}, not an array {tuple(maps.shape)}")
