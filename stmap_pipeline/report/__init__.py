"""Pictures of what was built.

=====================  ====================================================================
:mod:`.picture`        one recording: map, pulse, heart rate and spectrum in one file
=====================  ====================================================================
"""

from stmap_pipeline.report.picture import draw_recording

__all__ = ["draw_recording"]
