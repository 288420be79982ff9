"""From stored block means to maps and windows. Nothing here opens a file.

=====================  ==================================================================
:mod:`.uniform`        irregular frame times to a uniform grid
:mod:`.color`          linear color spaces, one 3 x 3 matrix each
:mod:`.normalize`      min-max or z-score of each row over the window; filling gaps
:mod:`.stmap`          a map from block means
:mod:`.windows`        a recording cut into intervals with labels
:mod:`.resample`       a recording played faster or slower; :mod:`.resample_torch` does it in batches
:mod:`.balance`        which windows are to be resampled so that all heart rates occur
=====================  ==================================================================
"""

from stmap_pipeline.maps.color import COLOR_SPACES, channel_names, color_matrix, convert_color
from stmap_pipeline.maps.normalize import fill_rows, normalize_rows
from stmap_pipeline.maps.stmap import make_stmap, resample_blocks, stmap_from_means
from stmap_pipeline.maps.uniform import resample_uniform, uniform_times
from stmap_pipeline.maps.windows import cut_windows, uncovered_samples

__all__ = [
    "COLOR_SPACES",
    "channel_names",
    "color_matrix",
    "convert_color",
    "cut_windows",
    "fill_rows",
    "make_stmap",
    "normalize_rows",
    "resample_blocks",
    "resample_uniform",
    "stmap_from_means",
    "uncovered_samples",
    "uniform_times",
]
