"""Windows of maps and traces for PyTorch. torch comes with the extra ``train``.

=================  ==========================================================================================
:mod:`.dataset`    :class:`MapDataset`: windows one by one, in a ``DataLoader``, or as batches in memory
:mod:`.sampler`    :class:`WindowSampler`: a new order in each epoch, as recorded or with balanced heart rates
:mod:`.maps`       maps of a whole batch at once, on any device
:mod:`.batch`      :class:`Batch`: what the networks of the package read
=================  ==========================================================================================

A loop of one's own::

    data = MapDataset("maps", fold=[1, 2, 3, 4])
    for epoch in range(10):
        for batch in DataLoader(data, batch_size=32, sampler=sampler):
            loss = criterion(network(batch["map"]), batch["heart_rate_bpm"])

The training of ``stmap train`` reads its windows by the same class.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stmap_pipeline.torch.batch import Batch
    from stmap_pipeline.torch.dataset import MapDataset
    from stmap_pipeline.torch.maps import maps_from_means
    from stmap_pipeline.torch.sampler import WindowSampler

# module of each name, imported when the name is first asked for
_LAZY = {"Batch": "batch", "MapDataset": "dataset", "WindowSampler": "sampler", "maps_from_means": "maps"}

__all__ = ["Batch", "MapDataset", "WindowSampler", "maps_from_means", "require_torch"]


def require_torch(*more: str) -> None:
    """Raise an error where the extra ``train`` is missing. To be called before a module that imports torch is imported.

    Parameters
    ----------
    more : str
        Packages that are needed in addition to torch and safetensors.

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
