"""The scripts of ``examples/`` run as they stand, and a network of another package is trained by the command line."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import COMMAND, environment
from support.maps import folded_maps
from support.videos import write_video

from stmap_pipeline.errors import ModelError

pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("matplotlib", reason="needs the extra 'plot'")
EXAMPLES = Path(__file__).parents[1] / "examples"
MODULE = EXAMPLES / "own_network.py"


def run(*command: str | Path, **variables: str) -> str:
    variables = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"} | variables
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment(**variables))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return folded_maps(tmp_path_factory.mktemp("examples") / "maps", grid=(2, 3))


def test_there_is_no_example_that_does_not_run_here():
    assert sorted(one.name for one in EXAMPLES.glob("*.py")) == ["maps_of_one_video.py", "own_network.py", "training_loop.py"]


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda script: script.stem)
def test_help_prints_what_an_example_does_and_what_it_takes(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert not ended.value.code
    written = capsys.readouterr().out
    assert script.read_text("utf-8")[3:].partition("\n")[0] in written
    assert re.search(r"(?m)^  (maps|video) +a ", written)


def test_a_training_loop_of_ones_own(maps):
    written = run(sys.executable, EXAMPLES / "training_loop.py", maps)
    errors_bpm = [float(one) for one in re.findall(r"error of the last batch ([\d.]+) bpm", written)]
    assert len(errors_bpm) == 5
    # heart rates from 55 to 104: a constant is wrong by 13
    assert errors_bpm[-1] < 16
    assert re.search(r"held out: p001; 14 windows, MAE \d+\.\d bpm", written)


def test_a_network_of_ones_own_in_a_script_and_as_an_installed_plug_in(maps, tmp_path):
    written = run(sys.executable, MODULE, maps, tmp_path / "script")
    assert re.search(r"FoldResult\(fold=2.*windows=28", written)
    assert (tmp_path / "script/run.json").exists()

    # what pip writes where a package with this entry point is installed
    site = tmp_path / "site"
    info = site / "tiny-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        re.search(r'two-convolutions = "(\S+)"', MODULE.read_text())[0].replace('"', "").join(["[stmap.networks]\n", "\n"])
    )
    shutil.copy(MODULE, site)
    out = tmp_path / "installed"
    settings = ("--network", "two-convolutions", "--epochs", "1", "--validation-share", "0", "--fold", "1", "--device", "cpu")
    assert run(COMMAND, "train", maps, out, *settings, "--json", PYTHONPATH=str(site)).startswith('{"run"')
    # a run names its network, and never brings it along
    from stmap_pipeline.training import Model

    with pytest.raises(ModelError, match=r"network 'two-convolutions', which is not known here: .*stmap\.networks"):
        Model.load(out, 1)


def test_the_maps_of_one_video_in_cells(tmp_path):
    from stmap_pipeline.synth.scene import make_scene

    scene = make_scene(1, "easy", heart_rate_bpm=72.0, size_px=(200, 200))
    video = write_video(
        tmp_path / "video.mp4", (scene.render(index / 15, index) for index in range(165)), rate_hz=15, options={"crf": "20"}
    )
    written = run(sys.executable, EXAMPLES / "maps_of_one_video.py", video)
    assert "165 frames" in written
    assert re.search(r"map \(25, \d+, 3\)", written)
    rate_bpm = float(re.search(r"strongest rate ([\d.]+) bpm", written)[1])
    assert rate_bpm == pytest.approx(72, abs=4)
    assert (tmp_path / "video.png").read_bytes().startswith(b"\x89PNG")
    assert EXAMPLES.joinpath("maps_of_one_video.py").read_text().count("\n# %% ") == 4
