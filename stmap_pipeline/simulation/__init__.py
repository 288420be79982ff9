"""Simulated people in front of simulated cameras, as numbers: block means, motion and pulse, without any pixel.

====================  ==================================================================================
:mod:`.windows`       windows of videos as users have them, thousands a second: :func:`simulate_windows`
:mod:`.config`        what is drawn: heart rates, shares of damages, seen and unseen settings
:mod:`.heart`         beats and their wave; :mod:`.people`: skin, blood, shine, hair
:mod:`.scene`         motion and light, as few time courses times patterns over the blocks
:mod:`.frames`        when frames are taken, repeated and lost, and their resampling
:mod:`.camera`        exposure, clipping, noise; :mod:`.codec`: key frames and skipped blocks
:mod:`.courses`       random processes of a given spectrum; :mod:`.batch`: what is drawn of some windows together
:mod:`.trace_model`   one long recording of VIPL-HR's kind; :mod:`.pulse`: its heart
:mod:`.face`          mean face of both: landmarks, skin tones, and what its blocks show
====================  ==================================================================================
"""

from stmap_pipeline.simulation.config import SHARES, TRAINING_SHARES, SimulationConfig
from stmap_pipeline.simulation.windows import SimulatedWindows, simulate_windows

__all__ = ["SHARES", "TRAINING_SHARES", "SimulatedWindows", "SimulationConfig", "simulate_windows"]
