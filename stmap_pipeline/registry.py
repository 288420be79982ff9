"""Names a user can choose, and the code behind them. Listing names imports nothing; loading imports one module.

An extension is one file and one line here. Another package adds its own through the entry-point group ``stmap.<kind>``, for example
``[project.entry-points."stmap.databases"]``, and is then found by all commands and worker processes; a script adds them for its
own process by :func:`register`. No file of data can: a run names its network, and what stands behind the name is installed or it is not.
"""

from __future__ import annotations

import functools
import importlib
from importlib.metadata import entry_points
from typing import Any

from stmap_pipeline.errors import UnknownNameError, did_you_mean, plain_name

REGISTRIES: dict[str, dict[str, str]] = {
    "databases": {
        "bp4d-plus": "stmap_pipeline.databases.bp4d_plus:DATABASE",
        "cohface": "stmap_pipeline.databases.cohface:DATABASE",
        "folder": "stmap_pipeline.databases.folder:DATABASE",
        "ibvp": "stmap_pipeline.databases.ibvp:DATABASE",
        "mahnob-hci": "stmap_pipeline.databases.mahnob_hci:DATABASE",
        "mcd-rppg": "stmap_pipeline.databases.mcd_rppg:DATABASE",
        "mmpd": "stmap_pipeline.databases.mmpd:DATABASE",
        "mmse-hr": "stmap_pipeline.databases.mmse_hr:DATABASE",
        "pure": "stmap_pipeline.databases.pure:DATABASE",
        "scamps": "stmap_pipeline.databases.scamps:DATABASE",
        "synthetic": "stmap_pipeline.databases.synthetic:DATABASE",
        "ubfc-phys": "stmap_pipeline.databases.ubfc_phys:DATABASE",
        "ubfc-rppg": "stmap_pipeline.databases.ubfc_rppg:DATABASE",
        "v4v": "stmap_pipeline.databases.v4v:DATABASE",
        "vipl-hr": "stmap_pipeline.databases.vipl_hr:DATABASE",
    },
    "export_layouts": {
        "hdf5": "stmap_pipeline.shards.layouts.hdf5:LAYOUT",
        "nest": "stmap_pipeline.shards.layouts.nest:LAYOUT",
        "npy": "stmap_pipeline.shards.layouts.npy:LAYOUT",
        "png": "stmap_pipeline.shards.layouts.png:LAYOUT",
        "rhythmnet": "stmap_pipeline.shards.layouts.rhythmnet:LAYOUT",
    },
    "face_backends": {
        "dlib68": "stmap_pipeline.faces.dlib68:Dlib68",
        "facemesh": "stmap_pipeline.faces.facemesh:FaceMesh",
    },
    "label_formats": {
        "csv": "stmap_pipeline.labels.tables:CSV",
        "edf": "stmap_pipeline.labels.edf:FORMAT",
        "empatica": "stmap_pipeline.labels.empatica:FORMAT",
        "hdf5": "stmap_pipeline.labels.hdf5:FORMAT",
        "json": "stmap_pipeline.labels.json_file:FORMAT",
        "matlab": "stmap_pipeline.labels.matlab:FORMAT",
        "kubios": "stmap_pipeline.labels.kubios:FORMAT",
        "labchart": "stmap_pipeline.labels.labchart:FORMAT",
        "opensignals": "stmap_pipeline.labels.opensignals:FORMAT",
        "rows": "stmap_pipeline.labels.rows:FORMAT",
        "text": "stmap_pipeline.labels.tables:FORMAT",
    },
    # drawn databases of `stmap synth`
    "layouts": {
        "bp4d-plus": "stmap_pipeline.synth.layouts.bp4d_plus:LAYOUT",
        "cohface": "stmap_pipeline.synth.layouts.cohface:LAYOUT",
        "folder": "stmap_pipeline.synth.layouts.folder:LAYOUT",
        "ibvp": "stmap_pipeline.synth.layouts.ibvp:LAYOUT",
        "mahnob-hci": "stmap_pipeline.synth.layouts.mahnob_hci:LAYOUT",
        "mcd-rppg": "stmap_pipeline.synth.layouts.mcd_rppg:LAYOUT",
        "mmpd": "stmap_pipeline.synth.layouts.mmpd:LAYOUT",
        "mmse-hr": "stmap_pipeline.synth.layouts.mmse_hr:LAYOUT",
        "pure": "stmap_pipeline.synth.layouts.pure:LAYOUT",
        "scamps": "stmap_pipeline.synth.layouts.scamps:LAYOUT",
        "ubfc-phys": "stmap_pipeline.synth.layouts.ubfc_phys:LAYOUT",
        "ubfc-rppg": "stmap_pipeline.synth.layouts.ubfc_rppg:LAYOUT",
        "v4v": "stmap_pipeline.synth.layouts.v4v:LAYOUT",
        "vipl-hr": "stmap_pipeline.synth.layouts.vipl_hr:LAYOUT",
    },
    "networks": {
        "pulse-net": "stmap_pipeline.training.networks.pulse_net:PulseNetwork",
        "attention-resnet18": "stmap_pipeline.training.networks.attention:AttentionResNet18",
        "resnet18": "stmap_pipeline.training.networks.resnet18:ResNet18",
    },
}


