"""Figures of a page: charts as data for plotly.js, and maps as PNG.

Each function takes numbers and returns a :class:`Chart`, the JSON that ``Plotly.react`` draws in the browser: hovering names the recording or
the value, dragging zooms, and a button saves an image. Colors are names of the page's style (``s1`` to ``s4``, ``ink``, ``soft``, ``gap``,
``shade``), which the page's script replaces when it draws, so that charts turn dark with the page. The template's macro ``figure`` sets a chart or
images into a page, with title and caption.
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

from stmap_pipeline.report.tables import fixed_text, number_text, visible

FloatArray = npt.NDArray[np.float64]
Span = tuple[float, float]

COLORS = ("s1", "s2", "s3", "s4")
LIMITS_SD = 1.96
#: Gray levels of a small image of a map: so few that it compresses well, and enough to see beats.
LEVELS = 16


@dataclass(frozen=True, slots=True)
class Image:
    """An image inside a figure: data URI, alternative text, and the caption above it."""

    source: str
    alt: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, or the reason why there is none.

    Parameters
    ----------
    text : str
        Alternative text, or the reason.
    content : str
        JSON with ``data`` and ``layout`` of plotly.js, safe inside HTML; empty where there is nothing to draw.
    height_px : int
    """

    text: str
    content: str = ""
    height_px: int = 0

    @classmethod
    def of(cls, text: str, data: Sequence[Any], height_px: int = 250, **layout: Any) -> Chart:
        """Write data and layout as JSON."""
        content = json.dumps({"data": data, "layout": layout}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # nothing in it ends the element of the page that holds it
        return cls(text, content.replace("<", "\\u003c"), height_px)


@dataclass(frozen=True, slots=True)
class Figure:
    """Images with title and caption; figures of charts have theirs in the templates.

    Parameters
    ----------
    name : str
        Id on the page, without spaces; unique on it.
    title : str
    caption : str
        How to read it: what good and what bad look like.
    images : sequence of Image
    mark : str
        A word on where the data come from, such as ``simulated``.
    """

    name: str
    title: str
    caption: str
    images: Sequence[Image]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a name for the legend, a color, and its points; NaN breaks it."""

    key: str
    color: str
    x: npt.ArrayLike
    y: npt.ArrayLike
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines or dots over one axis, with stretches shaded and single values marked; a page and a picture draw the same.

    Parameters
    ----------
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
    """

    series: Sequence[Line]
    x_label: str
    y_label: str
    x_limits: Span | None = None
    y_limits: Span | None = None
    marks: Sequence[tuple[float, str, str]] = ()
    spans: Sequence[tuple[float, float, str, str]] = ()
    nothing: str = "There is nothing to draw."


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one color: a name for the legend, a color, the value of each category, and its interval where there is one."""

    key: str
    color: str
    values: Sequence[float]
    intervals: Sequence[Span] | None = None


def histogram(edges: Sequence[float], layers: Sequence[Bars], *, x_label: str, y_label: str) -> Chart:
    """Stack counts over bins.

    Parameters
    ----------
    edges : (B + 1,) sequence of float
        Ends of the bins.
    layers : sequence of Bars
        From the bottom up.
    x_label, y_label : str

    Examples
    --------
    >>> one = histogram([40, 50, 60], [Bars("windows", "s1", [3, 1])], x_label="heart rate (bpm)", y_label="windows")
    >>> one.text, json.loads(one.content)["data"][0]["y"]
    ('4 windows between 40 and 60: heart rate (bpm).', [3, 1])
    """
    ends = np.asarray(edges, dtype=np.float64)
    total = sum(sum(one.values) for one in layers)
    if not total > 0:
        return Chart("There is nothing to count.")
    bins = [f"{number_text(low)} to {number_text(high)}" for low, high in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
    middle, width = _list((ends[:-1] + ends[1:]) / 2), _list(0.92 * np.diff(ends))
    data = [
        _trace("bar", one.key, one.color, "%{customdata}: %{y}", x=middle, y=list(one.values), width=width, customdata=bins)
        for one in layers
    ]
    text = f"{number_text(total)} {y_label} between {number_text(edges[0])} and {number_text(edges[-1])}: {x_label}."
    x_axis = _axis(x_label, range=[ends[0], ends[-1]])
    # a count has no fraction
    y_axis = _axis(y_label, dtick=1 if np.sum([one.values for one in layers], axis=0).max() < 6 else None)
    return Chart.of(text, data, barmode="stack", xaxis=x_axis, yaxis=y_axis, showlegend=len(layers) > 1)


def strip_plot(values: Mapping[str, float], *, x_label: str, limits: Span | None = None, worst: str = "low") -> Chart:
    """Draw one dot for each recording along one axis, with a box from the lower to the upper quarter and a line at the median.

    Parameters
    ----------
    values : mapping of str to float
        By the name of the recording; NaN is left out and counted in the text.
    x_label : str
    limits : (float, float), optional
        Natural ends of the axis such as 0 and 1; it is widened to hold all values.
    worst : {"low", "high"}
        At which end the worst recordings lie; the text names two.

    Examples
    --------
    >>> strip_plot({"a": 3.0, "b": 6.0, "c": float("nan")}, x_label="dB").text
    '2 recordings, 1 without a value; median 4.5, from 3 to 6. Worst: a, b.'
    """
    names = [key for key, value in values.items() if np.isfinite(value)]
    known = np.array([values[key] for key in names], dtype=np.float64)
    if not known.size:
        return Chart("No recording has a value.")
    missing = f", {len(values) - len(names)} without a value" if len(values) > len(names) else ""
    order = np.argsort(known if worst == "low" else -known, kind="stable")[:2]
    median, low, high = (_short(float(one)) for one in (np.median(known), known.min(), known.max()))
    text = (
        f"{len(names)} recordings{missing}; median {median}, from {low} to {high}. Worst: {', '.join(names[one] for one in order)}."
    )
    dots = _trace("box", "", "s1", f"%{{text}}<br>%{{x}} {_plain(x_label)}", x=_list(known), text=[_plain(one) for one in names])
    # the box goes behind the dots, which lie beside each other by plotly's own fixed order
    dots |= {"boxpoints": "all", "pointpos": 0, "jitter": 0.9 if len(names) > 8 else 0.3, "hoveron": "points", "orientation": "h"}
    dots |= {"line": {"color": "soft", "width": 1.3}, "fillcolor": "transparent", "marker": _dot(len(names))}
    ends = around(known, limits or (np.nan, np.nan), margin=0.04, least=1e-3 + 0.1 * abs(float(known.mean())))
    return Chart.of(text, [dots], 150, xaxis=_axis(x_label, range=ends), yaxis={"visible": False, "fixedrange": True})


def grouped_strips(groups: Mapping[str, Mapping[str, float]], *, x_label: str) -> Chart:
    """Draw one dot for each recording and a box for each group, the groups below each other over one axis.

    Parameters
    ----------
    groups : mapping of str to mapping of str to float
        By the name of the group and of the recording; NaN is left out.
    x_label : str

    Examples
    --------
    >>> grouped_strips({"rest": {"a": 3.0, "b": 6.0}, "talk": {"c": 1.0}, "walk": {"d": float("nan")}}, x_label="dB").text
    'median of rest: 4.5; of talk: 1; of walk: unknown'
    """
    data, words = [], []
    # plotly sets the first one at the bottom
    for group, values in list(groups.items())[::-1]:
        names = [key for key, value in values.items() if np.isfinite(value)]
        known = np.array([values[key] for key in names], dtype=np.float64)
        words.append(f"of {group}: {_short(float(np.median(known))) if known.size else 'unknown'}")
        if not known.size:
            continue
        label = _plain(group)
        dots = _trace("box", group, "s1", f"%{{text}}<br>%{{x}} {_plain(x_label)}", x=_list(known), y=[label] * len(names))
        dots |= {
            "text": [_plain(one) for one in names],
            "boxpoints": "all",
            "pointpos": 0,
            "jitter": 0.8 if len(names) > 8 else 0.3,
        }
        dots |= {"hoveron": "points", "orientation": "h", "line": {"color": "soft", "width": 1.3}, "fillcolor": "transparent"}
        data.append(dots | {"marker": _dot(len(names) * len(groups))})
    if not data:
        return Chart("No recording has a value.")
    height_px = 90 + 42 * len(groups)
    return Chart.of(f"median {'; '.join(reversed(words))}", data, height_px, xaxis=_axis(x_label), yaxis={"type": "category"})


def line_chart(panel: Panel) -> Chart:
    """Draw a panel.

    Examples
    --------
    >>> one = line_chart(Panel([Line("label", "s2", [0, 1], [60, 62])], "time (s)", "bpm"))
    >>> one.text, json.loads(one.content)["data"][0]["y"]
    ('label: 60 to 62.', [60.0, 62.0])
    """
    data, words, notes = [], [], []
    shapes: list[dict[str, Any]] = []
    for one in panel.series:
        x, y = thin(one.x, one.y)
        known = y[np.isfinite(y)]
        if known.size:
            words.append(f"{one.key or panel.y_label}: {_short(float(known.min()))} to {_short(float(known.max()))}.")
            line = _trace("scatter", one.key, one.color, f"%{{y}}<br>{_plain(panel.x_label)} %{{x}}", x=_list(x), y=_list(y))
            data.append(line | {"mode": "markers" if one.dots else "lines", "showlegend": bool(one.key)})
    if not data:
        return Chart(panel.nothing)
    for start, stop, color, key in panel.spans:
        shape = _shape("rect", x=(start, stop)) | {"fillcolor": color, "line": {"width": 0}, "name": _plain(key)}
        # one entry in the legend, however many stretches
        shapes.append(shape | {"showlegend": all(each["name"] != shape["name"] for each in shapes)})
    for value, color, text in panel.marks:
        shapes.append(_shape("line", x=(value, value)) | {"line": {"color": color, "width": 1.3, "dash": "dash"}})
        notes.append({"x": value, "y": 1, "yref": "paper", "text": _plain(text), "xanchor": "left", "yanchor": "top"})
        words.append(f"Marked: {text}.")
    # a few epochs have no halves
    few = all(np.size(one.x) < 6 and np.all(np.mod(one.x, 1) == 0) for one in panel.series)
    x_axis = _axis(panel.x_label, range=panel.x_limits, dtick=1 if few else None)
    y_axis = _axis(panel.y_label, range=panel.y_limits)
    # hovering names each of many lines
    legend = bool(panel.spans) or (any(one.key for one in panel.series) and len(panel.series) <= len(COLORS))
    return Chart.of(" ".join(words), data, xaxis=x_axis, yaxis=y_axis, shapes=shapes, annotations=notes, showlegend=legend)


def scatter(true_bpm: npt.ArrayLike, estimated_bpm: npt.ArrayLike, names: Sequence[str], *, within_bpm: float) -> Chart:
    """Draw estimates over truth with the line on which they are equal, and thin lines ``within_bpm`` above and below.

    Parameters
    ----------
    true_bpm, estimated_bpm : (n,) array
        NaN where unknown.
    names : sequence of str
        Of the videos.
    within_bpm : float

    Examples
    --------
    >>> scatter([60, 80, 100], [61, 79, float("nan")], ["a", "b", "c"], within_bpm=10).text
    '2 of 3 pairs are known; 2 of them lie within 10 bpm.'
    """
    true, found, labels = _pairs(true_bpm, estimated_bpm, names)
    if not true.size:
        return Chart(NO_PAIR)
    low, high = around(true, found, margin=0.05, least=20)
    near = int((np.abs(found - true) <= within_bpm).sum())
    shapes = [
        _shape("line", x=(low, high), y=(low + shift, high + shift)) | {"line": _stroke(dashed=shift != 0)}
        for shift in (0.0, within_bpm, -within_bpm)
    ]
    axes = {"xaxis": _axis("true heart rate (bpm)", range=[low, high]), "yaxis": _axis("estimate (bpm)", range=[low, high])}
    text = f"{true.size} of {len(names)} pairs are known; {near} of them lie within {within_bpm:g} bpm."
    return Chart.of(text, [_dots(true, found, labels, "truth %{x} bpm, estimate %{y} bpm")], 340, shapes=shapes, **axes)


def bland_altman(true_bpm: npt.ArrayLike, estimated_bpm: npt.ArrayLike, names: Sequence[str]) -> Chart:
    r"""Draw the difference of two measurements over their mean, with bias and limits of agreement (bias ± 1.96 SD, dividing by the pairs).

    Parameters
    ----------
    true_bpm, estimated_bpm : (n,) array
        NaN where unknown.
    names : sequence of str
        Of the videos.

    References
    ----------
    Bland, Altman: Statistical methods for assessing agreement between two methods of clinical measurement. Lancet 327 (1986).

    Examples
    --------
    >>> bland_altman([60.0, 80.0, 90.0], [61.0, 79.0, 93.0], ["a", "b", "c"]).text.replace("\N{MINUS SIGN}", "-")
    '3 pairs; bias +1.0 bpm, limits of agreement -2.2 to +4.2 bpm.'
    """
    true, found, labels = _pairs(true_bpm, estimated_bpm, names)
    if not true.size:
        return Chart(NO_PAIR)
    mean, difference = (true + found) / 2, found - true
    bias = float(difference.mean())
    # one pair has no limits
    spread = float(difference.std()) if difference.size > 1 else float("nan")
    low, high = bias - LIMITS_SD * spread, bias + LIMITS_SD * spread
    low_text, bias_text, high_text = (fixed_text(one, signed=True) for one in (low, bias, high))
    levels = {
        0.0: "",
        low: f"\N{MINUS SIGN}{LIMITS_SD} SD: {low_text} bpm",
        high: f"+{LIMITS_SD} SD: {high_text} bpm",
        bias: f"bias {bias_text} bpm",
    }
    shapes, notes = [], []
    for value, text in levels.items():
        if np.isfinite(value):
            shapes.append(_shape("line", y=(value, value)) | {"line": _stroke(dashed=value != bias)})
            place = {"xref": "paper", "x": 1, "y": value, "xanchor": "right", "yanchor": "bottom"}
            notes += [place | {"text": text}] if text else []
    axes = {
        "xaxis": _axis("mean of truth and estimate (bpm)", range=around(mean, margin=0.05, least=20)),
        "yaxis": _axis("estimate minus truth (bpm)", range=around(difference, [low, high, 0.0], margin=0.12, least=4)),
    }
    text = f"{true.size} pairs; bias {bias_text} bpm, limits of agreement {low_text} to {high_text} bpm."
    dots = _dots(mean, difference, labels, "mean %{x} bpm, difference %{y} bpm")
    return Chart.of(text, [dots], 340, shapes=shapes, annotations=notes, **axes)


def grouped_bars(categories: Sequence[str], groups: Sequence[Bars], *, x_label: str, y_label: str) -> Chart:
    """Draw a bar for each category and group, beside each other, with intervals where there are any.

    Parameters
    ----------
    categories : sequence of str
        Short: they stand below the bars.
    groups : sequence of Bars
        NaN gives no bar.
    x_label, y_label : str

    Examples
    --------
    >>> groups = [Bars("without", "s1", [6.0, 3.0], [(5.0, 7.0), (2.5, 3.5)]), Bars("with", "s2", [4.0, 3.1])]
    >>> grouped_bars(["<60", "60-100"], groups, x_label="bpm", y_label="MAE (bpm)").text
    'without, <60: 6 (5 to 7); without, 60-100: 3 (2.5 to 3.5); with, <60: 4; with, 60-100: 3.1'
    """
    data, words = [], []
    for group in groups:
        values = np.asarray(group.values, dtype=np.float64)
        low, high = np.array(group.intervals or [(np.nan, np.nan)] * len(categories), dtype=np.float64).T
        for place in np.flatnonzero(np.isfinite(values)).tolist():
            interval = f" ({low[place]:.3g} to {high[place]:.3g})" if np.isfinite([low[place], high[place]]).all() else ""
            words.append(f"{group.key}, {categories[place]}: {values[place]:.3g}{interval}")
        bars = _trace("bar", group.key, group.color, "%{x}: %{y}", x=[_plain(one) for one in categories], y=_list(values))
        error = {"type": "data", "symmetric": False, "array": _list(high - values), "arrayminus": _list(values - low)}
        data.append(bars | {"error_y": error | {"color": "ink", "thickness": 1.3, "width": 0}})
    if not words:
        return Chart("There is no value.")
    axes = {"xaxis": _axis(x_label, type="category"), "yaxis": _axis(y_label, rangemode="tozero")}
    return Chart.of("; ".join(words), data, 300, barmode="group", showlegend=True, **axes)


def outline(text: str, contours: Sequence[npt.ArrayLike]) -> Chart:
    """Draw polylines in the directions of an image, y down, at one scale in both.

    Examples
    --------
    >>> len(json.loads(outline("a cross", [[[0, 0], [1, 1]], [[0, 1], [1, 0]]]).content)["data"])
    2
    """
    lines = [np.asarray(one, dtype=np.float64) for one in contours]
    data = [_trace("scatter", "", "s1", "", x=_list(xy[:, 0]), y=_list(xy[:, 1]), mode="lines", hoverinfo="skip") for xy in lines]
    y_axis = {"visible": False, "autorange": "reversed", "scaleanchor": "x"}
    return Chart.of(text, data, 300, xaxis={"visible": False}, yaxis=y_axis)


def png(values: npt.ArrayLike) -> str:
    """Encode an image as a PNG of few levels inside a data URI; a pixel with NaN is transparent.

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
    options = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED]
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


