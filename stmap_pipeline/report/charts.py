"""Figures of a page: charts as data for plotly.js, and maps as PNG.

Each function takes numbers and returns a :class:`Figure`, which the template's macro ``figure`` sets into a page. A chart is the JSON that
``Plotly.newPlot`` draws in the browser: hovering names the recording or the value, dragging zooms, and a button saves a picture. Colors are
names of the page's style (``s1`` to ``s4``, ``ink``, ``soft``, ``gap``, ``shade``), which the page's script replaces when it draws, so that
charts turn dark with the page. A caption says what is shown and what good and bad look like.

``name`` becomes the id of the figure and must be unique on its page.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.report.tables import number_text, visible

FloatArray = npt.NDArray[np.float64]
Span = tuple[float, float]

COLORS = ("s1", "s2", "s3", "s4")
LIMITS_SD = 1.96
#: Gray levels of a small picture of a map: so few that it compresses well, and enough to see beats.
LEVELS = 16


@dataclass(frozen=True, slots=True)
class Image:
    """A picture inside a figure: data URI, what it shows for those who do not see it, and the words above it."""

    source: str
    alt: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart or pictures with their words.

    Parameters
    ----------
    name : str
        Id on the page, without spaces.
    title : str
    caption : str
        How to read it: what good and what bad look like.
    text : str
        The chart in words, for those who do not see it; where there is no chart, the reason.
    chart : str
        JSON with ``data`` and ``layout`` of plotly.js, safe inside HTML; empty where there is nothing to draw.
    height_px : int
    images : sequence of Image
    wide : bool
        Whether it takes a row of its own.
    """

    name: str
    title: str
    caption: str
    text: str = ""
    chart: str = ""
    height_px: int = 0
    images: Sequence[Image] = ()
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a name for the legend, a color, and its points; NaN breaks it."""

    key: str
    color: str
    x: npt.ArrayLike
    y: npt.ArrayLike
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one color: a name for the legend, a color, the value of each category, and its interval where there is one."""

    key: str
    color: str
    values: Sequence[float]
    intervals: Sequence[Span] | None = None


