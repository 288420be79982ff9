"""Balance the heart rates of a training set by resampled windows.

=====================  ===============================================================================
:mod:`.histogram`      bins, targets, and how many windows a target asks for
:mod:`.options`        what can be chosen
:mod:`.training`       the windows that are counted and resampled
:mod:`.sources`        what any part of a recording gives at another speed
:mod:`.offers`         the speeds that bring windows to other heart rates
:mod:`.choose`         windows so chosen that none is used more often than needed
:mod:`.plan`           what is added
:mod:`.result`         histogram before and after, and what could not be filled
=====================  ===============================================================================

Nothing here opens a file; :mod:`stmap_pipeline.shards.augment` plans and writes for a finished build.
"""

from stmap_pipeline.maps.balance.histogram import Bins, Target, normalized_entropy, read_target, wanted_counts
from stmap_pipeline.maps.balance.offers import make_offers
from stmap_pipeline.maps.balance.options import BalanceOptions, Fg2019Options, Options
from stmap_pipeline.maps.balance.plan import choose_windows
from stmap_pipeline.maps.balance.result import Added, Augmentation, BinResult
from stmap_pipeline.maps.balance.sources import Offers, Request, Source, Verdict
from stmap_pipeline.maps.balance.training import TrainingWindows

__all__ = [
    "Added",
    "Augmentation",
    "BalanceOptions",
    "BinResult",
    "Bins",
    "Fg2019Options",
    "Offers",
    "Options",
    "Request",
    "Source",
    "Target",
    "TrainingWindows",
    "Verdict",
    "choose_windows",
    "make_offers",
    "normalized_entropy",
    "read_target",
    "wanted_counts",
]
