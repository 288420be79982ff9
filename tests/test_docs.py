"""The documentation builds without a warning and leaves out no command, option, setting, database or reason code."""

import html
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from stmap_cli.main import cli
from stmap_pipeline import registry
from stmap_pipeline.config import Config
from stmap_pipeline.errors import REASONS
from stmap_pipeline.pipeline.findings import NOTES, PROBLEMS
from stmap_pipeline.shards import recording_file as schema
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.shards.tables import OUTCOMES, RECORDINGS, RESAMPLED_WINDOWS, TIMINGS
from stmap_pipeline.training.config import TrainConfig

pytest.importorskip("sphinx", reason="the documentation needs the extra 'docs'")
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-d",
        str(folder / "trees"),
        str(DOCS),
        str(folder / "html"),
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder / "html"


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text("utf-8")))


def commands(command=cli, name="stmap"):
    yield name, command
    if isinstance(command, click.Group):
        for child, one in command.commands.items():
            yield from commands(one, f"{name} {child}")


def test_every_command_and_option_is_documented_and_has_help(site):
    text = text_of(site / "reference/commands.html")
    for name, command in commands():
        assert name in text
        assert (command.help or "").splitlines()[0] in text
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts[0]} has no help"
                for option in parameter.opts:
                    assert option in text, f"{name} {option} is not documented"
            else:
                assert parameter.human_readable_name in text


def test_the_generated_parts_of_the_pages_are_those_of_the_code(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import generate

    pages = generate.pages()
    assert {one.name for one in pages} > {
        "commands.md",
        "configuration.md",
        "databases.md",
        "training.md",
        "file-format.md",
        "api.md",
    }
    for page in pages:
        text = page.read_text("utf-8")
        assert generate.current(text) == text, f"{page.name} is not up to date: run python docs/generate.py"


def test_every_setting_is_documented(site):
    text = text_of(site / "reference/configuration.html")
    for section, field in Config.model_fields.items():
        for key, one in field.annotation.model_fields.items():
            assert f"{section}.{key}" in text
            assert one.description, f"{section}.{key} has no description"
            assert one.description in text


def test_every_setting_of_a_training_is_documented(site):
    text = text_of(site / "reference/training.html")
    for key, one in TrainConfig.model_fields.items():
        assert key in text
        assert html.unescape(one.description.replace("`", "")) in text


def test_every_database_is_documented(site):
    text = text_of(site / "reference/databases.html")
    for name in registry.names("databases"):
        assert name in text
        assert registry.load("databases", name).layout.splitlines()[0].strip() in text


def test_every_reason_code_is_documented(site):
    text = text_of(site / "reference/outcomes.html")
    for code in (*REASONS, *PROBLEMS, *NOTES):
        assert code in text


def test_every_dataset_attribute_and_column_is_documented(site):
    text = text_of(site / "reference/file-format.html")
    tables = (RECORDINGS, RESAMPLED_WINDOWS, OUTCOMES, TIMINGS)
    for one in (*schema.DATASETS, *schema.ATTRIBUTES, *(column for table in tables for column in table)):
        assert one.name in text


def test_every_name_that_a_package_offers_is_documented(site, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import generate

    text = (site / "reference/api.html").read_text("utf-8")
    for package in generate.API:
        module = __import__(f"stmap_pipeline.{package}", fromlist=["__all__"])
        for name in module.__all__:
            one = getattr(module, name)
            # constants have no docstring of their own; what another module defines may stand under that
            if callable(one):
                places = {f'id="{where}.{name}"' for where in (module.__name__, one.__module__)}
                assert any(place in text for place in places), f"stmap_pipeline.{package}.{name}"


def test_the_architecture_has_every_package_and_no_file_that_does_not_exist():
    package, page = ROOT / "stmap_pipeline", (DOCS / "explanation/architecture.md").read_text("utf-8")
    picture = (DOCS / "explanation/architecture.svg").read_text("utf-8")
    for one in package.glob("*/__init__.py"):
        assert f"| `{one.parent.name}` |" in page
        assert f">{one.parent.name}<" in picture
    for name in re.findall(r"`([a-z_]+/?[a-z_0-9]*\.py)`", page):
        assert (package / name).is_file(), name


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def pages():
    return sorted(
        [*ROOT.glob("*.md"), *(path for path in DOCS.rglob("*.md") if not path.relative_to(DOCS).parts[0].startswith("_"))]
    )


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text("utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_commands_on_a_page_are_commands_that_exist(page):
    known = dict(commands())
    for line in re.findall(r"^stmap [^\n#]*", "".join(blocks(page, "sh")), flags=re.MULTILINE):
        words = line.split()
        name = " ".join(words[:2])
        assert name in known, f"{page.name}: {line}"
        options = {option for parameter in known[name].params for option in (*parameter.opts, *parameter.secondary_opts)} | {
            "--help"
        }
        for word in words[2:]:
            if word.startswith("-"):
                assert word.partition("=")[0] in options, f"{page.name}: {line}"


@pytest.mark.parametrize("name", ["README.md", "docs/how-to/balance.md", "docs/how-to/read-maps.md", "docs/tutorial/first-maps.md"])
def test_the_python_of_a_page_runs(name):
    folder, names = example_maps(), {}
    sources = blocks(ROOT / name, "python")
    assert sources
    for source in sources:
        there = re.sub(r'Shards\("maps(/vipl-hr)?/?"\)', f"Shards({str(folder)!r})", source).replace("p001_v1_source1", "p001_v1")
        exec(compile(there, name, "exec"), names)  # noqa: S102
    names["shards"].close()


def test_the_databases_described_on_the_pages_are_accepted(tmp_path):
    found = 0
    for page in (ROOT / "README.md", DOCS / "how-to/own-videos.md"):
        for number, block in enumerate(blocks(page, "toml")):
            root = tmp_path / f"{page.stem}{number}"
            (root / "anna").mkdir(parents=True)
            (root / "anna/rest.mp4").write_bytes(b"")
            (root / "database.toml").write_text(block)
            (recording,) = registry.load("databases", "folder").list_recordings(root)
            assert recording.subject == "anna"
            assert recording.labels[0].path.parent == root / "anna"
            found += 1
    assert found == 2


def test_the_adapter_of_the_how_to_works_as_it_stands(tmp_path):
    source = blocks(DOCS / "how-to/add-a-database.md", "python")[0]
    names = {}
    exec(compile(source, "example_db.py", "exec"), names)  # noqa: S102
    for subject in ("s10", "s02"):
        (tmp_path / subject).mkdir()
        (tmp_path / subject / "video.avi").write_bytes(b"")
    assert [one.recording_id for one in names["DATABASE"].list_recordings(tmp_path)] == ["s02", "s10"]


def test_the_configuration_of_the_reference_is_accepted():
    import tomllib

    (block, *_) = blocks(DOCS / "reference/configuration.md", "toml")
    assert Config.from_mapping(tomllib.loads(block)) != Config()
