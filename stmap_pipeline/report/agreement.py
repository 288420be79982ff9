"""Figures of agreement between true and estimated heart rates: scatter, Bland-Altman, and bars of errors with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.report.figures import Figure
from stmap_pipeline.report.scale import Scale
from stmap_pipeline.report.svg import Axes

LIMITS_SD = 1.96


@dataclass(frozen=True, slots=True)
class Group:
    """Bars of one color: a name for the legend, a class of color, a value for each category, and its interval where there is one."""

    key: str
    kind: str
    values: Sequence[float]
    intervals: Sequence[tuple[float, float]] | None = None


def scatter(
    name: str,
    title: str,
    caption: str,
    true_bpm: npt.ArrayLike,
    estimates_bpm: Mapping[str, npt.ArrayLike],
    *,
    x_label: str = "true heart rate (bpm)",
    y_label: str = "estimate (bpm)",
    within_bpm: float | None = None,
) -> Figure:
    """Draw estimates over truth with the line on which they are equal.

    Parameters
    ----------
    name, title, caption : str
    true_bpm : (n,) array
    estimates_bpm : mapping of str to (n,) array
        By name of the method; colors ``s1``, ``s2``, ... in this order.
    x_label, y_label : str
    within_bpm : float, optional
        Two thin lines so far above and below.

    Examples
    --------
    >>> one = scatter("s", "POS", "", [60, 80, 100], {"POS": [61, 79, float("nan")]})
    >>> "2 of 3 pairs" in one.markup
    True
    """
    true = np.asarray(true_bpm, dtype=np.float64)
    found = {key: np.asarray(one, dtype=np.float64) for key, one in estimates_bpm.items()}
    scale = Scale.around(true, *found.values(), margin=0.05, least=20)
    axes = Axes(scale, scale, x_label, y_label, height_px=250)
    ends = np.array([scale.low, scale.high])
    axes.line(ends, ends, "ink")
    for shift in (within_bpm, -within_bpm) if within_bpm else ():
        axes.line(ends, ends + shift, "thin", key=f"within {within_bpm:g} bpm", dashed=True)
    told = []
    for number, (key, one) in enumerate(found.items(), 1):
        axes.dots(true, one, f"s{number}", key=key if len(found) > 1 else "", small=len(true) > 300)
        told.append(f"{key}: {int((np.isfinite(true) & np.isfinite(one)).sum())} of {len(true)} pairs.")
    if not any(np.isfinite(true + one).any() for one in found.values()):
        axes.empty("no pair of truth and estimate")
    return Figure(name, title, caption, axes.svg(name, title, " ".join(told)))


def bland_altman(
    name: str, title: str, caption: str, true_bpm: npt.ArrayLike, estimated_bpm: npt.ArrayLike, *, kind: str = "s1"
) -> Figure:
    """Draw the difference of two measurements over their mean, with bias and limits of agreement (bias ± 1.96 SD).

    Parameters
    ----------
    name, title, caption : str
    true_bpm, estimated_bpm : (n,) array
        NaN where unknown.
    kind : str
        Class of color.

    References
    ----------
    Bland, Altman: Statistical methods for assessing agreement between two methods of clinical measurement. Lancet 327 (1986).

    Examples
    --------
    >>> one = bland_altman("b", "POS", "", [60.0, 80.0, 90.0], [61.0, 79.0, 93.0])
    >>> "bias +1.0 bpm" in one.markup
    True
    """
    true, found = np.asarray(true_bpm, dtype=np.float64), np.asarray(estimated_bpm, dtype=np.float64)
    known = np.isfinite(true) & np.isfinite(found)
    mean, difference = (true[known] + found[known]) / 2, found[known] - true[known]
    bias = float(difference.mean()) if known.any() else float("nan")
    spread = float(difference.std(ddof=1)) if known.sum() > 1 else float("nan")
    limits = [bias - LIMITS_SD * spread, bias + LIMITS_SD * spread]
    axes = Axes(
        Scale.around(mean, margin=0.05, least=20),
        Scale.around(difference, limits, [0.0], margin=0.12, least=4),
        "mean of truth and estimate (bpm)",
        "estimate minus truth (bpm)",
        height_px=250,
    )
    axes.dots(mean, difference, kind, small=known.sum() > 300)
    axes.rule(0.0, "thin", across=True)
    axes.rule(bias, "ink", f"bias {bias:+.1f} bpm", across=True)
    for value, sign in zip(limits, "-+", strict=True):
        axes.rule(value, "thin", f"{sign}{LIMITS_SD} SD: {value:+.1f} bpm", across=True)
    told = f"{int(known.sum())} pairs; bias {bias:+.1f} bpm, limits of agreement {limits[0]:+.1f} to {limits[1]:+.1f} bpm."
    if not known.any():
        axes.empty(told := "no pair of truth and estimate")
    return Figure(name, title, caption, axes.svg(name, title, told))


def grouped_bars(
    name: str,
    title: str,
    caption: str,
    categories: Sequence[str],
    groups: Sequence[Group],
    *,
    y_label: str,
    wide: bool = False,
) -> Figure:
    """Draw a bar for each category and group, beside each other, with intervals where there are any.

    Parameters
    ----------
    name, title, caption : str
    categories : sequence of str
        Short: they stand below the bars.
    groups : sequence of Group
        NaN gives no bar.
    y_label : str
    wide : bool

    Examples
    --------
    >>> groups = [Group("without", "s1", [6.0, 3.0], [(5.0, 7.0), (2.5, 3.5)]), Group("with", "s2", [4.0, 3.1])]
    >>> one = grouped_bars("bands", "Error by band", "", ["<60", "60-100"], groups, y_label="MAE (bpm)")
    >>> one.markup.count('class="bar s'), "without, 60-100: 3 (2.5 to 3.5)" in one.markup
    (6, True)
    """
    ends = [end for one in groups for pair in one.intervals or () for end in pair]
    values = [value for one in groups for value in one.values]
    top = max([value for value in (*values, *ends) if np.isfinite(value)], default=0.0)
    axes = Axes(
        Scale(0, max(len(categories), 1)),
        Scale(0, 1.08 * top if top > 0 else 1.0),
        " ",
        y_label,
        height_px=200,
        x_names=categories,
    )
    width = 0.76 / max(len(groups), 1)
    told = []
    for number, group in enumerate(groups):
        axes.name(f"bar {group.kind}", group.key)
        for place, value in enumerate(group.values):
            low, high = group.intervals[place] if group.intervals else (np.nan, np.nan)
            words = f"{group.key}, {categories[place]}: {value:.3g}"
            words += f" ({low:.3g} to {high:.3g})" if np.isfinite([low, high]).all() else ""
            left = place + 0.12 + number * width
            axes.bar(left, left + 0.92 * width, 0, value, group.kind, words)
            axes.line([left + 0.46 * width] * 2, [low, high], "ink")
            told.append(words)
    if not top > 0:
        axes.empty("no value")
    return Figure(name, title, caption, axes.svg(name, title, "; ".join(told)), wide)
