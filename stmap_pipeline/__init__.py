"""stmap: face videos in, heart-rate-labeled spatial-temporal maps out.

Packages in the order of the data. Each imports only packages before it::

    records -> databases -> labels -> video -> faces -> blocks -> maps -> balance -> shards
            -> pipeline -> torch -> training -> evaluation -> report, synth

Start at :func:`stmap_pipeline.pipeline.build` to make maps and at :class:`stmap_pipeline.Shards` to read them.
"""

from typing import TYPE_CHECKING, Any

from stmap_pipeline.version import __version__

__all__ = ["Config", "Shards", "__version__"]

if TYPE_CHECKING:
    from stmap_pipeline.config import Config
    from stmap_pipeline.shards import Shards

_LAZY = {"Config": "stmap_pipeline.config", "Shards": "stmap_pipeline.shards"}


def __getattr__(name: str) -> Any:
    # h5py and pydantic cost half a second: `stmap --help` must not pay for them
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
