"""The last sections of a page: a methods paragraph for a paper, what to cite, and the provenance of the numbers."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from stmap_pipeline.files import read_bytes, sha256
from stmap_pipeline.report.page import About, environment
from stmap_pipeline.report.runs import Run
from stmap_pipeline.shards import Shards, read_augmentation
from stmap_pipeline.shards.manifest import MANIFEST, MAX_BYTES
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.protocol import number_range, plan_protocol
from stmap_pipeline.training.run_folder import finished_folds, maps_metadata
from stmap_pipeline.version import __version__

_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "dlib-bin", "av", "h5py")
_RUN_PACKAGES = ("numpy", "scipy", "torch", "safetensors", "h5py", "jinja2")
# what runs of one experiment may differ in; all else is described once
_VARIED = {"network": "any", "protocol": "within", "augment": "none", "seed": 0}


def about_maps(
    shards: Shards,
    *,
    simulated: bool = False,
    command: str = "",
    plan: dict[str, Any] | None = None,
    trained: tuple[str, str] | None = None,
    measured: bool = True,
) -> About:
    """Describe how the maps of a build came about.

    Parameters
    ----------
    shards : Shards
    simulated : bool
        Whether the recordings are synthetic data.
    command : str
        The command that made the report.
    plan : dict, optional
        Of the augmentation, as :func:`~stmap_pipeline.shards.read_augmentation` gives it.
    trained : (str, str), optional
        On how many windows as recorded and resampled networks were trained.
    measured : bool
        Whether quality figures are shown.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> about = about_maps(Shards(example_maps()))
    >>> "grid of 2 x 2 blocks" in about.methods[0]
    True
    """
    source = database_of(shards)
    config, simulation = shards.config, _description(shards).get("Simulation")
    if isinstance(simulation, dict):
        methods = [paragraph("traces", config=config, source=source["Name"], simulation=simulation)]
    else:
        name = f"simulated recordings ({source['Name']})" if simulated else source["Name"]
        methods = [paragraph("maps", config=config, source=name)]
    if measured:
        methods.append(paragraph("quality"))
    if plan:
        methods.append(paragraph("augmentation", plan=plan, trained=trained))
    references = [*filter(None, [source["BibTeX"]]), *bibtex("niu2019fg", "wang2017pos", "dehaan2013chrom")]
    facts = [
        ("maps", str(shards.root)),
        ("database", f"{source['Name']} ({source['Key']})" if source["Key"] else source["Name"]),
        ("license of the database", source["License"]),
        ("built by", shards.manifest.software),
        ("fingerprint of the settings", shards.manifest.fingerprint),
        ("manifest.json, SHA-256", sha256(shards.root / MANIFEST)),
        *software(),
        ("command of this report", command),
    ]
    return About(methods, references, [(key, value) for key, value in facts if value])


def paragraph(name: str, **content: Any) -> str:
    """Write a paragraph of ``templates/methods.html``.

    Examples
    --------
    >>> str(paragraph("quality")).split()[:4]
    ['For', 'the', 'quality', 'measures,']
    """
    text: str = getattr(environment().get_template("methods.html").module, name)(**content)
    return text


def bibtex(*keys: str) -> list[str]:
    """Read entries of ``templates/references.bib`` by their keys.

    Examples
    --------
    >>> bibtex("wang2017pos")[0][:21]
    '@article{wang2017pos,'
    """
    entries = files("stmap_pipeline.report").joinpath("templates", "references.bib").read_text("utf-8").strip().split("\n\n")
    by_key = {one.partition("{")[2].partition(",")[0]: one for one in entries}
    return [by_key[one] for one in keys]


# names of folders that say nothing of the study in them
_USUAL = {"maps", "runs", "out", "output", "outputs", "results"}


def study_name(folders: Sequence[Path], *, beside: str = "") -> str:
    """Return what the user calls a study: the name of its folder, or of the folder that holds several.

    Parameters
    ----------
    folders : sequence of Path
        Maps or runs.
    beside : str
        A name that the page has already, and that is not repeated.

    Returns
    -------
    str
        Empty where the name says nothing, as ``maps`` and ``runs`` do.

    Examples
    --------
    >>> study_name([Path("sleep/maps/night-1")]), study_name([Path("fg2019/a"), Path("fg2019/b")]), study_name([Path("maps")])
    ('night-1', 'fg2019', '')
    """
    places = {one.resolve() for one in folders}
    parents = {one.parent for one in places}
    found = places if len(places) == 1 else parents if len(parents) == 1 else set()
    name = found.pop().name if found else ""
    return "" if name.lower() in _USUAL or name == beside else name


def database_of(shards: Shards) -> dict[str, str]:
    """Read what a build says of its source: ``Name``, ``Key``, ``Study``, ``License`` and ``BibTeX``, empty where it says nothing.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> database_of(Shards(example_maps()))["Key"]
    'example'
    """
    key = shards.database
    found = {"Name": key, "Key": key, "Study": "", "License": "", "BibTeX": ""}
    sources = _description(shards).get("SourceDatasets")
    first = sources[0] if isinstance(sources, list) and sources else None
    return found | {name: str(first[name]) for name in found if first.get(name)} if isinstance(first, dict) else found


def _description(shards: Shards) -> dict[str, Any]:
    """Read what the build says of itself; an output without a description has the name of its database still."""
    try:
        content = json.loads(read_bytes(shards.root / "dataset_description.json", MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def software(packages: Sequence[str] = _PACKAGES) -> list[tuple[str, str]]:
    """List the versions that a report was made with.

    Examples
    --------
    >>> software()[0][0]
    'report made with'
    """
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return [("report made with", ", ".join([f"stmap {__version__}", f"Python {platform.python_version()}", *found]))]


def about_runs(runs: Sequence[Run], maps: Sequence[Path], *, simulated: bool = False, command: str = "") -> About:
    """Describe how the numbers of runs came about.

    Parameters
    ----------
    runs : sequence of Run
    maps : sequence of Path
        Maps that were given with them; their methods stand first.
    simulated : bool
        Whether the recordings are synthetic data.
    command : str
        The command that made the report.

    Examples
    --------
    >>> about_runs([], []).facts[0][0]
    'report made with'
    """
    methods: list[str] = []
    references: list[str] = []
    facts: list[tuple[str, str]] = []
    for path in maps:
        with Shards(path) as shards:
            plan = read_augmentation(path)
            trained = _trained(shards, runs) if plan else None
            about = about_maps(shards, simulated=simulated or shards.simulated, plan=plan, trained=trained, measured=False)
        methods += about.methods
        references += about.references
        facts += [one for one in about.facts if one[0] not in ("report made with", "command of this report")]
    configs: dict[str, list[TrainConfig]] = {}
    for run in runs:
        shared = run.metadata.config.model_copy(update=_VARIED)
        configs.setdefault(shared.to_toml(), []).append(run.metadata.config)
    methods = [*dict.fromkeys(methods), *(_training(one) for one in configs.values())]
    if runs:
        tested = [one.evaluation.bootstrap for run in runs for one in (run.own, *run.others) if one is not None]
        methods.append(paragraph("evaluation", bootstrap=tested[0] if tested else None))
    references += bibtex("niu2019fg", "he2016resnet", "woo2018cbam", "wang2017pos", "dehaan2013chrom", "bland1986agreement")
    for run in runs:
        facts += _facts(run)
    facts += [*software(_RUN_PACKAGES), *([("command of this report", command)] if command else [])]
    return About(methods, list(dict.fromkeys(references)), facts)


def _trained(shards: Shards, runs: Sequence[Run]) -> tuple[str, str] | None:
    """Count what runs with resampled windows were trained on, as recorded and resampled; None where none was trained on these maps."""
    maps, counts = maps_metadata(shards), set[tuple[int, int]]()
    for one in (run.metadata for run in runs):
        same = (one.maps.manifest_sha256, one.maps.augmentation_sha256) == (maps.manifest_sha256, maps.augmentation_sha256)
        if same and one.config.augment == "plan":
            protocol = plan_protocol(shards, one.config, [fold for fold in finished_folds(one.path) if fold])
            counts |= {protocol.count_training(split) for split in protocol.splits}
    if not counts:
        return None
    recorded, resampled = zip(*counts, strict=True)
    return number_range(recorded), number_range(resampled)


def _training(configs: Sequence[TrainConfig]) -> str:
    """Write the paragraph on trainings that differ in network, protocol, windows and seed alone."""
    cells: dict[tuple[str, str, str], list[int]] = {}
    for one in configs:
        cells.setdefault((one.network, one.augment, one.protocol), []).append(one.seed)
    return paragraph("training", config=configs[0], cells=cells, init=Path(configs[0].init).name)


def _facts(run: Run) -> list[tuple[str, str]]:
    metadata, record = run.metadata, run.record
    words = [
        f"maps {metadata.maps.path_name} ({metadata.maps.database}{', simulated' if metadata.maps.simulated else ''})",
        f"fingerprint {metadata.maps.fingerprint}",
        f"manifest {metadata.maps.manifest_sha256}",
        f"seed {metadata.config.seed}",
        record.software,
        ", ".join(f"{key} {value}" for key, value in record.versions.items() if key != "stmap"),
        f"device {record.device}" if record.device else "",
    ]
    return [(f"run {metadata.path}", "; ".join(filter(None, words)))]