def histogram(
    name: str,
    title: str,
    caption: str,
    edges: Sequence[float],
    layers: Sequence[Bars],
    *,
    x_label: str,
    y_label: str,
    wide: bool = False,
) -> Figure:
    """Stack counts over bins.

    Parameters
    ----------
    name, title, caption : str
    edges : (B + 1,) sequence of float
        Ends of the bins.
    layers : sequence of Bars
        From the bottom up.
    x_label, y_label : str
    wide : bool

    Examples
    --------
    >>> one = histogram("hr", "Heart rates", "", [40, 50, 60], [Bars("windows", "s1", [3, 1])], x_label="bpm", y_label="windows")
    >>> one.text, json.loads(one.chart)["data"][0]["y"]
    ('4 windows between 40 and 60 bpm.', [3, 1])
    """
    ends = np.asarray(edges, dtype=np.float64)
    total = float(np.sum([one.values for one in layers])) if layers else 0.0
    if not total > 0:
        return Figure(name, title, caption, "There is nothing to count.", wide=wide)
    bins = [f"{number_text(low)} to {number_text(high)}" for low, high in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
    data = [
        {
            "type": "bar",
            "name": _plain(one.key),
            "x": _list((ends[:-1] + ends[1:]) / 2),
            "y": list(one.values),
            "width": _list(0.92 * np.diff(ends)),
            "customdata": bins,
            "marker": {"color": one.color},
            "hovertemplate": f"%{{customdata}} {_plain(x_label)}: %{{y}}<extra>{_plain(one.key)}</extra>",
        }
        for one in layers
    ]
    layout = {
        "barmode": "stack",
        "xaxis": _axis(x_label, range=[ends[0], ends[-1]]),
        "yaxis": _axis(y_label),
        "showlegend": len(layers) > 1,
    }
    text = f"{number_text(total)} {y_label} between {number_text(edges[0])} and {number_text(edges[-1])} {x_label}."
    return _figure(name, title, caption, text, data, layout, 260, wide=wide)


def strip_plot(
    name: str,
    title: str,
    caption: str,
    values: Mapping[str, float],
    *,
    x_label: str,
    limits: Span | None = None,
    worst: str = "low",
    wide: bool = False,
) -> Figure:
    """Draw one dot for each recording along one axis, with a box from the lower to the upper quarter and a line at the median.

    Parameters
    ----------
    name, title, caption : str
    values : mapping of str to float
        By the name of the recording; NaN is left out and counted in the text.
    x_label : str
    limits : (float, float), optional
        Natural ends of the axis such as 0 and 1; it is widened to hold all values.
    worst : {"low", "high"}
        At which end the worst recordings lie; the text names two.
    wide : bool

    Examples
    --------
    >>> strip_plot("snr", "SNR", "", {"a": 3.0, "b": 6.0, "c": float("nan")}, x_label="dB").text
    '2 recordings, 1 without a value; median 4.5, from 3 to 6. Worst: a, b.'
    """
    names = [key for key, value in values.items() if np.isfinite(value)]
    known = np.array([values[key] for key in names], dtype=np.float64)
    if not known.size:
        return Figure(name, title, caption, "No recording has a value.", wide=wide)
    missing = f", {len(values) - len(names)} without a value" if len(values) > len(names) else ""
    order = np.argsort(known if worst == "low" else -known, kind="stable")[:2]
    text = (
        f"{len(names)} recordings{missing}; median {_short(float(np.median(known)))}, from {_short(float(known.min()))} to "
        f"{_short(float(known.max()))}. Worst: {', '.join(names[one] for one in order)}."
    )
    small = len(names) > 150
    data = {
        "type": "box",
        "orientation": "h",
        "x": _list(known),
        "text": [_plain(one) for one in names],
        "name": "",
        "boxpoints": "all",
        "pointpos": 0,
        "jitter": 0.9 if len(names) > 8 else 0.3,
        "marker": {"color": "s1", "size": 4 if small else 7, "opacity": 0.5 if small else 0.8},
        "line": {"color": "soft", "width": 1.3},
        "fillcolor": "rgba(0,0,0,0)",
        "hoveron": "points",
        "hovertemplate": f"%{{text}}<br>%{{x}} {_plain(x_label)}<extra></extra>",
    }
    low, high = _around(known, limits or (np.nan, np.nan), margin=0.04, least=1e-3 + 0.1 * abs(float(known.mean())))
    layout = {"xaxis": _axis(x_label, range=[low, high]), "yaxis": {"visible": False, "fixedrange": True}}
    return _figure(name, title, caption, text, [data], layout, 150, wide=wide)


def line_chart(
    name: str,
    title: str,
    caption: str,
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    x_limits: Span | None = None,
    y_limits: Span | None = None,
    marks: Sequence[tuple[float, str, str]] = (),
    spans: Sequence[tuple[float, float, str, str]] = (),
    nothing: str = "There is nothing to draw.",
) -> Figure:
    """Draw lines or dots over one axis, with stretches shaded and single values marked.

    Parameters
    ----------
    name, title, caption : str
    series : sequence of Line
    x_label, y_label : str
    x_limits, y_limits : (float, float), optional
        Ends of the axes; as the data where not given.
    marks : sequence of (float, str, str)
        Values of x to be marked by a line: value, color, text.
    spans : sequence of (float, float, str, str)
        Stretches of x to be shaded: start, stop, color, entry in the legend.
    nothing : str
        The reason that is shown where no point is known.

    Examples
    --------
    >>> one = line_chart("hr", "Heart rate", "", [Line("label", "s2", [0, 1], [60, 62])], x_label="time (s)", y_label="bpm")
    >>> one.text, json.loads(one.chart)["data"][0]["y"]
    ('label: 60 to 62.', [60.0, 62.0])
    """
    data, words = [], []
    for one in series:
        x, y = thin(one.x, one.y)
        known = y[np.isfinite(y)]
        if known.size:
            words.append(f"{one.key or y_label}: {_short(float(known.min()))} to {_short(float(known.max()))}.")
            data.append(
                {
                    "type": "scatter",
                    "name": _plain(one.key),
                    "x": _list(x),
                    "y": _list(y),
                    "mode": "markers" if one.dots else "lines",
                    "line": {"color": one.color, "width": 1.6},
                    "marker": {"color": one.color, "size": 6},
                    "showlegend": bool(one.key),
                    "hovertemplate": f"%{{y}}<br>{_plain(x_label)} %{{x}}<extra>{_plain(one.key)}</extra>",
                }
            )
    if not data:
        return Figure(name, title, caption, nothing)
    shapes = [_span(*one, shown=one[3] not in [each[3] for each in spans[:number]]) for number, one in enumerate(spans)]
    annotations = []
    for value, color, text in marks:
        shapes.append(_mark(value, color))
        annotations.append(
            {"x": value, "y": 1, "yref": "paper", "text": _plain(text), "showarrow": False, "xanchor": "left", "yanchor": "top"}
        )
        words.append(f"Marked: {text}.")
    layout = {
        "xaxis": _axis(x_label, **({"range": list(x_limits)} if x_limits else {})),
        "yaxis": _axis(y_label, **({"range": list(y_limits)} if y_limits else {})),
        "shapes": shapes,
        "annotations": annotations,
        "showlegend": any(one.key for one in series) or bool(spans),
    }
    return _figure(name, title, caption, " ".join(words), data, layout, 250)


def scatter(
    name: str,
    title: str,
    caption: str,
    true_bpm: npt.ArrayLike,
    estimated_bpm: npt.ArrayLike,
    names: Sequence[str],
    *,
    within_bpm: float,
) -> Figure:
    """Draw estimates over truth with the line on which they are equal, and thin lines ``within_bpm`` above and below.

    Parameters
    ----------
    name, title, caption : str
    true_bpm, estimated_bpm : (n,) array
        NaN where unknown.
    names : sequence of str
        Of the videos.
    within_bpm : float

    Examples
    --------
    >>> scatter("s", "POS", "", [60, 80, 100], [61, 79, float("nan")], ["a", "b", "c"], within_bpm=10).text
    '2 of 3 pairs are known; 2 of them lie within 10 bpm.'
    """
    true, found, labels = _pairs(true_bpm, estimated_bpm, names)
    if not true.size:
        return Figure(name, title, caption, NO_PAIR)
    low, high = _around(true, found, margin=0.05, least=20)
    near = int((np.abs(found - true) <= within_bpm).sum())
    data = [_dots(true, found, labels, "truth %{x} bpm, estimate %{y} bpm")]
    shapes = [
        {"type": "line", "x0": low, "x1": high, "y0": low + shift, "y1": high + shift, "layer": "below", "line": _stroke(shift)}
        for shift in (0.0, within_bpm, -within_bpm)
    ]
    layout = {
        "xaxis": _axis("true heart rate (bpm)", range=[low, high]),
        "yaxis": _axis("estimate (bpm)", range=[low, high]),
        "shapes": shapes,
    }
    text = f"{true.size} of {len(names)} pairs are known; {near} of them lie within {within_bpm:g} bpm."
    return _figure(name, title, caption, text, data, layout, 340)


def bland_altman(
    name: str, title: str, caption: str, true_bpm: npt.ArrayLike, estimated_bpm: npt.ArrayLike, names: Sequence[str]
) -> Figure:
    """Draw the difference of two measurements over their mean, with bias and limits of agreement (bias ± 1.96 SD).

    Parameters
    ----------
    name, title, caption : str
    true_bpm, estimated_bpm : (n,) array
        NaN where unknown.
    names : sequence of str
        Of the videos.

    References
    ----------
    Bland, Altman: Statistical methods for assessing agreement between two methods of clinical measurement. Lancet 327 (1986).

    Examples
    --------
    >>> bland_altman("b", "POS", "", [60.0, 80.0, 90.0], [61.0, 79.0, 93.0], ["a", "b", "c"]).text
    '3 pairs; bias +1.0 bpm, limits of agreement -2.9 to +4.9 bpm.'
    """
    true, found, labels = _pairs(true_bpm, estimated_bpm, names)
    if not true.size:
        return Figure(name, title, caption, NO_PAIR)
    mean, difference = (true + found) / 2, found - true
    bias = float(difference.mean())
    spread = float(difference.std(ddof=1)) if difference.size > 1 else float("nan")
    low, high = bias - LIMITS_SD * spread, bias + LIMITS_SD * spread
    levels = [
        (0.0, "", 1.0),
        (bias, f"bias {bias:+.1f} bpm", 0.0),
        (low, f"-{LIMITS_SD} SD: {low:+.1f} bpm", 1.0),
        (high, f"+{LIMITS_SD} SD: {high:+.1f} bpm", 1.0),
    ]
    known = [one for one in levels if np.isfinite(one[0])]
    layout = {
        "xaxis": _axis("mean of truth and estimate (bpm)", range=list(_around(mean, margin=0.05, least=20))),
        "yaxis": _axis("estimate minus truth (bpm)", range=list(_around(difference, [low, high], [0.0], margin=0.12, least=4))),
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": value,
                "y1": value,
                "layer": "below",
                "line": _stroke(thin_line),
            }
            for value, _, thin_line in known
        ],
        "annotations": [
            {
                "xref": "paper",
                "x": 1,
                "y": value,
                "text": text.replace("-", "\N{MINUS SIGN}"),
                "showarrow": False,
                "xanchor": "right",
                "yanchor": "bottom",
            }
            for value, text, _ in known
            if text
        ],
    }
    text = f"{true.size} pairs; bias {bias:+.1f} bpm, limits of agreement {low:+.1f} to {high:+.1f} bpm."
    return _figure(name, title, caption, text, [_dots(mean, difference, labels, "mean %{x} bpm, difference %{y} bpm")], layout, 340)


