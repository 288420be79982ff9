"""Charts as SVG: what is drawn where, what is told to those who do not see it, and that no text becomes markup."""

from __future__ import annotations

import base64
import re
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.report.agreement import Group, bland_altman, grouped_bars, scatter
from stmap_pipeline.report.figures import Bars, Line, histogram, lines, strip_plot
from stmap_pipeline.report.png import color_picture, level_picture, palette
from stmap_pipeline.report.scale import Scale
from stmap_pipeline.report.svg import Axes, element, thin, visible

EVIL = "<script>alert(1)</script> & \"a\" 'b' \x00\x1b"
NAN = float("nan")


def parsed(figure):
    """The markup is one well-formed piece, whatever the texts in it are."""
    return ET.fromstring(f"<div>{figure.markup}</div>")  # noqa: S314 - our own


def texts(figure):
    return [one.text for one in parsed(figure).iter() if one.text]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_ticks_are_evenly_spaced_inside_the_axis_and_about_as_many_as_asked(low, width, about):
    scale = Scale(low, low + width)
    if not scale.high - scale.low > 1e-9 * abs(low):
        return
    ticks = scale.ticks(about)
    assert all(low - 1e-6 * width <= one <= low + width * (1 + 1e-6) for one in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[:1], rtol=1e-3, atol=1e-9 * abs(low))
    assert about / 3 - 1 <= len(ticks) <= 2 * about + 2


def test_counts_have_whole_ticks_alone():
    assert Scale(0, 1.06).ticks(4, least_step=1) == [0, 1]


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (NAN, 1), (0, float("inf"))])
def test_an_axis_without_two_ends_is_refused(ends):
    with pytest.raises(ValueError, match="two finite ends"):
        Scale(*ends)


def test_a_value_outside_of_an_axis_is_not_drawn_at_its_end():
    axes = Axes(Scale(0, 10), Scale(0, 1))
    axes.dots([5, 11, NAN], [0.5, 0.5, 0.5], "s1")
    assert re.findall(r' d="([^"]*)"', axes.svg("a", "t", "d")) == ["M500 500h0"]


def test_nan_breaks_a_line():
    axes = Axes(Scale(0, 4), Scale(0, 1))
    axes.line([0, 1, 2, 3, 4], [0, 1, NAN, 1, 0], "s1")
    (path,) = re.findall(r' d="([^"]*)"', axes.svg("a", "t", "d"))
    assert path == "M0.0 1000.0L250.0 0.0M750.0 0.0L1000.0 1000.0"


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


@pytest.mark.parametrize(
    "figure",
    [
        histogram(
            "n",
            EVIL,
            EVIL,
            [0, 1, 2],
            [Bars(EVIL, "s1", [1, 2]), Bars("b", "s2", [0, 1])],
            x_label=EVIL,
            y_label=EVIL,
            target=[2, 2],
        ),
        strip_plot("n", EVIL, EVIL, {EVIL: 1.0, "b": 2.0, "c": 9.0}, x_label=EVIL),
        lines(
            "n",
            EVIL,
            EVIL,
            [Line(EVIL, "s1", [0, 1], [0, 1])],
            x_label=EVIL,
            y_label=EVIL,
            rules=[(0.5, "s2", EVIL)],
            gaps=[(0, 0.2)],
        ),
        scatter("n", EVIL, EVIL, [60, 70], {EVIL: [61, 71], "b": [60, 60]}, within_bpm=3),
        bland_altman("n", EVIL, EVIL, [60, 70], [61, 75]),
        grouped_bars("n", EVIL, EVIL, [EVIL, "b"], [Group(EVIL, "s1", [1, 2], [(0, 1), (1, 3)])], y_label=EVIL),
    ],
    ids=["histogram", "strip", "lines", "scatter", "bland-altman", "bars"],
)
def test_every_chart_is_well_formed_has_title_and_description_and_no_markup_of_others(figure):
    root = parsed(figure)
    (chart,) = [one for one in root.iter("svg") if one.get("role") == "img"]
    ids = {one.get("id"): one for one in root.iter() if one.get("id")}
    title, description = (ids[name] for name in chart.get("aria-labelledby").split())
    assert title.text == visible(EVIL)
    assert description.text
    assert not list(root.iter("script"))
    # colors are classes: a fixed one would not turn dark with the page
    assert not re.search(r'(fill|stroke|style)="', figure.markup)


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (histogram("n", "t", "c", [0, 1], [Bars("a", "s1", [0])], x_label="x", y_label="y"), "nothing to count"),
        (strip_plot("n", "t", "c", {}, x_label="x"), "no recording has a value"),
        (strip_plot("n", "t", "c", {"a": NAN}, x_label="x"), "no recording has a value"),
        (lines("n", "t", "c", [Line("a", "s1", [], [])], x_label="x", y_label="y", nothing="no pulse"), "no pulse"),
        (lines("n", "t", "c", [Line("a", "s1", [0, 1], [NAN, NAN])], x_label="x", y_label="y"), "nothing to draw"),
        (scatter("n", "t", "c", [60, NAN], {"a": [NAN, 61]}), "no pair of truth and estimate"),
        (bland_altman("n", "t", "c", [], []), "no pair of truth and estimate"),
        (grouped_bars("n", "t", "c", ["a"], [Group("g", "s1", [NAN])], y_label="y"), "no value"),
    ],
)
def test_a_chart_of_nothing_says_so(figure, words):
    assert words in texts(figure)


