"""The figures that reports of maps and of runs are made of: each is a chart with a caption that says how to read it.

Every function takes numbers and gives a :class:`Figure`; the template's macro ``figure`` sets it into a page. ``name`` becomes the id
of the figure and must be unique on its page. A caption says what is shown and what good and bad look like. Figures of
agreement between truth and estimate stand in :mod:`.agreement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.report.scale import Scale, tick_text
from stmap_pipeline.report.svg import Axes, thin


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart or picture with its words.

    Parameters
    ----------
    name : str
        Id on the page: letters, digits and ``-``.
    title : str
        What is shown, in a few words.
    caption : str
        How to read it: what good and what bad look like.
    markup : str
        The chart, as markup that is safe already.
    wide : bool
        Whether it takes a row of its own.
    """

    name: str
    title: str
    caption: str
    markup: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """One layer of a stacked histogram: a name for the legend, a class of color, and a count for each bin."""

    key: str
    kind: str
    counts: Sequence[float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a name for the legend, a class of color, and its points; NaN breaks it."""

    key: str
    kind: str
    x: npt.ArrayLike
    y: npt.ArrayLike
    dashed: bool = False
    as_dots: bool = False


def histogram(
    name: str,
    title: str,
    caption: str,
    edges: Sequence[float],
    layers: Sequence[Bars],
    *,
    x_label: str,
    y_label: str,
    target: Sequence[float] | None = None,
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
    target : (B,) sequence of float, optional
        Drawn as a dashed line.
    wide : bool

    Examples
    --------
    >>> one = histogram("hr", "Heart rates", "", [40, 50, 60], [Bars("windows", "s1", [3, 1])], x_label="bpm", y_label="windows")
    >>> one.markup.count("<rect"), "40 to 50: 3 windows" in one.markup
    (3, True)
    """
    tops = np.sum([np.asarray(one.counts, dtype=np.float64) for one in layers], axis=0) if layers else np.zeros(len(edges) - 1)
    highest = max([float(tops.max(initial=0)), *(target or ())])
    axes = Axes(Scale(edges[0], edges[-1]), Scale(0, 1.06 * highest if highest > 0 else 1.0), x_label, y_label, counts=True)
    below = np.zeros(len(edges) - 1)
    for layer in layers:
        for i, count in enumerate(layer.counts):
            words = f"{tick_text(edges[i])} to {tick_text(edges[i + 1])}: {tick_text(count)} {layer.key or y_label}"
            # a hair of room between two bars
            gap = 0.04 * (edges[i + 1] - edges[i])
            axes.bar(edges[i] + gap, edges[i + 1] - gap, below[i], below[i] + count, layer.kind, words)
        below = below + np.asarray(layer.counts, dtype=np.float64)
        if len(layers) > 1 or target is not None:
            axes.name(f"bar {layer.kind}", layer.key)
    if target is not None:
        axes.steps(edges, target, "ink", key="target", dashed=True)
    if not highest > 0:
        axes.empty("nothing to count")
    spread = f"{tick_text(float(tops.sum()))} {y_label} between {tick_text(edges[0])} and {tick_text(edges[-1])} {x_label}."
    return Figure(name, title, caption, axes.svg(name, title, spread), wide)


def strip_plot(
    name: str,
    title: str,
    caption: str,
    values: Mapping[str, float],
    *,
    x_label: str,
    kind: str = "s1",
    limits: tuple[float, float] | None = None,
    named: int = 2,
    worst: str = "low",
    wide: bool = False,
) -> Figure:
    """Draw one dot for each recording along one axis, with the median marked and the worst ones named.

    Parameters
    ----------
    name, title, caption : str
    values : mapping of str to float
        By the name of what it belongs to; NaN is left out and counted in the description.
    x_label : str
    kind : str
        Class of color.
    limits : (float, float), optional
        Ends of the axis, where they are natural ones such as 0 and 1; it is widened to hold all values.
    named : int
        How many of the worst are named.
    worst : {"low", "high"}
        At which end.
    wide : bool

    Examples
    --------
    >>> one = strip_plot("snr", "SNR", "", {"a": -3.0, "b": 6.0, "c": float("nan")}, x_label="dB", named=1)
    >>> "median 1.5" in one.markup, "1 without a value" in one.markup, ">a<" in one.markup
    (True, True, True)
    """
    names = [key for key, value in values.items() if np.isfinite(value)]
    known = np.array([values[key] for key in names], dtype=np.float64)
    low, high = limits or (np.nan, np.nan)
    scale = Scale.around(known, [low, high], margin=0.03, least=1e-3 + 0.1 * abs(float(known.mean())) if known.size else 1.0)
    axes = Axes(scale, Scale(-1, 1), x_label, height_px=58, left_px=12, y_ticks=False)
    # dots lie beside each other where they would hide each other; the same data give the same picture
    axes.dots(known, _beside(scale.place(known)), kind, small=len(known) > 150)
    missing = len(values) - len(names)
    told = f"{len(names)} recordings" + (f", {missing} without a value" if missing else "")
    if known.size:
        middle = float(np.median(known))
        axes.rule(middle, "ink", f"median {_short(middle)}")
        told += f"; median {_short(middle)}, from {_short(float(known.min()))} to {_short(float(known.max()))}."
        order = np.argsort(known if worst == "low" else -known, kind="stable")[:named]
        told += " Worst: " + ", ".join(names[i] for i in order) + "."
        worst_one = int(order[0])
        # one that is like the others is not worth a name
        if known[worst_one] != middle and len(names) > named:
            place = float(scale.place([known[worst_one]])[0])
            axes.text(float(known[worst_one]), -0.98, names[worst_one], "end" if place > 0.5 else "start")
    else:
        axes.empty("no recording has a value")
    return Figure(name, title, caption, axes.svg(name, title, told), wide)


def lines(
    name: str,
    title: str,
    caption: str,
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    x_limits: tuple[float, float] | None = None,
    y_limits: tuple[float, float] | None = None,
    rules: Sequence[tuple[float, str, str]] = (),
    gaps: Sequence[tuple[float, float]] = (),
    gap_key: str = "face not seen",
    shades: Sequence[tuple[float, float, str]] = (),
    height_px: int = 150,
    y_ticks: bool = True,
    nothing: str = "nothing to draw",
    wide: bool = False,
) -> Figure:
    """Draw lines or dots over one axis, with gaps shaded and single values marked.

    Parameters
    ----------
    name, title, caption : str
    series : sequence of Line
    x_label, y_label : str
    x_limits, y_limits : (float, float), optional
        Ends of the axes; as the data where not given.
    rules : sequence of (float, str, str)
        Values of x to be marked: value, class of color, text.
    gaps : sequence of (float, float)
        Stretches of x that are shaded, named ``gap_key`` in the legend.
    shades : sequence of (float, float, str)
        Other stretches to be shaded lightly, each with its entry in the legend.
    height_px : int
    y_ticks : bool
    nothing : str
        What to say where no point is known.
    wide : bool

    Examples
    --------
    >>> one = lines("hr", "Heart rate", "", [Line("label", "s2", [0, 1], [60, 62])], x_label="time (s)", y_label="bpm")
    >>> one.markup.count('class="line s2"')
    2
    """
    x_values = [np.asarray(one.x, dtype=np.float64) for one in series]
    y_values = [np.asarray(one.y, dtype=np.float64) for one in series]
    x_scale = Scale(*x_limits) if x_limits else Scale.around(*x_values, margin=0.0)
    y_scale = Scale(*y_limits) if y_limits else Scale.around(*y_values, margin=0.08, least=1e-6)
    axes = Axes(x_scale, y_scale, x_label, y_label, height_px=height_px, y_ticks=y_ticks)
    for start, stop, key in shades:
        axes.span(start, stop, "shade", key=key)
    for start, stop in gaps:
        axes.span(start, stop, "gap", key=gap_key)
    drawn = 0
    for one, x, y in zip(series, x_values, y_values, strict=True):
        drawn += int(np.isfinite(y).sum())
        if one.as_dots:
            axes.dots(x, y, one.kind, key=one.key)
        else:
            axes.line(*thin(x, y), one.kind, key=one.key, dashed=one.dashed)
    for value, kind, text in rules:
        axes.rule(value, kind, text)
    if not drawn:
        axes.empty(nothing)
    told = " ".join(
        [*(f"{one.key}: {_range(y)}." for one, y in zip(series, y_values, strict=True) if one.key), *_told(rules, gaps)]
    )
    return Figure(name, title, caption, axes.svg(name, title, told or nothing), wide)


def _told(rules: Sequence[tuple[float, str, str]], gaps: Sequence[tuple[float, float]]) -> list[str]:
    told = [f"Marked: {text}." for value, _, text in rules if text and np.isfinite(value)]
    return [*told, f"{len(gaps)} gaps." if len(gaps) != 1 else "1 gap."] if gaps else told


def _range(values: npt.NDArray[np.float64]) -> str:
    known = values[np.isfinite(values)]
    return f"{_short(float(known.min()))} to {_short(float(known.max()))}" if known.size else "no value"


def _short(value: float) -> str:
    # what is left of rounding is nothing to tell
    value = 0.0 if abs(value) < 1e-6 else value
    return tick_text(float(f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.1g}"))


def _beside(places: npt.NDArray[np.float64], bins: int = 120) -> npt.NDArray[np.float64]:
    """Spread values of one bin over the height, from the middle outward."""
    column = np.clip((places * bins).astype(np.int64), 0, bins - 1)
    crowd = np.bincount(column, minlength=bins)
    most = max(int(crowd.max(initial=1)), 8)
    seen: dict[int, int] = {}
    heights = np.zeros(len(places))
    for i, one in enumerate(column.tolist()):
        turn = seen[one] = seen.get(one, -1) + 1
        heights[i] = (1 if turn % 2 else -1) * ((turn + 1) // 2) * 1.5 / most
    return heights
