"""The path through the distributions of windows: exact, robust to a bad window, and never worse for more evidence."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.evaluation.heart_rate_path import _transition, find_path, own_time
from stmap_pipeline.signals.rate_grid import best_rates

RATES_BPM = np.arange(40.0, 181.0)
UNIFORM = np.full(141, 1 / 141)


def peak(rate_bpm, sd_bpm=2.0, share=1.0):
    """A window that is sure of a rate with a probability, and knows nothing otherwise."""
    bell = np.exp(-0.5 * ((RATES_BPM - rate_bpm) / sd_bpm) ** 2)
    return share * bell / bell.sum() + (1 - share) * UNIFORM


def spans(count, step_s=2.0, length_s=10.0):
    starts_s = step_s * np.arange(count)
    return np.stack([starts_s, starts_s + length_s], axis=1)


@pytest.mark.parametrize("with_no_pulse", [False, True])
def test_it_is_the_sum_over_all_paths(with_no_pulse):
    random = np.random.default_rng(3)
    rates_bpm, count = np.array([60.0, 62.0, 64.0, 66.0]), 4
    whole = (
        random.dirichlet(np.ones(5), count)
        if with_no_pulse
        else np.column_stack([random.dirichlet(np.ones(4), count), np.zeros(count)])
    )
    where = np.array([[0.0, 10.0], [4.0, 14.0], [5.0, 15.0], [21.0, 31.0]])
    found = find_path(rates_bpm, whole[:, :4], where, whole[:, 4] if with_no_pulse else None, prior_no_pulse=0.2, worthless=0.1)

    prior = np.append(np.full(4, 0.2), 0.2) if with_no_pulse else np.append(np.full(4, 0.25), 0.0)
    weight = own_time(where)
    steps = [_transition(tuple(rates_bpm), step_s, 1.5) for step_s in (4.0, 1.0, 16.0)]
    total = np.zeros((count, 5))
    for states in product(range(5 if with_no_pulse else 4), repeat=count):
        chance = prior[states[0]]
        for index, state in enumerate(states):
            chance *= ((0.9 * whole[index, state] + 0.1 * prior[state]) / prior[state]) ** weight[index]
            chance *= steps[index - 1][states[index - 1], state] if index else 1.0
        total[np.arange(count), states] += chance
    total /= total.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.probability, total[:, :4], rtol=1e-9)
    np.testing.assert_allclose(found.no_pulse, total[:, 4], atol=1e-12)


def test_one_window_alone_keeps_its_distribution():
    found = find_path(RATES_BPM, peak(72, share=0.8)[None], [[0.0, 10.0]], worthless=0.0)
    np.testing.assert_allclose(found.probability[0], peak(72, share=0.8))
    best_bpm, chance = found.best()
    assert best_bpm[0] == pytest.approx(72)
    assert chance[0] == pytest.approx(0.8 * 0.9876 + 0.2 * 10 / 141, abs=0.01)


def test_a_bad_window_is_outvoted_and_has_no_veto():
    rows = np.stack([peak(72), peak(73), peak(141, 1.0), peak(73), peak(74)])
    best_bpm, chance = find_path(RATES_BPM, rows, spans(5, 10.0)).best()
    np.testing.assert_allclose(best_bpm, [72, 73, 73, 73, 74], atol=1.5)
    assert chance.min() > 0.8


def test_overlapping_windows_do_not_add_evidence():
    rows = np.stack([peak(72, share=0.5)] * 41)
    once = find_path(RATES_BPM, rows[:5], spans(5, 10.0)).best()[1]
    many = find_path(RATES_BPM, rows, spans(41, 1.0)).best()[1]
    assert once[2] == pytest.approx(many[20], abs=0.1)
    assert own_time(spans(41, 1.0)).sum() == pytest.approx(5.0)


def test_what_is_not_known_is_interpolated_and_less_sure():
    rows = np.stack([peak(70), np.full(141, np.nan), UNIFORM, UNIFORM, peak(80)])
    found = find_path(RATES_BPM, rows, spans(5, 10.0))
    best_bpm, chance = found.best()
    assert (np.diff(best_bpm) > 0).all()
    assert chance[2] < chance[1] < chance[0]
    low_bpm, high_bpm = found.interval()
    assert high_bpm[2] - low_bpm[2] > 2 * (high_bpm[0] - low_bpm[0])
    assert (low_bpm < best_bpm).all()
    assert (best_bpm < high_bpm).all()


def test_a_rate_that_climbs_is_followed_and_a_cut_to_another_person_too():
    climbing = 70 + 0.4 * np.arange(0, 60, 2)
    found = find_path(RATES_BPM, np.stack([peak(rate) for rate in climbing]), spans(30)).best()[0]
    np.testing.assert_allclose(found, climbing, atol=2)
    jumping = np.repeat([60.0, 120.0], 10)
    found = find_path(RATES_BPM, np.stack([peak(rate) for rate in jumping]), spans(20, 10.0)).best()[0]
    np.testing.assert_allclose(found, jumping, atol=1)


def test_many_windows_that_see_no_pulse_are_surer_than_one():
    rows, absent = np.stack([0.4 * UNIFORM] * 6), np.full(6, 0.6)
    one = find_path(RATES_BPM, rows[:1], spans(1), absent[:1]).no_pulse
    many = find_path(RATES_BPM, rows, spans(6, 10.0), absent).no_pulse
    assert one[0] == pytest.approx(0.6, abs=0.02)
    assert many.min() > 0.95


@given(st.lists(st.tuples(st.floats(45, 175), st.floats(0, 1)), min_size=1, max_size=8), st.data())
@settings(max_examples=150, deadline=None)
def test_more_evidence_for_a_rate_is_never_less_probability(windows, data):
    """Each window knows a rate with some probability, all the same one within what a heart can do; one of them comes to know it better."""
    rate_bpm = windows[0][0]
    shares = [share for _, share in windows]
    raised = data.draw(st.integers(0, len(windows) - 1))
    better = [max(share, data.draw(st.floats(0, 1))) if index == raised else share for index, share in enumerate(shares)]
    step_s = data.draw(st.sampled_from([0.5, 2.0, 10.0]))

    def found(values):
        rows = np.stack([peak(rate_bpm, share=one) for one in values])
        return find_path(RATES_BPM, rows, spans(len(rows), step_s))

    def near(path):
        return path.probability[:, np.abs(RATES_BPM - rate_bpm) <= 5].sum(axis=1)

    before, after = near(found(shares)), near(found(better))
    assert after.sum() >= before.sum() - 1e-9
    # what one window says may move the path elsewhere within the interval, and cost another window a trifle
    assert (after >= before - 1e-3).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.floats(1, 50))
@settings(max_examples=100, deadline=None)
def test_evidence_for_an_interval_raises_it_in_any_company(seed, window, factor):
    """Whatever the windows say, one that finds an interval more probable makes it more probable there."""
    random = np.random.default_rng(seed)
    rows = random.dirichlet(np.full(141, 0.05), 6)
    near = np.abs(RATES_BPM - random.integers(40, 181)) <= 5
    raised = rows.copy()
    raised[window, near] *= factor
    before, after = (find_path(RATES_BPM, one, spans(6), worthless=0.0).probability[window, near].sum() for one in (rows, raised))
    assert after >= before - 1e-9


def test_the_best_rate_is_the_middle_of_the_best_interval():
    two = 0.6 * peak(70) + 0.4 * peak(140)
    best_bpm, chance = best_rates(RATES_BPM, two)
    assert best_bpm == pytest.approx(70, abs=0.1)
    assert chance == pytest.approx(0.6, abs=0.02)
    assert best_rates(RATES_BPM, np.eye(141)[0]) == (40.0, 1.0)
    assert best_rates(RATES_BPM, np.eye(141)[-1]) == (180.0, 1.0)


def test_shapes_that_do_not_fit_are_refused_and_nothing_has_no_path():
    with pytest.raises(ValueError, match="rates"):
        find_path(RATES_BPM, np.ones((2, 140)), spans(2))
    assert find_path(RATES_BPM, np.empty((0, 141)), np.empty((0, 2))).best()[0].size == 0


@pytest.mark.parametrize("given", [0.3, 0.4, 0.7, 0.95])
@pytest.mark.parametrize("share", [0.6, 0.95])
def test_what_is_no_longer_believed_of_a_rate_may_be_any_other(given, share):
    path = find_path(RATES_BPM, peak(72, share=share)[None], [[0.0, 10.0]], [0.0])
    doubted = path.reweighted(np.array([given]))
    best_bpm, chance = doubted.best()
    assert best_bpm[0] == pytest.approx(72, abs=0.5)
    assert chance[0] == pytest.approx(given, abs=0.01)
    assert doubted.probability.sum() + doubted.no_pulse[0] == pytest.approx(1)
    low_bpm, high_bpm = doubted.interval()
    held = doubted.probability[0, (low_bpm[0] < RATES_BPM) & (high_bpm[0] > RATES_BPM)].sum() / doubted.probability.sum()
    assert held == pytest.approx(0.9, abs=0.06)
    # 90 % within 5 bpm where so much is believed of the rate, and far more than that where less is
    assert (high_bpm[0] - low_bpm[0] < 10.1) == (given / doubted.probability.sum() >= 0.9)
    assert given > 0.5 or high_bpm[0] - low_bpm[0] > 60


def test_the_interval_is_the_shortest():
    row = 0.95 * peak(50) + 0.05 * peak(160)
    low_bpm, high_bpm = find_path(RATES_BPM, row[None], [[0.0, 10.0]], worthless=0.0).interval()
    assert (low_bpm[0], high_bpm[0]) == (pytest.approx(46, abs=0.7), pytest.approx(54, abs=0.7))


def test_the_probability_of_a_rate_changes_evenly_with_it():
    shifts_bpm = np.arange(0, 1, 0.05)
    chances = np.array([best_rates(RATES_BPM, peak(70 + one, 3.0))[1] for one in shifts_bpm])
    # 5 bpm are 1.67 standard deviations, of a step of the grid more
    np.testing.assert_allclose(chances, 0.90, atol=0.01)


def test_windows_that_know_nothing_take_no_time_from_those_that_do():
    known = np.array([True, False, False, False])
    np.testing.assert_allclose(own_time(spans(4), known), [1, 0, 0, 0])
    rows = np.stack([peak(72, share=0.7), *[np.full(141, np.nan)] * 3])
    alone = find_path(RATES_BPM, rows[:1], spans(1)).best()[1][0]
    assert find_path(RATES_BPM, rows, spans(4)).best()[1][0] == pytest.approx(alone, abs=1e-6)
