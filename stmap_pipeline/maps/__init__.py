"""Make ST-maps of stored block means, and cut windows with their labels. Nothing here opens a file.

=====================  ==================================================================
:mod:`.color`          linear color spaces, one 3 x 3 matrix each
:mod:`.windows`        a recording cut into windows, each with its label
:mod:`.normalize`      min-max or z-score of each row over the window; filling gaps
:mod:`.stmap`          an ST-map from block means
=====================  ==================================================================
"""

from stmap_pipeline.maps.color import COLOR_SPACES, channel_names, color_matrix, convert_color
from stmap_pipeline.maps.normalize import fill_rows, normalize_rows
from stmap_pipeline.maps.stmap import make_stmap, resample_blocks, stmap_from_means
from stmap_pipeline.maps.windows import cut_windows
from stmap_pipeline.signals.resample import resample_uniform, uniform_times

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
    "uniform_times",
]
