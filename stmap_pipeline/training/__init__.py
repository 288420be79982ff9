"""Train networks that estimate heart rate from maps. torch comes with the extra ``train``.

=====================  ==================================================================
:mod:`.config`         settings of a training, with their defaults by network
:mod:`.protocol`       training, validation and held-out subjects of each fold
:mod:`.data`           batches of recorded or simulated windows
:mod:`.networks`       networks by name: what they read, their loss, their heart rates
:mod:`.optimizer`      AdamW, and Muon for the matrices of a network
:mod:`.train`          the training itself, from the plan to the last file
:mod:`.predict`        heart rates from a trained network
:mod:`.run_folder`     files, columns and metadata of a run
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
    from stmap_pipeline.training.networks import Network, build_network
    from stmap_pipeline.training.predict import Model
    from stmap_pipeline.training.train import FoldResult, Forecast, Progress, TrainPlan, plan_training, run_training

# module of each name, imported when the name is first asked for
_LAZY = {
    **dict.fromkeys(("TrainConfig",), "config"),
    **dict.fromkeys(("Network", "build_network"), "networks"),
    **dict.fromkeys(("Model",), "predict"),
    **dict.fromkeys(("FoldResult", "Forecast", "Progress", "TrainPlan", "plan_training", "run_training"), "train"),
}

__all__ = [
    "FoldResult", "Forecast", "Model", "Network", "Progress", "TrainConfig", "TrainPlan",
    "build_network", "plan_training", "run_training",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        require_torch(*(["lightning_fabric"] if _LAZY[name] == "train" else []))
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
