"""What is simulated: size of a window, heart rates, how many windows are damaged and by what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

SHARES: Mapping[str, float] = {
    "motion": 0.25,
    "periodic_motion": 0.12,
    "talking": 0.15,
    "hand": 0.05,
    "unsteady_light": 0.15,
    "screen": 0.10,
    "lamp": 0.06,
    "mains": 0.12,
    "exposure_steps": 0.10,
    "white_balance_steps": 0.10,
    "dark": 0.12,
    "bright": 0.08,
    "low_frame_rate": 0.20,
    "jitter": 0.20,
    "dropped_frames": 0.08,
    "repeated_frames": 0.08,
    "blended_frames": 0.04,
    "freeze": 0.08,
    "small_face": 0.12,
    "noise": 0.15,
    "rounding": 0.08,
    "codec": 0.45,
    "lost_frames": 0.08,
    "lost_blocks": 0.08,
    "no_skin": 0.15,
    "irregular_beats": 0.04,
    "ectopic_beats": 0.04,
    "gestures": 0.25,
}
"""Damage -> in what share of the damaged windows it is. What each one does is described in docs/explanation/simulated-traces.md."""


TRAINING_SHARES: Mapping[str, float] = {"periodic_motion": 0.20, "lamp": 0.20, "mains": 0.20, "codec": 0.65, "small_face": 0.20}
"""Damage -> its share in the settings of training, where it is larger: a network needs more examples than videos have to learn that a rhythm is no pulse, and real
videos are hardest where they are compressed and faces small."""
_TRAINING_DAMAGED_SHARE = 0.75
#: Rows, and columns, of the blocks of the windows of a training, in turn, for a network that reads any grid: those of `stmap estimate`, and of a map.
TRAINING_GRIDS = (10, 10, 5)


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """What :func:`~stmap_pipeline.simulation.simulate_windows` draws. All fields are plain values that JSON and TOML can hold.

    Parameters
    ----------
    rows, cols : int
        Grid of blocks on the face.
    samples : int
        Length of a window.
    rate_hz : float
        Samples per second.
    heart_rate_edges_bpm : tuple of float
        Edges of bands of heart rate, ascending, from 20 to 240; inside a band all rates are equally frequent. The default, a single
        band, is a little wider than the 40 to 180 bpm that are wanted, so that these ends are learned too.
    heart_rate_weights : tuple of float
        How frequent each band is; divided by their sum.
    damaged_share : float
        Share of windows with the damages of ``shares``; the others show a person who sits still before a good camera.
    no_pulse_share : float
        Share of windows without any pulse: a photograph, still or moved, or a wall; damaged as often as the others.
    severity : float
        Factor on motion, light, noise and codec; 0 leaves the pulse alone.
    settings : "training" or "unseen"
        Which people, light, cameras and codecs are drawn. Those of ``"unseen"`` have other wave shapes (two Gaussians for each beat
        instead of free harmonics), pulse colors, spectra of motion, frame rates, key-frame intervals, units and steps of codecs, stronger pulses, steadier
        blocks and finer codecs, and no hearts that hardly vary, heads that hardly move or very strong pulses; see the documentation.
    shares : dict of str to float
        Share of a damage among the damaged windows, where it is not that of :data:`SHARES`, or in the settings of training of
        :data:`TRAINING_SHARES`.

    Raises
    ------
    ValueError
        Where a value is not allowed.

    Examples
    --------
    >>> from dataclasses import asdict
    >>> config = SimulationConfig(heart_rate_edges_bpm=(40, 60, 100), heart_rate_weights=(1, 3))
    >>> SimulationConfig(**asdict(config)) == config
    True
    >>> SimulationConfig.unseen(damaged_share=0.5).settings
    'unseen'
    """

    rows: int = 5
    cols: int = 5
    samples: int = 300
    rate_hz: float = 30.0
    heart_rate_edges_bpm: tuple[float, ...] = (36.0, 200.0)
    heart_rate_weights: tuple[float, ...] = (1.0,)
    damaged_share: float = 0.6
    no_pulse_share: float = 0.15
    severity: float = 1.0
    settings: Literal["training", "unseen"] = "training"
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # lists, as TOML and JSON have them
        object.__setattr__(self, "heart_rate_edges_bpm", tuple(self.heart_rate_edges_bpm))
        object.__setattr__(self, "heart_rate_weights", tuple(self.heart_rate_weights))
        edges, weights = self.heart_rate_edges_bpm, self.heart_rate_weights
        if not (1 <= self.rows <= 32 and 1 <= self.cols <= 32):
            raise ValueError(f"a grid has 1 to 32 rows and columns, not {self.rows} x {self.cols}")
        if not (math.isfinite(self.rate_hz) and 5 <= self.rate_hz <= 240):
            raise ValueError(f"rate_hz must be from 5 to 240, not {self.rate_hz}")
        if not (self.samples >= 8 and 2 <= self.samples / self.rate_hz <= 120):
            raise ValueError(f"a window lasts 2 to 120 s, not {self.samples} samples at {self.rate_hz:g} Hz")
        if len(edges) < 2 or len(weights) != len(edges) - 1:
            raise ValueError(f"{len(edges)} edges of heart rates need {max(len(edges) - 1, 1)} weights, not {len(weights)}")
        if any(not low < high for low, high in pairwise(edges)) or not (edges[0] >= 20 and edges[-1] <= 240):
            raise ValueError(f"heart rates must ascend from 20 to 240 bpm, not {edges}")
        if not all(math.isfinite(one) and one >= 0 for one in weights) or sum(weights) <= 0:
            raise ValueError(f"weights of heart rates must not be negative, and not all be 0: {weights}")
        if not (math.isfinite(self.severity) and self.severity >= 0):
            raise ValueError(f"severity is a factor from 0, not {self.severity}")
        if self.settings not in ("training", "unseen"):
            raise ValueError(f'settings are "training" or "unseen", not {self.settings!r}')
        unknown = set(self.shares) - set(SHARES)
        if unknown:
            raise ValueError(f"unknown damage {sorted(unknown)[0]!r}; known are {', '.join(SHARES)}")
        shares = {"damaged_share": self.damaged_share, "no_pulse_share": self.no_pulse_share, **self.shares}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {share}")

    @classmethod
    def training(cls, **changes: object) -> SimulationConfig:
        """Return what `stmap train --recipe simulated` draws: more damage than in videos, since little is left to learn from windows without; ``changes`` are other fields."""
        return replace(cls(damaged_share=_TRAINING_DAMAGED_SHARE), **changes)  # type: ignore[arg-type]

    @classmethod
    def unseen(cls, **changes: object) -> SimulationConfig:
        """Return the settings that no training uses, for validation; ``changes`` are other fields."""
        return replace(cls(settings="unseen"), **changes)  # type: ignore[arg-type]

    def share(self, damage: str) -> float:
        """Return the share of a damage among the damaged windows."""
        own = TRAINING_SHARES if self.settings == "training" else {}
        return {**SHARES, **own, **self.shares}[damage]