def _trace(kind: str, key: str, color: str, hover: str, **more: Any) -> dict[str, Any]:
    label = _plain(key)
    style = {"marker": {"color": color}, **({"line": {"color": color, "width": 1.6}} if kind == "scatter" else {})}
    return {"type": kind, "name": label, "hovertemplate": f"{hover}<extra>{label}</extra>", **style, **more}


def _dots(x: FloatArray, y: FloatArray, names: Sequence[str], hover: str) -> dict[str, Any]:
    dots = _trace("scatter", "", "s1", f"%{{text}}<br>{hover}", x=_list(x), y=_list(y), mode="markers")
    return dots | {"text": [_plain(one) for one in names], "marker": _dot(len(names))}


def _dot(count: int) -> dict[str, Any]:
    return {"color": "s1", "size": 4 if count > 150 else 7, "opacity": 0.5 if count > 150 else 0.8}


def _stroke(*, dashed: bool) -> dict[str, Any]:
    return {"color": "soft", "width": 1, "dash": "dash"} if dashed else {"color": "ink", "width": 1.3}


def _shape(kind: str, x: Span | None = None, y: Span | None = None) -> dict[str, Any]:
    """Place a shape behind the data; it reaches over the whole axis for which no span is given."""
    across = {} if x else {"xref": "paper"}
    (x0, x1), (y0, y1) = x or (0, 1), y or (0, 1)
    return (
        {"type": kind, "x0": x0, "x1": x1, "y0": y0, "y1": y1, "layer": "below" if kind == "rect" else "between"}
        | across
        | ({} if y else {"yref": "paper"})
    )


def _axis(label: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": _plain(label)}} | {key: one for key, one in more.items() if one is not None}


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


def around(*values: npt.ArrayLike, margin: float, least: float) -> Span:
    """Compute the ends of an axis that holds all known values, with a margin and at least so wide."""
    known = np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in values])
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    more = max(margin * (high - low), (least - (high - low)) / 2)
    return low - more, high + more


def _short(value: float) -> str:
    # rounding errors are shown as 0
    value = 0.0 if abs(value) < 1e-6 else value
    return number_text(float(f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.1g}"))