def grouped_bars(
    name: str, title: str, caption: str, categories: Sequence[str], groups: Sequence[Bars], *, x_label: str, y_label: str
) -> Figure:
    """Draw a bar for each category and group, beside each other, with intervals where there are any.

    Parameters
    ----------
    name, title, caption : str
    categories : sequence of str
        Short: they stand below the bars.
    groups : sequence of Bars
        NaN gives no bar.
    x_label, y_label : str

    Examples
    --------
    >>> groups = [Bars("without", "s1", [6.0, 3.0], [(5.0, 7.0), (2.5, 3.5)]), Bars("with", "s2", [4.0, 3.1])]
    >>> grouped_bars("bands", "Error by band", "", ["<60", "60-100"], groups, x_label="bpm", y_label="MAE (bpm)").text
    'without, <60: 6 (5 to 7); without, 60-100: 3 (2.5 to 3.5); with, <60: 4; with, 60-100: 3.1'
    """
    data, words = [], []
    for group in groups:
        low, high = np.array(group.intervals if group.intervals else [(np.nan, np.nan)] * len(categories), dtype=np.float64).T
        for place, value in enumerate(group.values):
            interval = f" ({low[place]:.3g} to {high[place]:.3g})" if np.isfinite([low[place], high[place]]).all() else ""
            words += [f"{group.key}, {categories[place]}: {value:.3g}{interval}"] if np.isfinite(value) else []
        values = np.asarray(group.values, dtype=np.float64)
        error = {
            "type": "data",
            "symmetric": False,
            "array": _list(high - values),
            "arrayminus": _list(values - low),
            "color": "ink",
            "thickness": 1.3,
        }
        data.append(
            {
                "type": "bar",
                "name": _plain(group.key),
                "x": [_plain(one) for one in categories],
                "y": _list(values),
                "marker": {"color": group.color},
                **({"error_y": error} if np.isfinite(low).any() else {}),
            }
        )
    if not words:
        return Figure(name, title, caption, "There is no value.", wide=True)
    layout = {
        "barmode": "group",
        "xaxis": _axis(x_label, type="category"),
        "yaxis": _axis(y_label, rangemode="tozero"),
        "showlegend": True,
    }
    return _figure(name, title, caption, "; ".join(words), data, layout, 300, wide=True)


