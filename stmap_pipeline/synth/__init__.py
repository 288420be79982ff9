"""Synthetic data with a known pulse: drawn face videos in the layout of a real database, and simulated traces without video.

======================  ==================================================================================
:mod:`.synthesis`       drawn databases: plan, write in parallel, resume
:mod:`.layouts`         where files and labels of each database lie
:mod:`.recordings`      plan of one recording: scene, camera, quirks
:mod:`.scene`           one person in front of one camera: motion, light, noise; pixels and truth at any time
:mod:`.face`            geometry of a drawn face; :mod:`.paint`: its painting
:mod:`.encode`          video encoding, the same bytes each time
:mod:`.traces`          simulated databases of the size of VIPL-HR
======================  ==================================================================================

The pulse of both, and the model behind simulated traces, are in :mod:`stmap_pipeline.simulation`.

Drawn people are models: a frontal head, one light, a pulse of one color direction. What works on
them may fail on a real face; what fails on them will fail there too.
"""

from stmap_pipeline.synth.layouts import SETTINGS
from stmap_pipeline.synth.recordings import QUIRKS, SyntheticRecording
from stmap_pipeline.synth.scene import Scene, make_scene
from stmap_pipeline.synth.synthesis import Synthesis, plan_synthesis

__all__ = [
    "QUIRKS",
    "SETTINGS",
    "Scene",
    "Synthesis",
    "SyntheticRecording",
    "make_scene",
    "plan_synthesis",
]
