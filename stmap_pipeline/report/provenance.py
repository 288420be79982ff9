"""The last sections of a page: a methods paragraph for a paper, what to cite, and the provenance of the numbers."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from stmap_pipeline.config import Config
from stmap_pipeline.files import read_bytes, sha256
from stmap_pipeline.report.runs import Run
from stmap_pipeline.shards import Shards, read_augmentation
from stmap_pipeline.shards.manifest import MANIFEST, MAX_BYTES
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.version import __version__

_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "dlib-bin", "av", "h5py")
_RUN_PACKAGES = ("numpy", "scipy", "torch", "safetensors", "h5py", "jinja2")
# what runs of one experiment may differ in; all else is described once
_VARIED = {"network": "any", "protocol": "within", "augment": "none", "seed": 0}
_PROTOCOLS = {
    "within": "Within: each official fold was held out in turn.",
    "holdout": "Holdout: {:g} % of the subjects were held out.",
    "cross": "Cross: all subjects were trained on.",
}


@dataclass(frozen=True, slots=True)
class About:
    """The last two sections of a page.

    Parameters
    ----------
    methods : sequence of str
        Paragraphs for the methods section of a paper, made from the configuration.
    references : sequence of str
        BibTeX entries.
    facts : sequence of (str, str)
        Provenance: name and value.
    """

    methods: Sequence[str]
    references: Sequence[str]
    facts: Sequence[tuple[str, str]]


def about_maps(shards: Shards, *, simulated: bool = False, command: str = "", plan: dict[str, Any] | None = None) -> About:
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

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> about = about_maps(Shards(example_maps()))
    >>> "grid of 2 x 2 blocks" in about.methods[0]
    True
    """
    source = database_of(shards)
    simulation = _description(shards).get("Simulation")
    if isinstance(simulation, dict):
        first = _traces_text(shards.config, source["Name"], simulation)
    else:
        first = _maps_text(shards.config, f"simulated recordings ({source['Name']})" if simulated else source["Name"])
    methods = [first, _measures_text()]
    if plan:
        methods.append(_augmentation_text(plan))
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


def database_of(shards: Shards) -> dict[str, str]:
    """Read what a build says of its source: ``Name``, ``Key``, ``License`` and ``BibTeX``, empty where it says nothing.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> database_of(Shards(example_maps()))["Key"]
    'example'
    """
    key = str(shards.manifest.settings.get("database", ""))
    found = {"Name": key, "Key": key, "License": "", "BibTeX": ""}
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


def _maps_text(config: Config, source: str) -> str:
    faces, blocks, windows, limits = config.faces, config.blocks, config.windows, config.limits
    follow = (
        f"Faces were found by the backend {faces.backend} and followed from frame to frame by registration to a template of the face; "
        f"the landmark model was run every {faces.landmark_every_s:g} s."
        if faces.mode == "tracked"
        else f"Faces and landmarks were found in every frame by the backend {faces.backend}, and landmarks smoothed by a moving average "
        f"over {faces.per_frame_smoothing_frames} frames."
    )
    align = (
        "carried by the motion and the turn of the head fitted to all landmarks"
        if blocks.align == "pose"
        else "turned by the line of the eyes"
    )
    mask = {"none": "without a mask", "hull": "inside the hull of the landmarks", "skin": "weighted by a soft skin mask"}[
        blocks.mask
    ]
    clock = "frames as recorded" if windows.clock == "native" else f"samples resampled to {windows.rate_hz:g} Hz"
    return (
        f"Spatial-temporal maps of {source} were made with stmap. {follow} The face box, {blocks.height_factor:g} times as high as the "
        f"distance from chin to brows and {align}, was divided into a grid of {blocks.rows} x {blocks.cols} blocks, {mask}. The "
        f"exact mean of each block was taken on the decoded planes of each frame and stored without normalization, unknown where less than "
        f"{100 * blocks.min_coverage:g} % of the block was seen. Windows of {windows.length} with a step of {windows.step} were cut from "
        f"{clock}; the label of a window is the mean heart rate inside it. Recordings with more than {100 * limits.max_lost_fraction:g} % of "
        f"frames without a face, or shorter than {limits.min_duration_s:g} s, were given up with a reason."
    )


def _traces_text(config: Config, source: str, simulation: dict[str, Any]) -> str:
    choices = ", ".join(f"{key} {value}" for key, value in sorted(simulation.items()))
    return (
        f"The maps are simulated ({source}): the traces of {config.blocks.rows} x {config.blocks.cols} blocks were drawn from a model with a known "
        f"heart rate by stmap synth ({choices}). They are synthetic data: no face was found or followed. Windows of {config.windows.length} with a "
        f"step of {config.windows.step} were cut from them; the label of a window is the mean heart rate inside it."
    )


def _measures_text() -> str:
    return (
        "For the quality figures, the pulse was extracted from the mean color of all blocks by POS (Wang et al. 2017) on a uniform clock of "
        "30 Hz, its rate taken at the highest peak of the spectrum between 40 and 180 beats/min, and its signal-to-noise ratio computed as "
        "by de Haan and Jeanne (2013) at the labeled heart rate."
    )


