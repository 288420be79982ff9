"""The estimate of the time that a build takes."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from stmap_pipeline.pipeline import forecast as module
from stmap_pipeline.pipeline import plan_build
from stmap_pipeline.pipeline.forecast import forecast_build
from stmap_pipeline.pipeline.worker import build_recording


@pytest.fixture
def plan(tmp_path, face_clip):
    (tmp_path / "videos").mkdir()
    for number in range(5):
        (tmp_path / "videos" / f"{number}.mp4").write_bytes(face_clip.read_bytes())
    (tmp_path / "videos" / "zero.mp4").write_bytes(b"")
    return plan_build("folder", tmp_path / "videos", tmp_path / "maps")


def test_a_short_build_has_none_and_nothing_is_measured(plan, monkeypatch):
    monkeypatch.setattr(module, "_measured_rate", lambda *_: pytest.fail("measured"))
    assert forecast_build(plan, 2) is None


def test_it_is_about_the_time_that_the_frames_take(plan, monkeypatch):
    monkeypatch.setattr(module, "_FEW_FRAMES", 10)
    # by the processor's time, of which other programs take nothing
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=time.process_time))
    found = forecast_build(plan, 1)
    assert found is not None
    build_recording(plan.todo[0], plan.config)
    start = time.process_time()
    trace = build_recording(plan.todo[1], plan.config)
    one_s = time.process_time() - start
    frames = len(trace.blocks.times_s)
    # the copies are one subject's, or are skipped: those to decode count
    assert found.frames == pytest.approx(len(plan.todo) * frames, rel=0.3)
    # a rough figure; processes take a fixed time to start
    assert 0.2 < (found.seconds - module._START_S) / (len(plan.todo) * one_s) < 5
    half = forecast_build(plan, 2)
    assert half is not None
    assert half.seconds < found.seconds
    assert not plan.out.exists()


def test_videos_that_cannot_be_read_have_none(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FEW_FRAMES", 0)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"no video")
    assert forecast_build(plan_build("folder", tmp_path / "videos", tmp_path / "maps"), 1) is None