def outline(name: str, title: str, caption: str, contours: Sequence[npt.ArrayLike]) -> Figure:
    """Draw polylines in a picture's own directions, y down, at one scale in both.

    Examples
    --------
    >>> len(json.loads(outline("o", "Shape", "", [[[0, 0], [1, 1]], [[0, 1], [1, 0]]]).chart)["data"])
    2
    """
    data = [
        {
            "type": "scatter",
            "x": _list(xy[:, 0]),
            "y": _list(xy[:, 1]),
            "mode": "lines",
            "line": {"color": "s1"},
            "hoverinfo": "skip",
        }
        for xy in (np.asarray(one, dtype=np.float64) for one in contours)
    ]
    layout = {"xaxis": {"visible": False}, "yaxis": {"visible": False, "autorange": "reversed", "scaleanchor": "x"}}
    return _figure(name, title, caption, "", data, layout, 300)


def png(values: npt.ArrayLike) -> str:
    """Encode a picture as a PNG of few levels inside a data URI; a pixel with NaN is transparent.

    Parameters
    ----------
    values : (H, W) or (H, W, 3) array
        Gray, or red, green, blue: 0 to 1. Gray is rounded to 16 levels.

    Examples
    --------
    >>> png([[0.0, 1.0, float("nan")]])[:22]
    'data:image/png;base64,'
    """
    pixels = np.asarray(values, dtype=np.float64)
    known = np.isfinite(pixels) if pixels.ndim == 2 else np.isfinite(pixels).all(axis=2)
    pixels = np.clip(np.nan_to_num(pixels), 0.0, 1.0)
    if pixels.ndim == 2:
        pixels = np.round(pixels * (LEVELS - 1)) / (LEVELS - 1)
    colors = np.round(255 * pixels).astype(np.uint8)
    if pixels.ndim == 3:
        colors = colors[:, :, ::-1]
    if not known.all():
        colors = np.dstack([colors] * (3 if pixels.ndim == 2 else 1) + [np.where(known, 255, 0).astype(np.uint8)])
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED]
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(colors), options)
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()


