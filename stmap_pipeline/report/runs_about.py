"""Methods, references and provenance of a report of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stmap_pipeline.report.provenance import CHROM_BIBTEX, FG2019_BIBTEX, POS_BIBTEX, About, about_maps, software
from stmap_pipeline.report.runs_read import Run
from stmap_pipeline.shards import Shards, read_augmentation
from stmap_pipeline.training.config import TrainConfig

_PACKAGES = ("numpy", "scipy", "torch", "safetensors", "h5py", "jinja2")

_VARIED = {"network": "any", "protocol": "within", "augment": "none"}
_PROTOCOLS = {
    "within": "Within: each official fold was held out in turn.",
    "holdout": "Holdout: {:g} % of the subjects were held out.",
    "cross": "Cross: all subjects were trained on.",
}

RESNET_BIBTEX = """\
@inproceedings{he2016resnet,
  title     = {Deep Residual Learning for Image Recognition},
  author    = {He and Zhang and Ren and Sun},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2016}
}"""

CBAM_BIBTEX = """\
@inproceedings{woo2018cbam,
  title     = {{CBAM}: Convolutional Block Attention Module},
  author    = {Woo and Park and Lee and Kweon},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year      = {2018}
}"""

BLAND_BIBTEX = """\
@article{bland1986agreement,
  title   = {Statistical methods for assessing agreement between two methods of clinical measurement},
  author  = {Bland and Altman},
  journal = {Lancet},
  volume  = {327},
  year    = {1986}
}"""


def about_runs(runs: Sequence[Run], maps: Sequence[Path], *, simulated: bool = False, command: str = "") -> About:
    """Tell how the numbers of runs came about.

    Parameters
    ----------
    runs : sequence of Run
    maps : sequence of Path
        Maps that were given with them; their methods stand first.
    simulated : bool
        Whether nobody was filmed.
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
        shared = run.facts.config.model_copy(update={**_VARIED, "seed": 0})
        configs.setdefault(shared.to_toml(), []).append(run.facts.config)
    methods = [*dict.fromkeys(methods), *(training_text(one) for one in configs.values())]
    if runs:
        methods.append(_evaluation_text(runs))
    references += [FG2019_BIBTEX, RESNET_BIBTEX, CBAM_BIBTEX, POS_BIBTEX, CHROM_BIBTEX, BLAND_BIBTEX]
    for run in runs:
        facts += _facts(run)
    facts += [*software(_PACKAGES), *([("command of this report", command)] if command else [])]
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
    facts, record = run.facts, run.record
    versions = record.get("versions")
    told = [
        f"maps {facts.maps.path_name} ({facts.maps.database}{', simulated' if facts.maps.simulated else ''})",
        f"fingerprint {facts.maps.fingerprint}",
        f"manifest {facts.maps.manifest_sha256}",
        f"seed {facts.config.seed}",
        str(record.get("software", "not finished")),
    ]
    if isinstance(versions, dict):
        told.append(", ".join(f"{key} {value}" for key, value in versions.items() if key != "stmap"))
    if record.get("device"):
        told.append(f"device {record['device']}")
    return [(f"run {facts.path}", "; ".join(told))]
