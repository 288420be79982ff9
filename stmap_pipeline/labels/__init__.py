"""Read label files and frame times of recordings: heart rate and pulse on the clock of the frames.

====================  =====================================================================
:mod:`.reader`        heart rate and pulse of a recording, read from its label files
:mod:`.frame_times`   the times of the frames, read from a file
:mod:`.tables`        columns of numbers from a text file, within limits
====================  =====================================================================

:func:`check_sources` reads and checks all files before the first frame is decoded; :func:`read_labels` needs the times of the frames.
The label of a window is computed by :mod:`stmap_pipeline.maps.windows`.
"""

from stmap_pipeline.labels.frame_times import read_frame_times, span_problem
from stmap_pipeline.labels.reader import Labels, check_sources, read_labels

__all__ = ["Labels", "check_sources", "read_frame_times", "read_labels", "span_problem"]
