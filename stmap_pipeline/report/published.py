"""Errors that others published, each with its source and whether it was checked against that source.

They stand in ``published.csv``, in the order of their years and with the decimals of their sources. The numbers of a row have one
provenance. A number that is only recalled is marked by the text of :data:`RECALLED` wherever it is shown.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from math import nan
from typing import Any

from stmap_pipeline.evaluation.metrics import BANDS, MEASURES

RECALLED = "as recalled, unverified"
#: Sources in full, by the few words that stand in a table.
SOURCES = {
    RECALLED: RECALLED,
    "RS-rPPG, table I": "as given in table I of RS-rPPG (FG 2024)",
    "RS-rPPG": "as given in RS-rPPG (FG 2024)",
    "tables of later papers": "as given in comparison tables of later papers (RS-rPPG, FG 2024; RhythmMamba, AAAI 2025; PhysDiff)",
    "computed": "computed from published per-video results (code of RhythmMamba, AAAI 2025; 2,377 videos)",
    "PhysDiff, tables 1 and 2": "as given in tables 1 and 2 of PhysDiff",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A row of a published table.

    Parameters
    ----------
    method : str
    trained_on, tested_on : str
        Databases, by their names in the registry. The same twice: subject-exclusive folds.
    brief : str
        Where the figures come from, a key of :data:`SOURCES`; :data:`RECALLED` where there is no more than memory.
    me_bpm, sd_bpm, mae_bpm, rmse_bpm, mer_percent, r : float
        NaN where the source says nothing.
    digits : int
        Decimals that the source has; r has two.
    by_band : mapping of str to float
        Mean absolute error by band of true heart rate.
    """

    method: str
    trained_on: str
    tested_on: str
    brief: str
    me_bpm: float = nan
    sd_bpm: float = nan
    mae_bpm: float = nan
    rmse_bpm: float = nan
    mer_percent: float = nan
    r: float = nan
    digits: int = 2
    by_band: Mapping[str, float] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The source in full."""
        return SOURCES[self.brief]

    @property
    def verified(self) -> bool:
        """Whether the numbers were read in their source, or computed from it."""
        return self.brief != RECALLED


def _read() -> tuple[Published, ...]:
    found = []
    text = files("stmap_pipeline.report").joinpath("published.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        numbers: dict[str, Any] = {name: float(row[name] or nan) for name in MEASURES}
        digits = len(row["rmse_bpm"].partition(".")[2])
        by_band = dict(zip(BANDS, map(float, row["bands_mae_bpm"].split()), strict=False))
        about = row["method"], row["trained_on"], row["tested_on"], row["source"]
        found.append(Published(*about, digits=digits, by_band=by_band, **numbers))
    return tuple(found)


PUBLISHED = _read()


def published_for(trained_on: str, tested_on: str) -> list[Published]:
    """List what others published on a pair of databases.

    Parameters
    ----------
    trained_on, tested_on : str

    Examples
    --------
    >>> [one.rmse_bpm for one in published_for("vipl-hr", "mmse-hr") if "FG 2019" in one.method]
    [10.1]
    >>> published_for("folder", "folder")
    []
    """
    return [one for one in PUBLISHED if (one.trained_on, one.tested_on) == (trained_on, tested_on)]
