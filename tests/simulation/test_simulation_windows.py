"""Simulated windows: the pulse that is put in comes out, each damage does what it is called, and nothing else."""

import tracemalloc

import numpy as np
import pytest

from stmap_pipeline.signals.classical import pos
from stmap_pipeline.simulation import SHARES, TRAINING_SHARES, SimulationConfig, simulate_windows
from stmap_pipeline.simulation.heart import draw_hearts, draw_rates_bpm
from stmap_pipeline.simulation.people import FaceMaps, draw_people

NOTHING = dict.fromkeys(SHARES, 0.0)


def only(*damages, **changes):
    """Settings with these damages in all windows, and no other one."""
    fields = {"damaged_share": 1.0, "no_pulse_share": 0.0, "shares": NOTHING | dict.fromkeys(damages, 1.0)} | changes
    return SimulationConfig(**fields)


def spectrum(signals, rate_hz=30.0, size=8192):
    """Power (B, F) of signals (B, T), and the rates in bpm."""
    signals = signals - signals.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(signals * np.hanning(signals.shape[1]), size)) ** 2
    bpm = np.fft.rfftfreq(size, 1 / rate_hz) * 60
    inside = (bpm >= 35) & (bpm <= 215)
    return power[:, inside], bpm[inside]


def pos_power(windows):
    return spectrum(np.stack([pos(one.mean(axis=1).astype(np.float64), 30.0) for one in windows.means]))


def changes(damage, count=24, seed=5):
    """Windows without and with a damage; what is not damaged has the same bytes."""
    return simulate_windows(count, seed, only()), simulate_windows(count, seed, only(damage))


def test_the_rate_of_the_pulse_comes_out_where_nothing_hides_it():
    config = SimulationConfig(damaged_share=0, no_pulse_share=0, severity=0)
    windows = simulate_windows(96, 3, config)
    power, bpm = pos_power(windows)
    wave, _ = spectrum(windows.pulse)
    # a rate that varies has no single peak: the same peak as in the wave itself
    error = np.abs(bpm[power.argmax(axis=1)] - bpm[wave.argmax(axis=1)])
    assert np.quantile(error, 0.9) < 0.5
    assert np.median(np.abs(bpm[power.argmax(axis=1)] - windows.heart_rate_bpm)) < 0.6


def test_a_person_who_sits_still_is_read_by_pos_in_most_windows_of_unseen_settings_and_in_fewer_of_a_training():
    shares = []
    for config in (SimulationConfig(damaged_share=0, no_pulse_share=0), SimulationConfig.unseen(damaged_share=0, no_pulse_share=0)):
        power, bpm = pos_power(windows := simulate_windows(512, 4, config))
        shares.append((np.abs(bpm[power.argmax(axis=1)] - windows.heart_rate_bpm) < 3).mean())
    assert 0.6 < shares[0] < shares[1] - 0.05
    assert shares[1] > 0.8


def test_beats_are_maxima_of_the_wave_and_minima_of_the_light():
    windows = simulate_windows(32, 6, SimulationConfig(damaged_share=0, no_pulse_share=0, severity=0))
    np.testing.assert_allclose(windows.pulse.mean(axis=1), 0, atol=1e-5)
    green = windows.means[..., 1].mean(axis=2)
    correlation = [np.corrcoef(one, other)[0, 1] for one, other in zip(windows.pulse, green, strict=True)]
    assert np.median(correlation) < -0.8
    turning = np.sum((windows.pulse[:, 1:-1] > windows.pulse[:, :-2]) & (windows.pulse[:, 1:-1] >= windows.pulse[:, 2:]), axis=1)
    beats = windows.heart_rate_bpm / 60 * 299 / 30
    # a wave may have a second, dicrotic maximum, but never fewer than one a beat
    assert (turning >= np.floor(beats) - 1).all()


