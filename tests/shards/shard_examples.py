"""What the tests of shards share: comparing results, and a recording that has everything odd."""

import dataclasses

import numpy as np

from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import PulseTrace


def same(ours, theirs, *, stored=True):
    """Assert that two results are equal; from memory to disk landmarks and coverage may move by half a step."""
    for name in ("recording_id", "database", "subject", "scenario", "camera", "fold", "notes", "extras", "clock"):
        assert getattr(ours.recording, name) == getattr(theirs.recording, name), name
    assert ours.recording.video.kind == theirs.recording.video.kind
    assert ours.notes == theirs.notes
    assert list(ours.attributes) == list(theirs.attributes)
    for key, value in ours.attributes.items():
        assert type(value) is type(theirs.attributes[key])
        assert value == theirs.attributes[key] or value != value, key
    assert ours.blocks.grid == theirs.blocks.grid
    exact(ours.blocks.times_s, theirs.blocks.times_s, np.float64)
    exact(ours.blocks.means, theirs.blocks.means, np.float32)
    exact(ours.track.times_s, theirs.track.times_s, np.float64)
    exact(ours.track.score, theirs.track.score, np.float32)
    if stored:
        exact(ours.blocks.coverage, theirs.blocks.coverage, np.float32)
        exact(ours.track.points_px, theirs.track.points_px, np.float32)
    else:
        assert np.abs(ours.blocks.coverage - theirs.blocks.coverage).max(initial=0) <= 0.5001 / 255
        assert np.array_equal(np.isnan(ours.track.points_px), np.isnan(theirs.track.points_px))
        assert np.nanmax(np.abs(ours.track.points_px - theirs.track.points_px), initial=0) <= 1 / 8
    for name, parts in (("heart_rate", ("times_s", "heart_rate_bpm")), ("pulse", ("times_s", "value"))):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert (mine is None) == (other is None)
        for part in parts if mine is not None else ():
            exact(getattr(mine, part), getattr(other, part), np.float64)


def exact(ours, theirs, dtype):
    assert ours.dtype == theirs.dtype == dtype
    assert np.array_equal(ours, theirs, equal_nan=True)


def odd_result(recording_id="p001_v1-2_source3", subject="p001"):
    """A recording with gaps, half-seen blocks, unknown labels and texts of many kinds."""
    one = example_result(recording_id, subject=subject, frames=200, lost=slice(40, 80), fold=None)
    coverage = one.blocks.coverage.copy()
    coverage[:40, 1] = 0.123
    means = one.blocks.means.copy()
    means[:, 2] = np.nan
    means[5, 0] = [-3.25, 260.5, 0.0]
    pulse = PulseTrace(np.arange(2500) / 250.0 - 0.3, np.where(np.arange(2500) % 7, 1.5, np.nan))
    return dataclasses.replace(
        one,
        recording=dataclasses.replace(one.recording, notes=("first\nsecond", 'a "quoted" one; é 脉'), extras={"b": "2", "a": ""}),
        blocks=dataclasses.replace(one.blocks, means=means, coverage=coverage),
        pulse=pulse,
        heart_rate=None,
        notes=(),
        attributes={"snr_db": float("nan"), "pixel_format": "yuv420p", "gaps": 2, "span_s": 1.0, "lowest": float("-inf")},
    )
