"""Runs for tests of their report: evaluated folders without a network, and the tables of a page read back."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from augmented_maps import add_augmentation
from evaluated_runs import folded_maps

from stmap_pipeline.evaluation import Bootstrap, evaluate_run
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.training.config import TrainConfig

RESAMPLES = 100
ERRORS_BPM = {
    ("attention-resnet18", "plan"): 2.0,
    ("attention-resnet18", "none"): 4.0,
    ("resnet18", "plan"): 6.0,
    ("resnet18", "none"): 9.0,
}


def balanced_maps(root: Path) -> Path:
    """Four subjects in two folds, with resampled windows."""
    maps = folded_maps(root)
    add_augmentation(maps)
    return maps


def four_cells(folder: Path, maps: Path, seeds: int = 2) -> list[Path]:
    """The runs of an ablation: a better one errs less."""
    runs: list[Path] = []
    for (network, augment), error in ERRORS_BPM.items():
        for seed in range(seeds):
            config = TrainConfig(network=network, augment=augment, seed=seed, validation_share=0)
            run = folder / f"{network}-{augment}-{seed}"
            example_run(run, maps, config=config, error_bpm=error)
            evaluated(run, maps, runs[0] if runs else None)
            runs.append(run)
    return runs


def evaluated(run: Path, maps: Path, baselines: Path | None = None) -> Path:
    """Evaluate with few draws."""
    evaluate_run(run, maps, bootstrap=Bootstrap(resamples=RESAMPLES), baselines=baselines)
    return run


def renamed_database(run: Path, database: str, *, simulated: bool = False) -> Path:
    """Let a run say that it is of another database."""
    facts = json.loads((run / "maps.json").read_text())
    (run / "maps.json").write_text(json.dumps(facts | {"database": database, "simulated": simulated}))
    content = json.loads((run / "evaluation.json").read_text())
    content["simulated"] = content["run"]["simulated"] = simulated
    content["maps"]["database"] = content["run"]["database"] = database
    (run / "evaluation.json").write_text(json.dumps(content))
    return run


class Page(HTMLParser):
    """The tables of a page as lists of rows of cells, by the id of the table; and all of its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.ids: list[str] = []
        self.texts: list[str] = []
        self._rows: list[list[str]] | None = None
        self._in_cell = self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "table":
            self._rows = self.tables[given["id"]] = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows is not None:
            self._rows[-1].append("")
            self._in_cell = True
        self._hidden = tag in ("style", "script")

    def handle_endtag(self, tag):
        if tag == "table":
            self._rows = None
        elif tag in ("td", "th"):
            self._in_cell = False
        self._hidden = False

    def handle_data(self, data):
        if self._in_cell and self._rows is not None:
            self._rows[-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ")
        if not self._hidden:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\N{NO-BREAK SPACE}", " ").split())

    def row(self, table: str, first: str, *, whole: bool = False) -> list[str]:
        """The one row that begins so, or is called so."""
        [found] = [row for row in self.tables[table] if (row[0] == first if whole else row[0].startswith(first))]
        return found