def test_a_window_without_a_pulse_holds_none_of_the_planted_rate():
    rates = {"heart_rate_edges_bpm": (90.0, 91.0), "damaged_share": 0.0}
    ratios = []
    for share in (0.0, 1.0):
        windows = simulate_windows(96, 8, SimulationConfig(no_pulse_share=share, **rates))
        power, bpm = pos_power(windows)
        power /= power.sum(axis=1, keepdims=True)
        planted = power[:, np.abs(bpm - 90.5) < 4].mean(axis=1)
        beside = power[:, (np.abs(bpm - 90.5) > 12) & (np.abs(bpm - 90.5) < 25)].mean(axis=1)
        ratios.append(np.median(planted / beside))
        assert (windows.pulse == 0).all() == bool(share)
        assert np.isnan(windows.heart_rate_bpm).all() == bool(share)
    assert ratios[0] > 10
    assert 0.5 < ratios[1] < 2


@pytest.mark.parametrize("damage", sorted(SHARES))
def test_a_damage_is_in_the_windows_that_name_it_and_changes_their_traces(damage):
    without, damaged = changes(damage)
    assert damaged.terms[damage].all()
    assert not any(damaged.terms[other].any() for other in set(SHARES) - {damage})
    changed = [not np.array_equal(one, other, equal_nan=True) for one, other in zip(without.means, damaged.means, strict=True)]
    # a window with 30 frames a second has nothing to blend; a window may begin after its only step; one beat in twelve comes early
    assert np.mean(changed) >= {"blended_frames": 0.1, "ectopic_beats": 0.4}.get(damage, 0.7)


SCENE = ("unsteady_light", "hand", "screen", "lamp", "mains", "exposure_steps", "white_balance_steps", "talking")
CAMERA = ("bright", "noise", "rounding", "codec")


@pytest.mark.parametrize("damage", [*SCENE, *CAMERA, "lost_blocks", "no_skin"])
def test_light_camera_and_codec_change_neither_pulse_nor_motion(damage):
    without, damaged = changes(damage)
    for name in ("pulse", "motion", "heart_rate_bpm"):
        np.testing.assert_array_equal(getattr(without, name), getattr(damaged, name))


@pytest.mark.parametrize("damage", ["motion", "periodic_motion", "gestures"])
def test_motion_changes_the_track_and_not_the_pulse(damage):
    without, damaged = changes(damage, count=96)
    np.testing.assert_array_equal(without.pulse, damaged.pulse)
    assert np.median(damaged.motion.std(axis=1) / without.motion.std(axis=1)) > 1.08


def test_gestures_are_sudden_and_the_head_is_still_between_them():
    def fastest_over_usual(damage):
        without, damaged = changes(damage)
        moved = np.diff(damaged.motion[..., 0] - without.motion[..., 0], axis=1)
        return np.median(np.quantile(np.abs(moved), 0.95, axis=1) / np.maximum(np.quantile(np.abs(moved), 0.3, axis=1), 1e-6))

    assert fastest_over_usual("gestures") > 5 * fastest_over_usual("motion")


def change_of_light(damage):
    """(B, T, N, 3) change of the logarithm of gray levels by a damage, without its mean."""
    without, damaged = changes(damage)
    change = np.log(damaged.means) - np.log(without.means)
    return change - change.mean(axis=1, keepdims=True)


def test_exposure_changes_all_channels_and_blocks_alike_and_white_balance_only_red_and_blue():
    exposure = change_of_light("exposure_steps")
    spread = exposure.std(axis=1)
    # a window may begin after its only step
    spread = spread[spread.any(axis=(1, 2))]
    assert np.median(np.abs(spread / spread.mean(axis=(1, 2), keepdims=True) - 1)) < 0.05
    balance = change_of_light("white_balance_steps").std(axis=1)
    assert np.median(balance[:, :, 1]) < 0.05 * np.median(balance[:, :, 0])
    assert np.median(balance[:, :, 2]) > 0.1 * np.median(balance[:, :, 0])


def test_mains_is_seen_at_its_alias_and_a_worn_lamp_inside_the_band():
    for damage, expected in (("mains", 0.5), ("lamp", 0.9)):
        change = change_of_light(damage)[:, :, 12, 1]
        power = np.abs(np.fft.rfft(change * np.hanning(300))) ** 2
        # one line holds nearly all of it, for a lamp with its overtones
        concentration = np.sort(power, axis=1)[:, -9:].sum(axis=1) / power.sum(axis=1)
        assert np.median(concentration) > expected


