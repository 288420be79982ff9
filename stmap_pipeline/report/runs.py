"""The report of runs: one page with the results of a paper, or its tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from stmap_pipeline.errors import ModelError, OutputError
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.report import summary
from stmap_pipeline.report.figures import Figure
from stmap_pipeline.report.maps import Kind, check_target
from stmap_pipeline.report.page import environment
from stmap_pipeline.report.runs_about import about_runs
from stmap_pipeline.report.runs_attention import show_attention
from stmap_pipeline.report.runs_cases import Case, cross_cases, within_cases
from stmap_pipeline.report.runs_data import published_table, score_table
from stmap_pipeline.report.runs_effects import find_effects
from stmap_pipeline.report.runs_page import RunsContent, render_runs
from stmap_pipeline.report.runs_read import Run, find_runs, load_run
from stmap_pipeline.report.runs_tables import (
    ablation_table,
    band_table,
    effect_table,
    part_table,
    result_table,
    run_table,
)
from stmap_pipeline.report.tables import Table, write_tables
from stmap_pipeline.shards import Shards


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
        Say that nobody was filmed, where the maps cannot know.
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
        Where Jinja2 is not installed.

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
    _check_not_in_run(paths, target)
    if kind == "html":
        # said before the work, not after it
        environment()
    found = [load_run(one, simulated=simulated) for one in paths]
    within, cross = within_cases(found), cross_cases(found)
    tested = [one for run in found for one in (run.own, *run.others) if one is not None]
    marks = {bool(one.mark) for one in tested} or {run.facts.maps.simulated for run in found}
    effects, troubles = find_effects(within)
    tables = {
        "within": _results("within", "Held-out persons of the same database", within),
        "cross": _results("cross", "Another database", cross),
        "ablation": [
            ablation_table(group) if number == 0 else _renamed(ablation_table(group), number)
            for number, group in enumerate(same_videos(within))
        ],
        "bands": [band_table(f"bands{_suffix(number)}", group) for number, group in enumerate(same_videos(within))],
        "parts": [
            table
            for number, group in enumerate(same_videos(within))
            for name, words in (("scenario", "scenario"), ("camera", "source"), ("fold", "fold"))
            if (table := part_table(f"{name}{_suffix(number)}", name, words, group)) is not None  # type: ignore[arg-type]
        ],
        "runs": [run_table(found)],
    }
    for idea, title in (("attention", "Does attention help?"), ("augmentation", "Do resampled windows help?")):
        chosen = [one for one in effects if one.idea == idea]
        tables[idea] = [effect_table(f"effect_{idea}", title, chosen)] if chosen else []
    if kind == "html":
        content = RunsContent(
            runs=found,
            within=within,
            cross=cross,
            groups=same_videos(within),
            tables=tables,
            troubles=troubles,
            attention=show_attention(within, given),
            rates=_heart_rates(given, simulated=simulated),
            about=about_runs(found, given, simulated=marks == {True}, command=command),
            all_simulated=marks == {True},
            any_simulated=True in marks,
        )
        atomic_write_text(target, render_runs(content))
    else:
        about = {"runs": ", ".join(map(str, paths)), "simulated": marks == {True}}
        write_tables(_for_programs(found, tables) if kind != "latex" else _for_paper(tables), target, kind, about=about)
    return target


def same_videos(cases: Sequence[Case]) -> list[list[Case]]:
    """Divide cases into lists that can stand in one table: of one pair of databases, on the same videos.

    Examples
    --------
    >>> same_videos([])
    []
    """

    def key(one: Case) -> tuple[str, ...]:
        said = one.tested[0].evaluation
        return (*one.databases, said.maps.traces_sha256, str(said.folds), one.mark)

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


def _check_not_in_run(runs: Sequence[Path], target: Path) -> None:
    for one in runs:
        if target.resolve() == one.resolve():
            raise OutputError(f"{target}: is the folder of a run; write the report beside it")


def _results(name: str, title: str, cases: Sequence[Case]) -> list[Table]:
    found = []
    for number, group in enumerate(same_videos(cases)):
        trained, tested = group[0].databases
        said = group[0].tested[0].evaluation
        which = (
            f"{tested}, {said.maps.name}" if name == "within" else f"trained on {trained}, tested on {tested} ({said.maps.name})"
        )
        found.append(result_table(f"{name}{_suffix(number)}", f"{title}: {which}", group))
    return found


def _suffix(number: int) -> str:
    return f"_{number + 1}" if number else ""


def _renamed(table: Table, number: int) -> Table:
    return Table(f"{table.name}{_suffix(number)}", table.title, table.caption, table.fields, table.rows)


def _heart_rates(maps: Sequence[Path], *, simulated: bool) -> list[Figure]:
    if not maps:
        return []
    # the first alone: a name on the page is given once
    with Shards(maps[0]) as shards:
        figures = summary.draw_heart_rates(summary.count_heart_rates(shards))
        mark = " (simulated)" if simulated or shards.simulated else ""
    return [replace(one, title=one.title + mark) for one in figures]


def _for_programs(runs: Sequence[Run], tables: dict[str, list[Table]]) -> list[Table]:
    return [score_table(runs), published_table(), *tables["runs"]]


def _for_paper(tables: dict[str, list[Table]]) -> list[Table]:
    return [one for name in ("within", "cross", "ablation", "attention", "augmentation", "bands", "parts") for one in tables[name]]
