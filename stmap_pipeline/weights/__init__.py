"""Weights that come with the package, read without torch, and what is needed to use them.

``pulse-net-simulated`` are those of :class:`~stmap_pipeline.training.networks.pulse_net.PulseNetwork` after ``stmap train --recipe
simulated``. Beside each file of weights (safetensors, float32) lies a description of the same name (JSON), with its hash, the calibration
of its probabilities, how it was trained, and what was measured. The model card is docs/reference/model-card.md.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError
from stmap_pipeline.files import read_bytes

#: Weights of the pulse network, trained on simulated windows.
PULSE_NET = "pulse-net-simulated"

#: Where they lie.
FOLDER = Path(__file__).parent

_MAX_BYTES = 10_000_000
_KEYS = {"sha256", "calibration"}
_TYPES: dict[str, npt.DTypeLike] = {"F32": "<f4", "F16": "<f2"}


class Calibration(NamedTuple):
    """How the probabilities of a network become those with which it is right, fitted on simulated windows of unseen settings.

    Parameters
    ----------
    temperature : float
        All logarithms of probabilities are divided by it.
    no_pulse_shift : float
        Is then added to that of there being no pulse.
    """

    temperature: float = 1.0
    no_pulse_shift: float = 0.0

    def __call__(self, log_probability: npt.ArrayLike, log_no_pulse: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Compute calibrated probabilities.

        Parameters
        ----------
        log_probability : (..., R) array
            Of each heart rate.
        log_no_pulse : (...) array

        Returns
        -------
        probability : (..., R) array
        no_pulse : (...) array
            The rest to 1.

        Examples
        --------
        >>> probability, no_pulse = Calibration(2.0)(np.log([[0.64, 0.16]]), np.log([0.16]))
        >>> probability.round(6).tolist(), no_pulse.round(6).tolist()
        ([[0.5, 0.25]], [0.25])
        """
        rates, none = (
            np.asarray(log_probability) / self.temperature,
            np.asarray(log_no_pulse) / self.temperature + self.no_pulse_shift,
        )
        top = np.maximum(rates.max(axis=-1), none)
        rates, none = np.exp(rates - top[..., None]), np.exp(none - top)
        total = rates.sum(axis=-1) + none
        return rates / total[..., None], none / total


def weights_path(name: str = PULSE_NET, folder: Path = FOLDER) -> Path:
    """Return the path of a file of weights.

    Examples
    --------
    >>> weights_path().name
    'pulse-net-simulated.safetensors'
    """
    return folder / f"{name}.safetensors"


def read_description(name: str = PULSE_NET, folder: Path = FOLDER) -> dict[str, Any]:
    """Read the description beside a file of weights.

    Raises
    ------
    ModelError
        Where it is missing or damaged.

    Examples
    --------
    >>> sorted(read_description())[:3]
    ['calibration', 'input', 'measured']
    """
    path = weights_path(name, folder).with_suffix(".json")
    try:
        description: dict[str, Any] = json.loads(read_bytes(path, _MAX_BYTES))
        if not isinstance(description, dict) or not description.keys() >= _KEYS:
            raise ValueError("it is no description of weights")
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); install the package again") from None
    return description


def read_calibration(name: str = PULSE_NET) -> Calibration:
    """Read the calibration of a network's probabilities.

    Examples
    --------
    >>> read_calibration().temperature > 0
    True
    """
    return Calibration(**read_description(name)["calibration"])


def read_weights(name: str = PULSE_NET, folder: Path = FOLDER) -> dict[str, npt.NDArray[np.floating[Any]]]:
    """Read weights, compared with the hash of their description. It cannot run code.

    Raises
    ------
    ModelError
        Where a file is missing, damaged, or not the one that was described.

    Examples
    --------
    >>> weights = read_weights()
    >>> weights["stem.weight"].dtype
    dtype('float32')
    """
    path = weights_path(name, folder)
    try:
        data = read_bytes(path, _MAX_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); install the package again") from None
    if hashlib.sha256(data).hexdigest() != read_description(name, folder)["sha256"]:
        raise ModelError(f"{path}: is not the file that {path.with_suffix('.json').name} describes; install the package again")
    # safetensors: length of the header, header in JSON, numbers
    end = 8 + int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8:end])
    found: dict[str, npt.NDArray[np.floating[Any]]] = {}
    for key, one in header.items():
        if key != "__metadata__":
            first, last = one["data_offsets"]
            found[key] = np.frombuffer(data[end + first : end + last], dtype=_TYPES[one["dtype"]]).reshape(one["shape"])
    return found
