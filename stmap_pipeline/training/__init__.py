"""Networks that learn heart rate from maps, and the loop that trains them. torch comes with the extra ``train``.

=====================  ==================================================================
:mod:`.networks`       networks by name, and weights to begin with
:mod:`.dataset`        all windows of a training on its device
:mod:`.rows`           color, masking and normalization of a batch; :mod:`.traces` cuts it
:mod:`.sequences`      windows in a row
:mod:`.config`         all settings of a training
:mod:`.protocol`       who is trained on, who chooses the epoch, who is evaluated
:mod:`.run`            a whole run: plan it, train it; :mod:`.run_folder` is what it writes
:mod:`.loop`           the training of one fold; :mod:`.state` survives a kill, :mod:`.devices` spreads it
:mod:`.checkpoint`     weights on disk, and what they are weights of
:mod:`.predict`        heart rates from a trained network; :mod:`.apply` runs it over windows
=====================  ==================================================================

Importing this package imports no torch: who only lists names or reads a run need not wait for it, or have it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stmap_pipeline.training.config import TrainConfig
    from stmap_pipeline.training.dataset import TrainingSet
    from stmap_pipeline.training.loop import Progress
    from stmap_pipeline.training.networks import LoadedTrunk, Network, NetworkInput, build_network, load_trunk
    from stmap_pipeline.training.predict import Model
    from stmap_pipeline.training.rows import MaskOptions, network_input
    from stmap_pipeline.training.run import FoldDone, TrainPlan, plan_training, run_training

__all__ = [
    "FoldDone",
    "LoadedTrunk",
    "MaskOptions",
    "Model",
    "Network",
    "NetworkInput",
    "Progress",
    "TrainConfig",
    "TrainPlan",
    "TrainingSet",
    "build_network",
    "load_trunk",
    "network_input",
    "plan_training",
    "require_torch",
    "run_training",
]

_LAZY = {
    "FoldDone": "run",
    "LoadedTrunk": "networks",
    "MaskOptions": "rows",
    "Model": "predict",
    "Network": "networks",
    "NetworkInput": "networks",
    "Progress": "loop",
    "TrainConfig": "config",
    "TrainPlan": "run",
    "TrainingSet": "dataset",
    "build_network": "networks",
    "load_trunk": "networks",
    "network_input": "rows",
    "plan_training": "run",
    "run_training": "run",
}


def require_torch(*more: str) -> None:
    """Say what to install where the extra ``train`` is missing. To be called before a module of this package is imported.

    Parameters
    ----------
    more : str
        Packages that are needed beside torch and safetensors.

    Raises
    ------
    ExtraMissingError
        Where one of them is not installed.
    """
    import importlib.util

    from stmap_pipeline.errors import ExtraMissingError

    for name in ("torch", "safetensors", *more):
        if importlib.util.find_spec(name) is None:
            raise ExtraMissingError(f"training and its networks need {name}, which is not installed: pip install 'stmap[train]'")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        require_torch()
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
