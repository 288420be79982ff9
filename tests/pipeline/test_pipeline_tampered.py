"""Whatever somebody writes into a finished output, or into an unfinished one: an error that names it, and nothing outside is touched."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.damage import mutated
from support.maps import add_augmentation

from stmap_pipeline.balance import BalanceOptions
from stmap_pipeline.config import Config
from stmap_pipeline.errors import StmapError
from stmap_pipeline.pipeline import plan_build, read_status, run_build, verify
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.augmentation import plan_augmentation, read_augmentation, remove_augmentation
from stmap_pipeline.shards.manifest import read_manifest, write_manifest

AUGMENT = BalanceOptions("fg2019", speeds=(0.67,))
SHORT = Config.from_mapping({"windows": {"length": "30 frames"}})


@pytest.fixture(scope="module")
def source(tmp_path_factory, face_clip) -> Path:
    """Two labeled videos of one person."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "database.toml").write_text(
        '[[recording]]\nvideo = "*.mp4"\nsubject = "anna"\nid = "{stem}"\n'
        '[[recording.label]]\nkind = "heart_rate"\nfile = "{stem}.txt"\nrate_hz = 1.0\n'
    )
    for name, rate in (("a1", 74), ("a2", 81)):
        (folder / f"{name}.mp4").write_bytes(face_clip.read_bytes())
        (folder / f"{name}.txt").write_text(f"{rate}\n" * 3)
    return folder


@pytest.fixture(scope="module")
def finished(source, tmp_path_factory) -> Path:
    """An augmented output."""
    out = tmp_path_factory.mktemp("finished") / "maps"
    list(run_build(plan_build("folder", source, out, SHORT), 0))
    add_augmentation(out, AUGMENT)
    return out


@pytest.fixture(scope="module")
def stopped(source, tmp_path_factory) -> Path:
    """An output of which one recording is done."""
    out = tmp_path_factory.mktemp("stopped") / "maps"
    running = run_build(plan_build("folder", source, out, SHORT), 0)
    next(running)
    running.close()
    return out


_VALUES = ("../../victim", "/etc/passwd", "-1", "1e309", "nan", "9" * 400, "[" * 5000, "true", "", "\\u0000", "=1+1", "é" * 70_000)


def _other_value(rng: random.Random, data: bytes) -> bytes:
    """Put something else in place of a number or a word."""
    found = list(re.finditer(rb"[\w.+-]+", data))
    if not found:
        return rng.choice(_VALUES).encode()
    place = rng.choice(found)
    return data[: place.start()] + rng.choice(_VALUES).encode() + data[place.end() :]


def tampered(rng: random.Random, path: Path) -> bytes:
    data = path.read_bytes()
    return mutated(rng, data) if path.suffix in (".h5", ".png", ".svg") or rng.random() < 0.4 else _other_value(rng, data)


def sign(out: Path) -> None:
    """Make the hashes fit, as somebody would who changes a result on purpose."""
    try:
        old = read_manifest(out)
        files = [out / one.path for one in old.files if (out / one.path).is_file()]
        write_manifest(out, fingerprint=old.fingerprint, files=files, settings=old.settings)
    except (StmapError, ValueError):
        pass


def read_all(out: Path) -> None:
    with Shards(out) as shards:
        for one in shards.windows(augmented=True):
            shards.stmap(one)
        for info in shards.recordings():
            shards.recording(info.recording_id)
        shards.outcomes()


def use(out: Path, source: Path) -> list[str]:
    """Do all that a command does with an output; give the messages."""
    messages = []
    steps: tuple[Callable[[], object], ...] = (
        lambda: messages.extend(one.message for one in verify(out)),
        lambda: read_all(out),
        lambda: read_status(out),
        lambda: read_augmentation(out),
        lambda: plan_augmentation(Shards(out), AUGMENT),
        lambda: remove_augmentation(out),
        lambda: list(run_build(plan_build("folder", source, out, SHORT), 0)),
    )
    for step in steps:
        try:
            step()
        except StmapError as error:
            messages.append(str(error))
    return messages


@pytest.mark.parametrize(("state", "count"), [("finished", 45), ("stopped", 12)])
def test_tampered_files_are_errors_or_done_again_and_reach_nothing_outside(request, state, count, source, tmp_path):
    original: Path = request.getfixturevalue(state)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.h5").write_bytes(b"years of work")
    files = sorted(path.relative_to(original) for path in original.rglob("*") if path.is_file())
    rng = random.Random(7)  # noqa: S311
    heard = 0
    for number in range(count):
        out = tmp_path / "maps" / "anna"
        shutil.copytree(original, out)
        name = files[number % len(files)]
        (out / name).write_bytes(tampered(rng, original / name))
        if rng.random() < 0.5:
            sign(out)
        heard += bool(use(out, source))
        shutil.rmtree(out)
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["maps", "thesis.h5", "victim"], f"case {number}: {name}"
    assert heard > count // 3


def test_a_plan_of_the_work_folder_that_was_tampered_with_decides_nothing(source, stopped, tmp_path):
    out = shutil.copytree(stopped, tmp_path / "maps")
    told = json.loads((out / "work" / "run.json").read_bytes())
    told |= {"todo": ["../../x", 3, None, "a2"], "listed": -5, "database": ["evil"], "skipped": 10**30}
    (out / "work" / "run.json").write_text(json.dumps(told))
    assert read_status(out).state == "stopped"
    list(run_build(plan_build("folder", source, out, SHORT), 0))
    assert verify(out) == []
