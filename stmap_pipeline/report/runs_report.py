"""The report of runs: one page with the results of a paper, or its tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from stmap_pipeline.errors import ModelError, OutputError
from stmap_pipeline.evaluation import BANDS
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.report.attention import show_attention
from stmap_pipeline.report.charts import COLORS, Bars, Figure, Line, bland_altman, grouped_bars, line_chart, scatter
from stmap_pipeline.report.maps_report import Kind, check_target, count_heart_rates, draw_heart_rates
from stmap_pipeline.report.page import Page, Section, Stat, check_extra, render
from stmap_pipeline.report.provenance import about_runs
from stmap_pipeline.report.runs import Case, Run, cross_cases, find_runs, load_run, within_cases
from stmap_pipeline.report.runs_tables import (
    ENOUGH,
    TITLES,
    ablation_table,
    band_table,
    effect_table,
    find_effects,
    part_table,
    published_table,
    result_table,
    run_table,
    score_table,
    sources_of,
)
from stmap_pipeline.report.tables import Table, write_tables
from stmap_pipeline.shards import Shards

BANNER = (
    "Numbers of ours on this page come from simulated recordings wherever they say so. They show that the software works and say nothing about people. "
    "Figures published by others stand beside them for orientation alone: they were measured on filmed people."
)
SECTIONS = (
    Section("same-database", "Same database"),
    Section("other-database", "Other database"),
    Section("ablation-cells", "Ablation"),
    Section("attention", "Attention"),
    Section("resampling", "Resampled windows"),
    Section("agreement", "Agreement"),
    Section("learning", "Learning"),
    Section("parts", "Parts"),
    Section("runs-all", "Runs"),
)
_NEAR_BPM = 10.0


def write_runs_report(
    runs: Sequence[str | Path],
    output: str | Path,
    kind: Kind = "html",
    *,
    maps: Sequence[str | Path] = (),
    simulated: bool = False,
    command: str = "",
) -> Path:
    """Write the report of runs.

    Parameters
    ----------
    runs : sequence of str or Path
        Folders of ``stmap train``, or folders that hold some. A run that is not finished, or not evaluated, is named as such.
    output : str or Path
        The page; a file for ``json`` and ``latex``, a folder for ``csv``. One that is there is replaced.
    kind : {"html", "json", "csv", "latex"}
        The page, or its tables alone.
    maps : sequence of str or Path
        Maps of the training: the weights of the attention are shown on them, and their heart rates before and after balancing.
    simulated : bool
        Whether to take the recordings for synthetic data although the maps do not say so.
    command : str
        The command to be named in the provenance.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    ModelError
        Where there is no run, or files of one are damaged or do not belong together.
    ShardError
        Where maps are unfinished or damaged.
    OutputError
        Where the output lies inside the maps, or cannot be written.
    StmapError
        Where Jinja2 or plotly is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from stmap_pipeline.evaluation import evaluate_run
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> run, maps = example_run()
    >>> _ = evaluate_run(run, maps)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     "Bland-Altman" in write_runs_report([run], Path(folder) / "report.html").read_text()
    True
    """
    target, given = Path(output), [Path(one) for one in maps]
    paths = _paths([Path(one) for one in runs])
    for one in given:
        check_target(one, target)
    if target.resolve() in [one.resolve() for one in paths]:
        raise OutputError(f"{target}: is the folder of a run; write the report beside it")
    if kind == "html":
        check_extra()
    found = [load_run(one, simulated=simulated) for one in paths]
    within, cross = within_cases(found), cross_cases(found)
    groups = same_videos(within)
    tested = [one for run in found for one in (run.own, *run.others) if one is not None]
    marks = {bool(one.mark) for one in tested} or {run.metadata.maps.simulated for run in found}
    effects, troubles = find_effects(within)
    tables = {
        "within": _results("within", "Held-out subjects of the same database", within),
        "cross": _results("cross", "Another database", cross),
        "ablation": [
            replace(table, name=f"{table.name}{_suffix(number)}")
            for number, group in enumerate(groups)
            for table in [ablation_table(group)]
        ],
        "bands": [band_table(f"bands{_suffix(number)}", group) for number, group in enumerate(groups)],
        "parts": [
            table
            for number, group in enumerate(groups)
            for name, words in (("scenario", "scenario"), ("camera", "source"), ("fold", "fold"))
            if (table := part_table(f"{name}{_suffix(number)}", name, words, group)) is not None  # type: ignore[arg-type]
        ],
        "runs": [run_table(found)],
    }
    for idea, title in (("attention", "Does attention help?"), ("augmentation", "Do resampled windows help?")):
        chosen = [one for one in effects if one.idea == idea]
        tables[idea] = [effect_table(f"effect_{idea}", title, chosen)] if chosen else []
    synthetic = marks == {True}
    if kind == "html":
        attention = show_attention(within, given)
        figures = {
            "attention": list(attention.figures),
            "rates": _heart_rates(given, simulated=simulated),
            "agreement": _agreement(within, cross),
            "learning": _learning([*within, *cross]),
        }
        if synthetic:
            # the page itself marks each title
            figures = {
                key: [replace(one, title=one.title.replace(" (simulated)", "")) for one in many] for key, many in figures.items()
            }
        count = len(found)
        page = Page(
            "Heart rate by trained networks",
            f"What {count} {'run says' if count == 1 else 'runs say'} of subjects {'it' if count == 1 else 'they'} never saw, beside a constant, "
            "classical methods, and what others published.",
            SECTIONS,
            about_runs(found, given, simulated=synthetic, command=command),
            synthetic,
            banner=BANNER if True in marks else "",
        )
        text = render(
            "runs.html",
            page,
            stats=_stats(found, groups, all_simulated=synthetic),
            tables=tables,
            figures=figures,
            sources=dict.fromkeys(pair for case in (*within, *cross) for pair in sources_of([case])),
            troubles=troubles,
            attention=attention,
            band_figures=[draw_bands(f"bands-{number + 1}", group) for number, group in enumerate(groups)],
            notes=_notes(found),
            problems=[(str(one.metadata.path), problem) for one in found for problem in one.problems],
            crossed=any(one.others for one in found),
        )
        atomic_write_text(target, text)
    else:
        about = {"runs": ", ".join(map(str, paths)), "simulated": synthetic}
        chosen_tables = (
            [score_table(found), published_table(), *tables["runs"]]
            if kind != "latex"
            else [
                one
                for name in ("within", "cross", "ablation", "attention", "augmentation", "bands", "parts")
                for one in tables[name]
            ]
        )
        write_tables(chosen_tables, target, kind, about=about)
    return target


def same_videos(cases: Sequence[Case]) -> list[list[Case]]:
    """Divide cases into lists that can stand in one table: of one pair of databases, on the same videos.

    Examples
    --------
    >>> same_videos([])
    []
    """

    def key(one: Case) -> tuple[str, ...]:
        evaluation = one.tested[0].evaluation
        return (*one.databases, evaluation.maps.traces_sha256, str(evaluation.folds), one.mark)

    return [list(group) for _, group in groupby(sorted(cases, key=key), key)]


def _paths(given: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in given:
        runs = find_runs(path)
        if not runs:
            raise ModelError(f"{path}: holds no run of stmap train; give the folder of a run, or one that holds runs")
        for one in runs:
            found.setdefault(one.resolve(), one)
    if not found:
        raise ModelError("a report of runs needs a run")
    return list(found.values())


def _results(name: str, title: str, cases: Sequence[Case]) -> list[Table]:
    found = []
    for number, group in enumerate(same_videos(cases)):
        trained, tested = group[0].databases
        maps = group[0].tested[0].evaluation.maps
        which = f"{tested}, {maps.name}" if name == "within" else f"trained on {trained}, tested on {tested} ({maps.name})"
        found.append(result_table(f"{name}{_suffix(number)}", f"{title}: {which}", group))
    return found


def _suffix(number: int) -> str:
    return f"_{number + 1}" if number else ""


def _heart_rates(maps: Sequence[Path], *, simulated: bool) -> list[Figure]:
    if not maps:
        return []
    # the first alone: a name on the page is given once
    with Shards(maps[0]) as shards:
        figures = draw_heart_rates(count_heart_rates(shards))
        mark = " (simulated)" if simulated or shards.simulated else ""
    return [replace(one, title=one.title + mark) for one in figures]


def _agreement(within: Sequence[Case], cross: Sequence[Case]) -> list[Figure]:
    return [
        figure
        for name, cases in (("case", within), ("cross", cross))
        for number, case in enumerate(cases)
        for figure in draw_agreement(f"{name}{number + 1}", case)
    ]


def _learning(cases: Sequence[Case]) -> list[Figure]:
    """Draw the learning curves of each run once."""
    seen: set[str] = set()
    trained = []
    for case in cases:
        names = {str(one.metadata.path) for one in case.runs}
        if not names & seen:
            trained.append(case)
            seen |= names
    return [figure for number, case in enumerate(trained) for figure in draw_learning(f"learn{number + 1}", case)]


def _stats(runs: Sequence[Run], groups: Sequence[Sequence[Case]], *, all_simulated: bool) -> list[Stat]:
    finished = sum(one.metadata.finished for one in runs)
    stats = [Stat(f"{finished}", f"of {len(runs)} runs finished", "" if finished == len(runs) else "bad")]
    for group in groups[:1]:
        first = group[0].tested[0].evaluation
        stats.append(Stat(f"{first.videos:,}", f"videos of held-out subjects, in {first.windows:,} windows"))
        known = [one for one in group if np.isfinite(one.summary("mae_bpm").value)]
        if known:
            best = min(known, key=lambda one: one.summary("mae_bpm").value)
            constant = best.tested[0].evaluation.score("constant").mae_bpm.value
            value = best.summary("mae_bpm").value
            mark = f" ({best.mark})" if best.mark and not all_simulated else ""
            # few videos prove nothing; a network that a constant beats is never good
            tone = "bad" if not value < constant else "good" if first.videos - first.unlabeled_videos >= ENOUGH else ""
            stats.append(Stat(f"{value:.2f} bpm", f"smallest MAE: {best.label}{mark}", tone))
            stats.append(Stat(f"{constant:.2f} bpm", f"MAE of the constant, which a network must beat{mark}"))
    return stats


def _notes(runs: Sequence[Run]) -> list[str]:
    found: dict[str, list[str]] = {}
    for run in runs:
        for one in filter(None, (run.own, *run.others)):
            for note in one.evaluation.notes:
                where = "" if one is run.own else f" on {one.evaluation.maps.name}"
                found.setdefault(note, []).append(run.metadata.name + where)
    return [f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}" for note, names in found.items()]


def draw_bands(name: str, group: Sequence[Case]) -> Figure:
    """Draw the mean absolute error by band of true heart rate: of up to four cases, with attention where there are any, and the constant."""
    cases = [one for one in group if "attention" in one.config.network] or list(group)
    cases.sort(key=lambda one: one.config.augment == "plan")
    first = cases[0].tested[0].evaluation
    bands = [one for one in BANDS if one in first.names("band")]
    counts = [first.score("network", "band", one) for one in bands]
    groups = []
    for number, case in enumerate(cases[:4]):
        found = [case.summary("mae_bpm", "band", one) for one in bands]
        ends = [(one.low, one.high) if one.runs == 1 else (one.value - one.spread, one.value + one.spread) for one in found]
        groups.append(Bars(_with_mark(case), COLORS[number], [one.value for one in found], ends))
    if len(groups) < len(COLORS):
        values = [first.score("constant", "band", one).mae_bpm for one in bands]
        groups.append(Bars(TITLES["constant"], COLORS[len(groups)], [one.value for one in values]))
    names = [f"{one} ({score.n + score.n_missing})" for one, score in zip(bands, counts, strict=True)]
    caption = (
        "Lines are bootstrap intervals of a single seed, or the standard deviation over several. Good: low bars of one height. Bad: high bars at "
        "both ends, which say that the network answers with the mean rate."
    )
    chart = grouped_bars(names, groups, x_label="true heart rate in bpm (videos)", y_label="MAE (bpm)")
    return Figure(name, "Error by true heart rate", caption, chart, wide=True)


def draw_agreement(name: str, case: Case) -> list[Figure]:
    """Draw scatter and Bland-Altman of the first seed."""
    videos = [one for one in case.tested[0].videos if np.isfinite(one.true_bpm)]
    true, estimated = [one.true_bpm for one in videos], [one.predicted_bpm for one in videos]
    names = [one.recording_id for one in videos]
    label = _with_mark(case) + (f", seed {case.seeds[0]}" if len(case.seeds) > 1 else "")
    cloud = (
        "One dot is one video. Good: dots along the line. Bad: a flat cloud at the height of the mean rate; such a network has learned "
        "what most people have, not what is in the video."
    )
    band = "Good: a narrow band around 0. Bad: a slope, falling from left to right where low rates come out too high and high ones too low."
    return [
        Figure(f"{name}-scatter", f"Estimate and truth: {label}", cloud, scatter(true, estimated, names, within_bpm=_NEAR_BPM)),
        Figure(f"{name}-bland", f"Bland-Altman: {label}", band, bland_altman(true, estimated, names)),
    ]


def draw_learning(name: str, case: Case) -> list[Figure]:
    """Draw loss and validation error over epochs, a line for each fold and seed; no figure where no history is known."""
    curves = [(run, fold, rows) for run in case.runs for fold, rows in sorted(run.histories.items()) if rows]
    if not curves:
        return []
    caption = (
        "Good: the loss falls and levels off, and the validation error with it. Bad: a validation error that rises again while the loss "
        "falls (the network memorizes the training subjects), or a loss that never falls."
    )
    figures = []
    for column, color, title, y_label in (
        ("train_loss", "s1", "Training loss", "loss (standard deviations)"),
        ("validation_mae_bpm", "s2", "Validation error", "MAE of windows (bpm)"),
    ):
        lines = [
            Line(f"{run.metadata.name}, fold {fold}", color, [row["epoch"] for row in rows], [row[column] for row in rows])
            for run, fold, rows in curves
        ]
        chart = replace(
            line_chart(lines, x_label="epoch", y_label=y_label), text=f"{y_label} of {len(curves)} networks over epochs"
        )
        if chart.content:
            figures.append(Figure(f"{name}-{column.replace('_', '-')}", f"{title}: {_with_mark(case)}", caption, chart))
    return figures


def _with_mark(case: Case) -> str:
    return f"{case.label} ({case.mark})" if case.mark else case.label
