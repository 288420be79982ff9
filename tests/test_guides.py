"""The shell blocks of the guides run as they stand, in order, in a folder with small synthetic data; of one of them those in Python, too.

A block that cannot run here has a comment above it, ``<!-- not run: the reason -->``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import COMMAND, environment, stmap
from support.maps import add_augmentation, folded_maps
from support.videos import write_video

ROOT = Path(__file__).parents[1]
GUIDES = sorted([ROOT / "README.md", *(ROOT / "docs" / "tutorial").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")])
_BLOCK = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```sh\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# folders of the guides, and those that stand for them here
_PLACES = {"/data/VIPL-HR": "vipl-hr"}


def blocks(page: Path) -> list[tuple[str | None, str]]:
    return [(match["reason"], match["text"]) for match in _BLOCK.finditer(page.read_text("utf-8"))]


RUN = [page for page in GUIDES if any(reason is None for reason, _ in blocks(page))]


def test_every_block_that_is_not_run_says_why():
    for page in GUIDES:
        for reason, _ in blocks(page):
            assert reason is None or len(reason) > 10, page.name
    assert ROOT / "docs/how-to/own-videos.md" in RUN


@pytest.fixture(scope="module")
def data(tmp_path_factory, face_clip) -> Path:
    """What the guides start from: user videos with and without labels, finished maps, one video."""
    from stmap_pipeline.synth.scene import make_scene

    root = tmp_path_factory.mktemp("guides")
    for number, name in enumerate(("anna/rest", "bea/rest")):
        scene = make_scene(number + 1, "easy", heart_rate_bpm=72.0, size_px=(200, 200))
        for folder in ("my-videos", "unlabeled"):
            video = root / folder / f"{name}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            if folder == "my-videos":
                write_video(video, (scene.render(index / 15, index) for index in range(165)), rate_hz=15, options={"crf": "20"})
                rows = "".join(f"{second},72\n" for second in range(12))
                video.with_suffix(".csv").write_text(f"time_s,heart_rate_bpm\n{rows}")
            else:
                shutil.copy(root / "my-videos" / f"{name}.mp4", video)
    for name in ("clip", "one", "two"):
        shutil.copy(root / "my-videos/anna/rest.mp4", root / f"{name}.mp4")
    maps = folded_maps(root / "maps", pulse=True)
    add_augmentation(maps)
    return root


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
def test_the_blocks_of_a_guide_run_in_order(page, data, tmp_path, monkeypatch):
    shutil.copytree(data, tmp_path / "here")
    here = tmp_path / "here"
    if page.name in ("own-videos.md", "first-maps.md"):
        shutil.rmtree(here / "maps")
    monkeypatch.chdir(here)
    for reason, text in blocks(page):
        if reason is None:
            run_block(page, text)


def run_block(page: Path, text: str) -> None:
    for place, here in _PLACES.items():
        text = text.replace(place, here)
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "stmap":
            run = stmap(*words[1:])
            assert run.code == 0, f"{page.name}: {line}\n{run.err}"
        else:
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
