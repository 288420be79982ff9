"""Windows as the networks of the package read them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows on a device, and what is known to be true of them.

    Parameters
    ----------
    means : (B, T, N, 3) tensor of float32
        R, G, B of each block in gray levels; NaN where not seen.
    motion : (B, T, 4) tensor of float32, optional
        Position, size and roll of the head, see :func:`stmap_pipeline.faces.motion.head_motion`; NaN where the face was lost. None
        where it was not read, as for networks of maps.
    pulse : (B, T) tensor of float32, optional
        Pulse wave in arbitrary units; NaN where there is no label. None where it was not read.
    heart_rate_bpm : (B,) tensor of float32
        NaN where there is no label; in simulated windows, where there is no pulse.
    duration_s : (B,) tensor of float32
        Length of each window.
    """

    means: Tensor
    motion: Tensor | None
    pulse: Tensor | None
    heart_rate_bpm: Tensor
    duration_s: Tensor

    def __len__(self) -> int:
        return len(self.heart_rate_bpm)
