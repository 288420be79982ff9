"""The shell blocks of the guides run as they stand, in order, in a folder with small synthetic data; of one of them those in Python, too.

A block that cannot run here has a comment above it, ``<!-- not run: the reason -->``. One that begins a study of its own has ``<!-- run in an
empty folder -->``. Trainings are of one epoch.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest
from databases.trees import vipl_recording
from support.cli import COMMAND, content, environment, stmap
from support.maps import add_augmentation, folded_maps
from support.videos import repeated, write_video

ROOT = Path(__file__).parents[1]
GUIDES = sorted([ROOT / "README.md", *(ROOT / "docs" / "tutorial").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")])
_BLOCK = re.compile(
    r"(?:^<!-- (?:not run: (?P<reason>.+?)|(?P<empty>run in an empty folder)) -->\n)?^```sh\n(?P<text>.*?)^```", re.M | re.S
)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# settings whose first line names their file
_SETTINGS = re.compile(r"^```toml\n(# (\S+\.toml)\n.*?)^```", re.MULTILINE | re.DOTALL)
# what stands here for a folder of the reader, and for numbers of a larger machine and of more patience
_HERE = {"--jobs 8": "--jobs 2", "--duration 14": "--duration 11"}
# recordings of the tutorial's tree that the later steps do without
_SPARED = ("p1/v1/source2", "p1/v1-2", "p1/v7", "p2/v1/source2", "p2/v7")


class Block(NamedTuple):
    """A block of a page: why it is not run, whether it begins in an empty folder, and its lines."""

    reason: str | None
    empty: bool
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(match["reason"], bool(match["empty"]), match["text"]) for match in _BLOCK.finditer(page.read_text("utf-8"))]


RUN = [page for page in GUIDES if any(one.reason is None for one in blocks(page))]


def test_every_block_that_is_not_run_says_why():
    for page in GUIDES:
        assert all(one.reason is None or len(one.reason) > 10 for one in blocks(page)), page.name
    names = {page.name for page in RUN}
    assert {"README.md", "own-videos.md", "train.md", "resume.md", "rebuild.md", "estimate.md", "evaluate.md"} <= names


def another(video: Path, path: Path) -> Path:
    """Write the same pictures as another file: one video of two people would be an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(video.read_bytes() + (16).to_bytes(4, "big") + b"free" + zlib.crc32(bytes(path)).to_bytes(8, "big"))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """What the guides start from: user videos with and without labels, a VIPL-HR, finished maps, one video."""
    from stmap_pipeline.synth.scene import make_scene

    root = tmp_path_factory.mktemp("guides")
    scene = make_scene(1, "easy", heart_rate_bpm=72.0, size_px=(160, 160))
    clip = root / "clip.mp4"
    # hardly compressed: a run is as sure of a rate as POS is
    write_video(clip, (scene.render(index / 15, index) for index in range(165)), rate_hz=15, options={"crf": "4"})
    for name in ("one.mp4", "two.mp4", "unlabeled/anna/rest.mp4", "unlabeled/bea/rest.mp4"):
        another(clip, root / name)
    # windows of 300 frames need longer videos: three beats, to and fro, so that nothing jumps; 15 s of it
    frames = [scene.render(index / 30, index) for index in range(75)]
    face = repeated(write_video(root / "once.mp4", frames + frames[::-1], options={"crf": "16"}), 3, root / "face.mp4")
    for name, rate_bpm in (("anna", 72), ("bea", 73)):
        video = another(face, root / "my-videos" / name / "rest.mp4")
        video.with_suffix(".csv").write_text("time_s,heart_rate_bpm\n" + "".join(f"{second},{rate_bpm}\n" for second in range(15)))
    for number, place in enumerate(("p1/v1/source1", "p1/v1/source2", "p2/v1/source1")):
        folder = vipl_recording(root / "vipl-hr" / "data", place, frames=450, clock=not place.endswith("source2"))
        another(face, folder / "video.avi")
        (folder / "gt_HR.csv").write_text("HR\r\n" + f"{72 + 9 * number}\r\n" * 15)
    (root / "once.mp4").unlink()
    face.unlink()
    add_augmentation(folded_maps(root / "maps", pulse=True))
    return root


@pytest.fixture(scope="module")
def build_vipl(data, tmp_path_factory) -> Path:
    """Maps of that VIPL-HR."""
    out = tmp_path_factory.mktemp("vipl") / "maps"
    assert stmap("build-maps", "--db", "vipl-hr", data / "vipl-hr", out, "-j", "0").code == 0
    return out


def without_maps(here: Path, request: pytest.FixtureRequest) -> None:
    shutil.rmtree(here / "maps")


def with_maps_of_vipl(here: Path, request: pytest.FixtureRequest) -> None:
    shutil.rmtree(here / "maps")
    shutil.copytree(request.getfixturevalue("build_vipl"), here / "maps")


