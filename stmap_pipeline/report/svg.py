"""Charts as inline SVG: they follow the page's colors and its width, and their letters keep one size.

The ``<svg>`` is the plot area itself; ticks and letters stand in its margin, at percentages of its size. A second one inside is
stretched over it, so that data are drawn in thousandths of either axis and strokes keep their width. Colors are classes of the
page's style (``s1`` to ``s4``, ``grid``, ``ink``, ``gap``), so that a chart turns dark with the page. :mod:`.figures` and
:mod:`.agreement` make charts of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from stmap_pipeline.report.scale import Scale, tick_text

FULL = 1000


def element(tag: str, content: str = "", /, **attributes: str | float | None) -> str:
    """Write one element; attribute values are escaped, ``content`` is markup already.

    ``class_`` gives ``class``, ``stroke_width`` gives ``stroke-width``; None leaves an attribute out.

    Examples
    --------
    >>> element("text", letters("a < b"), class_="tick", text_anchor="end", x=None)
    '<text class="tick" text-anchor="end">a &lt; b</text>'
    """
    words = [tag]
    for key, value in attributes.items():
        if value is not None:
            text = value if isinstance(value, str) else f"{value:.6g}"
            words.append(f'{key.rstrip("_").replace("_", "-")}="{escape(text)}"')
    return f"<{' '.join(words)}>{content}</{tag}>" if content else f"<{' '.join(words)}/>"


def letters(text: str) -> str:
    """Escape a text.

    Examples
    --------
    >>> letters("<b>")
    '&lt;b&gt;'
    """
    return escape(visible(text))


def visible(text: str) -> str:
    """Replace what no page can hold: control characters, and bytes of a file name that are no text.

    Examples
    --------
    >>> visible("caf" + chr(0xDCE9) + chr(0)) == "caf" + 2 * chr(0xFFFD)
    True
    """
    return text if text.isprintable() else "".join(one if _allowed(one) else "\ufffd" for one in text)


def _allowed(one: str) -> bool:
    return one in "\n\t" or (ord(one) >= 32 and not 0x7F <= ord(one) < 0xA0 and not 0xD800 <= ord(one) < 0xE000)


class Axes:
    """A plot area with two axes that is filled piece by piece and written at the end.

    Parameters
    ----------
    x, y : Scale
    x_label, y_label : str
        Quantity with its unit. The second one stands above the axis, where it can be read without turning the head.
    height_px : int
        Of the plot area.
    left_px : int
        Room for the letters on the y axis.
    y_ticks : bool
        Whether the y axis is labeled.
    x_names : sequence of str, optional
        Categories in place of numbers: the first one stands at 0.5, the next one at 1.5.
    counts : bool
        Whether y counts something, so that there is nothing between two whole numbers.

    Examples
    --------
    >>> axes = Axes(Scale(0, 10), Scale(40, 180), "time (s)", "heart rate (bpm)")
    >>> axes.line([0, 5, 10], [60, 70, 65], "s1")
    >>> text = axes.svg("f1", "Heart rate", "A line from 60 to 65 bpm.")
    >>> text.startswith('<svg class="chart left46" role="img"'), "heart rate (bpm)" in text
    (True, True)
    """

    def __init__(
        self,
        x: Scale,
        y: Scale,
        x_label: str = "",
        y_label: str = "",
        *,
        height_px: int = 180,
        left_px: int = 46,
        y_ticks: bool = True,
        x_names: Sequence[str] | None = None,
        counts: bool = False,
    ) -> None:
        self.x, self.y, self._x_names, self._counts = x, y, x_names, counts
        self._labels, self._height_px, self._left_px, self._y_ticks = (x_label, y_label), height_px, left_px, y_ticks
        self._data: list[str] = []
        self._above: list[str] = []
        self._keys: list[tuple[str, str]] = []

    def line(self, x: npt.ArrayLike, y: npt.ArrayLike, kind: str, *, key: str = "", dashed: bool = False) -> None:
        """Draw a line; NaN breaks it. ``key`` names it in the legend."""
        if path := self._path(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)):
            self._stroke(path, f"line {kind}" + (" dashed" if dashed else ""))
            self._name(kind + (" dashed" if dashed else ""), key)

    def steps(self, edges: npt.ArrayLike, y: npt.ArrayLike, kind: str, *, key: str = "", dashed: bool = False) -> None:
        """Draw a line that keeps each value from one edge to the next."""
        ends = np.asarray(edges, dtype=np.float64)
        self.line(np.repeat(ends, 2)[1:-1], np.repeat(np.asarray(y, dtype=np.float64), 2), kind, key=key, dashed=dashed)

    def dots(self, x: npt.ArrayLike, y: npt.ArrayLike, kind: str, *, key: str = "", small: bool = False) -> None:
        """Draw a dot at each known pair: one path for all, so that thousands cost nothing."""
        columns, rows = self.x.place(x), self.y.place(y)
        known = np.isfinite(columns) & np.isfinite(rows)
        pairs = zip(columns[known], rows[known], strict=True)
        if path := "".join(f"M{FULL * a:.0f} {FULL * (1 - b):.0f}h0" for a, b in pairs):
            self._stroke(path, f"dots {kind}" + (" small" if small else ""))
            self._name(f"dot {kind}", key)

    def bar(self, left: float, right: float, bottom: float, top: float, kind: str, title: str = "") -> None:
        """Fill a rectangle given in the units of the axes; ``title`` is told on hovering."""
        a, b = (float(one) for one in self.x.place([left, right]))
        low, high = (float(one) for one in self.y.place([bottom, top]))
        if not (np.isfinite([a, b, low, high]).all() and high > low and b > a):
            return
        note = element("title", letters(title)) if title else ""
        shape = {"x": FULL * a, "y": FULL * (1 - high), "width": FULL * (b - a), "height": FULL * (high - low)}
        self._data.append(element("rect", note, class_=f"bar {kind}", **{key: round(one, 2) for key, one in shape.items()}))

    def span(self, left: float, right: float, kind: str = "gap", *, key: str = "") -> None:
        """Shade the full height from one x to another."""
        before = len(self._data)
        self.bar(max(left, self.x.low), min(right, self.x.high), self.y.low, self.y.high, kind)
        if len(self._data) > before:
            self._name(f"bar {kind}", key)

    def rule(self, value: float, kind: str, text: str = "", *, across: bool = False, key: str = "") -> None:
        """Draw a dashed line at one x over the full height, or ``across`` at one y, with a text at its end."""
        place = float((self.y if across else self.x).place([value])[0])
        if not np.isfinite(place):
            return
        at = f"{100 * (1 - place if across else place):.2f}%"
        ends = {"x1": "0", "x2": "100%", "y1": at, "y2": at} if across else {"x1": at, "x2": at, "y1": "0", "y2": "100%"}
        self._above.append(element("line", class_=f"rule {kind}", **ends))
        if text and across:
            self._above.append(element("text", letters(text), class_="note", x="100%", y=at, dy="-4", text_anchor="end"))
        elif text:
            # near the right end there is room only to the left of the line
            dx, anchor = ("-5", "end") if place > 0.6 else ("5", "start")
            self._above.append(element("text", letters(text), class_="note", x=at, y="0", dx=dx, dy="13", text_anchor=anchor))
        self._name(f"rule {kind}", key)

    def text(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        """Write a short note at a point."""
        place_x, place_y = float(self.x.place([x])[0]), float(self.y.place([y])[0])
        if np.isfinite([place_x, place_y]).all():
            at = {"x": f"{100 * place_x:.2f}%", "y": f"{100 * (1 - place_y):.2f}%"}
            self._above.append(element("text", letters(text), class_="note", dy="-6", text_anchor=anchor, **at))

    def name(self, kind: str, key: str) -> None:
        """Put an entry into the legend."""
        self._name(kind, key)

    def empty(self, text: str) -> None:
        """Say in the middle of the plot why there is nothing in it."""
        self._above.append(element("text", letters(text), class_="note", x="50%", y="50%", text_anchor="middle"))

    def svg(self, name: str, title: str, description: str) -> str:
        """Write the chart; ``name`` is unique on its page, title and description are read out where nothing is seen."""
        about = element("title", letters(title), id=f"{name}-t") + element("desc", letters(description), id=f"{name}-d")
        data = element(
            "svg", "".join(self._data), viewBox=f"0 0 {FULL} {FULL}", preserveAspectRatio="none", width="100%", height="100%"
        )
        kind = f"chart left{self._left_px}" + ("" if self._labels[0] else " low")
        chart = element(
            "svg",
            about + self._grid() + data + "".join(self._above),
            class_=kind,
            role="img",
            aria_labelledby=f"{name}-t {name}-d",
            height=str(self._height_px),
        )
        return self._legend() + chart

    def _grid(self) -> str:
        parts = [element("rect", class_="frame", width="100%", height="100%")]
        named = self._x_names is not None
        marks = enumerate(self._x_names) if self._x_names is not None else ((one, tick_text(one)) for one in self.x.ticks())
        for value, text in marks:
            at = f"{100 * float(self.x.place([value + 0.5 if named else value])[0]):.2f}%"
            if not named:
                parts.append(element("line", class_="grid", x1=at, x2=at, y1="0", y2="100%"))
            parts.append(element("text", letters(text), class_="tick", x=at, y="100%", dy="16", text_anchor="middle"))
        for value in self.y.ticks(4, least_step=float(self._counts)) if self._y_ticks else ():
            at = f"{100 * (1 - float(self.y.place([value])[0])):.2f}%"
            parts.append(element("line", class_="grid", x1="0", x2="100%", y1=at, y2=at))
            parts.append(element("text", tick_text(value), class_="tick", x="0", y=at, dx="-7", dy="4", text_anchor="end"))
        x_label, y_label = self._labels
        if x_label:
            parts.append(element("text", letters(x_label), class_="axis", x="50%", y="100%", dy="34", text_anchor="middle"))
        if y_label:
            parts.append(element("text", letters(y_label), class_="axis", x="0", y="0", dx=str(6 - self._left_px), dy="-11"))
        return "".join(parts)

    def _legend(self) -> str:
        if not self._keys:
            return ""
        entries = "".join(
            f'<span class="key"><svg class="swatch" width="18" height="10" aria-hidden="true">{_swatch(kind)}</svg>'
            f"{letters(text)}</span>"
            for kind, text in self._keys
        )
        return f'<p class="legend">{entries}</p>'

    def _path(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> str:
        columns, rows = FULL * self.x.place(x, clip=False), FULL * (1 - self.y.place(y, clip=False))
        known = np.isfinite(columns) & np.isfinite(rows)
        parts, pen_up = [], True
        for a, b, seen in zip(columns, rows, known, strict=True):
            if seen:
                parts.append(f"{'M' if pen_up else 'L'}{a:.1f} {min(max(b, -FULL), 2 * FULL):.1f}")
            pen_up = not seen
        return "".join(parts)

    def _stroke(self, path: str, kind: str) -> None:
        self._data.append(element("path", class_=kind, d=path))

    def _name(self, kind: str, key: str) -> None:
        if key and (kind, key) not in self._keys:
            self._keys.append((kind, key))


def _swatch(kind: str) -> str:
    if kind.startswith("bar "):
        return element("rect", class_=kind, width="18", height="10", rx="2")
    if kind.startswith("dot "):
        return element("path", class_=kind.replace("dot", "dots", 1), d="M9 5h0")
    if kind.startswith("rule "):
        return element("line", class_=kind, x1="9", x2="9", y1="0", y2="10")
    return element("path", class_=f"line {kind}", d="M1 5h16")


def thin(x: npt.ArrayLike, y: npt.ArrayLike, most: int = 600) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Leave at most so many points of a curve, each the largest of its neighbors, so that no peak is lost.

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
