"""Start from weights that a user has: a ResNet-18 trained on ImageNet. Nothing is downloaded."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.training.networks.base import Network

_TRUNK = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
_STEM = "conv1.weight"
# a counter of batches, which files of older torchvision lack; momentum is constant here, so it has no effect
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class LoadedTrunk:
    """What became of the entries of a file.

    Parameters
    ----------
    loaded : tuple of str
        Entries of the network that now come from the file.
    missing : tuple of str
        Entries of the trunk that the file does not have: counters without effect, nothing else.
    unexpected : tuple of str
        Entries of the file that were left out: the classes of ImageNet.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def load_trunk(network: Network, path: Path) -> LoadedTrunk:
    """Put the weights of a ResNet-18 into the trunk of a network; attention and head stay as they are.

    For six channels the first convolution gets the weights of red, green and blue twice, at half their size, so that the sums
    keep their scale.

    Parameters
    ----------
    network : Network
        With torchvision's names, as all of ours.
    path : Path
        Safetensors, or what ``torch.save`` made of a state dict (``resnet18.pth``). Of the latter only tensors are read, and no code
        of the file is run (``weights_only=True``).

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
    ...     done = load_trunk(other, Path(folder, "resnet18.pth"))
    >>> len(done.loaded), done.missing, done.unexpected
    (120, (), ('head.bias', 'head.weight'))
    """
    found = _read(path)
    ours = {name: value for name, value in network.state_dict().items() if name.startswith(_TRUNK)}
    foreign = sorted(name for name in found if name.startswith(_TRUNK) and name not in ours)
    missing = sorted(ours.keys() - found.keys())
    lacking = [name for name in missing if not name.endswith(_COUNTER)]
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
    return LoadedTrunk(tuple(sorted(loaded)), tuple(missing), tuple(sorted(found.keys() - ours.keys())))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            # torch warns of pickle protocols it did not write; whether the file can be read is seen next
            warnings.simplefilter("ignore")
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); give the path of weights") from None
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{path}: holds no weights that can be read without running code: {reason}") from None
    if not isinstance(found, dict) or not all(isinstance(one, Tensor) for one in found.values()):
        raise ConfigError(f"{path}: is no state dict (names and tensors); save model.state_dict() alone")
    return {str(name): value for name, value in found.items()}
