"""What a new user reads first: each command explains itself, with an example that runs as it is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest
from support.cli import stmap

from stmap_cli.main import cli

COMMANDS = sorted(cli.commands)
HEAVY = {"numpy", "scipy", "h5py", "cv2", "dlib", "av", "pydantic", "joblib", "rich", "matplotlib", "torch"}


def options(name):
    return [one for one in cli.commands[name].params if isinstance(one, click.Option)]


def examples(name):
    text = (cli.commands[name].help or "").partition("Example:")[2]
    return [shlex.split(line) for line in re.findall(r"^\s*(stmap .*)$", text, flags=re.MULTILINE)]


def test_the_overview_has_a_whole_sentence_for_each_command_and_says_the_exit_codes():
    run = stmap("--help")
    assert run.code == 0
    # Click cuts what does not fit into 80 columns
    assert "..." not in run.out.partition("Commands:")[2]
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", run.out, flags=re.MULTILINE), name
    assert "0 all done, 1 error, 2 wrong usage, 3 done but some recordings failed, 130 stopped" in " ".join(run.out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_opens_with_a_sentence_and_ends_with_an_example_that_is_accepted(name):
    for flag in ("--help", "-h"):
        run = stmap(name, flag)
        assert run.code == 0
        assert run.err == ""
        assert run.out.startswith(f"Usage: stmap {name} ")
    assert (cli.commands[name].help or "").splitlines()[0].endswith(".")
    assert examples(name)
    group = cli.make_context("stmap", [], resilient_parsing=True)
    for words in examples(name):
        # parses and checks each value, and runs nothing
        assert cli.commands[words[1]].make_context(words[1], words[2:], parent=group).params


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_tells_what_it_does_in_a_sentence(name):
    for one in options(name):
        sentence = (one.help or "").partition("  [")[0]
        assert re.fullmatch(r"[A-Z].*\.", sentence), f"{name} {one.opts[0]}: {one.help!r}"
        if not one.is_flag and not isinstance(one.type, click.Choice):
            assert one.metavar, f"{name} {one.opts[0]} shows the name of a type in place of its value"


def test_help_of_each_command_comes_without_the_heavy_imports():
    code = (
        "import sys\n"
        "from stmap_cli.main import cli\n"
        "for name in ['', *cli.commands]:\n"
        "    try:\n        cli([*name.split(), '--help'])\n    except SystemExit as end:\n        assert not end.code\n"
        "print('IMPORTED', *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    imported = set(out.partition("IMPORTED")[2].split())
    assert {"stmap_cli.main", "stmap_cli.build_maps"} <= imported
    assert not HEAVY & imported


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bild-maps"], "'bild-maps'"),
        (["build-maps"], "which database? Type stmap build-maps --db NAME"),
        (["build-maps", "source", "out"], "which database? Type stmap build-maps --db NAME"),
        (["build-maps", "--db", "vipl-hr", "source", "out", "--retry"], "Did you mean '--retry-failed'?"),
        (["build-maps", "--db", "vipl", "source", "out"], "did you mean 'vipl-hr'? (known: "),
        (["build-maps", "--db", "vipl-hr", "source", "out", "--limit", "0"], "'--limit'"),
        (["build-maps", "--db", "vipl-hr", "source", "out", "--jobs", "many"], "'many'"),
        (["databases", "vipl"], "'vipl'"),
        (["export", "maps", "out", "--color", "rbg"], "did you mean 'rgb'?"),
        (["export", "maps", "out", "--normalize", "zscore"], "--layout hdf5 --dtype float32"),
        (["export", "maps", "out", "--format", "png", "--dtype", "float32"], "8 bits"),
        (["show", "maps", "one", "--length", "0"], "'--length'"),
        (["synth", "out", "--layout", "vipl"], "no layout is called 'vipl'; did you mean 'vipl-hr'? (known: bp4d-plus,"),
    ],
)
def test_wrong_usage_is_code_2_says_what_is_wrong_and_leaves_nothing(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = stmap(*words)
    assert (run.code, run.out) == (2, "")
    assert message in run.err
    assert "Traceback" not in run.err
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_that_of_the_package():
    from stmap_pipeline import __version__

    assert stmap("--version").out == f"stmap, version {__version__}\n"
