"""Plans: frame times, casts, label lengths."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.synth import LAYOUTS, QUIRKS, plan_synthesis
from stmap_pipeline.synth.recording import Camera, Casting
from stmap_pipeline.synth.shape import SKIN_TONES


@given(st.integers(0, 10**6), st.floats(10, 60), st.floats(0, 0.5), st.booleans())
def test_frame_times_start_at_zero_and_increase(seed, rate_hz, jitter, whole_ms):
    times = Camera(rate_hz, jitter, whole_ms).times_s(seed, 5.0)
    assert times[0] == 0
    assert np.all(np.diff(times) > 0.4 / rate_hz)
    assert times.size == round(5.0 * rate_hz)
    if whole_ms:
        np.testing.assert_allclose(times * 1000, np.rint(times * 1000), atol=1e-9)


@given(st.integers(0, 10**6))
def test_jitter_keeps_the_mean_rate(seed):
    times = Camera(25.0, 0.06).times_s(seed, 40.0)
    assert 1 / np.diff(times).mean() == pytest.approx(25.0, rel=0.02)
    assert np.diff(times).std() * 25 == pytest.approx(0.06, rel=0.15)


def test_no_jitter_is_a_constant_rate():
    np.testing.assert_allclose(Camera(30.0).times_s(1, 2.0), np.arange(60) / 30)


def test_heart_rates_are_spread_over_what_hearts_do():
    cast = Casting(5, "easy", 20.0, 12)
    rates = sorted(cast.scene(index, 1, (200, 200))[1].pulse.mean_bpm for index in range(12))
    np.testing.assert_allclose(rates, np.linspace(48, 130, 12))


def test_five_subjects_show_every_skin_tone():
    cast = Casting(0, "easy", 20.0, 5)
    assert {cast.scene(index, index + 1, (200, 200))[1].skin_tone for index in range(5)} == set(SKIN_TONES)


def test_a_subject_is_one_person_in_all_recordings():
    cast = Casting(0, "easy", 20.0, 6)
    first, again, other = (cast.scene(index, subject, (200, 200))[1] for index, subject in ((0, 1), (1, 1), (2, 2)))
    assert first.identity is again.identity
    assert first.motion != again.motion
    assert first.identity is not other.identity


def test_mixed_takes_turns():
    cast = Casting(0, "mixed", 20.0, 4)
    assert [cast.scene(index, 1, (200, 200))[0] for index in range(4)] == ["easy", "hard", "easy", "hard"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("setting", ["easy", "hard", "mixed"])
def test_plans_are_unique_whole_and_the_same_each_time(tmp_path, layout, setting):
    plan, again = (plan_synthesis(tmp_path / "new", layout, 12, seed=2, setting=setting) for _ in range(2))
    assert plan == again
    ids = [one.recording_id for one in plan.recordings]
    assert ids == sorted(set(ids))
    assert len({one.place for one in plan.recordings}) == len(ids)
    assert {one.setting for one in plan.recordings} == ({"easy", "hard"} if setting == "mixed" else {setting})
    assert all(set(one.quirks) <= QUIRKS.keys() for one in plan.recordings)
    assert len({one.subject for one in plan.recordings}) == 12


def test_two_subjects_show_every_quirk(tmp_path):
    shown = {quirk for layout in LAYOUTS for one in plan_synthesis(tmp_path, layout, 2).recordings for quirk in one.quirks}
    assert shown == QUIRKS.keys()


def test_a_plan_can_be_sent_to_a_worker(tmp_path):
    plan = plan_synthesis(tmp_path, "vipl-hr", 1).recordings[0]
    data = pickle.dumps(plan)
    assert pickle.loads(data) == plan  # noqa: S301
    assert len(data) < 10_000


def test_facts_are_the_truth_of_the_scene(tmp_path):
    plan = plan_synthesis(tmp_path, "vipl-hr", 1).recordings[0]
    facts, times = plan.facts(), plan.times_s()
    rates = [plan.scene.heart_rate_bpm(time_s) for time_s in np.linspace(0, times[-1], 4001)]
    assert facts.true_heart_rate_bpm == pytest.approx(np.mean(rates), abs=0.01)
    assert facts.frames == times.size


def test_labels_may_be_shorter_or_longer_than_the_video(tmp_path):
    plan = plan_synthesis(tmp_path, "folder", 1).recordings[0]
    video_s = plan.times_s()[-1]
    assert replace(plan, quirks=("short_label",)).label_s() == pytest.approx(0.6 * video_s)
    assert replace(plan, quirks=("long_label",)).label_s() == pytest.approx(video_s + 9)
    assert replace(plan, quirks=()).label_s() == video_s


def test_infrared_is_gray(tmp_path):
    plan = next(one for one in plan_synthesis(tmp_path, "vipl-hr", 1).recordings if "nir" in one.quirks)
    _, picture = next(plan.frames())
    assert np.all(np.ptp(picture, axis=2) == 0)
    assert np.ptp(picture) > 100
