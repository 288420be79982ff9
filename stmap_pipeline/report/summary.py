"""What a build as a whole has to tell: what became of each recording, and which heart rates there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.balance import Bins as RateBins
from stmap_pipeline.balance import normalized_entropy
from stmap_pipeline.errors import REASONS
from stmap_pipeline.records import Outcome
from stmap_pipeline.report.figures import Bars, Figure, histogram
from stmap_pipeline.report.metrics import METRICS
from stmap_pipeline.report.quality import Quality
from stmap_pipeline.report.tables import Field, Table
from stmap_pipeline.shards import Shards

BIN_BPM = 5.0
USUAL_BPM = (40.0, 160.0)


@dataclass(frozen=True, slots=True)
class Reason:
    """Recordings that share one outcome: ``status``, reason ``code``, its ``meaning``, and who they are with their messages."""

    status: str
    code: str
    meaning: str
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True, eq=False)
class HeartRates:
    """Counts over bins of heart rates.

    Parameters
    ----------
    edges_bpm : (B + 1,) array
    videos, recorded, added : (B,) array of int
        Recordings by their mean label, windows as recorded, and windows that an augmentation added.
    unlabeled_videos, unlabeled_windows : int
        Those without a heart rate.
    """

    edges_bpm: npt.NDArray[np.float64]
    videos: npt.NDArray[np.int64]
    recorded: npt.NDArray[np.int64]
    added: npt.NDArray[np.int64]
    unlabeled_videos: int
    unlabeled_windows: int


def group_reasons(outcomes: Sequence[Outcome]) -> list[Reason]:
    """Group what was not built by status and reason: failed first, the most frequent first.

    Examples
    --------
    >>> from stmap_pipeline.shards import Shards
    >>> from stmap_pipeline.shards.example import example_maps
    >>> [(one.status, one.code, len(one.outcomes)) for one in group_reasons(Shards(example_maps()).outcomes())]
    [('failed', 'no_face', 1)]
    """
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        if one.status != "ok":
            groups.setdefault((one.status, one.reason), []).append(one)
    order = sorted(groups, key=lambda key: (key[0] != "failed", -len(groups[key]), key[1]))
    return [Reason(status, code, REASONS.get(code, ""), groups[status, code]) for status, code in order]


def count_heart_rates(shards: Shards) -> HeartRates:
    """Count videos and windows over bins of 5 bpm that hold all labels.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> counts = count_heart_rates(Shards(example_maps()))
    >>> int(counts.videos.sum()), int(counts.recorded.sum()), int(counts.added.sum())
    (3, 10, 0)
    """
    windows = shards.windows(augmented=True)
    recorded = np.array([one.heart_rate_bpm for one in windows if not one.augmented], dtype=np.float64)
    added = np.array([one.heart_rate_bpm for one in windows if one.augmented], dtype=np.float64)
    videos = np.array([one.heart_rate_mean_bpm for one in shards.recordings()], dtype=np.float64)
    bins = _bins(np.concatenate([recorded, added, videos]))
    by_video, by_window = bins.count(videos), bins.count(recorded)
    # one beyond all bins is no heart rate of a person
    unlabeled = len(videos) - int(by_video.sum()), len(recorded) - int(by_window.sum())
    return HeartRates(bins.edges_bpm, by_video, by_window, bins.count(added), *unlabeled)


def _bins(rates: npt.NDArray[np.float64]) -> RateBins:
    known = rates[np.isfinite(rates) & (rates > 0) & (rates < 400)]
    low = min(USUAL_BPM[0], BIN_BPM * np.floor(known.min(initial=np.inf) / BIN_BPM)) if known.size else USUAL_BPM[0]
    # the last bin does not hold its upper end
    high = max(USUAL_BPM[1], BIN_BPM * (np.floor(known.max(initial=0) / BIN_BPM) + 1)) if known.size else USUAL_BPM[1]
    return RateBins(max(low, BIN_BPM), high, BIN_BPM)


def draw_heart_rates(rates: HeartRates, wanted: Sequence[float] | None = None) -> list[Figure]:
    """Draw the histograms of windows, as recorded and balanced, and of videos.

    Parameters
    ----------
    rates : HeartRates
    wanted : sequence of float, optional
        The target of the augmentation in the same bins.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> [one.name for one in draw_heart_rates(count_heart_rates(Shards(example_maps())))]
    ['hr-windows', 'hr-videos']
    """
    edges = rates.edges_bpm.tolist()
    figures = []
    layers = [Bars("as recorded", "s1", rates.recorded.tolist())]
    caption = (
        "Mean labeled heart rate of each window, as recorded. Good: all rates in which the network will be used occur. Bad: a narrow peak; a "
        "network then learns to answer with its middle. Balancing (stmap augment) adds resampled windows."
    )
    if rates.added.any():
        layers.append(Bars("added by resampling", "s2", rates.added.tolist()))
        before, after = normalized_entropy(rates.recorded), normalized_entropy(rates.recorded + rates.added)
        caption = (
            "Blue: windows as recorded. Orange: windows that the augmentation added, for training alone. Good: the columns together are flat or "
            "reach the target. Bad: tall orange columns far from the blue ones; few people are then shown over and over. "
            f"Flatness (normalized entropy, 1 is flat): {before:.2f} as recorded, {after:.2f} with the added ones."
        )
    figures.append(
        histogram(
            "hr-windows",
            "Windows by heart rate" + (", before and after balancing" if rates.added.any() else ""),
            caption,
            edges,
            layers,
            x_label="heart rate (bpm)",
            y_label="windows",
            target=wanted,
        )
    )
    figures.append(
        histogram(
            "hr-videos",
            "Videos by heart rate",
            "Mean labeled heart rate of each recording. Good: low and high rates come from several people. Bad: one or two videos at "
            "an end; results there are those of one person.",
            edges,
            [Bars("videos", "s3", rates.videos.tolist())],
            x_label="heart rate (bpm)",
            y_label="videos",
        )
    )
    return figures


def outcome_table(outcomes: Sequence[Outcome]) -> Table:
    """Count what became of the recordings, by reason.

    Examples
    --------
    >>> outcome_table([Outcome("a", "a", "ok")]).rows
    [{'status': 'built', 'reason': '', 'recordings': 1, 'meaning': 'the recording was built'}]
    """
    built = sum(one.status == "ok" for one in outcomes)
    rows: list[dict[str, Any]] = [{"status": "built", "reason": "", "recordings": built, "meaning": REASONS[""]}]
    rows += [
        {"status": one.status, "reason": one.code, "recordings": len(one.outcomes), "meaning": one.meaning}
        for one in group_reasons(outcomes)
    ]
    fields = [
        Field("status", "outcome"),
        Field("reason", "reason", "", "reason code, as in outcomes.csv"),
        Field("recordings", "recordings", kind="int"),
        Field("meaning", "meaning"),
    ]
    return Table("outcomes", "Outcomes by reason", "Each listed recording has exactly one outcome.", fields, rows)


def rate_table(rates: HeartRates) -> Table:
    """Give the counts over bins of heart rates as a table.

    Examples
    --------
    >>> from stmap_pipeline.shards.example import example_maps
    >>> rate_table(count_heart_rates(Shards(example_maps()))).rows[0]["low_bpm"]
    40.0
    """
    columns = (rates.edges_bpm[:-1], rates.edges_bpm[1:], rates.videos, rates.recorded, rates.added)
    names = ("low_bpm", "high_bpm", "videos", "windows_recorded", "windows_added")
    rows = [dict(zip(names, line, strict=True)) for line in zip(*(one.tolist() for one in columns), strict=True)]
    fields = [
        Field("low_bpm", "from", "bpm", "lower end of the bin, inside", "float"),
        Field("high_bpm", "to", "bpm", "upper end of the bin, outside", "float"),
        Field("videos", "videos", "", "recordings by their mean label", "int"),
        Field("windows_recorded", "windows as recorded", "", "windows by their label", "int"),
        Field("windows_added", "windows added", "", "windows that the augmentation added", "int"),
    ]
    told = f"{rates.unlabeled_videos} videos and {rates.unlabeled_windows} windows have no heart rate."
    return Table("heart_rates", "Heart rates", told, fields, rows)


def metric_table(qualities: Sequence[Quality]) -> Table:
    """Summarize the quality figures over all recordings.

    Examples
    --------
    >>> metric_table([]).rows[0]["known"]
    0
    """
    rows = []
    for metric in METRICS:
        values = np.array([getattr(one, metric.name) for one in qualities], dtype=np.float64)
        known = values[np.isfinite(values)]
        ends = np.percentile(known, [0, 25, 50, 75, 100]).tolist() if known.size else [float("nan")] * 5
        names = ("least", "quarter", "median", "three_quarters", "most")
        rows.append(
            {
                "metric": metric.field.heading,
                "unit": metric.field.unit,
                "known": int(known.size),
                **dict(zip(names, ends, strict=True)),
            }
        )
    fields = [
        Field("metric", "figure"),
        Field("unit", "unit"),
        Field("known", "recordings", "", "recordings in which it is known", "int"),
        Field("least", "smallest", "", "", "float", 2),
        Field("quarter", "25 %", "", "a quarter of the recordings lie below", "float", 2),
        Field("median", "median", "", "", "float", 2),
        Field("three_quarters", "75 %", "", "three quarters of the recordings lie below", "float", 2),
        Field("most", "largest", "", "", "float", 2),
    ]
    return Table("quality", "Quality over all recordings", "", fields, rows)


def recording_table(
    qualities: Sequence[Quality], links: Mapping[str, str] | None = None, images: Mapping[str, str] | None = None
) -> Table:
    """List the recordings with their quality figures, lowest pulse SNR first; an unknown one stands before all others.

    Examples
    --------
    >>> recording_table([]).sort_by
    'snr_db'
    """
    order = sorted(qualities, key=lambda one: (one.snr_db if np.isfinite(one.snr_db) else -np.inf, one.recording_id))
    fields = [
        Field("recording_id", "recording"),
        *(metric.field for metric in METRICS[:1]),
        Field("true_bpm", "label", "bpm", "mean labeled heart rate", "float", 1),
        Field("pos_bpm", "POS", "bpm", "highest peak of the POS spectrum", "float", 1),
        Field("error_bpm", "POS - label", "bpm", "estimate minus label", "float", 1, True),
        *(metric.field for metric in METRICS[2:]),
        Field("gaps", "gaps", "", "stretches without a known face", "int"),
        Field("duration_s", "length", "s", "length of the recording", "float", 1),
        Field("subject", "subject"),
        Field("scenario", "scenario", "", "in the database's own terms"),
        Field("camera", "camera", "", "in the database's own terms"),
    ]
    wanted = {one.name for one in fields}
    rows = [{key: value for key, value in one.row().items() if key in wanted} for one in order]
    return Table(
        "recordings",
        "Recordings, worst first",
        "Sorted by pulse SNR; a press on a heading sorts by another column. The small map shows ten seconds of the green channel without what is "
        "slower than the pulse: columns that run through all rows are beats.",
        fields,
        rows,
        sort_by="snr_db",
        links=links or {},
        images=images or {},
        image_alt="small spatial-temporal map of",
        search=len(rows) > 20,
    )
