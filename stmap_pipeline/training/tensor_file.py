"""Files of weights: safetensors, numbers and names alone, so that reading one cannot run code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stmap_pipeline.errors import ModelError
from stmap_pipeline.files import atomic_write_bytes, read_bytes

# a hundred times the built-in networks
_MAX_BYTES = 2**32


def read_tensors(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read a file of weights, and the text that stmap wrote into its header; empty where another program wrote it.

    Raises
    ------
    ModelError
        Where it is missing or damaged.
    """
    try:
        data = read_bytes(path, _MAX_BYTES)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return load(data), str(header.get("__metadata__", {}).get("stmap", ""))
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except (SafetensorError, ValueError, LookupError, RecursionError, AttributeError) as error:
        reason = f"holds no weights ({error})"
    raise ModelError(f"{path}: {reason}; give a .safetensors file, restore a copy or train again")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], text: str) -> None:
    """Write safetensors with a text in the header, atomically; see :func:`read_tensors`.

    Raises
    ------
    OutputError
        Where the system refuses to write.
    """
    # save_file of safetensors has an error of its own for a full disk
    atomic_write_bytes(path, save({name: one.detach().cpu().contiguous() for name, one in tensors.items()}, {"stmap": text}))