# of this process alone
_registered: dict[str, dict[str, Any]] = {}


def register(kind: str, name: str, target: Any) -> None:
    """Add a name to a registry of this process, as a script or a notebook needs it; the last one of a name counts.

    Parameters
    ----------
    kind : str
        A key of :data:`REGISTRIES`.
    name : str
    target : object or str
        What :func:`load` returns, or where it is: ``"module:attribute"``.

    Raises
    ------
    ValueError
        Where there is no such registry, or the name is one of stmap's own.

    Examples
    --------
    >>> register("networks", "small", "stmap_pipeline.training.networks.resnet18:ResNet18")
    >>> "small" in names("networks"), load("networks", "small").__name__
    (True, 'ResNet18')
    >>> unregister("networks", "small")
    """
    if kind not in REGISTRIES:
        raise ValueError(f"no registry is called {kind!r}; use one of {', '.join(REGISTRIES)}")
    if name in REGISTRIES[kind]:
        raise ValueError(f"{name!r} is one of stmap's own {kind.replace('_', ' ')}; choose another name")
    _registered.setdefault(kind, {})[name] = target


def unregister(kind: str, name: str) -> None:
    """Remove a name that :func:`register` added; nothing happens where it is not there."""
    _registered.get(kind, {}).pop(name, None)


@functools.cache
def _installed(kind: str) -> dict[str, str]:
    # reading what is installed takes as long as reading a hundred label files
    return {point.name: point.value for point in entry_points(group=f"stmap.{kind}")}


def _all(kind: str) -> dict[str, Any]:
    # our own names win: an installed package must not be able to replace them unseen
    return {**_installed(kind), **_registered.get(kind, {}), **REGISTRIES[kind]}


def names(kind: str) -> list[str]:
    """List the names of one registry in alphabetical order, importing nothing.

    Examples
    --------
    >>> names("databases")[:4]
    ['bp4d-plus', 'cohface', 'folder', 'ibvp']
    """
    return sorted(_all(kind))


def find(kind: str, name: str) -> str:
    """Return the name as the registry spells it: case and underscores in place of hyphens do not matter.

    Raises
    ------
    UnknownNameError
        Where the registry has no such name; the message lists the names.

    Examples
    --------
    >>> find("databases", "VIPL_HR")
    'vipl-hr'
    """
    known = _all(kind)
    if name in known:
        return name
    plain = {plain_name(one): one for one in known}
    if plain_name(name) in plain:
        return plain[plain_name(name)]
    what = kind.rstrip("s").replace("_", " ")
    raise UnknownNameError(f"no {what} is called {name!r}{did_you_mean(name, known)} (known: {', '.join(sorted(known))})")


def load(kind: str, name: str) -> Any:
    """Return what stands behind a name, which is found as by :func:`find`; its module is imported.

    Raises
    ------
    UnknownNameError
        Where the registry has no such name; the message lists the names.

    Examples
    --------
    >>> load("databases", "VIPL-HR").name
    'vipl-hr'
    """
    known = _all(kind)
    target = known[name] if name in known else known[find(kind, name)]
    return _imported(target) if isinstance(target, str) else target


def load_all(kind: str) -> list[Any]:
    """Return what stands behind each name of one registry, in alphabetical order; their modules are imported.

    Examples
    --------
    >>> [one.name for one in load_all("label_formats")][:2]
    ['csv', 'edf']
    """
    return [_kept(target) if isinstance(target, str) else target for _, target in sorted(_all(kind).items())]


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


# to ask for eleven modules takes as long as to read a short label
_kept = functools.cache(_imported)
