"""The report of runs: one page with the results of a paper, or its tables alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from stmap_pipeline.errors import ModelError, OutputError
from stmap_pipeline.evaluation import BANDS
from stmap_pipeline.evaluation.result import Group
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.report.attention import show_attention
from stmap_pipeline.report.charts import COLORS, Bars, Chart, Line, Panel, bland_altman, grouped_bars, line_chart, scatter
from stmap_pipeline.report.maps_report import Kind, count_heart_rates, recording_links
from stmap_pipeline.report.page import Page, Stat, check_extra, render
from stmap_pipeline.report.provenance import about_runs, study_name
from stmap_pipeline.report.runs import Case, Run, cross_cases, find_runs, load_run, within_cases
from stmap_pipeline.report.runs_tables import (
    TITLES,
    ablation_table,
    band_table,
    effect_tables,
    find_effects,
    part_table,
    published_table,
    result_table,
    run_table,
    score_table,
    sources_of,
)
from stmap_pipeline.report.tables import Table, marked, write_tables
from stmap_pipeline.shards import Shards

BANNER = (
    "Rows, tables and figures that are marked so come from simulated recordings. They show that the software works and say nothing about people. "
    "Errors published by others stand beside them for orientation alone: they were measured on filmed people."
)
_NEAR_BPM = 10.0
# how the videos are divided, and what the page calls it
_PARTS: dict[Group, str] = {"scenario": "scenario", "camera": "source", "fold": "fold"}
_MOST_PARTS = 16


def write_runs_report(
    runs: Sequence[str | Path],
    output: str | Path,
    kind: Kind = "html",
    *,
    maps: Sequence[str | Path] = (),
    simulated: bool = False,
    title: str = "",
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
    title : str
        Name of the study, for the heading; without it the page is named after the run, or after the folder of the runs.
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
        # report.html of the maps is theirs
        if target.resolve().is_relative_to(one.resolve()):
            raise OutputError(
                f"{target}: lies inside {one}, which holds the build; write it into the folder of the run, or elsewhere"
            )
    if target.resolve() in [one.resolve() for one in paths]:
        raise OutputError(f"{target}: is the folder of a run; write the report beside it")
    if kind == "html":
        check_extra()
    found = [load_run(one, simulated=simulated) for one in paths]
    within, cross = within_cases(found), cross_cases(found)
    groups = same_videos(within)
    tested = [one for run in found for one in (run.own, *run.others) if one is not None]
    marks = {bool(one.mark) for one in tested} or {run.metadata.maps.simulated for run in found}
    synthetic = marks == {True}
    effects, troubles = find_effects(within)
    tables = {
        "within": _numbered(partial(result_table, "within", "Held-out subjects of the same database"), groups),
        "cross": _numbered(partial(result_table, "cross", "Another database"), same_videos(cross)),
        "ablation": _numbered(ablation_table, groups),
        "attention": effect_tables("attention", "Does attention help?", effects),
        "augmentation": effect_tables("augmentation", "Do resampled windows help?", effects),
        "bands": _numbered(band_table, groups),
        "parts": [one for by, title in _PARTS.items() for one in _numbered(partial(part_table, by, title), groups)],
        "runs": [run_table(found)],
    }
    if kind == "html":
        count = len(found)
        page = Page(
            title or runs_title(found),
            f"Errors on subjects that the {'network' if count == 1 else 'networks'} never saw, beside those of a constant, of classical methods, "
            "and published ones.",
            about_runs(found, given, simulated=synthetic, command=command),
            synthetic,
            banner=BANNER if True in marks else "",
        )
        rates = []
        # of the first alone: a name on the page is given once
        for one in given[:1]:
            with Shards(one) as shards:
                rates.append((count_heart_rates(shards), "simulated" if simulated or shards.simulated else ""))
        text = render(
            "runs.html",
            page,
            stats=_stats(found, groups, all_simulated=synthetic),
            tables=tables,
            attention=show_attention(within, given),
            bands=[(band_chart(group), group[0].mark) for group in groups],
            rates=rates,
            parts=[
                (f"parts-{by}-{number}", f"MAE by {_PARTS[by]}", chart, group[0].mark)
                for number, group in enumerate(groups, 1)
                for by in _PARTS
                if (chart := part_chart(group, by)) is not None
            ],
            recording_links={key: place for one in given for key, place in recording_links(one, target).items()},
            agreement=[(f"case{n}", *agreement_charts(one)) for n, one in enumerate(within, 1)]
            + [(f"cross{n}", *agreement_charts(one)) for n, one in enumerate(cross, 1)],
            learning=_learning([*within, *cross]),
            sources=dict.fromkeys(pair for case in (*within, *cross) for pair in sources_of(case)),
            troubles=troubles,
            notes=_notes(found),
            problems=[(str(one.metadata.path), problem) for one in found for problem in one.problems],
            crossed=any(one.others for one in found),
        )
        atomic_write_text(target, text)
    else:
        about = {"runs": ", ".join(map(str, paths)), "simulated": synthetic}
        for_paper = [one for name, many in tables.items() if name != "runs" for one in many]
        for_programs = [score_table(found), published_table(), *tables["runs"]]
        write_tables(for_paper if kind == "latex" else for_programs, target, kind, about=about)
    return target


def runs_title(runs: Sequence[Run]) -> str:
    """Return the heading of a page about runs: the database they were trained on, and the name of the run or of their folder.

    Examples
    --------
    >>> from stmap_pipeline.evaluation.example import example_run
    >>> runs_title([load_run(example_run()[0])])
    'Heart rate by a network trained on example: run'
    """
    databases = list(dict.fromkeys(one.metadata.maps.database for one in runs))
    trained = f" trained on {databases[0]}" if len(databases) == 1 and databases[0] not in ("", "folder") else ""
    what = "a network" if len(runs) == 1 else "networks"
    study = study_name([one.metadata.path for one in runs])
    return f"Heart rate by {what}{trained}{f': {study}' if study else ''}"


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


def _numbered(make: Callable[[Sequence[Case]], Table | None], groups: Sequence[Sequence[Case]]) -> list[Table]:
    """Make a table of each group; names from the second on have a number."""
    made = [(number, table) for number, group in enumerate(groups, 1) if (table := make(group)) is not None]
    return [replace(table, name=f"{table.name}_{number}") if number > 1 else table for number, table in made]


def _learning(cases: Sequence[Case]) -> list[tuple[Case, Chart, Chart]]:
    """Draw the learning curves of each run once."""
    seen: set[Path] = set()
    found = []
    for case in cases:
        paths = {one.metadata.path for one in case.runs}
        if not paths & seen and any(rows for run in case.runs for rows in run.histories.values()):
            found.append((case, *learning_charts(case)))
        seen |= paths
    return found


def _stats(runs: Sequence[Run], groups: Sequence[Sequence[Case]], *, all_simulated: bool) -> list[Stat]:
    finished = sum(one.metadata.finished for one in runs)
    stats = [
        Stat(
            f"{finished} of {len(runs)}", f"{'run' if len(runs) == 1 else 'runs'} finished", "" if finished == len(runs) else "bad"
        )
    ]
    for group in groups[:1]:
        first = group[0].tested[0].evaluation
        stats.append(Stat(f"{first.videos:,}", f"videos of held-out subjects, in {first.windows:,} windows"))
        errors = {one: one.summary("mae_bpm").value for one in group}
        if known := [one for one in group if np.isfinite(errors[one])]:
            best = min(known, key=errors.__getitem__)
            constant, value = best.tested[0].evaluation.score("constant").mae_bpm.value, errors[best]
            mark = "" if all_simulated else best.mark
            stats.append(Stat(f"{value:.2f} bpm", marked(f"smallest MAE of a network: {best.label}", mark), best.tone))
            stats.append(Stat(f"{constant:.2f} bpm", marked("MAE of the constant, which a network must beat", mark)))
    return stats


def _notes(runs: Sequence[Run]) -> list[str]:
    found: dict[str, list[str]] = {}
    for run in runs:
        for one in filter(None, (run.own, *run.others)):
            for note in one.evaluation.notes:
                where = "" if one is run.own else f" on {one.evaluation.maps.name}"
                found.setdefault(note, []).append(run.metadata.name + where)
    return [f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}" for note, names in found.items()]


def band_chart(group: Sequence[Case]) -> Chart:
    """Draw the mean absolute error by band of true heart rate."""
    parts = group[0].tested[0].evaluation.names("band")
    return _error_bars(group, "band", [one for one in BANDS if one in parts], "true heart rate in bpm (videos)")


def part_chart(group: Sequence[Case], by: Group) -> Chart | None:
    """Draw the mean absolute error by scenario, camera or fold; None where the videos are not divided so, or into too many for a chart."""
    parts = group[0].tested[0].evaluation.names(by)
    return _error_bars(group, by, parts, f"{_PARTS[by]} (videos)") if 2 <= len(parts) <= _MOST_PARTS else None


def _error_bars(group: Sequence[Case], by: Group, parts: Sequence[str], x_label: str) -> Chart:
    """Draw the mean absolute error by part: of up to four cases, with attention where there are any, and the constant."""
    cases = [one for one in group if "attention" in one.config.network] or list(group)
    cases.sort(key=lambda one: one.config.augment == "plan")
    first = cases[0].tested[0].evaluation
    groups = []
    for color, case in zip(COLORS, cases, strict=False):
        found = [case.summary("mae_bpm", by, one) for one in parts]
        ends = [(one.low, one.high) if one.runs == 1 else (one.value - one.spread, one.value + one.spread) for one in found]
        groups.append(Bars(case.label, color, [one.value for one in found], ends))
    if len(groups) < len(COLORS):
        values = [first.score("constant", by, one).mae_bpm.value for one in parts]
        groups.append(Bars(TITLES["constant"], COLORS[len(groups)], values))
    counts = [first.score("network", by, one) for one in parts]
    names = [f"{one} ({score.n + score.n_missing})" for one, score in zip(parts, counts, strict=True)]
    return grouped_bars(names, groups, x_label=x_label, y_label="MAE (bpm)")


def agreement_charts(case: Case) -> tuple[Case, Chart, Chart]:
    """Draw scatter and Bland-Altman of the first seed."""
    videos = [one for one in case.tested[0].videos if np.isfinite(one.true_bpm)]
    true, estimated = [one.true_bpm for one in videos], [one.predicted_bpm for one in videos]
    names = [one.recording_id for one in videos]
    return case, scatter(true, estimated, names, within_bpm=_NEAR_BPM), bland_altman(true, estimated, names)


def learning_charts(case: Case) -> tuple[Chart, Chart]:
    """Draw loss and validation error over epochs, a line for each fold and seed."""
    curves = [(run, fold, rows) for run in case.runs for fold, rows in sorted(run.histories.items()) if rows]

    def chart(column: str, color: str, y_label: str) -> Chart:
        lines = [
            Line(
                f"{run.metadata.name}, fold {fold}",
                # a legend of a few lines tells them apart; more have none, and are named by hovering
                COLORS[n] if len(curves) <= len(COLORS) else color,
                [row["epoch"] for row in rows],
                [row[column] for row in rows],
            )
            for n, (run, fold, rows) in enumerate(curves)
        ]
        text = f"{y_label} of {len(curves)} {'network' if len(curves) == 1 else 'networks'} over epochs"
        return replace(line_chart(Panel(lines, "epoch", y_label)), text=text)

    return chart("train_loss", "s1", "loss"), chart("validation_mae_bpm", "s2", "MAE of windows (bpm)")
