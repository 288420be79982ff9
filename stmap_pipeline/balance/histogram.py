"""Histograms of heart rate: bins, the target, how far a histogram is from flat, and how many windows a target asks for."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ConfigError
from stmap_pipeline.files import read_bytes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Windows that may stand above the target before all other bins are asked to grow with them: one odd bin, rare in the
# target and by chance not rare in the data, must not multiply the whole.
EXCESS = 0.01
_MAX_TARGET_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of one width from ``low_bpm`` up to, but not including, ``high_bpm``.

    Raises
    ------
    ConfigError
        Where the range is empty or no whole number of bins.

    Examples
    --------
    >>> bins = Bins(40, 60, 5)
    >>> bins.edges_bpm.tolist(), bins.count([40.0, 44.9, 52.0, 60.0, float("nan")]).tolist()
    ([40.0, 45.0, 50.0, 55.0, 60.0], [2, 0, 1, 0])
    """

    low_bpm: float = 40.0
    high_bpm: float = 160.0
    width_bpm: float = 5.0

    def __post_init__(self) -> None:
        if not (all(map(math.isfinite, (self.low_bpm, self.high_bpm))) and 0 < self.low_bpm < self.high_bpm):
            raise ConfigError(f"a range of heart rates such as 40,160 is needed, not {self.low_bpm:g},{self.high_bpm:g}")
        if not (self.width_bpm > 0 and math.isfinite(self.width_bpm)):
            raise ConfigError(f"a bin must be wider than 0 bpm, not {self.width_bpm:g}")
        number = (self.high_bpm - self.low_bpm) / self.width_bpm
        if not 1 <= round(number) <= 1000 or abs(number - round(number)) > 1e-9:
            raise ConfigError(
                f"{self.low_bpm:g} to {self.high_bpm:g} bpm is not a whole number (1 to 1000) of bins of {self.width_bpm:g} bpm"
            )

    def __len__(self) -> int:
        return round((self.high_bpm - self.low_bpm) / self.width_bpm)

    @property
    def edges_bpm(self) -> FloatArray:
        """(B + 1,) array: lower edge of each bin, and the upper one of the last."""
        return np.asarray(self.low_bpm + np.arange(len(self) + 1) * self.width_bpm, dtype=np.float64)

    def index(self, heart_rate_bpm: npt.ArrayLike) -> IntArray:
        """Return the bin of each heart rate; -1 where it is unknown or outside.

        Examples
        --------
        >>> Bins(40, 60, 5).index([39.9, 45.0, float("nan")]).tolist()
        [-1, 1, -1]
        """
        rates = np.asarray(heart_rate_bpm, dtype=np.float64)
        place = np.searchsorted(self.edges_bpm, rates, side="right") - 1
        return np.where(np.isfinite(rates) & (place < len(self)), place, -1).astype(np.int64)

    def count(self, heart_rate_bpm: npt.ArrayLike) -> IntArray:
        """Count the heart rates in each bin."""
        place = self.index(heart_rate_bpm)
        return np.bincount(place[place >= 0], minlength=len(self)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Target:
    """The distribution that is wanted: pieces of constant density over heart rate; none at all means uniform.

    Parameters
    ----------
    pieces : tuple of (low_bpm, high_bpm, weight)
        In the order of heart rate, not overlapping. Weights are relative to each other.

    Examples
    --------
    >>> Target().shares(Bins(40, 60, 5)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    >>> Target(((40.0, 50.0, 3.0), (50.0, 60.0, 1.0))).shares(Bins(40, 60, 5)).round(6).tolist()
    [0.375, 0.375, 0.125, 0.125]
    """

    pieces: tuple[tuple[float, float, float], ...] = ()

    def shares(self, bins: Bins) -> FloatArray:
        """Return the share of each bin; they add up to 1.

        Raises
        ------
        ConfigError
            Where the target has no weight inside the range.
        """
        if not self.pieces:
            return np.full(len(bins), 1 / len(bins))
        edges = bins.edges_bpm
        shares = np.zeros(len(bins))
        # relative to the largest: a sum of large weights is infinite
        largest = max(weight for _, _, weight in self.pieces) or 1.0
        for low, high, weight in self.pieces:
            overlap = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
            shares += weight / largest * np.clip(overlap, 0, None) / (high - low)
        if not shares.sum() > 0:
            raise ConfigError(f"the target has no weight between {bins.low_bpm:g} and {bins.high_bpm:g} bpm")
        return np.asarray(shares / shares.sum())


def read_target(path: str | Path) -> Target:
    r"""Read a target from a CSV file with the columns ``low_bpm``, ``high_bpm`` and ``weight``.

    Raises
    ------
    ConfigError
        With the line that is wrong.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "target.csv"
    ...     _ = path.write_text("low_bpm,high_bpm,weight\n40,90,2\n90,160,1\n")
    ...     read_target(path).pieces
    ((40.0, 90.0, 2.0), (90.0, 160.0, 1.0))
    """
    path = Path(path)
    try:
        text = read_bytes(path, _MAX_TARGET_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give 'uniform' or a CSV file") from None
    reader = csv.DictReader(io.StringIO(text), strict=True)
    pieces: list[tuple[float, float, float]] = []
    try:
        if not {"low_bpm", "high_bpm", "weight"} <= set(reader.fieldnames or ()):
            raise ConfigError(
                f"{path}: the first line must name the columns low_bpm,high_bpm,weight, not {','.join(reader.fieldnames or ()) or 'an empty line'}"
            )
        for row in reader:
            piece = float(row["low_bpm"]), float(row["high_bpm"]), float(row["weight"])
            if not (0 <= piece[0] < piece[1] < math.inf and 0 <= piece[2] < math.inf):
                raise ConfigError(f"{path}, line {reader.line_num}: needs 0 <= low_bpm < high_bpm and a weight from 0")
            if pieces and piece[0] < pieces[-1][1]:
                raise ConfigError(f"{path}, line {reader.line_num}: starts at {piece[0]:g}, before the line above ends")
            pieces.append(piece)
    except (ValueError, TypeError, csv.Error):
        raise ConfigError(f"{path}, line {reader.line_num}: three numbers are needed") from None
    if not any(weight for _, _, weight in pieces):
        raise ConfigError(f"{path}: no line has a weight above 0")
    return Target(tuple(pieces))


def wanted_counts(
    counts: npt.ArrayLike, shares: npt.ArrayLike, supply: npt.ArrayLike | None = None, max_added: float = math.inf
) -> IntArray:
    """Compute how many windows each bin should hold so that all together have the shape of the target, with nothing removed.

    Parameters
    ----------
    counts : (B,) array of int
        Windows as recorded.
    shares : (B,) array of float
        Target; bins of share 0 ask for nothing.
    supply : (B,) array of int, optional
        Windows that can be added to each bin; without limit where not given.
    max_added : float
        Largest number of windows that are added in all.

    Returns
    -------
    (B,) array of int
        The target raised until at most :data:`EXCESS` of the windows stand above it, or ``max_added`` are added: the emptiest
        bins, relative to the target, are filled first.

    Examples
    --------
    >>> wanted_counts([100, 10, 0], [0.25, 0.25, 0.5]).tolist()
    [99, 99, 198]
    >>> wanted_counts([100, 10, 0], [0.25, 0.25, 0.5], max_added=50).tolist()
    [20, 20, 40]
    """
    number, share = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    inside = share > 0
    if not number[inside].sum():
        return np.zeros(len(number), dtype=np.int64)
    # what stands above a target of total size L falls with L in straight lines between these sizes
    sizes = np.unique(np.concatenate(([0.0], number[inside] / share[inside])))
    above = np.clip(number[inside] - sizes[:, None] * share[inside], 0, None).sum(axis=1)
    size = float(np.interp(EXCESS * number[inside].sum(), above[::-1], sizes[::-1]))
    most = np.full(len(number), np.inf) if supply is None else np.asarray(supply, dtype=np.float64)

    def added(size: float) -> float:
        return float(np.clip(np.floor(size * share) - number, 0, most).sum())

    if added(size + 1) <= max_added:
        return np.asarray(np.rint(size * share), dtype=np.int64)
    low, high = 0.0, size + 1
    while high - low > 1e-6 * size:
        middle = (low + high) / 2
        low, high = (middle, high) if added(middle) <= max_added else (low, middle)
    return np.asarray(np.floor(low * share), dtype=np.int64)


def normalized_entropy(counts: npt.ArrayLike) -> float:
    """Compute how flat a histogram is: 1 is flat, 0 is all in one bin, NaN is empty.

    Shannon's entropy of the shares over the logarithm of the number of bins.

    Examples
    --------
    >>> normalized_entropy([5, 5, 5, 5]), normalized_entropy([20, 0, 0, 0])
    (1.0, 0.0)
    """
    number = np.asarray(counts, dtype=np.float64)
    if not number.sum() > 0:
        return float("nan")
    if len(number) == 1:
        return 1.0
    share = number[number > 0] / number.sum()
    return float(-(share * np.log(share)).sum() / np.log(len(number))) + 0.0
