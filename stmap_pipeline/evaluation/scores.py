"""Scores of all methods, for all videos or windows and for parts of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from stmap_pipeline.evaluation.bands import BANDS, band_of
from stmap_pipeline.evaluation.bootstrap import Score, score
from stmap_pipeline.evaluation.classical import METHODS
from stmap_pipeline.evaluation.predictions import Predictions
from stmap_pipeline.evaluation.result import Bootstrap, Group, ScoreRow
from stmap_pipeline.evaluation.videos import METHOD_COLUMNS, Video
from stmap_pipeline.shards import RecordingInfo

FloatArray = npt.NDArray[np.float64]
# in a folder of one's own videos each may be a scenario of its own
MOST_PARTS = 40


def video_scores(videos: Sequence[Video], bootstrap: Bootstrap) -> list[ScoreRow]:
    """Score each method on all videos with a label, and on each band, scenario, camera and fold.

    Parameters
    ----------
    videos : sequence of Video
    bootstrap : Bootstrap

    Returns
    -------
    list of ScoreRow
        None where no video has a label. A division into more than 40 parts is left out.

    Examples
    --------
    >>> videos = [Video(f"p{i}", f"p{i}", "v1", "", 1, 2, 60.0 + i, 62.0 + i, 70.0, 60.0, 60.0, 60.0) for i in range(30)]
    >>> rows = video_scores(videos, Bootstrap())
    >>> [(one.group, one.name, one.score.n) for one in rows if one.method == "network"]
    [('all', '', 30), ('band', '60-70', 10), ('band', '70-85', 15), ('band', '85-100', 5), ('scenario', 'v1', 30), ('fold', '1', 30)]
    """
    labeled = [one for one in videos if np.isfinite(one.true_bpm)]
    true = np.array([one.true_bpm for one in labeled])
    units = np.array([one.subject if bootstrap.unit == "subject" else one.recording_id for one in labeled], dtype=np.str_)
    scored = partial(_score, bootstrap=bootstrap)
    rows = []
    for group, name, part in _parts(labeled):
        for method, column in METHOD_COLUMNS.items():
            estimated = np.array([getattr(one, column) for one in labeled])
            rows.append(ScoreRow("videos", method, group, name, scored(estimated[part], true[part], units[part])))
    return rows


def window_scores(
    predictions: Predictions,
    rates_bpm: FloatArray,
    infos: Mapping[str, RecordingInfo],
    constant_bpm: Mapping[int, float],
    bootstrap: Bootstrap,
) -> list[ScoreRow]:
    """Score each method on all windows with a label.

    Parameters
    ----------
    predictions : Predictions
    rates_bpm : (n, 3) array
        Heart rate of each window by GREEN, CHROM and POS.
    infos : mapping of str to RecordingInfo
    constant_bpm : mapping of int to float
        Mean heart rate of the training videos, by fold.
    bootstrap : Bootstrap

    Returns
    -------
    list of ScoreRow
        None where no window has a label.
    """
    labeled = np.isfinite(predictions.heart_rate_bpm)
    if not labeled.any():
        return []
    names, index = np.unique(predictions.recording_id, return_inverse=True)
    of_video = np.array([infos[name].subject if bootstrap.unit == "subject" else name for name in names.tolist()], dtype=np.str_)
    constant = np.array([constant_bpm.get(fold, np.nan) for fold in predictions.fold.tolist()])
    estimates = {"network": predictions.predicted_bpm, "constant": constant, **dict(zip(METHODS, rates_bpm.T, strict=True))}
    units, true = of_video[index][labeled], predictions.heart_rate_bpm[labeled]
    return [
        ScoreRow("windows", method, "all", "", _score(estimates[method][labeled], true, units, bootstrap))
        for method in METHOD_COLUMNS
    ]


def _score(estimated: FloatArray, true: FloatArray, units: npt.NDArray[np.str_], bootstrap: Bootstrap) -> Score:
    return score(estimated, true, units, resamples=bootstrap.resamples, confidence=bootstrap.confidence, seed=bootstrap.seed)


def _parts(videos: Sequence[Video]) -> Iterator[tuple[Group, str, npt.NDArray[np.bool_]]]:
    if not videos:
        return
    yield "all", "", np.ones(len(videos), dtype=np.bool_)
    divisions: dict[Group, list[str]] = {
        "band": band_of([one.true_bpm for one in videos]),
        "scenario": [one.scenario for one in videos],
        "camera": [one.camera for one in videos],
        "fold": [str(one.fold) if one.fold else "" for one in videos],
    }
    for group, names in divisions.items():
        # what has no name is no part
        known = [one for one in BANDS if one in names] if group == "band" else sorted(set(names) - {""})
        if len(known) <= MOST_PARTS:
            yield from ((group, name, np.array([one == name for one in names])) for name in known)
