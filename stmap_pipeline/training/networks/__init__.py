"""Networks by name: one file and one line of :mod:`stmap_pipeline.registry` each.

===================  ==========================================================================
:mod:`.base`         what the trainer asks of a network, and a network by name
:mod:`.pulse_net`    reads traces, estimates a distribution over heart rates and a pulse wave: the default
:mod:`.map_network`  what networks that read maps have in common: the maps, the target, the loss
:mod:`.resnet18`     ResNet-18 that reads maps, for the ablation
:mod:`.attention`    the same with channel and spatial attention after each stage: the paper's
===================  ==========================================================================
"""

from stmap_pipeline.torch import Batch
from stmap_pipeline.training.networks.base import Network, Rates, build_network

__all__ = ["Batch", "Network", "Rates", "build_network"]