def killed(here: Path, request: pytest.FixtureRequest) -> None:
    """Begin the build of the page, and kill it when the first recording is done."""
    without_maps(here, request)
    words = [COMMAND, "build-maps", "--db", "vipl-hr", here / "vipl-hr", here / "maps", "--jobs", "1"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True) as process:
        while not list((here / "maps" / "work" / "outcomes").glob("*")) and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (here / "maps" / "manifest.json").exists()


def with_runs(here: Path, request: pytest.FixtureRequest) -> None:
    """Train the networks that the page has, for an epoch."""
    (here / "narrow.toml").write_text("width = 16\n")
    for name, network in (("attention", "attention-resnet18"), ("plain", "resnet18")):
        words = ("--network", network, "--config", "narrow.toml", "--epochs", "1", "--device", "cpu", "--threads", "1")
        assert stmap("train", "maps", f"runs/{name}", *words).code == 0
    folded_maps(here / "mmse-maps", shift_bpm=3.0)


def with_a_run(here: Path, request: pytest.FixtureRequest) -> None:
    words = ("--epochs", "1", "--fold", "1", "--validation-share", "0", "--augment", "none", "--device", "cpu", "--threads", "1")
    # of the grid that an estimate has
    folded_maps(here / "of-25-blocks", grid=(5, 5))
    assert stmap("train", "of-25-blocks", "runs/fg2019", *words).code == 0


def with_fish(here: Path, request: pytest.FixtureRequest) -> None:
    (here / ".config/fish/completions").mkdir(parents=True)


# what a page has beside the data of all
BEFORE = {
    "README.md": without_maps,
    "container.md": with_fish,
    "estimate.md": with_a_run,
    "evaluate.md": with_runs,
    "first-maps.md": without_maps,
    "own-videos.md": without_maps,
    "project.md": without_maps,
    "rebuild.md": with_maps_of_vipl,
    "report.md": with_maps_of_vipl,
    "resume.md": killed,
}


@pytest.fixture
def _one_thread():
    # threads that wait for each other on a busy machine cost more than they save
    torch = pytest.importorskip("torch", reason="a guide trains, which needs the extra 'train'")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_guide_run_in_order(page, data, tmp_path, monkeypatch, request):
    here = shutil.copytree(data, tmp_path / "here")
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    for text, name in _SETTINGS.findall(page.read_text("utf-8")):
        (here / name).write_text(text)
    if prepare := BEFORE.get(page.name):
        prepare(here, request)
    for number, block in enumerate(blocks(page)):
        if block.empty:
            (tmp_path / f"empty{number}").mkdir()
            os.chdir(tmp_path / f"empty{number}")
        if block.reason is None:
            run_block(page, block.text.replace("/data/VIPL-HR", str(here / "vipl-hr")))
        if (here / "videos/data").exists():
            for place in _SPARED:
                shutil.rmtree(here / "videos/data" / place, ignore_errors=True)
    if page.name == "resume.md":
        assert content(here / "maps") == content(request.getfixturevalue("build_vipl"))


def run_block(page: Path, text: str) -> None:
    for there, here in _HERE.items():
        text = text.replace(there, here)
    for line in text.replace("\\\n", " ").splitlines():
        command, _, target = line.partition(" > ")
        words = shlex.split(command, comments=True)
        if words[:2] == ["stmap", "train"]:
            words += ["--epochs", "1"]
        if words[:1] == ["stmap"]:
            run = stmap(*words[1:])
            assert run.code == 0, f"{page.name}: {line}\n{run.err}"
            if target:
                Path(*shlex.split(target, comments=True)).write_text(run.out)
        elif words[:1] == ["mkdir"] and "cd" in words:
            Path(words[1]).mkdir()
            os.chdir(words[-1])
        elif words:
            path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(["bash", "-ec", line], capture_output=True, text=True, env=environment(PATH=path))
            assert done.returncode == 0, f"{page.name}: {line}\n{done.stderr}"


def test_the_python_blocks_about_pytorch_run_in_order(data):
    pytest.importorskip("torch", reason="needs the extra 'train'")
    code = "\n".join(_PYTHON.findall((ROOT / "docs/how-to/pytorch.md").read_text("utf-8")))
    code += "\nprint(len(training), len(some), maps.shape, even[0]['map'].shape, len(list(sampler)), len(batch['subject']) > 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=data, capture_output=True, text=True, env=environment(OMP_NUM_THREADS="1")
    )
    assert done.returncode == 0, done.stderr
    training, some, *rest = done.stdout.split(maxsplit=2)
    assert int(training) > int(some) > 0
    assert rest == ["torch.Size([32, 3, 4, 240]) torch.Size([3, 4, 200]) 1000 True\n"]
