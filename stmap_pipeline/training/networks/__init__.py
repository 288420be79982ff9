"""Networks by name: one file and one line of :mod:`stmap_pipeline.registry` each.

===================  ==========================================================================
:mod:`.base`         what the trainer asks of a network, and a network by name
:mod:`.resnet18`     ResNet-18 that reads maps, for the ablation
:mod:`.attention`    the same with channel and spatial attention after each stage: the default
:mod:`.pretrained`   initial weights from a file of the user
===================  ==========================================================================
"""

from stmap_pipeline.training.networks.base import Network, NetworkInput, build_network
from stmap_pipeline.training.networks.pretrained import load_trunk

__all__ = ["Network", "NetworkInput", "build_network", "load_trunk"]
