"""Tables of a report of runs: formatted cells for its page and for a paper, plain numbers for programs.

Whether an idea helps is computed here as well: pairs of cases that differ in it alone, compared on the same videos.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import nan
from typing import Any

import numpy as np

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation import BANDS, Difference, compare_runs
from stmap_pipeline.evaluation.metrics import MEASURES
from stmap_pipeline.evaluation.result import Group
from stmap_pipeline.report.published import PUBLISHED, RECALLED, Published, published_for
from stmap_pipeline.report.runs import ATTENTION, AUGMENT, ENOUGH, Case, Predictor, Run, Summary
from stmap_pipeline.report.tables import UNKNOWN, Field, Table, marked
from stmap_pipeline.training.run_folder import MapsMetadata

TITLES = {"constant": "constant: mean rate of the training", "green": "GREEN", "chrom": "CHROM", "pos": "POS"}

MEASURE_FIELDS = (
    Field("me_bpm", "ME", "bpm", "mean of estimate minus truth", "float", 2, True),
    Field("sd_bpm", "SD", "bpm", "standard deviation of estimate minus truth", "float", 2),
    Field("mae_bpm", "MAE", "bpm", "mean absolute error", "float", 2),
    Field("rmse_bpm", "RMSE", "bpm", "root mean square error", "float", 2),
    Field("mer_percent", "MER", "%", "mean absolute error as a share of the true rate", "float", 2),
    Field("r", "r", "1", "Pearson's correlation", "float", 2),
)


def predictors(cases: Sequence[Case]) -> list[Predictor]:
    """List the cases, then the methods without a network on the same videos.

    One of each method: they do not depend on what was trained, except the constant, which all cases of one split share.
    """
    return [*cases, *(Predictor(title, cases[0].tested[:1], method) for method, title in TITLES.items())]


def result_table(name: str, title: str, cases: Sequence[Case]) -> Table:
    """Return the errors of one pair of databases beside those of methods without a network and published ones.

    Parameters
    ----------
    name, title : str
    cases : sequence of Case
        Of one pair of databases, and on the same videos.
    """
    first = cases[0].tested[0].evaluation
    trained, tested = cases[0].databases
    # maps of a project are in a folder of the name of their database
    place = f" ({first.maps.name})" if first.maps.name != tested else ""
    which = f"{tested}{place}" if name == "within" else f"trained on {trained}, tested on {tested}{place}"
    ours = [one for one in predictors(cases) if one.scores()]
    rows = [_result_row(one) for one in ours]
    errors = [one.summary("mae_bpm").value for one in ours]
    best = int(np.nanargmin(errors)) if np.isfinite(errors).any() else 0
    # the smallest error alone is good, and what a constant beats is bad wherever it stands
    rows = [
        row | {"tone": one.tone if one.tone == "bad" or n == best else ""}
        for n, (row, one) in enumerate(zip(rows, ours, strict=True))
    ]
    rows += [_published_row(one) for one in _anchors(cases[0])]
    fields = [
        Field("method", "method"),
        Field("videos", "videos", "", "videos with an estimate, of those with a label", "int"),
        *MEASURE_FIELDS,
        Field("source", "source"),
    ]
    note = (
        "Errors of videos. Beside MAE and RMSE is their "
        f"{100 * first.bootstrap.confidence:.0f} % bootstrap interval, drawn by {first.bootstrap.unit}, where it is known; of several seeds, "
        "mean ± standard deviation over the seeds. Good: smaller than the constant, which uses nothing of the video; an ME near 0 and an r near 1. "
        "Compare the numbers of videos, too: leaving out hard ones makes every other number better. "
        "Red: no better than the constant. Green: the smallest MAE of this report, where it is below the constant by more than chance."
    )
    if any(len(one.runs) > 1 for one in cases):
        note += (
            " The identity RMSE\N{SUPERSCRIPT TWO} = ME\N{SUPERSCRIPT TWO} + SD\N{SUPERSCRIPT TWO} holds for each run, "
            "and for means over runs only nearly."
        )
    return Table(name, f"{title}: {which}", note, fields, rows)


def _result_row(one: Predictor) -> dict[str, Any]:
    seeds = f" ({len(one.tested)} seeds)" if len(one.tested) > 1 else ""
    counts = dict.fromkeys(
        f"{score.n:,}" if not score.n_missing else f"{score.n:,} of {score.n + score.n_missing:,}" for score in one.scores()
    )
    row = {"method": one.label + seeds, "videos": "; ".join(counts), "source": _source(one), "mark": one.mark}
    for measure in MEASURE_FIELDS:
        interval = measure.name in ("mae_bpm", "rmse_bpm")
        row[measure.name] = one.cell(measure.name, signed=measure.signed, interval=interval)
    return row


def _source(one: Predictor) -> str:
    return "this report" if one.method == "network" else "same windows"


def _published_row(one: Published) -> dict[str, Any]:
    numbers = {
        each.name: replace(each, digits=2 if each.name == "r" else one.digits).show(getattr(one, each.name))
        for each in MEASURE_FIELDS
    }
    mark = "" if one.verified else "unverified"
    return {"method": f"{one.method}, published", "videos": UNKNOWN, **numbers, "source": one.brief, "mark": mark}


def _anchors(case: Case) -> list[Published]:
    trained, tested = case.databases
    if found := published_for(trained, tested):
        return found
    # simulated maps imitate the paper's databases, and each row says what it is
    if case.tested[0].simulated:
        return published_for("vipl-hr", "vipl-hr" if case.tested[0].evaluation.held_out else "mmse-hr")
    return []


def band_table(cases: Sequence[Case]) -> Table:
    """Compute the mean absolute error by true heart rate, ours beside what can be computed from published results."""
    first = cases[0].tested[0]
    bands = [one for one in BANDS if one in first.evaluation.names("band")]
    fields = [
        Field("method", "method"),
        *(Field(one, one, "bpm", "MAE of videos with this true rate", "float", 2) for one in bands),
    ]
    fields.append(Field("source", "source"))
    counts = {one: first.evaluation.score("network", "band", one) for one in bands}
    videos = {one: f"{score.n + score.n_missing:,}" for one, score in counts.items()}
    rows: list[dict[str, Any]] = [{"method": "videos", "source": _source(cases[0]), "mark": cases[0].mark} | videos]
    rows += [
        {"method": one.label, "source": _source(one), "mark": one.mark}
        | {band: one.cell("mae_bpm", "band", band) for band in bands}
        for one in predictors(cases)
    ]
    rows += [
        {"method": f"{one.method}, published", "source": one.brief} | {band: f"{one.by_band[band]:.1f}" for band in bands}
        for one in _anchors(cases[0])
        if one.by_band
    ]
    note = (
        "The mean error hides where an estimate fails: at the rare low and high rates, which the resampled windows are to help. "
        "Good: bars of one height. Bad: the outer bands err several times as much as the middle one."
    )
    return Table("bands", "MAE by true heart rate", note, fields, rows)


def part_table(group: Group, title: str, cases: Sequence[Case]) -> Table | None:
    """Compute the mean absolute error by scenario, camera or fold; None where the data are not divided so."""
    first = cases[0].tested[0]
    parts = first.evaluation.names(group)
    if len(parts) < 2:
        return None
    columns = {f"case{number}" if one.method == "network" else one.method: one for number, one in enumerate(predictors(cases))}
    fields = [Field("part", title), Field("videos", "videos", "", "videos with a label", "int")]
    # columns of networks trained on simulated recordings stand beside others
    shared = cases[0].mark if len({one.mark for one in columns.values()}) == 1 else ""
    headings = {key: marked(one.label.partition(":")[0], "" if shared else one.mark) for key, one in columns.items()}
    fields += [Field(key, headings[key], "bpm", "MAE", "float", 2) for key in columns]
    rows = []
    for part in parts:
        score = first.evaluation.score("network", group, part)
        cells = {key: one.cell("mae_bpm", group, part, interval=one.method == "network") for key, one in columns.items()}
        rows.append({"part": part, "videos": score.n + score.n_missing, "mark": shared} | cells)
    note = "Mean absolute error. Good: all rows alike. Bad: one row far above the others; look for what its videos have in common."
    return Table(group, f"MAE by {title}", note, fields, rows)


def ablation_table(cases: Sequence[Case]) -> Table | None:
    """Lay out the cases by network and by what they were trained on; None where there is one alone."""
    if len(cases) < 2:
        return None
    networks = list(dict.fromkeys(one.config.network for one in cases))
    augments = [one for one in ("none", "plan") if any(case.config.augment == one for case in cases)]
    words = {"none": "windows as recorded", "plan": "with resampled windows"}
    fields = [Field("network", "network"), *(Field(one, words[one], "bpm", "MAE and RMSE", "float") for one in augments)]
    rows = []
    for network in networks:
        row = {"network": network, "mark": cases[0].mark}
        for augment in augments:
            found = [one for one in cases if (one.config.network, one.config.augment) == (network, augment)]
            row[augment] = "; ".join(_ablation_cell(one, named=len(found) > 1) for one in found) or UNKNOWN
        rows.append(row)
    note = (
        "MAE, then RMSE, over the same videos. Good: each step to the right and towards attention is smaller by more than its spread. "
        "Bad: a difference as large as the spread over seeds, which is chance."
    )
    return Table("ablation", "Attention and resampled windows", note, fields, rows)


def _ablation_cell(case: Case, *, named: bool) -> str:
    text = f"{case.summary('mae_bpm').text()}, RMSE {case.summary('rmse_bpm').text()}"
    return f"{case.label}: {text}" if named else text


def effect_tables(idea: str, title: str, effects: Sequence[Effect]) -> list[Table]:
    """List whether an idea helps on the same videos; no table where it was not compared."""
    effects = [one for one in effects if one.idea == idea]
    if not effects:
        return []
    fields = [
        Field("what", "what"),
        Field("part", "videos with"),
        Field("n", "videos", "", "that both have an estimate of", "int"),
        Field("without", "without", "bpm", "MAE without it", "float", 2),
        Field("with", "with it", "bpm", "MAE with it", "float", 2),
        Field("difference", "difference", "bpm", "MAE with minus without, and its interval", "float", 2),
        Field("verdict", "verdict"),
    ]
    rows = []
    for one in effects:
        both, figure = one.difference, one.difference.difference_bpm
        means = [Summary(value, nan, nan, nan, 1).text() for value in (both.first_mae_bpm, both.second_mae_bpm)]
        change = Summary(figure.value, nan, figure.low, figure.high, 1).text(signed=True)
        cells = dict(zip(("without", "with", "difference"), (*means, change), strict=True))
        part = "any rate" if both.group == "all" else f"{both.name} bpm"
        # a column of two words is easier to read on one line
        part, verdict = (text.replace(" ", "\N{NO-BREAK SPACE}") for text in (part, one.verdict))
        rows.append({"what": one.what, "part": part, "n": both.n, **cells, "verdict": verdict, "mark": one.mark})
    note = (
        "Errors of both on the same videos; of several seeds the error of a video is the mean over them. Below 0 it helps. "
        "Where the interval holds 0, these data do not decide. Of twenty comparisons of equals, one comes out as a difference by chance. "
        "How much seeds themselves vary is not in the interval; see the spread above. What helps and still errs as much as the constant is of no use."
    )
    return [Table(f"effect_{idea}", title, note, fields, rows)]


def run_table(runs: Sequence[Run]) -> Table:
    """List the runs and how far each is."""
    fields = [Field("run", "run"), Field("network", "network"), Field("protocol", "protocol"), Field("augment", "windows")]
    fields += [Field("seed", "seed", "", "", "int"), Field("epochs", "epochs", "", "", "int"), Field("maps", "trained on")]
    fields += [Field("state", "state")]
    rows = []
    for one in runs:
        config, maps = one.metadata.config, one.metadata.maps
        rows.append(
            {
                "run": str(one.metadata.path),
                "network": config.network,
                "protocol": config.protocol,
                "augment": AUGMENT[config.augment],
                "seed": config.seed,
                "epochs": config.epochs,
                "maps": _maps_text(maps),
                "state": "; ".join(one.problems) or "finished and evaluated",
            }
        )
    return Table("runs", "Runs", "", fields, rows)


def _maps_text(maps: MapsMetadata) -> str:
    more = [one for one in (maps.database, "simulated" if maps.simulated else "") if one not in ("", maps.path_name)]
    return f"{maps.path_name} ({', '.join(more)})" if more else maps.path_name


def sources_of(case: Case) -> list[tuple[str, str]]:
    """List the sources of the published errors shown beside a case: short name and full one."""
    return [(one.brief, one.source) for one in _anchors(case) if one.brief != one.source]


@dataclass(frozen=True, slots=True)
class Effect:
    """An idea on some videos.

    Parameters
    ----------
    what : str
        The idea, and on top of what.
    idea : {"attention", "augmentation"}
    difference : Difference
        Without it first, with it second.
    mark : str
        As :attr:`~.runs.Evaluated.mark`.
    constant_bpm : float
        Mean absolute error of the constant predictor on these videos.
    """

    what: str
    idea: str
    difference: Difference
    mark: str
    constant_bpm: float = nan

    @property
    def verdict(self) -> str:
        """Whether it helps, in a word."""
        one = self.difference
        if one.n < ENOUGH or one.difference_bpm.low != one.difference_bpm.low:
            return "too few videos"
        if not one.is_clear:
            return "no clear difference"
        if one.difference_bpm.value > 0:
            return "harms"
        return "helps, but no better than the constant" if one.second_mae_bpm >= self.constant_bpm else "helps"


def find_effects(cases: Sequence[Case]) -> tuple[list[Effect], list[str]]:
    """Compare each pair of cases that differ in attention, or in the resampled windows, alone.

    Returns
    -------
    (list of Effect, list of str)
        All videos and each band of heart rate; and what could not be compared.

    Examples
    --------
    >>> find_effects([])
    ([], [])
    """
    effects: list[Effect] = []
    troubles: list[str] = []
    for without, other in permutations(cases, 2):
        idea = _idea(without, other)
        if idea is None:
            continue
        shared = set(without.seeds) & set(other.seeds)
        sides = [
            [one.folder for one, seed in zip(case.tested, case.seeds, strict=True) if seed in shared] for case in (without, other)
        ]
        try:
            if not shared or len(sides[0]) != len(sides[1]):
                raise ModelError("they have no seeds in common")
            found = compare_runs(sides[0], sides[1], bootstrap=without.tested[0].evaluation.bootstrap)
        except ModelError as error:
            troubles.append(f"{without.label} and {other.label} are not compared: {error}")
            continue
        for one in found.rows:
            constant = other.constant(one.group, one.name)
            value = constant.mae_bpm.value if constant else nan
            effects.append(Effect(_words(idea, other), idea, one, without.mark, value))
    return effects, troubles


def _idea(without: Case, other: Case) -> str | None:
    one, two = without.config, other.config
    if (
        without.tested[0].evaluation.maps.traces_sha256 != other.tested[0].evaluation.maps.traces_sha256
        or without.mark != other.mark
    ):
        return None
    differ = {key for key in type(one).model_fields if key != "seed" and getattr(one, key) != getattr(two, key)}
    if differ == {"network"} and one.network == "resnet18" and two.network in ATTENTION:
        return "attention"
    return "augmentation" if differ == {"augment"} and one.augment == "none" else None


def _words(idea: str, case: Case) -> str:
    if idea == "attention":
        trained = "trained on windows as recorded" if case.config.augment == "none" else "trained on resampled windows, too"
        return f"attention ({case.config.network}), {trained}"
    return f"resampled windows, {case.config.network}"


def score_table(runs: Sequence[Run]) -> Table:
    """Return all numbers of all evaluations, a row each, for programs."""
    texts = ("run", "trained_on", "tested_on", "held_out", "simulated", "network", "augment", "protocol")
    fields = [Field(one, one) for one in texts] + [Field("seed", "seed", kind="int")]
    fields += [Field(one, one) for one in ("of", "method", "group", "name")]
    fields += [Field(one, one, kind="int") for one in ("n", "n_missing", "n_units")]
    for one in MEASURE_FIELDS:
        fields += [
            Field(one.name, one.heading, one.unit, one.description, "float"),
            Field(f"{one.name}_low", f"{one.heading}, lower end", one.unit, "lower end of its interval", "float"),
            Field(f"{one.name}_high", f"{one.heading}, upper end", one.unit, "upper end of its interval", "float"),
        ]
    return Table("scores", "All numbers", "", fields, list(_score_rows(runs)))


def _score_rows(runs: Sequence[Run]) -> Iterator[Mapping[str, Any]]:
    for run in runs:
        config = run.metadata.config
        for tested in filter(None, (run.own, *run.others)):
            evaluation = tested.evaluation
            head = {
                "run": str(run.metadata.path),
                "trained_on": run.metadata.maps.database,
                "tested_on": evaluation.maps.database,
                "held_out": "yes" if evaluation.held_out else "no",
                "simulated": tested.mark or "no",
                "network": config.network,
                "augment": config.augment,
                "protocol": config.protocol,
                "seed": config.seed,
            }
            for row in evaluation.rows:
                score, where = row.score, {"of": row.of, "method": row.method, "group": row.group, "name": row.name}
                numbers: dict[str, Any] = {"n": score.n, "n_missing": score.n_missing, "n_units": score.n_units}
                for name in MEASURES:
                    figure = getattr(score, name)
                    numbers |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
                yield head | where | numbers


def published_table() -> Table:
    """Return what others published, for programs: apart from ours, with provenance."""
    fields = [Field(one, one) for one in ("method", "trained_on", "tested_on", "source", "verified")]
    fields += [Field(one.name, one.heading, one.unit, one.description, "float") for one in MEASURE_FIELDS]
    rows = [
        {one.name: getattr(row, one.name) for one in fields} | {"verified": "yes" if row.verified else f"no: {RECALLED}"}
        for row in PUBLISHED
    ]
    return Table("published", "Published by others", "", fields, rows)
