"""Charts as data for plotly.js: what is drawn where, what is said to those who do not see it, and that no text becomes markup."""

from __future__ import annotations

import base64
import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.report.charts import (
    LEVELS,
    Bars,
    Line,
    Panel,
    bland_altman,
    grouped_bars,
    grouped_strips,
    histogram,
    line_chart,
    outline,
    png,
    scatter,
    strip_plot,
    thin,
)

EVIL = "</script><script>alert(1)</script> & \"a\" 'b' \x00\x1b"
NAN = float("nan")


def content(chart):
    """Data and layout; NaN is no JSON."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(chart.content, parse_constant=refuse)


def strings(value):
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(one)


CHARTS = {
    "histogram": histogram([0, 1, 2], [Bars(EVIL, "s1", [1, 2]), Bars("b", "s2", [0, 1])], x_label=EVIL, y_label=EVIL),
    "strip": strip_plot({EVIL: 1.0, "b": 2.0, "c": 9.0}, x_label=EVIL),
    "groups": grouped_strips({EVIL: {EVIL: 1.0, "b": 2.0}, "c": {"d": 3.0}}, x_label=EVIL),
    "lines": line_chart(
        Panel([Line(EVIL, "s1", [0, 1], [0, 1])], EVIL, EVIL, marks=[(0.5, "s2", EVIL)], spans=[(0, 0.2, "gap", EVIL)])
    ),
    "scatter": scatter([60, 70], [61, 71], [EVIL, "b"], within_bpm=3),
    "bland-altman": bland_altman([60, 70], [61, 75], [EVIL, "b"]),
    "bars": grouped_bars([EVIL, "b"], [Bars(EVIL, "s1", [1, 2], [(0, 1), (1, 3)])], x_label=EVIL, y_label=EVIL),
    "outline": outline(EVIL, [[[0, 0], [1, 1]]]),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_no_text_of_others_is_markup_in_a_chart_or_ends_its_element(chart):
    assert "<" not in chart.content
    for one in strings(content(chart)):
        assert "<script" not in one
        assert "\x00" not in one


@pytest.mark.parametrize(
    "chart",
    [
        histogram([0, 1], [Bars("a", "s1", [0])], x_label="x", y_label="y"),
        strip_plot({}, x_label="x"),
        strip_plot({"a": NAN}, x_label="x"),
        line_chart(Panel([Line("a", "s1", [], [])], "x", "y", nothing="no pulse")),
        line_chart(Panel([Line("a", "s1", [0, 1], [NAN, NAN])], "x", "y")),
        scatter([60, NAN], [NAN, 61], ["a", "b"], within_bpm=3),
        bland_altman([], [], []),
        grouped_bars(["a"], [Bars("g", "s1", [NAN])], x_label="x", y_label="y"),
    ],
)
def test_a_chart_of_nothing_has_a_sentence_in_its_place(chart):
    assert chart.content == ""
    assert chart.text


def test_nan_breaks_a_line_and_stretches_of_one_kind_have_one_entry_in_the_legend():
    gaps = [(0.0, 1.0, "gap", "no face"), (2.0, 3.0, "gap", "no face")]
    chart = content(line_chart(Panel([Line("a", "s1", [0, 1, 2], [5, NAN, 7])], "x", "y", spans=gaps)))
    assert chart["data"][0]["y"] == [5, None, 7]
    assert [one["showlegend"] for one in chart["layout"]["shapes"]] == [True, False]


def test_dots_of_a_strip_and_of_agreement_name_their_recordings():
    assert content(strip_plot({"p1": 1.0, "p2": NAN, "p3": 2.0}, x_label="x"))["data"][0]["text"] == ["p1", "p3"]
    for draw in (bland_altman, lambda *one: scatter(*one, within_bpm=10)):
        (dots,) = content(draw([60, NAN, 80], [61, 70, 99], ["p1", "p2", "p3"]))["data"]
        assert dots["text"] == ["p1", "p3"]


def test_bars_of_a_histogram_stand_in_the_middle_of_their_bins():
    first, second = content(CHARTS["histogram"])["data"]
    assert first["x"] == [0.5, 1.5]
    assert (first["y"], second["y"]) == ([1, 2], [0, 1])
    assert first["customdata"] == ["0 to 1", "1 to 2"]


def test_limits_of_agreement_are_bias_plus_minus_196_standard_deviations():
    random = np.random.default_rng(2)
    true = random.uniform(50, 120, 200)
    found = true + random.normal(1.5, 4, 200)
    difference = found - true
    low, high = difference.mean() + 1.96 * difference.std() * np.array([-1, 1])
    layout = content(bland_altman(true, found, ["p"] * 200))["layout"]
    assert [one["y0"] for one in layout["shapes"]] == pytest.approx([0, low, high, difference.mean()])


def test_one_pair_has_a_bias_and_no_limits():
    layout = content(bland_altman([60.0], [61.0], ["p"]))["layout"]
    assert [one["y0"] for one in layout["shapes"]] == [0, 1]
    assert layout["xaxis"]["range"][0] < layout["xaxis"]["range"][1]


def test_equal_values_have_an_axis_still():
    for values in ({"a": 0.0}, {"a": 5.0, "b": 5.0}):
        low, high = content(strip_plot(values, x_label="x"))["layout"]["xaxis"]["range"]
        assert low < high


@given(st.integers(0, 3000), st.integers(10, 600))
def test_thinning_keeps_the_highest_point_and_the_order(length, most):
    y = np.random.default_rng(length).normal(size=length)
    x, thinned = thin(np.arange(length), y, most)
    assert len(x) <= max(most, 1)
    assert np.all(np.diff(x) > 0)
    if length:
        assert thinned.max() == y.max()


def test_thinning_survives_a_long_gap():
    y = np.full(1000, NAN)
    y[10] = 1.0
    x, thinned = thin(np.arange(1000), y, 100)
    assert len(x) == 100
    assert np.nanmax(thinned) == 1.0


def pixels(uri):
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_gray_picture_holds_what_it_was_given_in_few_levels():
    values = np.linspace(0, 1, 300).reshape(10, 30)
    decoded = pixels(png(values))
    assert np.abs(decoded / 255 - values).max() <= 0.5 / (LEVELS - 1) + 1 / 255
    assert len(np.unique(decoded)) == LEVELS


def test_what_is_unknown_is_transparent():
    assert pixels(png([[0.0, 1.0, NAN]]))[0].tolist() == [[0, 0, 0, 255], [255, 255, 255, 255], [0, 0, 0, 0]]
    assert pixels(png([[[1, 0, 12.4 / 255], [NAN, 1, 1]]]))[0].tolist() == [[12, 0, 255, 255], [255, 255, 0, 0]]
