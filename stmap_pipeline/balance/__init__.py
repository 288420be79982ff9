"""Balance the heart rates of a training set by windows of recordings played faster or slower. Nothing here opens a file.

=====================  ===============================================================================
:mod:`.histogram`      bins, the target, and how many windows it asks for
:mod:`.plan`           options, the windows that there are at other speeds, and which of them are added
=====================  ===============================================================================

:mod:`stmap_pipeline.shards.augmentation` plans for a finished build and writes the plan beside it.
"""

from stmap_pipeline.balance.histogram import Bins, Target, normalized_entropy, read_target, wanted_counts
from stmap_pipeline.balance.plan import Augmentation, BalanceOptions, BinResult, Source, choose_windows

__all__ = [
    "Augmentation",
    "BalanceOptions",
    "BinResult",
    "Bins",
    "Source",
    "Target",
    "choose_windows",
    "normalized_entropy",
    "read_target",
    "wanted_counts",
]