def thin(x: npt.ArrayLike, y: npt.ArrayLike, most: int = 600) -> tuple[FloatArray, FloatArray]:
    """Keep at most so many points of a curve, each the largest of its neighbors, so that no peak is lost.

    Examples
    --------
    >>> x, y = thin(range(1000), [0.0] * 500 + [9.0] + [0.0] * 499, most=100)
    >>> len(x), float(y.max())
    (100, 9.0)
    """
    columns, rows = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    step = -(-len(columns) // most) if len(columns) else 1
    if step == 1:
        return columns, rows
    groups = -(-len(columns) // step)
    filled = np.full(groups * step, -np.inf)
    filled[: len(rows)] = np.where(np.isnan(rows), -np.inf, rows)
    top = np.arange(groups) * step + filled.reshape(groups, step).argmax(axis=1)
    return columns[top], rows[top]


NO_PAIR = "There is no pair of truth and estimate."


def _figure(
    name: str,
    title: str,
    caption: str,
    text: str,
    data: Sequence[Any],
    layout: Mapping[str, Any],
    height_px: int,
    *,
    wide: bool = False,
) -> Figure:
    content = json.dumps({"data": data, "layout": layout}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # nothing in it ends the element of the page that holds it
    return Figure(name, title, caption, text, content.replace("<", "\\u003c"), height_px, wide=wide)


def _axis(label: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": _plain(label)}, **more}


def _plain(text: str) -> str:
    """Escape a text that plotly.js would read as markup."""
    return escape(visible(text), quote=False)


def _list(values: npt.ArrayLike) -> list[float | None]:
    """Round to what a screen can show, and turn NaN into null."""
    return [None if one != one else one for one in np.round(np.asarray(values, dtype=np.float64), 4).tolist()]


def _pairs(true_bpm: npt.ArrayLike, estimated_bpm: npt.ArrayLike, names: Sequence[str]) -> tuple[FloatArray, FloatArray, list[str]]:
    true, found = np.asarray(true_bpm, dtype=np.float64), np.asarray(estimated_bpm, dtype=np.float64)
    known = np.isfinite(true) & np.isfinite(found)
    return true[known], found[known], [name for name, one in zip(names, known, strict=True) if one]


def _dots(x: FloatArray, y: FloatArray, names: Sequence[str], told: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": _list(x),
        "y": _list(y),
        "text": [_plain(one) for one in names],
        "marker": {"color": "s1", "size": 5 if len(x) > 300 else 8, "opacity": 0.6},
        "hovertemplate": f"%{{text}}<br>{told}<extra></extra>",
    }


def _stroke(thin_line: float) -> dict[str, Any]:
    return {"color": "soft", "width": 1, "dash": "dash"} if thin_line else {"color": "ink", "width": 1.3}


def _mark(value: float, color: str) -> dict[str, Any]:
    return {
        "type": "line",
        "yref": "paper",
        "x0": value,
        "x1": value,
        "y0": 0,
        "y1": 1,
        "line": {"color": color, "width": 1.3, "dash": "dash"},
    }


def _span(start: float, stop: float, color: str, key: str, *, shown: bool) -> dict[str, Any]:
    place = {"type": "rect", "yref": "paper", "x0": start, "x1": stop, "y0": 0, "y1": 1, "layer": "below"}
    return {**place, "fillcolor": color, "line": {"width": 0}, "name": _plain(key), "showlegend": shown}


def _around(*values: npt.ArrayLike, margin: float, least: float) -> Span:
    """Compute the ends of an axis that holds all known values, with a margin and at least so wide."""
    known = np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in values])
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    more = max(margin * (high - low), (least - (high - low)) / 2)
    return low - more, high + more


def _short(value: float) -> str:
    # what is left of rounding is nothing to tell
    value = 0.0 if abs(value) < 1e-6 else value
    return number_text(float(f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.1g}"))
