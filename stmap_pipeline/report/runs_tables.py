"""Tables of a report of runs: formatted cells for its page and for a paper, plain numbers for programs.

Whether an idea helps is computed here as well: pairs of cases that differ in it alone, compared on the same videos.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation import BANDS, Difference, Score, compare_runs
from stmap_pipeline.evaluation.metrics import MEASURES
from stmap_pipeline.evaluation.result import Group
from stmap_pipeline.report.published import PUBLISHED, RECALLED, Published, published_for
from stmap_pipeline.report.runs import ATTENTION, AUGMENT, Case, Evaluated, Run, Summary, score_of, summarize
from stmap_pipeline.report.tables import UNKNOWN, Field, Table

TITLES = {"constant": "constant: mean rate of the training", "green": "GREEN", "chrom": "CHROM", "pos": "POS"}
OURS = "this report"
#: Videos from which on an interval is taken at its word.
ENOUGH = 10


MEASURE_FIELDS = (
    Field("me_bpm", "ME", "bpm", "mean of estimate minus truth", "float", 2, True),
    Field("sd_bpm", "SD", "bpm", "standard deviation of estimate minus truth", "float", 2),
    Field("mae_bpm", "MAE", "bpm", "mean absolute error", "float", 2),
    Field("rmse_bpm", "RMSE", "bpm", "root mean square error", "float", 2),
    Field("mer_percent", "MER", "%", "mean absolute error as a share of the true rate", "float", 2),
    Field("r", "r", "1", "Pearson's correlation", "float", 2),
)


def marked(text: str, mark: str) -> str:
    """Write a number of ours with its mark in the same cell.

    Examples
    --------
    >>> marked("5.40", "simulated"), marked("5.40", "")
    ('5.40 (simulated)', '5.40')
    """
    return f"{text} ({mark})" if mark and text != UNKNOWN else text


def result_table(name: str, title: str, cases: Sequence[Case]) -> Table:
    """Return the errors of one pair of databases beside those of methods without a network and published ones.

    Parameters
    ----------
    name, title : str
    cases : sequence of Case
        Of one pair of databases, and on the same videos.
    """
    rows = [_case_row(one) for one in cases]
    # one of each: these do not depend on what was trained, except the constant, which all cases of one split share
    first = cases[0].tested[0]
    rows += [row for method in TITLES if (row := _method_row(first, method)) is not None]
    rows += [_published_row(one) for one in _anchors(cases[0])]
    fields = [
        Field("method", "method"),
        Field("videos", "videos", "", "videos with an estimate, of those with a label", "int"),
        *MEASURE_FIELDS,
        Field("source", "source"),
    ]
    seeds = max(len(one.runs) for one in cases)
    percent = round(100 * first.evaluation.bootstrap.confidence)
    note = (
        "Per video. Of several seeds: mean ± standard deviation over the seeds; otherwise the number with its "
        f"{percent} % bootstrap interval, drawn by {first.evaluation.bootstrap.unit}, beside MAE and RMSE. "
        "Good: smaller than the constant, which uses nothing of the video; an ME near 0 and an r near 1. "
        "Leaving out hard videos makes every other number better, so look at the videos, too."
    )
    if seeds > 1:
        note += (
            " The identity RMSE\N{SUPERSCRIPT TWO} = ME\N{SUPERSCRIPT TWO} + SD\N{SUPERSCRIPT TWO} holds for each run, "
            "and for means over runs only nearly."
        )
    return Table(name, title, note, fields, rows)


def _case_row(case: Case) -> dict[str, Any]:
    seeds = f" ({len(case.runs)} seeds)" if len(case.runs) > 1 else ""
    counts = dict.fromkeys(_count(one.evaluation.score("network")) for one in case.tested)
    numbers = {"videos": "; ".join(counts)} | {one.name: _shown(case.summary(one.name), one) for one in MEASURE_FIELDS}
    return {"method": case.label + seeds, "source": OURS} | {key: marked(text, case.mark) for key, text in numbers.items()}


def _method_row(tested: Evaluated, method: str) -> dict[str, Any] | None:
    score = score_of(tested, method)
    if score is None:
        return None
    numbers = {"videos": _count(score)} | {one.name: _shown(summarize([score], one.name), one) for one in MEASURE_FIELDS}
    mark = method_mark(tested, method)
    return {"method": TITLES[method], "source": "same windows"} | {key: marked(text, mark) for key, text in numbers.items()}


def method_mark(tested: Evaluated, method: str) -> str:
    """Return the mark of a method that needs no network: only the constant depends on the training."""
    return tested.mark if tested.simulated or method == "constant" else ""


def _count(score: Score) -> str:
    return f"{score.n:,}" if not score.n_missing else f"{score.n:,} of {score.n + score.n_missing:,}"


def _shown(summary: Summary, one: Field) -> str:
    return summary.text(one.digits, signed=one.signed, interval=one.name in ("mae_bpm", "rmse_bpm"))


def _published_row(one: Published) -> dict[str, Any]:
    numbers = {
        each.name: replace(each, digits=2 if each.name == "r" else one.digits).show(getattr(one, each.name))
        for each in MEASURE_FIELDS
    }
    if not one.verified:
        numbers = {key: text if text == UNKNOWN else f"{text} (unverified)" for key, text in numbers.items()}
    return {"method": f"{one.method}, published", "videos": UNKNOWN, **numbers, "source": one.brief}


def _anchors(case: Case) -> list[Published]:
    trained, tested = case.databases
    if found := published_for(trained, tested):
        return found
    # simulated maps imitate the paper's databases, and each cell says what it is
    if case.tested[0].simulated:
        return published_for("vipl-hr", "vipl-hr" if case.tested[0].evaluation.held_out else "mmse-hr")
    return []


def band_table(name: str, cases: Sequence[Case]) -> Table:
    """Compute the mean absolute error by true heart rate, ours beside what can be computed from published results."""
    first = cases[0].tested[0]
    bands = [one for one in BANDS if one in first.evaluation.names("band")]
    fields = [
        Field("method", "method"),
        *(Field(one, one, "bpm", "MAE of videos with this true rate", "float", 2) for one in bands),
    ]
    fields.append(Field("source", "source"))
    counts = {one: score for one in bands if (score := score_of(first, "network", "band", one)) is not None}
    rows: list[dict[str, Any]] = [
        {"method": "videos", "source": OURS}
        | {one: marked(f"{score.n + score.n_missing:,}", cases[0].mark) for one, score in counts.items()}
    ]
    rows += [
        {"method": case.label, "source": OURS}
        | {one: marked(case.summary("mae_bpm", "band", one).text(), case.mark) for one in bands}
        for case in cases
    ]
    for method in TITLES:
        scores = {one: score for one in bands if (score := score_of(first, method, "band", one)) is not None}
        mark = method_mark(first, method)
        rows.append(
            {"method": TITLES[method], "source": "same windows"}
            | {one: marked(summarize([score], "mae_bpm").text(), mark) for one, score in scores.items()}
        )
    rows += [
        {"method": f"{one.method}, published", "source": one.brief} | {band: f"{one.by_band[band]:.1f}" for band in bands}
        for one in _anchors(cases[0])
        if one.by_band
    ]
    note = (
        "The mean error hides where an estimate fails: at the rare low and high rates, which the resampled windows are to help. "
        "Good: bars of one height. Bad: the outer bands err several times as much as the middle one."
    )
    return Table(name, "MAE by true heart rate", note, fields, rows)


def part_table(name: str, group: Group, title: str, cases: Sequence[Case]) -> Table | None:
    """Compute the mean absolute error by scenario, camera or fold; None where the data are not divided so."""
    first = cases[0].tested[0]
    parts = first.evaluation.names(group)
    if len(parts) < 2:
        return None
    fields = [Field("part", title), Field("videos", "videos", "", "videos with a label", "int")]
    fields += [Field(f"case{number}", one.label, "bpm", "MAE", "float", 2) for number, one in enumerate(cases)]
    fields += [Field(method, words.partition(":")[0], "bpm", "MAE", "float", 2) for method, words in TITLES.items()]
    rows: list[dict[str, Any]] = []
    for part in parts:
        score = score_of(first, "network", group, part)
        row: dict[str, Any] = {"part": part, "videos": score.n + score.n_missing if score else None}
        row |= {f"case{number}": marked(one.summary("mae_bpm", group, part).text(), one.mark) for number, one in enumerate(cases)}
        row |= {
            method: marked(f"{found.mae_bpm.value:.2f}", method_mark(first, method))
            for method in TITLES
            if (found := score_of(first, method, group, part)) is not None and found.n
        }
        rows.append(row)
    note = "Mean absolute error. Good: all rows alike. Bad: one row far above the others; look for what its videos have in common."
    return Table(name, f"MAE by {title}", note, fields, rows)


def ablation_table(cases: Sequence[Case]) -> Table:
    """Lay out the cases by network and by what they were trained on."""
    networks = list(dict.fromkeys(one.config.network for one in cases))
    augments = [one for one in ("none", "plan") if any(case.config.augment == one for case in cases)]
    words = {"none": "windows as recorded", "plan": "and resampled ones"}
    fields = [Field("network", "network"), *(Field(one, words[one], "bpm", "MAE and RMSE", "float") for one in augments)]
    rows = []
    for network in networks:
        row = {"network": network}
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
    return marked(f"{case.label}: {text}" if named else text, case.mark)


def effect_table(name: str, title: str, effects: Sequence[Effect]) -> Table:
    """List for each idea whether it helps on the same videos."""
    fields = [
        Field("what", "what"),
        Field("part", "videos with"),
        Field("n", "videos", "", "that both have an estimate of", "int"),
        Field("without", "without", "bpm", "MAE without it", "float", 2),
        Field("with", "with it", "bpm", "MAE with it", "float", 2),
        Field("difference", "difference", "bpm", "MAE with minus without, and its interval", "float", 2),
        Field("verdict", "verdict"),
    ]
    rows = [one.row() for one in effects]
    note = (
        "Errors of both on the same videos; of several seeds the error of a video is the mean over them. Below 0 it helps. "
        "Where the interval holds 0, these data do not decide. Of twenty comparisons of equals, one comes out as a difference by chance. "
        "How much seeds themselves vary is not in the interval; see the spread above."
    )
    return Table(name, title, note, fields, rows)


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
                "maps": f"{maps.path_name} ({maps.database}{', simulated' if maps.simulated else ''})",
                "state": "; ".join(one.problems) or "finished and evaluated",
            }
        )
    return Table("runs", "Runs", "", fields, rows)


def sources_of(cases: Sequence[Case]) -> list[tuple[str, str]]:
    """List the sources of the published errors shown beside these cases: short name and full one."""
    found = {one.brief: one.source for case in cases[:1] for one in _anchors(case)}
    return [(brief, source) for brief, source in found.items() if brief != source]


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
    seeds : int
        Runs on each side.
    """

    what: str
    idea: str
    difference: Difference
    mark: str
    seeds: int

    @property
    def verdict(self) -> str:
        """Whether it helps, in a word."""
        one = self.difference
        if one.n < ENOUGH or one.difference_bpm.low != one.difference_bpm.low:
            return "too few videos"
        if not one.is_clear:
            return "no clear difference"
        return "helps" if one.difference_bpm.value < 0 else "harms"

    def row(self) -> dict[str, Any]:
        """Return the row of a table."""
        one, mark = self.difference, f" ({self.mark})" if self.mark else ""
        figure = one.difference_bpm
        interval = f" [{figure.low:+.2f}, {figure.high:+.2f}]" if figure.low == figure.low else ""
        shown = [
            UNKNOWN if value != value else text.replace("-", "\N{MINUS SIGN}") + mark
            for value, text in (
                (one.first_mae_bpm, f"{one.first_mae_bpm:.2f}"),
                (one.second_mae_bpm, f"{one.second_mae_bpm:.2f}"),
                (figure.value, f"{round(figure.value, 2) + 0.0:+.2f}{interval}"),
            )
        ]
        words = "any rate" if one.group == "all" else f"{one.name} bpm"
        # a column of two words is easier to read on one line
        words, verdict = (text.replace(" ", "\N{NO-BREAK SPACE}") for text in (words, self.verdict))
        return {
            "what": self.what,
            "part": words,
            "n": one.n,
            **dict(zip(("without", "with", "difference"), shown, strict=True)),
            "verdict": verdict,
        }


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
    for without in cases:
        for other in cases:
            idea = _idea(without, other)
            if idea is None:
                continue
            shared = sorted(set(without.seeds) & set(other.seeds))
            sides = [
                [each.folder for each, seed in zip(one.tested, one.seeds, strict=True) if seed in shared]
                for one in (without, other)
            ]
            if not shared or len(sides[0]) != len(sides[1]):
                troubles.append(f"{without.label} and {other.label} are not compared: they have no seeds in common")
                continue
            try:
                found = compare_runs(sides[0], sides[1], bootstrap=without.tested[0].evaluation.bootstrap)
            except ModelError as error:
                troubles.append(f"{without.label} and {other.label} are not compared: {error}")
                continue
            what = _words(idea, other)
            effects += [Effect(what, idea, one, without.mark, len(shared)) for one in found.rows]
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
                where = {"of": row.of, "method": row.method, "group": row.group, "name": row.name}
                yield head | where | _numbers(row.score)


def _numbers(score: Score) -> dict[str, Any]:
    found: dict[str, Any] = {"n": score.n, "n_missing": score.n_missing, "n_units": score.n_units}
    for name in MEASURES:
        figure = getattr(score, name)
        found |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return found


def published_table() -> Table:
    """Return what others published, for programs: apart from ours, with provenance."""
    fields = [Field(one, one) for one in ("method", "trained_on", "tested_on", "source", "verified")]
    fields += [Field(one.name, one.heading, one.unit, one.description, "float") for one in MEASURE_FIELDS]
    rows = [
        {one.name: getattr(row, one.name) for one in fields} | {"verified": "yes" if row.verified else f"no: {RECALLED}"}
        for row in PUBLISHED
    ]
    return Table("published", "Published by others", "", fields, rows)