def test_talking_moves_the_mouth_and_a_hand_some_neighboring_blocks():
    talking = change_of_light("talking").std(axis=1)[..., 1].reshape(-1, 5, 5)
    assert np.median(talking[:, 3:, 1:4]) > 5 * np.median(talking[:, :2])
    hand = change_of_light("hand").std(axis=1)[..., 1]
    covered = (hand > 0.02).sum(axis=1)
    assert 1 <= np.median(covered[covered > 0]) <= 20


def test_dark_and_bright_windows_have_their_levels_and_end_at_the_ends():
    usual, dark, bright = (
        np.median(simulate_windows(32, 7, only(*one)).means, axis=(1, 2, 3)) for one in ((), ("dark",), ("bright",))
    )
    assert np.median(dark / usual) < 0.5
    assert np.median(bright / usual) > 1.1
    means = simulate_windows(64, 9).means
    assert np.nanmin(means) >= 0
    assert np.nanmax(means) <= 255


def test_rounding_leaves_few_levels():
    # 30 frames a second without jitter are samples as they are
    windows = simulate_windows(64, 5, only("rounding"))
    values = [len(np.unique(one[:, 12, 1].round(4))) for one in windows.means]
    assert np.quantile(values, 0.1) < 60
    assert min(len(np.unique(one[:, 12, 1].round(4))) for one in simulate_windows(64, 5, only()).means) > 100


def test_frozen_frames_stand_still():
    for damage, share in (("freeze", 0.03), (None, 0.0)):
        windows = simulate_windows(64, 5, only(*([damage] if damage else [])))
        step = np.abs(np.diff(windows.means[..., 1], axis=1)).max(axis=2)
        still = (step < 1e-3).mean(axis=1)
        assert np.median(still) >= share
    assert still.max() == 0


def test_lost_frames_are_nan_in_blocks_and_motion_and_lost_blocks_in_the_blocks_alone():
    frames = simulate_windows(64, 5, only("lost_frames"))
    lost = np.isnan(frames.means)
    assert 0.01 < lost.mean() < 0.3
    assert (lost == lost[:, :, :1, :1]).all()
    np.testing.assert_array_equal(np.isnan(frames.motion).all(axis=2), lost[:, :, 0, 0])
    assert np.isfinite(frames.pulse).all()
    without, blocks = changes("lost_blocks")
    lost = np.isnan(blocks.means)
    assert (lost == lost[..., :1]).all()
    assert lost.any(axis=1)[..., 0].sum(axis=1).min() >= 1
    assert lost.any(axis=1)[..., 0].sum(axis=1).max() <= 12
    np.testing.assert_array_equal(blocks.means[~lost], without.means[~lost])
    assert np.isfinite(blocks.motion).all()


def test_windows_of_no_damage_have_no_gap():
    assert np.isfinite(simulate_windows(64, 1, SimulationConfig(damaged_share=0)).means).all()


def test_a_photograph_and_a_wall_move_and_flicker_as_faces_do():
    windows = simulate_windows(
        640, 2, SimulationConfig(shares={"no_skin": 0, "lost_frames": 0, "lost_blocks": 0}, no_pulse_share=1.0)
    )
    terms = windows.terms
    kinds = np.stack([terms[name] for name in ("photo_still", "photo_moved", "wall")])
    assert (kinds.sum(axis=0) == 1).all()
    assert kinds.mean(axis=1).min() > 0.1
    assert terms["periodic_motion"].mean() > 0.05
    assert terms["lamp"].mean() > 0.05
    assert not terms["irregular_beats"].any()
    spread = windows.means[..., 1].mean(axis=1).std(axis=1) / windows.means.mean(axis=(1, 2, 3))
    assert np.median(spread[terms["wall"]]) < 0.5 * np.median(spread[terms["photo_still"]])


