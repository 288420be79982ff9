"""A batch of windows before anything is recorded: who is seen, when, with which damages, and the random numbers for each term."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.config import SimulationConfig
from stmap_pipeline.simulation.courses import CourseGrid
from stmap_pipeline.simulation.draws import log_uniform
from stmap_pipeline.simulation.frames import Frames
from stmap_pipeline.simulation.heart import Hearts
from stmap_pipeline.simulation.people import FaceMaps, People

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B windows with N blocks and, together, M frames.

    Parameters
    ----------
    random : dict of numpy.random.Generator
        A generator for each term, so that no term changes the numbers of another one.
    terms : dict of (B,) array of bool
        Damages of each window.
    severity : (B,) array of float64
        Factor on motion, light, noise and codec.
    people : People
    hearts : Hearts
    frames : Frames
    grid : CourseGrid
    maps : FaceMaps
    config : SimulationConfig
    """

    random: dict[str, np.random.Generator]
    terms: dict[str, BoolArray]
    severity: FloatArray
    people: People
    hearts: Hearts
    frames: Frames
    grid: CourseGrid
    maps: FaceMaps
    config: SimulationConfig

    @property
    def windows(self) -> int:
        """Number of windows."""
        return len(self.severity)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.maps.skin)

    @property
    def unseen(self) -> bool:
        """Whether the settings are those that no training uses."""
        return self.config.settings == "unseen"

    def present(self, term: str, low: float, high: float) -> FloatArray:
        """Draw the strength of a damage, log-uniform times severity; 0 in windows without it."""
        return np.asarray(self.terms[term] * self.severity * log_uniform(self.random[term], low, high, self.windows))

    def frames_with(self, term: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], FloatArray]:
        """Return index, window and time of the frames of all windows that have a damage."""
        on = np.flatnonzero(self.terms[term][self.frames.owner])
        return on, self.frames.owner[on], self.frames.taken_s[on]

    def end_s(self) -> float:
        """Return the time of the last frame of all."""
        return float(self.frames.taken_s.max())
