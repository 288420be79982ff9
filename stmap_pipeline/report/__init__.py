"""Pictures of what was built.

=====================  ====================================================================
:mod:`.picture`        one recording: map, pulse, heart rate and spectrum in one file
:mod:`.histogram`      heart rates of a training set before and after it was balanced
=====================  ====================================================================
"""

from stmap_pipeline.report.histogram import draw_histogram
from stmap_pipeline.report.picture import draw_recording

__all__ = ["draw_histogram", "draw_recording"]
