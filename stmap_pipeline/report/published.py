"""Errors that others published, each with its source and whether it was checked against that source.

The numbers of a row have one provenance. A number that is only recalled is marked by the text of :data:`RECALLED` wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan

RECALLED = "as recalled, unverified"
_RS_RPPG = "as given in table I of RS-rPPG (FG 2024)"
_RS_RPPG_MMSE = "as given in RS-rPPG (FG 2024)"
_LATER = "as given in comparison tables of later papers (RS-rPPG, FG 2024; RhythmMamba, AAAI 2025; PhysDiff)"
_COMPUTED = "computed from published per-video results (code of RhythmMamba, AAAI 2025; 2,377 videos)"

_PHYSDIFF = "as given in tables 1 and 2 of PhysDiff"
_BRIEF = {
    RECALLED: RECALLED,
    _RS_RPPG: "RS-rPPG, table I",
    _RS_RPPG_MMSE: "RS-rPPG",
    _LATER: "tables of later papers",
    _COMPUTED: "computed",
    _PHYSDIFF: "PhysDiff, tables 1 and 2",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A row of a published table.

    Parameters
    ----------
    method : str
    trained_on, tested_on : str
        Databases, by their names in the registry. The same twice: subject-exclusive folds.
    source : str
        Where the figures come from; :data:`RECALLED` where there is no more than memory.
    verified : bool
        Whether they were read in that source, or computed from it.
    me_bpm, sd_bpm, mae_bpm, rmse_bpm, mer_percent, r : float
        NaN where the source says nothing.
    digits : int
        Decimals that the source has; r has two.
    by_band : mapping of str to float
        Mean absolute error by band of true heart rate.

    Examples
    --------
    >>> Published("a network", "vipl-hr", "vipl-hr", "a table", False)
    Traceback (most recent call last):
    ...
    ValueError: 'a network': what is not verified has the source 'as recalled, unverified', and nothing else has
    """

    method: str
    trained_on: str
    tested_on: str
    source: str
    verified: bool
    me_bpm: float = nan
    sd_bpm: float = nan
    mae_bpm: float = nan
    rmse_bpm: float = nan
    mer_percent: float = nan
    r: float = nan
    digits: int = 2
    by_band: Mapping[str, float] = field(default_factory=dict)

    @property
    def brief(self) -> str:
        """The source in a few words; in full in :attr:`source`."""
        return _BRIEF[self.source]

    def __post_init__(self) -> None:
        if self.verified == (self.source == RECALLED):
            raise ValueError(f"{self.method!r}: what is not verified has the source {RECALLED!r}, and nothing else has")
        if self.source not in _BRIEF:
            raise ValueError(f"{self.method!r}: its source {self.source!r} has no short name")


def _vipl(
    method: str, source: str, mae: float, rmse: float, r: float, me: float = nan, sd: float = nan, mer: float = nan, digits: int = 2
) -> Published:
    return Published(method, "vipl-hr", "vipl-hr", source, source != RECALLED, me, sd, mae, rmse, mer, r, digits)


def _mmse(
    method: str,
    source: str,
    rmse: float,
    r: float,
    mae: float = nan,
    me: float = nan,
    sd: float = nan,
    mer: float = nan,
    digits: int = 2,
) -> Published:
    return Published(method, "vipl-hr", "mmse-hr", source, source != RECALLED, me, sd, mae, rmse, mer, r, digits)


#: Rows for the tables of a report, in the order of their years.
PUBLISHED: tuple[Published, ...] = (
    _vipl("constant: mean rate of the other folds", _COMPUTED, 9.19, 12.21, -0.14, 0.01, 12.21),
    _vipl("CHROM (2013)", _RS_RPPG, 11.4, 16.9, 0.28, digits=1),
    _vipl("SAMC (2016)", _RS_RPPG, 15.9, 21.0, 0.11, digits=1),
    _vipl("POS (2017)", _RS_RPPG, 11.5, 17.2, 0.30, digits=1),
    _vipl("RhythmNet (ACCV 2018)", RECALLED, 5.79, 8.94, 0.73, 1.02, 8.88, 7.38),
    _vipl("Niu et al. (FG 2019)", RECALLED, 5.40, 7.99, 0.66, -0.16, 7.99, 6.70),
    _vipl("RhythmNet (TIP 2020)", _LATER, 5.30, 8.14, 0.76),
    _vipl("CVD (ECCV 2020)", _LATER, 5.02, 7.97, 0.79),
    _vipl("PhysFormer (CVPR 2022)", _LATER, 4.97, 7.79, 0.78),
    _vipl("NEST-rPPG (CVPR 2023)", _LATER, 4.76, 7.51, 0.84),
    Published(
        "RhythmMamba (AAAI 2025)",
        "vipl-hr",
        "vipl-hr",
        _COMPUTED,
        True,
        1.50,
        7.33,
        4.30,
        7.49,
        5.71,
        0.81,
        by_band={"<60": 6.6, "60-70": 4.6, "70-85": 3.3, "85-100": 3.7, ">=100": 13.1},
    ),
    _vipl("PhysDiff", _PHYSDIFF, 3.92, 6.65, 0.85),
    _mmse("Li et al. (2014)", RECALLED, 19.95, 0.38, me=11.56, sd=20.02, mer=14.64),
    _mmse("CHROM (2013)", _RS_RPPG_MMSE, 14.0, 0.55, digits=1),
    _mmse("SAMC (2016)", RECALLED, 11.37, 0.71, me=7.61, sd=12.24, mer=10.84),
    _mmse("RhythmNet (ACCV 2018)", RECALLED, 10.58, 0.69, me=2.26, sd=10.39, mer=5.35),
    _mmse("Niu et al. (FG 2019)", RECALLED, 10.10, 0.64, me=-3.10, sd=9.66, mer=6.61),
    _mmse("RhythmNet (TIP 2020)", _RS_RPPG_MMSE, 7.33, 0.78),
    _mmse("CVD (ECCV 2020)", _RS_RPPG_MMSE, 6.04, 0.84),
    _mmse("RS-rPPG (FG 2024), self-supervised", _RS_RPPG_MMSE, 8.54, 0.81, mae=3.42),
)


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
