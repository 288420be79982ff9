"""Interface of a network: what it reads of a batch of windows, what it learns from them, and how its output becomes a heart rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from stmap_pipeline import registry
from stmap_pipeline.errors import ConfigError
from stmap_pipeline.torch import Batch


class Rates(NamedTuple):
    """Heart rates, as a network gives them (tensors) or as its user gets them (arrays).

    Parameters
    ----------
    heart_rate_bpm : (B,) tensor or array
    confidence : (B,) tensor or array
        Probability that the heart rate is right; NaN where the network has none.
    """

    heart_rate_bpm: Any
    confidence: Any


class Network(nn.Module):
    """Base class of the networks.

    A network that leaves :attr:`rate_hz` and :attr:`samples` at None reads windows on the clock of the maps and in their length, and
    gets neither motion nor pulse. One that sets them reads so many samples at this rate, around the middle of each window, with motion
    and pulse, whatever the clock and the length of the maps' windows are.
    """

    rate_hz: ClassVar[float | None] = None
    samples: ClassVar[int | None] = None
    #: Settings of a training that the constructor takes as keywords: of ``color`` and ``width``.
    options: ClassVar[tuple[str, ...]] = ()
    #: Whether it reads any number of blocks.
    any_grid: ClassVar[bool] = False

    def fit_target(self, heart_rate_bpm: Tensor, duration_s: Tensor) -> None:
        """Take over what the network must know of the training labels, such as their mean; called once, before the first step."""

    def inputs(self, batch: Batch) -> tuple[Tensor | None, ...]:
        """Return what :meth:`forward` is called with."""
        raise NotImplementedError

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """Return the loss of an output of :meth:`forward`, a mean over the windows of the batch."""
        raise NotImplementedError

    def rates(self, output: Any, batch: Batch) -> Rates:
        """Return heart rates and confidences of an output of :meth:`forward`."""
        raise NotImplementedError

    def attention_maps(self, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002 - a network without attention has none
        """Return the attention weights for windows; an empty dict where the network has no attention.

        Parameters
        ----------
        batch : Batch

        Returns
        -------
        dict of tensor
            Names that begin with ``spatial`` (B, N, T): weight of each block and sample. Others: of the network's own shape.
        """
        return {}

    def load_initial(self, weights: Mapping[str, Tensor]) -> None:
        """Copy initial weights from those of a file: here, all of the network's own.

        Raises
        ------
        ConfigError
            Where they do not fit.
        """
        try:
            self.load_state_dict(dict(weights))
        except RuntimeError as error:
            raise ConfigError(f"the weights do not fit {type(self).__name__}: {str(error).splitlines()[1].strip()}") from None


def build_network(name: str, **options: Any) -> Network:
    """Return a network with random weights, drawn from torch's own generator.

    Parameters
    ----------
    name : str
        A name of the registry ``networks``.
    options
        ``color`` and ``width`` of the settings; a network gets those of its :attr:`Network.options`.

    Raises
    ------
    UnknownNameError
        Where no network has that name; the message lists the names.

    Examples
    --------
    >>> import torch
    >>> network = build_network("attention-resnet18")
    >>> network(torch.zeros(2, 3, 25, 300)).shape
    torch.Size([2])
    """
    kind: type[Network] = registry.load("networks", name)
    return kind(**{key: value for key, value in options.items() if key in kind.options})
