"""Figures of a report of runs: error by heart rate, agreement with the truth, learning curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stmap_pipeline.evaluation import BANDS
from stmap_pipeline.report.agreement import Group, bland_altman, grouped_bars, scatter
from stmap_pipeline.report.figures import Figure, Line, lines
from stmap_pipeline.report.runs_cases import COLORS, Case
from stmap_pipeline.report.runs_tables import TITLES

_NEAR_BPM = 10.0


def draw_bands(name: str, title: str, cases: Sequence[Case], *, constant: bool = True) -> Figure:
    """Draw the mean absolute error of each case by band of true heart rate.

    Parameters
    ----------
    name, title : str
    cases : sequence of Case
        On the same videos; four at most, for want of colors.
    constant : bool
        Whether the constant predictor stands beside them, where there is a color left.
    """
    first = cases[0].tested[0].evaluation
    bands = [one for one in BANDS if one in first.names("band")]
    counts = [first.score("network", "band", one) for one in bands]
    groups = []
    for number, case in enumerate(cases[:4]):
        found = [case.summary("mae_bpm", "band", one) for one in bands]
        ends = [(one.low, one.high) if one.runs == 1 else (one.value - one.spread, one.value + one.spread) for one in found]
        groups.append(Group(_with_mark(case), COLORS[number], [one.value for one in found], ends))
    if constant and len(groups) < len(COLORS):
        values = [first.score("constant", "band", one).mae_bpm for one in bands]
        groups.append(Group(TITLES["constant"], COLORS[len(groups)], [one.value for one in values]))
    return grouped_bars(
        name,
        title,
        "Lines are bootstrap intervals of a single seed, or the standard deviation over several. Good: low bars of one height. Bad: high bars at "
        "both ends, which say that the network answers with the mean rate.",
        [f"{one} ({score.n + score.n_missing})" for one, score in zip(bands, counts, strict=True)],
        groups,
        y_label="MAE (bpm), by true rate (videos)",
        wide=True,
    )


def draw_agreement(name: str, case: Case) -> list[Figure]:
    """Draw scatter and Bland-Altman of the first seed."""
    videos = [one for one in case.tested[0].videos if np.isfinite(one.true_bpm)]
    true, said = [one.true_bpm for one in videos], [one.predicted_bpm for one in videos]
    label = _with_mark(case) + (f", seed {case.seeds[0]}" if len(case.seeds) > 1 else "")
    return [
        scatter(
            f"{name}-scatter",
            f"Estimate and truth: {label}",
            "One dot is one video. Good: dots along the line. Bad: a flat cloud at the height of the mean rate; such a network has learned "
            "what most people have, not what is in the video.",
            true,
            {"network": said},
            within_bpm=_NEAR_BPM,
        ),
        bland_altman(
            f"{name}-bland",
            f"Bland-Altman: {label}",
            "Good: a narrow band around 0. Bad: a slope, falling from left to right where low rates come out too high and high ones too low.",
            true,
            said,
            kind="s1",
        ),
    ]


def draw_learning(name: str, case: Case) -> list[Figure]:
    """Draw how loss and validation error went, a line a fold and seed; nothing where no history is known."""
    curves = [(run, fold, rows) for run in case.runs for fold, rows in sorted(run.histories.items()) if rows]
    if not curves:
        return []
    figures = []
    for column, what, y_label in (
        ("train_loss", "training loss", "loss (standard deviations)"),
        ("validation_mae_bpm", "validation error", "MAE of windows (bpm)"),
    ):
        series = []
        for number, (_, _, rows) in enumerate(curves):
            key = f"each of {len(curves)} networks" if number == 0 and len(curves) > 1 else ""
            series.append(
                Line(key, "s1" if column == "train_loss" else "s2", [row["epoch"] for row in rows], [row[column] for row in rows])
            )
        if any(np.isfinite(np.asarray(one.y, dtype=np.float64)).any() for one in series):
            figures.append(
                lines(
                    f"{name}-{column.replace('_', '-')}",
                    f"{what[0].upper()}{what[1:]}: {_with_mark(case)}",
                    "Good: the loss falls and levels off, and the validation error with it. Bad: a validation error that rises again while the loss "
                    "falls (the network learns persons by heart), or a loss that never falls.",
                    series,
                    x_label="epoch",
                    y_label=y_label,
                )
            )
    return figures


def _with_mark(case: Case) -> str:
    return f"{case.label} ({case.mark})" if case.mark else case.label