def test_limits_of_agreement_are_bias_plus_minus_196_standard_deviations():
    random = np.random.default_rng(2)
    true = random.uniform(50, 120, 200)
    found = true + random.normal(1.5, 4, 200)
    difference = found - true
    low, high = difference.mean() + 1.96 * difference.std(ddof=1) * np.array([-1, 1])
    description = next(one for one in texts(bland_altman("b", "t", "c", true, found)) if one.startswith("200 pairs"))
    assert description == f"200 pairs; bias {difference.mean():+.1f} bpm, limits of agreement {low:+.1f} to {high:+.1f} bpm."


def test_one_value_or_equal_values_have_an_axis_still():
    for values in ({"a": 0.0}, {"a": 5.0, "b": 5.0}):
        assert any(one.startswith("median") for one in texts(strip_plot("n", "t", "c", values, x_label="x")))
    assert parsed(bland_altman("b", "t", "c", [60.0], [60.0])) is not None


def test_attributes_are_escaped():
    assert ET.fromstring(element("a", href='"><script>')).get("href") == '"><script>'  # noqa: S314 - our own


def pixels(uri):
    """Decode a PNG by its own rules: (width, height, depth, type) and the raw rows."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, body, head = 8, b"", None
    while place < len(data):
        (size,), name = struct.unpack(">I", data[place : place + 4]), data[place + 4 : place + 8]
        content = data[place + 8 : place + 8 + size]
        assert struct.unpack(">I", data[place + 8 + size : place + 12 + size])[0] == zlib.crc32(name + content)
        if name == b"IHDR":
            head = struct.unpack(">IIBB", content[:10])
        body += content if name == b"IDAT" else b""
        place += 12 + size
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(head[1], -1)
    assert (rows[:, 0] == 0).all()
    return head, rows[:, 1:]


def test_a_picture_of_levels_holds_what_it_was_given():
    head, rows = pixels(level_picture([[0.0, 0.5, 1.0], [NAN, 1.0, 0.0]]))
    assert head == (3, 2, 4, 3)
    assert np.stack([rows >> 4, rows & 15], axis=2).reshape(2, -1)[:, :3].tolist() == [[1, 8, 15], [0, 15, 1]]


def test_a_picture_in_color_is_transparent_where_nothing_is_known():
    head, rows = pixels(color_picture([[[255, 0, 12.4], [NAN, 1, 1]]]))
    assert head == (2, 1, 8, 6)
    assert rows.tolist() == [[255, 0, 12, 255, 0, 1, 1, 0]]


def test_the_palette_grows_lighter_step_by_step():
    lightness = palette().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 5).all()
