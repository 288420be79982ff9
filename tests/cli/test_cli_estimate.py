"""`stmap estimate` and `stmap synth --traces` as a user meets them."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.cli import COMMAND, environment, stmap
from support.videos import colorful, real, write_video

from stmap_pipeline import Shards
from stmap_pipeline.synth.scene import make_scene

WITHOUT_EXTRAS = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        gone = name.partition(".")[0] in ("torch", "safetensors", "matplotlib", "jinja2")
        return None if gone else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
from stmap_cli.main import main
main()
"""


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    scene = make_scene(2, "easy", heart_rate_bpm=84.0, size_px=(240, 240))
    path = tmp_path_factory.mktemp("estimate") / "face.mp4"
    frames = (scene.render(index / 15, index) for index in range(11 * 15))
    return write_video(path, frames, rate_hz=15, options={"crf": "0", "preset": "ultrafast"})


@pytest.fixture
def wall(tmp_path):
    return write_video(tmp_path / "wall [1].mp4", [colorful(120, 160)] * 45)


def test_a_number_with_its_windows(face):
    run = stmap("estimate", face)
    assert run.code == 0, run.err
    head, row, _ = run.out.splitlines()
    assert re.match(rf"{re.escape(str(face))}  8\d\.\d bpm \(\d+ to \d+\)  probability 0\.\d\d$", head)
    assert row.split()[:4] == ["0.0", "to", "10.0", "s"]


