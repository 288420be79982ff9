"""Label files and clocks of recordings: heart rate and pulse on the clock of the frames, and the times of frames.

====================  =====================================================================
:mod:`.reader`        heart rate and pulse of a recording, read from its label files
:mod:`.frame_times`   a file of frame times
:mod:`.tables`        columns of numbers from a text file, within limits
====================  =====================================================================

:func:`check_sources` reads all of it before the first frame is decoded; :func:`read_labels` needs the times of the frames.
"""

from stmap_pipeline.labels.frame_times import read_frame_times, span_problem
from stmap_pipeline.labels.reader import Labels, check_sources, read_labels

__all__ = ["Labels", "check_sources", "read_frame_times", "read_labels", "span_problem"]
