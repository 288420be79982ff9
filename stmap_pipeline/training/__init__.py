"""Train networks that estimate heart rate from maps. torch comes with the extra ``train``.

=====================  ==================================================================
:mod:`.config`         settings of a training, with their defaults by network
:mod:`.protocol`       training, validation and held-out subjects of each fold
:mod:`.data`           batches of recorded or simulated windows
:mod:`.networks`       networks by name: what they read, their loss, their heart rates
:mod:`.optimizer`      AdamW, and Muon for the matrices of a network
:mod:`.plan`           what is checked before a training: maps, settings, run folder
:mod:`.forecast`       how long a training will take
:mod:`.train`          the training itself: epochs, folds, and their files
:mod:`.state`          everything that the next epoch depends on
:mod:`.device`         a CPU, a GPU, or one of several processes
:mod:`.predict`        heart rates from a trained network
:mod:`.run_folder`     files, columns and metadata of a run
:mod:`.tensor_file`    files of weights
=====================  ==================================================================

A run from Python::

    plan = plan_training(Path("maps"), Path("runs/attention"), TrainConfig(augment="plan"))
    for event in run_training(plan):
        print(event)

torch is imported with the first name that needs it, so a run can be read, and names listed, without torch.
"""

from typing import TYPE_CHECKING, Any

from stmap_pipeline.torch import require_torch

if TYPE_CHECKING:
    from stmap_pipeline.training.config import TrainConfig
    from stmap_pipeline.training.forecast import Forecast
    from stmap_pipeline.training.networks import Network, build_network
    from stmap_pipeline.training.plan import TrainPlan, plan_training
    from stmap_pipeline.training.predict import Model
    from stmap_pipeline.training.train import FoldResult, Progress, run_training

# module of each name, imported when the name is first asked for
_LAZY = {
    **dict.fromkeys(("TrainConfig",), "config"),
    **dict.fromkeys(("Network", "build_network"), "networks"),
    **dict.fromkeys(("Model",), "predict"),
    **dict.fromkeys(("TrainPlan", "plan_training"), "plan"),
    **dict.fromkeys(("Forecast",), "forecast"),
    **dict.fromkeys(("FoldResult", "Progress", "run_training"), "train"),
}

__all__ = [
    "FoldResult", "Forecast", "Model", "Network", "Progress", "TrainConfig", "TrainPlan",
    "build_network", "plan_training", "run_training",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        require_torch(*(["lightning_fabric"] if _LAZY[name] in ("train", "forecast") else []))
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
