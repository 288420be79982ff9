"""Heart rate over time of anyone's video: a number with its quality, or a refusal with its reason.

A refusal is an answer like another: a video of an empty room, of a photograph, or of a face whose pulse drowns in motion has no heart
rate, and one that was given all the same would look like any other number.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import Config
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.evaluation.classical import method_named
from stmap_pipeline.evaluation.quality import PulseSignals, find_evidence, pulse_signals, quality
from stmap_pipeline.evaluation.spectrum import dominant_rate_bpm
from stmap_pipeline.evaluation.video_result import VideoEstimate, WindowEstimate
from stmap_pipeline.pipeline.process import build_recording
from stmap_pipeline.records import BlockTrace, Recording, RecordingResult, VideoSource
from stmap_pipeline.records.recording import safe_id

FloatArray = npt.NDArray[np.float64]

WINDOW_S, STEP_S = 10.0, 5.0
#: Least quality of a window for its rate to be given, and where no other window can support it.
ACCEPT, ACCEPT_ALONE = 0.5, 0.7
#: A window is supported by another one, half a window to a whole one away, whose rate is so near.
AGREE_BPM = 9.0
#: Least share of supported windows among those of enough quality, and among all with a face, for a video to have a rate.
AGREEING_SHARE, ACCEPTED_SHARE = 0.75, 0.2
#: Shortest stretch with a face in which a rate is looked for: five beats of 60 bpm.
SHORTEST_S = 5.0
# a face must be known in so much of a window
_SEEN = 0.75


class RateSource(Protocol):
    """Whoever gives heart rates for windows of its own choice, such as :class:`~stmap_pipeline.evaluation.run_rates.RunRates`."""

    def windows(self, blocks: BlockTrace, step_s: float) -> tuple[FloatArray, FloatArray]:
        """Give (W, 2) starts and ends in seconds, and (W,) rates in beats per minute, NaN where there is none."""


def estimate_video(
    video: Path,
    method: str = "pos",
    *,
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    config: Config | None = None,
    rates: RateSource | None = None,
) -> VideoEstimate:
    """Estimate the heart rate of a video.

    Decoding, tracking and block means are those of a build; nothing is written.

    Parameters
    ----------
    video : Path
    method : str
        ``green``, ``chrom`` or ``pos``; with ``rates``, the name of what gives them.
    window_s, step_s : float
        Length of a window, and time from one to the next. A shorter video has one window.
    config : Config, optional
        Of faces and blocks; its limits are not looked at.
    rates : RateSource, optional
        Another source of rates, such as a trained run, which brings windows of its own length. The quality then says what POS sees
        at these rates.

    Returns
    -------
    VideoEstimate
        Also for a file that is missing, unreadable or no video: a refusal with the reason of a build.

    Raises
    ------
    UnknownNameError
        Where there is no such method.
    ModelMissingError
        Where the landmark model is not installed.

    Examples
    --------
    >>> one = estimate_video(Path("nowhere.mp4"))
    >>> one.reason, one.heart_rate_bpm
    ('source_missing', nan)
    """
    if rates is None:
        method_named(method)
    try:
        result = _read(video, config or Config())
    except RecordingError as error:
        return VideoEstimate(str(video), method, float("nan"), error.reason, str(error), float("nan"))
    return estimate_blocks(result.blocks, method, name=str(video), window_s=window_s, step_s=step_s, rates=rates)


def estimate_blocks(
    blocks: BlockTrace,
    method: str = "pos",
    *,
    name: str = "",
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    rates: RateSource | None = None,
) -> VideoEstimate:
    """Estimate the heart rate of block means at hand; see :func:`estimate_video`.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = estimate_blocks(example_result(frames=450, heart_rate_bpm=81.0).blocks)
    >>> round(one.heart_rate_bpm), one.quality > 0.9, [(round(w.start_s), round(w.stop_s)) for w in one.windows]
    (81, True, [(0, 10), (5, 15)])
    """
    if not (window_s >= SHORTEST_S and step_s > 0):
        raise ValueError(f"a window lasts {SHORTEST_S:g} s at least and a step is positive, not {window_s} and {step_s}")

    def refused(reason: str, message: str, windows: tuple[WindowEstimate, ...] = ()) -> VideoEstimate:
        return VideoEstimate(name, method, float("nan"), reason, message, _mean_quality(windows), windows, blocks)

    frames, seen = len(blocks.times_s), blocks.valid
    if not seen.any():
        return refused("no_face", f"no face in any of {frames} frames")
    signals = pulse_signals(blocks, "pos" if rates is not None else method)
    if rates is None:
        spans_s, rates_bpm = _spans_s(signals, window_s, step_s), None
    else:
        spans_s, rates_bpm = rates.windows(blocks, step_s)
    windows = tuple(_windows(signals, spans_s, rates_bpm))
    shown = [one for one in windows if np.isfinite(one.quality)]
    if not shown:
        return refused(*_nothing_seen(blocks, spans_s), windows)
    enough, accepted = _accepted(windows)
    supported = sum(accepted)
    hidden = tuple(one if kept else replace(one, heart_rate_bpm=float("nan")) for one, kept in zip(windows, accepted, strict=True))
    if supported < max(1.0, ACCEPTED_SHARE * len(shown)) or supported < AGREEING_SHARE * enough:
        nothing = tuple(replace(one, heart_rate_bpm=float("nan")) for one in windows)
        best = max(one.quality for one in shown)
        return refused(
            "no_pulse",
            f"no pulse that stands out from noise, motion and light: best quality {best:.2f}, and {supported} of {len(shown)} windows have "
            f"enough and agree with one beside them (needed {ACCEPTED_SHARE:.0%}); more light, a stiller face and less compression help",
            nothing,
        )
    given = [one for one in hidden if np.isfinite(one.heart_rate_bpm)]
    mean_bpm = float(np.average([one.heart_rate_bpm for one in given], weights=[one.quality for one in given]))
    return VideoEstimate(name, method, mean_bpm, "", "", _mean_quality(windows), hidden, blocks)


def _read(video: Path, config: Config) -> RecordingResult:
    source = VideoSource(video)
    # what is lost or short is said here in the terms of windows, and not as a failed build
    limits = config.limits.model_copy(update={"max_lost_fraction": 1.0, "min_duration_s": 0.0})
    recording = Recording(safe_id(video.name), "estimate", "one", source)
    return build_recording(recording, config.model_copy(update={"limits": limits}))


def _nothing_seen(blocks: BlockTrace, spans_s: FloatArray) -> tuple[str, str]:
    """Say why not one window has a face and a movement of its color."""
    length_s = float(blocks.times_s[-1] - blocks.times_s[0])
    seen_s = length_s * float(blocks.valid.mean())
    if not len(spans_s):
        return "too_short", f"the video lasts {length_s:.1f} s, which is less than one window"
    window_s = float((spans_s[:, 1] - spans_s[:, 0]).max())
    return (
        "too_short",
        f"a face is seen for {seen_s:.1f} of {length_s:.1f} s, and nowhere in {_SEEN:.0%} of a window of {window_s:.1f} s",
    )


def _spans_s(signals: PulseSignals, window_s: float, step_s: float) -> FloatArray:
    """(W, 2) start and end of each window; the last one ends with the video, and a short video has one alone."""
    size, total = round(window_s * signals.rate_hz), len(signals.times_s)
    if total < SHORTEST_S * signals.rate_hz:
        return np.empty((0, 2))
    size = min(size, total)
    starts = list(range(0, total - size + 1, max(1, round(step_s * signals.rate_hz))))
    # half a second more is no other window
    if total - size - starts[-1] > 0.5 * signals.rate_hz:
        starts.append(total - size)
    begin_s = signals.times_s[starts]
    return np.stack([begin_s, begin_s + size / signals.rate_hz], axis=1)


def _windows(signals: PulseSignals, spans_s: FloatArray, rates_bpm: FloatArray | None) -> list[WindowEstimate]:
    found = []
    for index, (start_s, stop_s) in enumerate(spans_s.tolist()):
        begin, end = (round((time_s - signals.times_s[0]) * signals.rate_hz) for time_s in (start_s, stop_s))
        value = signals.face[begin:end]
        rate_bpm, trust = float("nan"), float("nan")
        if np.isfinite(value).mean() >= _SEEN:
            rate_bpm = dominant_rate_bpm(value, signals.rate_hz) if rates_bpm is None else float(rates_bpm[index])
            trust = quality(find_evidence(signals, begin, end, rate_bpm), signals.method, stop_s - start_s)
            # a face whose color does not move, or of which too few blocks are in sight: seen, and nothing found
            trust = trust if np.isfinite(trust) else 0.0
        found.append(WindowEstimate(start_s, stop_s, rate_bpm, trust))
    return found


def _accepted(windows: tuple[WindowEstimate, ...]) -> tuple[int, list[bool]]:
    """Count the windows of enough quality, and tell of each window whether its rate may be given."""
    length_s = windows[0].stop_s - windows[0].start_s
    enough = [one for one in windows if one.quality >= ACCEPT]

    def beside(one: WindowEstimate, other: WindowEstimate) -> bool:
        # what overlaps by more than half is nearly the same window, and no witness
        return 0.5 * length_s - 0.1 <= abs(one.start_s - other.start_s) <= length_s + 0.1

    def accepted(one: WindowEstimate) -> bool:
        if not one.quality >= ACCEPT:
            return False
        if not any(beside(one, other) and np.isfinite(other.quality) for other in windows):
            return one.quality >= ACCEPT_ALONE
        return any(beside(one, other) and abs(one.heart_rate_bpm - other.heart_rate_bpm) <= AGREE_BPM for other in enough)

    return len(enough), [accepted(one) for one in windows]


def _mean_quality(windows: tuple[WindowEstimate, ...]) -> float:
    known = [one.quality for one in windows if np.isfinite(one.quality)]
    return float(np.mean(known)) if known else float("nan")
