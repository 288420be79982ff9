"""Initial weights of the trunk from a file of the user, such as a ResNet-18 trained on ImageNet. Nothing is downloaded."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.files import read_bytes
from stmap_pipeline.training.networks.base import Network

_TRUNK = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
_STEM = "conv1.weight"
# a counter of batches, which files of older torchvision lack; momentum is constant here, so it has no effect
_COUNTER = "num_batches_tracked"
_MAX_BYTES = 2**32


def load_trunk(network: Network, path: Path) -> list[str]:
    """Copy the weights of a ResNet-18 into the trunk of a network; attention and head stay as they are.

    For six channels the first convolution gets the weights of red, green and blue twice, at half their size, so that the sums
    keep their scale.

    Parameters
    ----------
    network : Network
        With torchvision's parameter names, as the built-in ones have.
    path : Path
        Safetensors, or what ``torch.save`` made of a state dict (``resnet18.pth``). Of the latter only tensors are read, and no code
        of the file is run (``weights_only=True``).

    Returns
    -------
    list of str
        Entries of the network that now come from the file, sorted.

    Raises
    ------
    ConfigError
        Where the file cannot be read, is another network's, or lacks a part of the trunk.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.training.networks import NetworkInput, build_network
    >>> one, other = (build_network(name, NetworkInput(3, 25, 300)) for name in ("resnet18", "attention-resnet18"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save(one.state_dict(), Path(folder, "resnet18.pth"))
    ...     len(load_trunk(other, Path(folder, "resnet18.pth")))
    120
    """
    found = _read(path)
    ours = {name: value for name, value in network.state_dict().items() if name.startswith(_TRUNK)}
    foreign = sorted(name for name in found if name.startswith(_TRUNK) and name not in ours)
    lacking = sorted(name for name in ours.keys() - found.keys() if not name.endswith(_COUNTER))
    if lacking or foreign:
        what = f"lacks {lacking[0]}" if lacking else f"has {foreign[0]}"
        raise ConfigError(f"{path}: is no ResNet-18 with torchvision's names: {what}; give the weights of torchvision's resnet18")
    loaded = {name: found[name] for name in ours if name in found}
    channels = ours[_STEM].shape[1]
    stem = loaded[_STEM]
    if stem.ndim == 4 and stem.shape[1] == 3 < channels and channels % 3 == 0:
        loaded[_STEM] = stem.repeat(1, channels // 3, 1, 1) * (3 / channels)
    for name, value in loaded.items():
        if value.shape != ours[name].shape:
            raise ConfigError(
                f"{path}: {name} has the shape {tuple(value.shape)}, not {tuple(ours[name].shape)}; "
                "torchvision's resnet18 fits where width is 64"
            )
    network.load_state_dict(loaded, strict=False)
    return sorted(loaded)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        data = read_bytes(path, _MAX_BYTES)
        if path.suffix == ".safetensors":
            return load(data)
        with warnings.catch_warnings():
            # torch warns of pickle protocols it did not write; whether the file can be read is seen next
            warnings.simplefilter("ignore")
            found: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); give the path of weights") from None
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        # torch's own message advises weights_only=False, which would run the code
        raise ConfigError(
            f"{path}: holds no weights that can be read without running code; give a .safetensors file, or save model.state_dict() alone"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(one, Tensor) for one in found.values()):
        raise ConfigError(f"{path}: is no state dict (names and tensors); save model.state_dict() alone")
    return {str(name): value for name, value in found.items()}
