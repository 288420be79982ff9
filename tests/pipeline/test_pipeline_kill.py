"""A small share of ``benchmarks/chaos_kill.py``: kill -9 at random moments leaves the same bytes and no temporary file."""

from __future__ import annotations

from support.cli import content
from support.processes import kill_until

from stmap_pipeline.config import Config
from stmap_pipeline.pipeline import plan_build, run_build, verify


def test_kills_at_random_moments_leave_the_same_bytes(face_clip, tmp_path):
    source, config = tmp_path / "own", tmp_path / "short.toml"
    source.mkdir()
    for number in range(6):
        (source / f"v{number}.mp4").write_bytes(face_clip.read_bytes())
    (source / "zero.mp4").write_bytes(b"")
    config.write_text('[windows]\nlength = "30 frames"\n')
    list(run_build(plan_build("folder", source, tmp_path / "calm", Config.from_toml(config)), 0))
    expected = content(tmp_path / "calm")
    chaos = kill_until(5, source, tmp_path, config, expected, seed=1, longest_s=3.0)
    assert chaos.kills == 5
    assert chaos.finished >= 1
    assert verify(tmp_path / "maps-0") == []