def test_the_example_of_the_page_is_what_is_printed():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "estimate.md").read_text("utf-8")
    example = re.findall(r"^```text\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)[0]
    printed = stmap("estimate", real("rouast_clip1") / "sample_video_1.mp4").out.partition("sample_video_1.mp4")[2]
    number = re.compile(r"\d+\.\d+|\d+")
    assert number.sub("#", example.replace("clip.mp4", "")).split() == number.sub("#", printed).split()
    for shown, now in zip(number.findall(example.partition("clip.mp4")[2]), number.findall(printed), strict=True):
        # the same to what another processor rounds
        assert float(now) == pytest.approx(float(shown), abs=0.02 if float(shown) <= 1 else 0.2 if "." in shown else 1.1)


def test_one_object_a_video_and_a_refusal_leaves_the_others_alone(face, wall, tmp_path):
    missing = tmp_path / "missing.mp4"
    run = stmap("estimate", wall, missing, face, "--json", "--method", "pos")
    assert run.code == 3
    told = [json.loads(line) for line in run.out.splitlines()]
    assert [one["video"] for one in told] == [str(wall), str(missing), str(face)]
    assert [one["reason"] for one in told] == ["no_face", "source_missing", ""]
    assert [one["method"] for one in told] == ["pos"] * 3
    assert told[0]["heart_rate_bpm"] is None
    assert told[2]["heart_rate_bpm"] == pytest.approx(84, abs=4)
    assert set(told[2]["others"]) == {"pos", "chrom"}


def test_a_refusal_in_words(wall):
    run = stmap("estimate", wall)
    assert run.code == 3
    assert run.out.startswith(f"{wall}  no heart rate (no_face): ")
    assert run.out.count("\n") == 1


def test_the_pulse_as_a_table_with_its_beats(face, tmp_path):
    run = stmap("estimate", face, "--csv", tmp_path / "pulse.csv", "--method", "pos")
    assert run.code == 0
    head, *rows = (tmp_path / "pulse.csv").read_text().splitlines()
    assert head == "time_s,pulse,beat"
    assert len(rows) == pytest.approx(11 * 30, abs=15)
    assert sum(row.endswith(",1") for row in rows) == pytest.approx(11 * 84 / 60, abs=2)


def test_a_name_that_would_rule_the_terminal_is_escaped(tmp_path):
    run = stmap("estimate", tmp_path / "\x1b[31m.mp4")
    assert run.code == 3
    assert "\x1b" not in run.out
    assert r"\x1b[31m.mp4" in run.out


def test_a_picture(face, tmp_path):
    pytest.importorskip("matplotlib")
    run = stmap("estimate", face, "--plot", tmp_path / "new" / "one.png")
    assert run.code == 0
    assert f"picture  {tmp_path / 'new' / 'one.png'}" in run.err
    assert (tmp_path / "new" / "one.png").read_bytes().startswith(b"\x89PNG")


def test_no_picture_of_what_was_never_read(tmp_path):
    run = stmap("estimate", tmp_path / "missing.mp4", "--plot", tmp_path / "one.png")
    assert run.code == 3
    assert "missing.mp4" in run.err
    assert not (tmp_path / "one.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "VIDEO"),
        (("a.mp4", "b.mp4", "--plot", "c.png"), 2, "not 2"),
        (("a.mp4", "b.mp4", "--csv", "c.csv"), 2, "not 2"),
        (("a.mp4", "--plot", "c.gif"), 1, "c.gif"),
        (("--csv", "a.mp4", "b.mp4"), 2, ".csv"),
        (("a.mp4", "--method", "ica"), 2, "'ica'"),
        (("a.mp4", "--method", ".", "--window", "8"), 2, "a length of its own"),
        (("a.mp4", "--window", "2"), 2, "--window"),
        (("a.mp4", "--step", "0"), 2, "--step"),
    ],
)
def test_wrong_usage(words, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = stmap("estimate", *words)
    assert run.code == code
    assert message in run.err
    assert run.out == ""


def test_a_folder_that_is_no_run(tmp_path):
    pytest.importorskip("torch")
    run = stmap("estimate", "a.mp4", "--method", tmp_path)
    assert (run.code, run.out) == (1, "")
    assert f"{tmp_path}: " in run.err


def test_the_default_needs_neither_torch_nor_matplotlib(face):
    words = [COMMAND.with_name("python"), "-c", WITHOUT_EXTRAS, "estimate", face, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["reason"] == ""
    assert told["heart_rate_bpm"] == pytest.approx(84, abs=3)


def test_a_run_without_torch_says_what_to_install(tmp_path):
    words = [COMMAND.with_name("python"), "-c", WITHOUT_EXTRAS, "estimate", "a.mp4", "--method", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, env=environment())
    assert done.returncode == 1
    assert "stmap[train]" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_with_one_line(face, tmp_path):
    missing = tmp_path / "missing.mp4"
    with subprocess.Popen(
        [COMMAND, "estimate", missing, *[face] * 20],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(PYTHONUNBUFFERED="1"),
        start_new_session=True,
    ) as process:
        # the first refusal is there at once, the other videos take their time
        assert "source_missing" in process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("stopped; ")
    assert "Traceback" not in err


def test_traces_are_finished_maps_that_other_commands_take(tmp_path):
    out = tmp_path / "maps"
    words = ("synth", out, "--traces", "--subjects", "3", "--recordings-per-subject", "1", "--duration", "21", "-j", "1")
    run = stmap(*words)
    assert run.code == 0, run.err
    assert run.out == f"{out}\n"
    assert "simulated: 3 recordings of 3 subjects" in run.err
    assert stmap(*words).code == 0
    assert stmap("verify", out).code == 0
    assert json.loads(stmap("status", out, "--json").out)["state"] == "finished"
    assert stmap("augment", out, "--balance", "--dry-run").code == 0
    assert stmap("export", out, tmp_path / "exported").code == 0
    other = stmap(*words, "--seed", "1")
    assert (other.code, "  seed  then 0, now 1\n" in other.err) == (1, True)


def test_traces_may_have_windows_of_ones_own(tmp_path):
    settings = tmp_path / "windows.toml"
    settings.write_text('[windows]\nclock = "uniform"\nlength = "8 s"\nstep = "4 s"\n')
    words = ("synth", "--traces", "--subjects", "1", "--recordings-per-subject", "1", "--duration", "21", "-j", "1")
    assert stmap(*words, tmp_path / "maps", "--config", settings).code == 0
    with Shards(tmp_path / "maps") as shards:
        starts_s = [one.start_s for one in shards.windows()]
        assert [one.stop - one.start for one in shards.windows()] == [240] * len(starts_s)
        np.testing.assert_allclose(np.diff(starts_s), 4.0, atol=0.05)
    assert stmap("verify", tmp_path / "maps").code == 0
    told = json.loads((tmp_path / "maps" / "dataset_description.json").read_text())
    assert told["GeneratedBy"][0]["Command"].endswith("--config stmap.toml")
    again = stmap(*words, tmp_path / "maps")
    assert (again.code, "  windows.step    then 4 s, now 0.5 s\n" in again.err) == (1, True)
    nowhere = stmap(*words, tmp_path / "other", "--config", tmp_path / "nowhere.toml")
    assert (nowhere.code, "nowhere.toml: " in nowhere.err, (tmp_path / "other").exists()) == (1, True, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--traces", "--layout", "folder"), "Error: --layout"),
        (("--traces", "--setting", "hard"), "Error: --setting"),
        (("--recordings-per-subject", "2"), "--traces"),
        (("--config", "short.toml"), "Error: --config"),
        (("--traces", "--subjects", "0"), "--subjects"),
    ],
)
def test_options_that_do_not_go_together(words, message, tmp_path):
    run = stmap("synth", tmp_path / "out", *words)
    assert run.code == 2
    assert message in run.err
    assert not (tmp_path / "out").exists()