def test_shares_and_rates_are_those_of_the_settings():
    windows = simulate_windows(1280, 1, SimulationConfig(samples=60, damaged_share=0.5, no_pulse_share=0.25))
    assert abs(windows.terms["damaged"].mean() - 0.5) < 0.05
    assert abs(windows.terms["no_pulse"].mean() - 0.25) < 0.05
    assert abs(windows.terms["codec"].mean() - 0.5 * TRAINING_SHARES["codec"]) < 0.04
    rates = draw_rates_bpm(np.random.default_rng(0), 20000, SimulationConfig())
    assert rates.min() >= 36
    assert rates.max() <= 200
    assert np.abs(np.histogram(rates, 8)[0] / 2500 - 1).max() < 0.1
    uneven = SimulationConfig(heart_rate_edges_bpm=(40, 60, 80, 120), heart_rate_weights=(1, 0, 3))
    rates = draw_rates_bpm(np.random.default_rng(0), 20000, uneven)
    counts = np.histogram(rates, (40, 60, 80, 120))[0]
    assert counts[1] == 0
    assert abs(counts[2] / counts[0] - 3) < 0.2


def test_the_mean_rate_is_the_number_of_beats_also_of_irregular_ones():
    for damage in (None, "irregular_beats", "ectopic_beats"):
        windows = simulate_windows(64, 3, only(*([damage] if damage else [])))
        crossings = ((windows.pulse[:, :-1] < 0) & (windows.pulse[:, 1:] >= 0)).sum(axis=1)
        beats = windows.heart_rate_bpm / 60 * 299 / 30
        assert np.abs(crossings - beats).mean() < 1.2


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_windows():
    first, again, other = (simulate_windows(70, seed) for seed in ((4, 2), (4, 2), (4, 3)))
    for name in ("means", "motion", "pulse", "heart_rate_bpm"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
        assert getattr(first, name).tobytes() != getattr(other, name).tobytes()
    assert simulate_windows(3, 4).means.tobytes() == simulate_windows(3, (4,)).means.tobytes()
    # full chunks do not depend on how many follow
    np.testing.assert_array_equal(first.means[:64], simulate_windows(64, (4, 2)).means)


@pytest.mark.parametrize(
    ("rows", "cols", "samples", "rate_hz"), [(1, 1, 300, 30.0), (3, 7, 150, 25.0), (8, 8, 240, 20.0), (2, 2, 3600, 30.0)]
)
def test_other_grids_and_clocks(rows, cols, samples, rate_hz):
    windows = simulate_windows(6, 1, SimulationConfig(rows=rows, cols=cols, samples=samples, rate_hz=rate_hz))
    assert windows.means.shape == (6, samples, rows * cols, 3)
    assert windows.motion.shape == (6, samples, 4)
    assert windows.means.dtype == windows.motion.dtype == windows.pulse.dtype == np.float32


def test_smaller_blocks_change_more_and_their_means_as_much_as_a_block():
    nothing = dict.fromkeys(SHARES, 0.0)

    def deviations(size, parts):
        config = SimulationConfig(rows=size, cols=size, no_pulse_share=0, shares=nothing)
        means = simulate_windows(256, 5, config).means[..., 1]
        merged = means.reshape(*means.shape[:2], size // parts, parts, size // parts, parts).mean(axis=(3, 5))
        relative = merged.reshape(*means.shape[:2], -1)
        relative = relative / relative.mean(axis=1, keepdims=True)
        own = np.diff(relative - np.median(relative, axis=2, keepdims=True), n=2, axis=1)[:, :, 6:]
        return np.median(own.std(axis=1))

    usual, small, of_parts = deviations(5, 1), deviations(10, 1), deviations(10, 2)
    # in copies of a real clip blocks of half the size change 1.5 to 1.75 times as much
    assert 1.3 < small / of_parts < 2.0
    assert of_parts == pytest.approx(usual, rel=0.15)


def test_each_window_has_noise_of_its_own():
    # still photographs: what changes fast is the noise of the camera
    windows = simulate_windows(64, 9, only(no_pulse_share=1.0))
    still = windows.means[windows.terms["photo_still"]][..., 1]
    noise = np.diff(still, n=4, axis=1)
    noise = noise / noise.std(axis=(1, 2), keepdims=True)
    # the gain of single frames is common to all blocks
    noise = (noise - noise.mean(axis=2, keepdims=True)).reshape(len(noise), -1)
    between = np.corrcoef(noise)
    assert len(still) > 10
    assert np.abs(between[~np.eye(len(still), dtype=np.bool_)]).max() < 0.2


def test_memory_grows_by_the_windows_alone():
    simulate_windows(1, 0)
    tracemalloc.start()
    windows = simulate_windows(256, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = sum(one.nbytes for one in (windows.means, windows.motion, windows.pulse))
    assert peak - held < 120e6


def test_a_training_sees_more_damage_and_lamps_than_a_test():
    training = simulate_windows(2400, 5, SimulationConfig.training(samples=60)).terms
    unseen = simulate_windows(2400, 5, SimulationConfig.unseen(samples=60)).terms
    # each within four standard deviations of its share
    assert (training["damaged"].mean(), unseen["damaged"].mean()) == (pytest.approx(0.75, abs=0.035), pytest.approx(0.6, abs=0.04))
    with_pulse = [terms["damaged"] & ~terms["no_pulse"] for terms in (training, unseen)]
    lamps = [terms["lamp"][some].mean() for terms, some in zip((training, unseen), with_pulse, strict=True)]
    assert lamps == [pytest.approx(0.20, abs=0.041), pytest.approx(0.06, abs=0.028)]
    assert SimulationConfig(shares={"lamp": 0.0}).share("lamp") == 0


def test_a_training_has_hearts_that_hardly_vary_heads_that_hardly_move_and_strong_pulses_and_a_test_has_none():
    regular = {name: np.zeros(4000, dtype=bool) for name in ("irregular_beats", "ectopic_beats")}
    whole = dict.fromkeys(("no_pulse", "wall", "no_skin", "small_face"), np.zeros(4000, dtype=bool))
    steady, held, strong = [], [], []
    for config in (SimulationConfig(damaged_share=0, no_pulse_share=0), SimulationConfig.unseen(damaged_share=0, no_pulse_share=0)):
        hearts = draw_hearts(np.random.default_rng(1), regular, (0.0, 10.0), config)
        relative = np.diff(hearts.beat_times_s, axis=1)[:, :8] * hearts.rate_bpm[:, None] / 60
        steady.append((relative.std(axis=1) < 0.003).mean())
        pulse = draw_people(np.random.default_rng(1), whole, FaceMaps.of_grid(1, 1), config).pulse[:, 0, 1]
        strong.append((pulse > 8 * np.median(pulse)).mean())
        moved = simulate_windows(1024, 1, config).motion.std(axis=1)[:, :2].max(axis=1)
        held.append((moved < 0.1 * np.median(moved)).mean())
    assert steady[0] > 3 * steady[1] + 0.02
    assert held[0] > 2 * held[1] + 0.015
    assert strong[0] > 0.013 > 0.003 > strong[1]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rows": 0}, "rows and columns"),
        ({"rate_hz": float("nan")}, "rate_hz"),
        ({"samples": 30}, "2 to 120 s"),
        ({"heart_rate_edges_bpm": (80.0, 60.0)}, "ascend"),
        ({"heart_rate_edges_bpm": (40.0, 60.0, 80.0)}, "weights"),
        ({"heart_rate_weights": (-1.0,)}, "negative"),
        ({"damaged_share": 1.1}, "damaged_share"),
        ({"severity": -1.0}, "severity"),
        ({"settings": "other"}, "settings"),
        ({"shares": {"rain": 0.1}}, "rain"),
    ],
)
def test_settings_that_are_not_allowed_are_named(changes, problem):
    with pytest.raises(ValueError, match=problem):
        SimulationConfig(**changes)


@pytest.mark.parametrize(("count", "seed"), [(0, 1), (2, -1), (2, ())])
def test_counts_and_seeds_that_are_not_allowed(count, seed):
    with pytest.raises(ValueError, match=r"window|seed"):
        simulate_windows(count, seed)