def _augmentation_text(plan: dict[str, Any]) -> str:
    options = plan.get("options") or {}
    scales = [
        f"{value:.2f}" if isinstance(value, int | float) else "unknown" for value in map(plan.get, ("speed_min", "speed_max"))
    ]
    return (
        f"For training, {plan.get('windows_added', 0)} windows resampled in time were added to {plan.get('windows_before', 0)} as recorded "
        f"(rule {options.get('rule', 'unknown')}, factors on the heart rate from {scales[0]} to {scales[1]}); "
        "evaluation uses windows as recorded alone."
    )


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
            about = about_maps(shards, simulated=simulated or shards.simulated, plan=read_augmentation(path))
        # what the report of maps measures is not measured here
        methods += [one for one in about.methods if not one.startswith("For the quality figures")]
        references += about.references
        facts += [one for one in about.facts if one[0] not in ("report made with", "command of this report")]
    configs: dict[str, list[TrainConfig]] = {}
    for run in runs:
        shared = run.metadata.config.model_copy(update=_VARIED)
        configs.setdefault(shared.to_toml(), []).append(run.metadata.config)
    methods = [*dict.fromkeys(methods), *(training_text(one) for one in configs.values())]
    if runs:
        methods.append(_evaluation_text(runs))
    references += bibtex("niu2019fg", "he2016resnet", "woo2018cbam", "wang2017pos", "dehaan2013chrom", "bland1986agreement")
    for run in runs:
        facts += _facts(run)
    facts += [*software(_RUN_PACKAGES), *([("command of this report", command)] if command else [])]
    return About(methods, list(dict.fromkeys(references)), facts)


def training_text(configs: Sequence[TrainConfig]) -> str:
    """Write the paragraph on trainings that differ in network, protocol, windows and seed alone.

    Examples
    --------
    >>> training_text([TrainConfig(), TrainConfig(seed=1)])[:82]
    'Networks were trained for 50 epochs: attention-resnet18 on windows as recorded alo'
    >>> training_text([TrainConfig(width=16, windows_per_epoch=6400)])[:120]
    'Networks with 16 channels after the first stage, where a ResNet-18 has 64, were trained for 50 epochs of 6400 windows dr'
    """
    config = configs[0]
    cells: dict[str, list[int]] = {}
    for one in configs:
        windows = "and those resampled in time" if one.augment == "plan" else "alone"
        cells.setdefault(f"{one.network} on windows as recorded {windows} (protocol {one.protocol}", []).append(one.seed)
    what = ", ".join(
        f"{key}, {'seed' if len(seeds) == 1 else 'seeds'} {' '.join(map(str, sorted(seeds)))})" for key, seeds in cells.items()
    )
    target = "the number of beats in the window" if config.target == "beats" else "the heart rate in beats/min"
    epoch = (
        f"the epoch was chosen on {100 * config.validation_share:g} % of the training subjects"
        if config.validation_share
        else "the weights of the last epoch were used"
    )
    start = f"weights of a ResNet-18 ({Path(config.init).name})" if config.init else "random weights"
    size = f", stretched to {config.resize[0]} x {config.resize[1]}" if config.resize else ""
    width = "" if config.width == 64 else f" with {config.width} channels after the first stage, where a ResNet-18 has 64,"
    drawn = f" of {config.windows_per_epoch} windows drawn from all" if config.windows_per_epoch else ""
    hidden = (
        f", with {config.mask_frames[0]} to {config.mask_frames[1]} frames hidden in half of the training maps"
        if config.mask_frames
        else ""
    )
    protocols = " ".join(
        _PROTOCOLS[one].format(100 * config.holdout_share) for one in dict.fromkeys(one.protocol for one in configs)
    )
    return (
        f"Networks{width} were trained for {config.epochs} epochs{drawn}: {what}. {protocols} "
        f"Maps were in {config.color.upper()}, rows normalized by {config.normalize}{size}{hidden}. A network learned {target} from {start} by "
        f"the L1 loss and Adam (learning rate at most {config.learning_rate:g}, batches of {config.batch}, weight decay "
        f"{config.weight_decay:g}, gradients cut at a norm of {config.gradient_clip:g}); {epoch}. No person was both trained on and evaluated."
    )


def _evaluation_text(runs: Sequence[Run]) -> str:
    tested = [one for run in runs for one in (run.own, *run.others) if one is not None]
    how = tested[0].evaluation.bootstrap if tested else None
    drawn = (
        f" Intervals are {100 * how.confidence:g} % percentile bootstrap intervals over {how.resamples} draws of the {how.unit}s."
        if how
        else ""
    )
    return (
        "The heart rate of a video is the mean over its windows, of truth and of every estimate. "
        "Errors are estimate minus truth; SD divides by the number of videos, so that "
        "RMSE\N{SUPERSCRIPT TWO} = ME\N{SUPERSCRIPT TWO} + SD\N{SUPERSCRIPT TWO}, "
        f"which was checked on each number read for this report.{drawn} "
        "The constant predictor answers with the mean heart rate of the training videos. GREEN, CHROM and POS were computed from the same windows of the same traces."
    )


def _facts(run: Run) -> list[tuple[str, str]]:
    metadata, record = run.metadata, run.record
    versions = record.get("versions")
    words = [
        f"maps {metadata.maps.path_name} ({metadata.maps.database}{', simulated' if metadata.maps.simulated else ''})",
        f"fingerprint {metadata.maps.fingerprint}",
        f"manifest {metadata.maps.manifest_sha256}",
        f"seed {metadata.config.seed}",
        str(record.get("software", "not finished")),
    ]
    if isinstance(versions, dict):
        words.append(", ".join(f"{key} {value}" for key, value in versions.items() if key != "stmap"))
    if record.get("device"):
        words.append(f"device {record['device']}")
    return [(f"run {metadata.path}", "; ".join(words))]
