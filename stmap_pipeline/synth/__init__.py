"""Face videos that were never filmed: drawn people with a known pulse, in the layout of a real database.

======================  ==================================================================================
:mod:`.synthesis`       plan and write a database; go on after a kill
:mod:`.scene`           one person before one camera: pixels at any time, and the truth about them
:mod:`.shape`           landmarks of a face, and a person by seed
:mod:`.paint`           a head, drawn once (:mod:`.features`, :mod:`.relief`, :mod:`.canvas`, :mod:`.backdrop`)
:mod:`.motion`          pose, blinks, talk; :mod:`.pulse`: heart rate and wave; :mod:`.sines`: what both are made of
:mod:`.camera`          light and sensor noise
:mod:`.encode`          frames into files, the same bytes each time
:mod:`.recording`       the plan of one recording, and its quirks; :mod:`.labels`: what a pulse oximeter writes
:mod:`.vipl`            the layouts: VIPL-HR, :mod:`.mmse`: MMSE-HR, :mod:`.folder`: one's own videos
======================  ==================================================================================

These people are models: a frontal head that does not turn, one light, a pulse of one color direction. What works on
them may fail on a real face; what fails on them will.
"""

from stmap_pipeline.synth.recording import QUIRKS, SyntheticRecording
from stmap_pipeline.synth.scene import Scene, make_scene
from stmap_pipeline.synth.synthesis import LAYOUTS, SETTINGS, Synthesis, plan_synthesis, synthesize

__all__ = [
    "LAYOUTS",
    "QUIRKS",
    "SETTINGS",
    "Scene",
    "Synthesis",
    "SyntheticRecording",
    "make_scene",
    "plan_synthesis",
    "synthesize",
]
