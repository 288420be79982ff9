"""The page of a report of runs, from what was computed before: nothing here opens a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stmap_pipeline.report.figures import Figure
from stmap_pipeline.report.page import Page, Section, Stat, render
from stmap_pipeline.report.provenance import About
from stmap_pipeline.report.runs_attention import Attention
from stmap_pipeline.report.runs_cases import Case
from stmap_pipeline.report.runs_figures import draw_agreement, draw_bands, draw_learning
from stmap_pipeline.report.runs_read import Run
from stmap_pipeline.report.runs_tables import sources_of
from stmap_pipeline.report.tables import Table

BANNER = (
    "Numbers of ours on this page come from simulated recordings wherever they say so. They show that the software works and say nothing about people. "
    "Figures published by others stand beside them for orientation alone: they were measured on filmed people."
)


@dataclass(frozen=True, slots=True, eq=False)
class RunsContent:
    """What a report of runs tells.

    Parameters
    ----------
    runs : sequence of Run
    within, cross : sequence of Case
    groups : sequence of sequence of Case
        Those of ``within`` that were evaluated on the same videos.
    tables : mapping of str to sequence of Table
        By section.
    troubles : sequence of str
        What could not be compared.
    attention : Attention
    rates : sequence of Figure
        Heart rates of the maps.
    about : About
    all_simulated, any_simulated : bool
        Whether all, or some, of the evaluations are on simulated recordings.
    """

    runs: Sequence[Run]
    within: Sequence[Case]
    cross: Sequence[Case]
    groups: Sequence[Sequence[Case]]
    tables: Mapping[str, Sequence[Table]]
    troubles: Sequence[str]
    attention: Attention
    rates: Sequence[Figure]
    about: About
    all_simulated: bool
    any_simulated: bool


def render_runs(content: RunsContent) -> str:
    """Write the page.

    Raises
    ------
    StmapError
        Where Jinja2 is not installed.
    """
    sections = [
        Section("same-database", "Same database"),
        Section("other-database", "Other database"),
        Section("ablation-cells", "Ablation"),
        Section("attention", "Attention"),
        Section("resampling", "Resampled windows"),
        Section("agreement", "Agreement"),
        Section("learning", "Learning"),
        Section("parts", "Parts"),
        Section("runs-all", "Runs"),
    ]
    count = len(content.runs)
    page = Page(
        "Heart rate by trained networks",
        f"What {count} {'run says' if count == 1 else 'runs say'} of persons {'it' if count == 1 else 'they'} never saw, beside a constant, classical methods, "
        "and what others published.",
        sections,
        content.about,
        content.all_simulated,
        banner=BANNER if content.any_simulated else "",
    )
    return render(
        "runs.html",
        page,
        stats=_stats(content),
        tables=content.tables,
        sources=dict.fromkeys(pair for cases in (content.within, content.cross) for case in cases for pair in sources_of([case])),
        troubles=content.troubles,
        attention=replace(content.attention, figures=_unmarked(content, content.attention.figures)),
        rates=_unmarked(content, content.rates),
        band_figures=[_bands(number, group) for number, group in enumerate(content.groups)],
        agreement=_unmarked(content, _agreement(content)),
        learning=_unmarked(
            content, [one for number, case in enumerate(_trained(content)) for one in draw_learning(f"learn{number + 1}", case)]
        ),
        notes=_notes(content),
        problems=[(str(one.facts.path), problem) for one in content.runs for problem in one.problems],
        crossed=any(one.others for one in content.runs),
    )


def _agreement(content: RunsContent) -> list[Figure]:
    return [
        figure
        for name, cases in (("case", content.within), ("cross", content.cross))
        for number, case in enumerate(cases)
        for figure in draw_agreement(f"{name}{number + 1}", case)
    ]


def _bands(number: int, group: Sequence[Case]) -> Figure:
    # the whole method and the same without the windows that are in question: what the paper calls the effectiveness of its augmentation
    pairs = [one for one in group if "attention" in one.config.network] or list(group)
    return draw_bands(
        f"bands-{number + 1}", "Error by true heart rate", sorted(pairs, key=lambda one: one.config.augment == "plan")
    )


def _trained(content: RunsContent) -> list[Case]:
    """Cases whose learning curves are drawn: each run once."""
    seen: set[str] = set()
    found = []
    for case in (*content.within, *content.cross):
        names = {str(one.facts.path) for one in case.runs}
        if not names & seen:
            found.append(case)
            seen |= names
    return found


def _stats(content: RunsContent) -> list[Stat]:
    finished = sum(one.facts.finished for one in content.runs)
    stats = [Stat(f"{finished}", f"of {len(content.runs)} runs finished", "" if finished == len(content.runs) else "bad")]
    for group in content.groups[:1]:
        first = group[0].tested[0].evaluation
        stats.append(Stat(f"{first.videos:,}", f"videos of persons held out, in {first.windows:,} windows"))
        known = [one for one in group if np.isfinite(one.summary("mae_bpm").value)]
        if known:
            best = min(known, key=lambda one: one.summary("mae_bpm").value)
            constant = best.tested[0].evaluation.score("constant").mae_bpm.value
            value = best.summary("mae_bpm").value
            mark = f" ({best.mark})" if best.mark and not content.all_simulated else ""
            stats.append(Stat(f"{value:.2f} bpm", f"smallest MAE: {best.label}{mark}", "good" if value < constant else "bad"))
            stats.append(Stat(f"{constant:.2f} bpm", f"MAE of the constant, which a network must beat{mark}"))
    return stats


def _notes(content: RunsContent) -> list[str]:
    found: dict[str, list[str]] = {}
    for run in content.runs:
        for one in filter(None, (run.own, *run.others)):
            for note in one.evaluation.notes:
                where = "" if one is run.own else f" on {one.evaluation.maps.name}"
                found.setdefault(note, []).append(run.facts.name + where)
    return [f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}" for note, names in found.items()]


def _unmarked(content: RunsContent, figures: Sequence[Figure]) -> list[Figure]:
    """Take a mark out of titles that the page itself puts behind each of them."""
    return (
        [replace(one, title=one.title.replace(" (simulated)", "")) for one in figures] if content.all_simulated else list(figures)
    )
