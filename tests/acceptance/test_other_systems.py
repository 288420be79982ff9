"""All steps run where a system lacks what only POSIX has, and the files that they write are legal on Windows and macOS.

What is hidden stands in ``support/without_posix``. Types are checked for Windows too, by ``make test``.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import environment
from support.videos import write_video

import stmap_cli
import stmap_pipeline
from stmap_pipeline.synth.scene import make_scene

TESTS = Path(__file__).parents[1]
_ALL_STEPS = """
import importlib, os, signal, sys
sys.path.insert(0, sys.argv[1])
from support.cli import stmap
from stmap_pipeline.parallel import unordered

def hidden(_):
    for name in ("fcntl", "resource"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        return False
    return not any(map(hasattr, (os, signal), ("fork", "pthread_sigmask")))

if __name__ == "__main__":
    assert hidden(0)
    for words in (
        "build-maps --db folder videos maps --jobs 2",
        "report maps --output maps.html",
        "synth traces --traces --subjects 3 --recordings-per-subject 2 --duration 12 --jobs 2",
        "augment traces --balance",
        "train traces run --network pulse-net --epochs 1 --protocol holdout --augment plan --device cpu --threads 1",
        "report run --output run.html",
        "estimate videos/anna.mp4",
        "verify maps",
    ):
        run = stmap(*words.split())
        print(">>>", words, run.code, run.out, run.err, sep="\\n", flush=True)
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Two videos of a drawn face, one long enough for an estimate."""
    folder = tmp_path_factory.mktemp("systems") / "videos"
    folder.mkdir()
    scene = make_scene(1, "easy", heart_rate_bpm=72.0, size_px=(160, 160))
    for name, seconds in (("anna", 10.5), ("bert", 1.5)):
        frames = (scene.render(index / 30, index) for index in range(round(30 * seconds)))
        write_video(folder / f"{name}.mp4", frames, options={"crf": "12"})
    return folder


def test_all_steps_run_without_what_windows_lacks(videos):
    work = videos.parent
    (work / "steps.py").write_text(_ALL_STEPS, "utf-8")
    env = environment(PYTHONPATH=str(TESTS / "support" / "without_posix"))
    done = subprocess.run([sys.executable, "steps.py", str(TESTS)], cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    codes = dict(re.findall(r"^>>>\n(\S+) .*\n(\d+)$", done.stdout, flags=re.MULTILINE))
    assert codes == dict.fromkeys(("build-maps", "report", "synth", "augment", "train", "estimate", "verify"), "0"), done.stdout
    assert done.stdout.count("cannot limit the memory") == 1
    assert re.search(r"anna\.mp4 +7[0-4]\.\d bpm", done.stdout)
    assert (work / "maps.html").stat().st_size > 10_000
    assert (work / "run.html").stat().st_size > 10_000
    assert not list(work.rglob(".stmap-*"))


def _text_files_written(source: Path) -> list[str]:
    """List the calls that write text without saying how lines end: Windows would end them with ``\\r\\n``."""
    found = []
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("write_text", "open"):
            named = {one.arg for one in node.keywords}
            modes = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            text = node.func.attr == "write_text" or any(re.fullmatch(r"[wax]\+?t?", mode) for mode in modes)
            # the null device keeps nothing, and PyAV writes bytes
            if text and "newline" not in named and "devnull" not in ast.unparse(node) and ast.unparse(node.func.value) != "av":
                found.append(f"{source.name}:{node.lineno}")
    return found


@pytest.mark.parametrize("package", [stmap_pipeline, stmap_cli], ids=lambda one: one.__name__)
def test_files_have_the_same_bytes_on_each_system(package):
    (root,) = package.__path__
    assert [one for path in sorted(Path(root).rglob("*.py")) for one in _text_files_written(path)] == []


def test_no_module_of_posix_alone_is_needed_for_an_import():
    code = (
        "import importlib, pkgutil, stmap_cli, stmap_pipeline\n"
        "for package in (stmap_cli, stmap_pipeline):\n"
        "    for one in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not one.name.endswith('__main__'):\n"
        "            importlib.import_module(one.name)\n"
    )
    env = os.environ | {"PYTHONPATH": str(TESTS / "support" / "without_posix")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
