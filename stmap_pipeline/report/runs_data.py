"""Tables of a report of runs for programs: plain numbers, ours and those of others apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stmap_pipeline.evaluation import Score
from stmap_pipeline.evaluation.metrics import MEASURES
from stmap_pipeline.report.published import PUBLISHED, RECALLED
from stmap_pipeline.report.runs_read import Run
from stmap_pipeline.report.runs_tables import MEASURE_FIELDS
from stmap_pipeline.report.tables import Field, Table


def score_table(runs: Sequence[Run]) -> Table:
    """Give all numbers of all evaluations, a row each, for programs."""
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
        config = run.facts.config
        for tested in filter(None, (run.own, *run.others)):
            said = tested.evaluation
            head = {
                "run": str(run.facts.path),
                "trained_on": run.facts.maps.database,
                "tested_on": said.maps.database,
                "held_out": "yes" if said.held_out else "no",
                "simulated": tested.mark or "no",
                "network": config.network,
                "augment": config.augment,
                "protocol": config.protocol,
                "seed": config.seed,
            }
            for row in said.rows:
                where = {"of": row.of, "method": row.method, "group": row.group, "name": row.name}
                yield head | where | _numbers(row.score)


def _numbers(score: Score) -> dict[str, Any]:
    found: dict[str, Any] = {"n": score.n, "n_missing": score.n_missing, "n_units": score.n_units}
    for name in MEASURES:
        figure = getattr(score, name)
        found |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return found


def published_table() -> Table:
    """Give what others published, for programs: apart from ours, with provenance."""
    fields = [Field(one, one) for one in ("method", "trained_on", "tested_on", "source", "verified")]
    fields += [Field(one.name, one.heading, one.unit, one.description, "float") for one in MEASURE_FIELDS]
    rows = [
        {one.name: getattr(row, one.name) for one in fields} | {"verified": "yes" if row.verified else f"no: {RECALLED}"}
        for row in PUBLISHED
    ]
    return Table("published", "Published by others", "", fields, rows)
