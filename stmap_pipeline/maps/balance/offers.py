"""Find speeds: fixed ones, or for each bin of heart rates one that brings a window into it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stmap_pipeline.maps.balance.options import SCALE_DIGITS, BalanceOptions, Fg2019Options, Options
from stmap_pipeline.maps.balance.sources import Offers, Parts, Request, Source, Verdict

FloatArray = npt.NDArray[np.float64]

# Nearer to 1 a copy is not another heart rate but the same window once more.
MIN_CHANGE = 1.05


def make_offers(options: Options, sources: Sequence[Source], requests: Sequence[Request]) -> Offers:
    """Find what windows can give at other speeds.

    The label is the mean of the label trace over the part of the recording that is read, times the scale: the mean of the
    resampled label trace over the window. What comes out for a recording depends on that recording and the options alone.

    Parameters
    ----------
    options : BalanceOptions or Fg2019Options
    sources : sequence of Source
    requests : sequence of Request
        Of each of them.

    Returns
    -------
    Offers
        A row a window, in the order of the requests; a column a bin, or a scale of the fixed ones.

    Examples
    --------
    >>> from stmap_pipeline.config import WindowsConfig
    >>> from stmap_pipeline.maps.balance.histogram import Bins
    >>> from stmap_pipeline.maps.windows import window_clock
    >>> from stmap_pipeline.records import HeartRateTrace
    >>> times_s = np.arange(600) / 30
    >>> clock = window_clock(times_s, np.ones(600, bool), np.ones(600), WindowsConfig())
    >>> source = Source(clock, times_s, HeartRateTrace(np.arange(20.0), np.full(20, 80.0)))
    >>> request = Request("a", np.array([0]), np.array([300]), np.array([80.0]))
    >>> offers = make_offers(BalanceOptions(bins=Bins(40, 140, 20)), [source], [request])
    >>> [Verdict(one).name for one in offers.verdict[0]]
    ['OFFERED', 'OFFERED', 'OFFERED', 'OFFERED', 'OUT_OF_REACH']
    """
    parts = Parts(sources, requests, options.min_valid_fraction)
    rates = np.concatenate([one.heart_rate_bpm for one in requests])
    if isinstance(options, BalanceOptions):
        return _into_bins(options, parts, rates, requests)
    return _by_scales(options, parts, rates)


def _by_scales(options: Fg2019Options, parts: Parts, rates: FloatArray) -> Offers:
    offers = Offers.none(len(rates), len(options.hr_scales))
    inside = np.flatnonzero((rates >= options.band_bpm[0]) & (rates < options.band_bpm[1]))
    for column, scale in enumerate(options.hr_scales):
        offers.put((inside, column), parts.read(inside, np.full(len(inside), scale)))
    return offers


def _into_bins(options: BalanceOptions, parts: Parts, rates: FloatArray, requests: Sequence[Request]) -> Offers:
    edges, most = options.bins.edges_bpm, options.max_scale
    low, high = (np.clip(edge / rates[:, None], 1 / most, most) for edge in (edges[:-1], edges[1:]))
    # of a bin around the window's own rate the larger part that is a change remains
    upward = high - np.maximum(low, MIN_CHANGE) >= np.minimum(high, 1 / MIN_CHANGE) - low
    low = np.where(upward, np.maximum(low, MIN_CHANGE), low)
    high = np.where(upward, high, np.minimum(high, 1 / MIN_CHANGE))
    row, column = np.nonzero(high > low)
    low, high = low[row, column], high[row, column]
    # a draw of its own for each recording: the same one whoever works on it, and with whichever others
    share = np.concatenate([_draw(options, one) for one in requests])[row, column]
    scale = _rounded(low + share * (high - low))
    wanted = scale * rates[row]
    found = parts.read(row, scale)
    for _ in range(2):
        # the part that is read is another than the window, and so may its heart rate be
        missed = np.flatnonzero((options.bins.index(found.heart_rate_bpm) != column) & (found.verdict == Verdict.OFFERED))
        if not missed.size:
            break
        better = wanted[missed] / found.heart_rate_bpm[missed] * found.hr_scale[missed]
        found.put(missed, parts.read(row[missed], _rounded(np.clip(better, low[missed], high[missed]))))
    scale = found.hr_scale
    unfit = (scale < 1 / most) | (scale > most) | ((scale < MIN_CHANGE) & (scale > 1 / MIN_CHANGE))
    unfit |= options.bins.index(found.heart_rate_bpm) != column
    found.verdict[unfit & (found.verdict == Verdict.OFFERED)] = Verdict.OUT_OF_REACH
    offers = Offers.none(len(rates), len(options.bins))
    offers.put((row, column), found)
    return offers


def _rounded(scale: FloatArray) -> FloatArray:
    return np.asarray(np.round(scale, SCALE_DIGITS), dtype=np.float64)


def _draw(options: BalanceOptions, request: Request) -> FloatArray:
    random = np.random.default_rng([options.seed, zlib.crc32(request.recording_id.encode())])
    # not quite to the edges: there the least change of the label would lead into the next bin
    return random.uniform(0.1, 0.9, (len(request.start), len(options.bins)))
