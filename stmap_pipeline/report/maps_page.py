"""The page of a report of maps, from what was computed before: nothing here opens a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stmap_pipeline.records import Outcome
from stmap_pipeline.report import summary
from stmap_pipeline.report.detail import Detail
from stmap_pipeline.report.figures import Figure, strip_plot
from stmap_pipeline.report.metrics import METRICS
from stmap_pipeline.report.page import Page, Section, Stat, render
from stmap_pipeline.report.provenance import About
from stmap_pipeline.report.quality import Quality
from stmap_pipeline.report.tables import UNKNOWN, percent

#: How many messages of one reason are shown before the rest is folded away.
MESSAGES = 10
NEAR_BPM = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class MapsContent:
    """What a report of maps tells.

    Parameters
    ----------
    outcomes : sequence of Outcome
    qualities : sequence of Quality
        One for each recording that was built.
    thumbs : mapping of str to str
        Data URI of the small map, by recording.
    details : mapping of str to Detail
        Sections on the page itself, by recording.
    links : mapping of str to str
        Where the details of a recording are.
    rates : HeartRates
    source : mapping of str to str
        Of :func:`~.provenance.database_of`.
    about : About
    simulated : bool
    plan : mapping, optional
        Of the augmentation.
    folder : str
        Name of the folder of linked files; empty where there is none.
    """

    outcomes: Sequence[Outcome]
    qualities: Sequence[Quality]
    thumbs: Mapping[str, str]
    details: Mapping[str, Detail]
    links: Mapping[str, str]
    rates: summary.HeartRates
    source: Mapping[str, str]
    about: About
    simulated: bool
    plan: Mapping[str, Any] | None = None
    folder: str = ""


def render_maps(content: MapsContent) -> str:
    """Write the page.

    Raises
    ------
    StmapError
        Where Jinja2 is not installed.
    """
    table = summary.recording_table(content.qualities, content.links, content.thumbs)
    order = [row["recording_id"] for row in table.rows]
    rates, source = content.rates, content.source
    sections = [
        Section("built", "Built, skipped, failed"),
        Section("heart-rates", "Heart rates"),
        Section("metrics", "Quality"),
        Section("recordings-all", "Recordings"),
        *([Section("details", "Details")] if content.details else []),
    ]
    what = "What was built and what was not, which heart rates there are, and how good each recording is."
    page = Page(
        f"Maps of {source['Key'] or source['Name'] or 'an unnamed database'}",
        what if source["Name"] == source["Key"] else f"{source['Name'][:1].upper()}{source['Name'][1:]}. {what}",
        sections,
        content.about,
        content.simulated,
    )
    return render(
        "maps.html",
        page,
        stats=_stats(content),
        outcomes=summary.outcome_table(content.outcomes),
        reasons=summary.group_reasons(content.outcomes),
        messages=MESSAGES,
        built=len(content.qualities),
        windows=int(rates.recorded.sum() + rates.added.sum()) + rates.unlabeled_windows,
        labeled=int(rates.recorded.sum()),
        rate_figures=summary.draw_heart_rates(rates),
        short=[one for one in (content.plan or {}).get("bins", []) if one.get("shortfall")],
        metrics=METRICS,
        strips=_strips(content.qualities),
        quality=summary.metric_table(content.qualities),
        recordings=table,
        details=[content.details[name] for name in order if name in content.details],
        linked=content.folder,
    )


def _stats(content: MapsContent) -> list[Stat]:
    counts = {status: sum(one.status == status for one in content.outcomes) for status in ("ok", "skipped", "failed")}
    errors = [one.abs_error_bpm for one in content.qualities if one.abs_error_bpm == one.abs_error_bpm]
    near = sum(one <= NEAR_BPM for one in errors)
    rates = content.rates
    windows = int(rates.recorded.sum()) + rates.unlabeled_windows
    return [
        Stat(f"{counts['ok']:,}", f"recordings built, of {len(content.outcomes):,} listed"),
        Stat(f"{counts['failed']:,}", "failed", "bad" if counts["failed"] else ""),
        Stat(f"{counts['skipped']:,}", "skipped, with a reason"),
        Stat(f"{len({one.subject for one in content.qualities}):,}", "subjects"),
        Stat(f"{windows:,}", "windows as recorded"),
        Stat(f"{int(rates.added.sum()):,}", "windows added by resampling"),
        Stat(percent(near / len(errors)) if errors else UNKNOWN, f"of labeled recordings with POS within {NEAR_BPM:g} bpm"),
    ]


def _strips(qualities: Sequence[Quality]) -> list[Figure]:
    return [
        strip_plot(
            f"q-{metric.name.replace('_', '-')}",
            metric.field.heading[0].upper() + metric.field.heading[1:],
            metric.reading,
            {one.recording_id: getattr(one, metric.name) for one in qualities},
            x_label=metric.axis,
            limits=metric.limits,
            worst=metric.worst,
            # the one figure that sums up all others
            wide=metric is METRICS[0],
        )
        for metric in METRICS
    ]
