"""Write what must not drift from the code into the pages: commands, settings, databases, reason codes, file format, names of the API.

``python docs/generate.py`` replaces, in all pages, what stands between ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``. A test compares.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stmap_cli.main import cli
from stmap_pipeline import registry
from stmap_pipeline.databases.base import Database
from stmap_pipeline.databases.folder_description import LabelEntry, RecordingEntry
from stmap_pipeline.errors import REASONS
from stmap_pipeline.evaluation.result import BASELINES, VIDEOS
from stmap_pipeline.labels.label_file import LabelFormat
from stmap_pipeline.pipeline.findings import NOTES, PROBLEMS
from stmap_pipeline.pipeline.metadata import METADATA
from stmap_pipeline.project import ProjectFile
from stmap_pipeline.settings_text import allowed, default_of
from stmap_pipeline.shards import recording_file as schema
from stmap_pipeline.shards.hdf5 import DatasetSpec
from stmap_pipeline.shards.tables import OUTCOMES, RECORDINGS, RESAMPLED_WINDOWS, TIMINGS, WINDOWS
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.run_folder import HISTORY, PREDICTIONS


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(str(one)) for one in line) + " |" for line in lines) + "\n"


def commands() -> str:
    """Describe each command with its arguments and options."""
    head = (cli.help or "").partition("\n")[0]
    parts = [f"{head} `stmap --version` prints the version, and `-h` or `--help` the help of a command.\n"]
    for name, command in sorted(cli.commands.items()):
        # Click keeps the help option that a command is first asked for: without the names of the group it would have no -h any more
        context = click.Context(
            command, info_name=f"stmap {name}", show_default=True, help_option_names=cli.context_settings["help_option_names"]
        )
        text, _, example = inspect.cleandoc(command.help or "").replace("\b\n", "").partition("Example:\n")
        usage = " ".join([f"stmap {name}", *command.collect_usage_pieces(context)])
        options = [
            (
                f"`{', '.join(one.opts)}{f' {metavar}' if not one.is_flag and (metavar := one.make_metavar(context)) else ''}`",
                _help(one, context),
            )
            for one in command.params
            if isinstance(one, click.Option)
        ]
        parts.append(
            f"## stmap {name}\n\n```text\n{usage}\n```\n\n{_escaped(text.strip())}\n\n```sh\n{inspect.cleandoc(example)}\n```\n\n"
            + (table(("option", "meaning"), options) if options else "")
        )
    return "\n".join(parts)


def _help(option: click.Option, context: click.Context) -> str:
    """Return the help of an option with its default, as `--help` prints it."""
    record = option.get_help_record(context)
    assert record is not None  # noqa: S101
    return _escaped(re.sub(r"\s+", " ", record[1]))


def _escaped(text: str) -> str:
    # brackets would be links, and stars emphasis
    return re.sub(r"([*\[\]<>])", r"\\\1", text)


def configuration() -> str:
    """Describe each section and field of a settings file."""
    parts = []
    for name, field in ProjectFile.model_fields.items():
        section = field.annotation
        if name != "train" and isinstance(section, type) and issubclass(section, BaseModel):
            rows = [(f"`{name}.{key}`", _default(one), _allowed(one), one.description) for key, one in section.model_fields.items()]
            parts.append(f"## [{name}]\n\n{section.__doc__}\n\n" + table(("setting", "default", "allowed", "meaning"), rows))
    places = {name: field for name, field in ProjectFile.model_fields.items() if name in ("maps", "runs", "databases", "videos")}
    rows = [(f"`{key}`", _default(one), _allowed(one), one.description) for key, one in places.items()]
    head = "## Places\n\nIn the `stmap.toml` of a [project](../how-to/project.md) there may also be:\n\n"
    parts.append(head + table(("key", "default", "allowed", "meaning"), rows))
    return "\n".join(parts)


def databases() -> str:
    """Describe each database of the registry."""
    parts = []
    known: list[Database] = [registry.load("databases", name) for name in registry.names("databases")]
    for one in known:
        citation = f"\n```bibtex\n{one.citation}\n```\n" if one.citation else ""
        facts = "".join(f"- {word.capitalize()}: {text}\n" for word, text in one.facts().items()) + "\n"
        defects = "Known defects, and what is done about them:\n\n" + "".join(f"- {text}\n" for text in one.defects) + "\n"
        parts.append(
            f"## {one.name}\n\n{one.title}\n\n{facts}{defects if one.defects else ''}"
            f"What is expected on disk:\n\n```text\n{one.layout.rstrip()}\n```\n{citation}"
        )
    rows = [(f"`{one.name}`", one.subjects or "", one.videos or "", one.terms, one.title) for one in known]
    parts.insert(0, table(("name", "subjects", "videos", "access", "what it is"), rows))
    return "\n".join(parts) + "\n" + drawn_trees() + "\n" + folder_keys()


def drawn_trees() -> str:
    """Describe how far labels and POS are from the pulse of drawn trees, as ``benchmarks/databases.py`` measured it."""
    measured = json.loads((Path(__file__).parent / "measured" / "databases.json").read_text("utf-8"))
    rows = [
        (
            f"`{one['layout']}`",
            one["recordings"],
            f"{one['recording s']:g}",
            one["windows with label"],
            *(f"{one[name]:.2f}" for name in ("label error bpm", "POS error bpm")),
        )
        for one in measured
    ]
    return (
        "## Drawn trees from end to end\n\n"
        "`stmap synth --layout NAME` writes a tree with a known pulse; maps were built of it, and the labels of the windows and the heart rate by POS "
        "over the whole recording compared with that pulse (`benchmarks/databases.py`).\n\n"
        + table(("layout", "recordings", "length, s", "windows", "largest error of a label, bpm", "error of POS, bpm"), rows)
    )


def folder_keys() -> str:
    """Describe the keys of ``database.toml``."""
    parts = ["## Keys of database.toml\n"]
    for title, model in (("[[recording]]", RecordingEntry), ("[[recording.label]]", LabelEntry)):
        rows = [(f"`{key}`", _default(one), _allowed(one), one.description) for key, one in model.model_fields.items()]
        parts.append(f"### {title}\n\n" + table(("key", "default", "allowed", "meaning"), rows))
    return "\n".join(parts)


def label_formats() -> str:
    """List the formats of label files."""
    found: list[LabelFormat] = [registry.load("label_formats", name) for name in registry.names("label_formats")]
    return table(("format", "files"), [(f"`{one.name}`", one.title) for one in found])


def reasons() -> str:
    """List the reason codes."""
    return table(("code", "meaning"), [(f"`{code}`" if code else "(empty)", text) for code, text in REASONS.items()])


def findings() -> str:
    """List the codes of what a check finds."""
    rows = [(f"`{code}`", "problem", text) for code, text in PROBLEMS.items()]
    return table(("code", "", "meaning"), rows + [(f"`{code}`", "note", text) for code, text in NOTES.items()])


def file_format() -> str:
    """Describe shards and tables."""
    datasets = [
        (f"`{one.name}`", f"`{one.dtype}`", " x ".join(one.dims), one.unit, one.description + _marks(one))
        for one in schema.DATASETS
    ]
    attributes = [(f"`{one.name}`", one.kind, one.description) for one in schema.ATTRIBUTES]
    parts = [
        f"Schema version {schema.SCHEMA_VERSION}. One file `shards/<recording>.h5` for each recording, with these datasets:\n",
        table(("name", "type", "axes", "unit", "content"), datasets),
        "### Attributes of a recording\n\n" + table(("name", "kind", "content"), attributes),
        f"`{schema.CHECKSUM}` holds the SHA-256 over all of these.\n",
    ]
    recordings = (*RECORDINGS, *METADATA.values())
    tables = {"recordings.csv": recordings, "windows.csv": WINDOWS, "outcomes.csv": OUTCOMES, "timings.csv": TIMINGS}
    tables["augmentation/windows.csv"] = RESAMPLED_WINDOWS
    for name, columns_of in tables.items():
        rows = [(f"`{one.name}`", one.kind, one.unit, one.description) for one in columns_of]
        parts.append(f"### {name}\n\n" + table(("column", "kind", "unit", "content"), rows))
    return "\n".join(parts)


# what a run and its evaluation write
RUN_FILES: tuple[tuple[str, str], ...] = (
    ("run.toml", "all settings"),
    ("maps.json", "which maps: name, fingerprint, hash of their manifest"),
    ("fold1/ ...", "a folder for each fold; fold0 where there are none. A fold is finished where it has predictions.csv"),
    ("fold1/weights.safetensors", "weights of the epoch chosen on the validation subjects; without validation, of the last epoch"),
    ("fold1/history.csv", "a row for each epoch"),
    ("fold1/predictions.csv", "a row for each window of the subjects held out"),
    ("fold1/resume.safetensors", "state after the last finished epoch; removed when the fold is finished"),
    ("predictions.csv", "the predictions of all folds"),
    ("run.json", "written last: what was trained, on what, with which versions, and in how many seconds"),
    ("videos.csv", "by the evaluation: truth, prediction and baselines of each video"),
    ("baselines.csv", "by the evaluation: GREEN, CHROM and POS of each window"),
    ("evaluation.json", "by the evaluation: all numbers with their intervals"),
    ("on-NAME/", "predictions and evaluation on other maps, called NAME"),
)


PULSE_NET_DEFAULTS = {
    "further (the default)": TrainConfig(),
    'init = "random"': TrainConfig(init="random"),
    'recipe = "simulated"': TrainConfig(recipe="simulated"),
}


def training() -> str:
    """Describe the settings of a training and the files of a run."""
    rows = [(f"`{key}`", _default(one), _allowed(one), one.description) for key, one in TrainConfig.model_fields.items()]
    plain = TrainConfig(network="attention-resnet18").model_dump()
    kinds = [one.model_dump() for one in PULSE_NET_DEFAULTS.values()]
    other = [key for key in plain if key not in ("network", "recipe") and any(one[key] != plain[key] for one in kinds)]
    pulse_net = [(f"`{key}`", *(f"`{json.dumps(one[key])}`" for one in kinds)) for key in other]
    parts = [
        "## Settings\n\n" + table(("setting", "default", "allowed", "meaning"), rows),
        "For pulse-net some defaults are others:\n\n" + table(("setting", *PULSE_NET_DEFAULTS), pulse_net),
        "## The folder of a run\n\n" + table(("name", "content"), [(f"`{name}`", what) for name, what in RUN_FILES]),
        "The header of each file of weights holds, as JSON, the settings, size and clock of the windows, the fingerprint of the maps, "
        "and the epoch.\n",
    ]
    tables = {"history.csv": HISTORY, "predictions.csv": PREDICTIONS, "videos.csv": VIDEOS, "baselines.csv": BASELINES}
    for name, columns_of in tables.items():
        cells = [(f"`{one.name}`", one.kind, one.unit, one.description) for one in columns_of]
        parts.append(f"### {name}\n\n" + table(("column", "kind", "unit", "content"), cells))
    return "\n".join(parts)


def estimate_quality() -> str:
    """Describe what the probability of an estimate is worth, as ``benchmarks/estimate_probability.py`` measured it."""
    measured = json.loads((Path(__file__).parent / "measured" / "estimate.json").read_text("utf-8"))
    edges = [*measured["edges"], 1.0]
    heads = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    right, videos = [], []
    for name, one in measured["methods"].items():
        right.append((name, *("-" if share is None else f"{share} %" for share in one["right_percent"])))
        at = one["answers"]
        videos += [
            (
                name,
                limit,
                f"{at[limit]['answered_percent']} %",
                f"{at[limit]['right_percent']} %",
                f"{at[limit]['answered_without_pulse_percent']} %",
            )
            for limit in ("0.5", "0.7", "0.8", "0.9")
        ]
    count = max(one["videos"] for one in measured["methods"].values())
    return "\n".join(
        [
            "Share of rates that are within 5 bpm of the truth, by their probability:\n",
            table(("method", *heads), right),
            f"Of {count} simulated videos of 12 to 60 s, by the least probability of an answer:\n",
            table(("method", "least probability", "answered", "right", "answered without a pulse"), videos),
        ]
    )


def api() -> str:
    """List the public names of each package with the first line of their docstrings."""
    parts = []
    for package in API:
        module = importlib.import_module(f"stmap_pipeline.{package}")
        members = {name: getattr(module, name) for name in module.__all__}
        rows = [
            (f"`{name}`", _escaped((inspect.getdoc(one) or "").partition("\n\n")[0].replace("\n", " ")))
            for name, one in members.items()
            if inspect.isfunction(one) or inspect.isclass(one)
        ]
        parts.append(f"### stmap_pipeline.{package}\n\n" + table(("name", "what it does or is"), rows))
    return re.sub(r":\w+:`[~.]*(.+?)`", r"`\1`", "\n".join(parts)).replace("``", "`")


#: Packages whose public names are documented; the page has a section of each.
API = (
    "shards",
    "pipeline",
    "maps",
    "balance",
    "training",
    "evaluation",
    "report",
    "records",
    "video",
    "faces",
    "blocks",
    "simulation",
)

BLOCKS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "configuration": configuration,
    "training": training,
    "databases": databases,
    "findings": findings,
    "label-formats": label_formats,
    "reasons": reasons,
    "file-format": file_format,
    "estimate-quality": estimate_quality,
    "api": api,
}
_BLOCK = re.compile(r"^<!-- generated: (?P<name>[a-z-]+) -->\n.*?^<!-- end of (?P=name) -->\n", re.MULTILINE | re.DOTALL)


def current(text: str) -> str:
    """Return a page with its generated blocks as the code has them now."""
    return _BLOCK.sub(
        lambda match: (
            f"<!-- generated: {match['name']} -->\n\n{BLOCKS[match['name']]().strip()}\n\n<!-- end of {match['name']} -->\n"
        ),
        text,
    )


def pages() -> list[Path]:
    """List the pages that hold a generated block."""
    every = sorted(Path(__file__).parent.rglob("*.md"))
    return [one for one in every if "_build" not in one.parts and _BLOCK.search(one.read_text("utf-8"))]


def write_all() -> None:
    """Bring all pages up to date; one that says the same already is left alone."""
    for page in pages():
        before = page.read_text("utf-8")
        if (after := current(before)) != before:
            page.write_text(after, "utf-8")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _marks(one: DatasetSpec) -> str:
    return (" (times attribute `scale`)" if one.scale else "") + (" (optional)" if one.optional else "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(needed)"
    text = default_of(field)
    return f"`{text}`" if text not in ("", '""', "[]", "{}") else "(none)"


def _allowed(field: FieldInfo) -> str:
    return re.sub(r'("[^"]*")', r"`\1`", allowed(field))


if __name__ == "__main__":
    write_all()
