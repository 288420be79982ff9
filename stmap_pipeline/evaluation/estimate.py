"""Heart rate over time of a user's video: a number with its quality, or a refusal with its reason.

A refusal is a result: a video of an empty room, of a photograph, or of a face whose pulse is lost in motion has no heart rate, and a number
for it could not be distinguished from a correct one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ModelError, RecordingError
from stmap_pipeline.evaluation.quality import PulseSignals, find_evidence, pulse_signals, quality
from stmap_pipeline.labels import span_problem
from stmap_pipeline.maps.stmap import resample_blocks
from stmap_pipeline.pipeline.limits import Limits, is_memory_error, limited_memory
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import BlockTrace, Recording, RecordingResult, VideoSource
from stmap_pipeline.records.recording import safe_id
from stmap_pipeline.signals.classical import method_named
from stmap_pipeline.signals.spectrum import dominant_rates_bpm
from stmap_pipeline.training import require_torch

if TYPE_CHECKING:
    from stmap_pipeline.training.predict import Model

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


@dataclass(frozen=True, slots=True)
class WindowEstimate:
    """An interval of a video.

    Parameters
    ----------
    start_s, stop_s : float
        On the video's own clock.
    heart_rate_bpm : float
        NaN where there is no face, the quality is too low, no other window supports it, or the whole video is refused.
    quality : float
        From 0 to 1, see :mod:`stmap_pipeline.evaluation.quality`; NaN where there is no face.
    """

    start_s: float
    stop_s: float
    heart_rate_bpm: float
    quality: float


@dataclass(frozen=True, slots=True, eq=False)
class VideoEstimate:
    """The heart rate of one video, or the reason why there is none.

    Parameters
    ----------
    video : str
        As it was given.
    method : str
    heart_rate_bpm : float
        Mean of the windows that have one, weighted by their quality; NaN where refused.
    reason : str
        A code of :data:`stmap_pipeline.errors.REASONS`; empty where there is a rate.
    message : str
        Why there is none and what helps; empty where there is a rate.
    quality : float
        Mean over all windows in which the face was seen; NaN where there is none.
    windows : tuple of WindowEstimate
        In the order of time.
    blocks : BlockTrace, optional
        The traces, for a plot; None where the video could not be read.

    Examples
    --------
    >>> one = VideoEstimate("clip.mp4", "pos", float("nan"), "no_face", "no face in any of 542 frames", float("nan"))
    >>> one.refused, one.as_json()["heart_rate_bpm"], one.as_json()["reason"]
    (True, None, 'no_face')
    """

    video: str
    method: str
    heart_rate_bpm: float
    reason: str
    message: str
    quality: float
    windows: tuple[WindowEstimate, ...] = ()
    blocks: BlockTrace | None = field(default=None, repr=False)

    @property
    def refused(self) -> bool:
        """Whether there is no heart rate."""
        return bool(self.reason)

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold; unknown is null."""
        return {
            "video": self.video,
            "method": self.method,
            "heart_rate_bpm": _known(self.heart_rate_bpm),
            "reason": self.reason,
            "message": self.message,
            "quality": _known(self.quality),
            "windows": [
                {
                    "start_s": round(one.start_s, 6),
                    "stop_s": round(one.stop_s, 6),
                    "heart_rate_bpm": _known(one.heart_rate_bpm),
                    "quality": _known(one.quality),
                }
                for one in self.windows
            ],
        }


def estimate_video(
    video: Path,
    method: str = "pos",
    *,
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    config: Config | None = None,
    rates: RunRates | None = None,
) -> VideoEstimate:
    """Estimate the heart rate of a video.

    Decoding, tracking and block means are those of a build, with its limits of time and memory; nothing is written.

    Parameters
    ----------
    video : Path
    method : str
        ``green``, ``chrom`` or ``pos``; with ``rates``, the name of the run.
    window_s, step_s : float
        Length of a window, and time from one to the next. A shorter video has one window.
    config : Config, optional
        Of faces and blocks; its limits are not looked at.
    rates : RunRates, optional
        A trained run, which has windows of its own length. The quality is then that of POS at its rates.

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
    limits = Limits()
    try:
        with limited_memory(limits.memory_bytes):
            result = _read(video, config or Config(), limits)
            return estimate_blocks(result.blocks, method, name=str(video), window_s=window_s, step_s=step_s, rates=rates)
    except RecordingError as error:
        reason, message = error.reason, str(error)
    except Exception as error:
        if not is_memory_error(error):
            raise
        reason, message = (
            "out_of_memory",
            f"{video}: needed more than {limits.memory_bytes / 2**20:.0f} MB; cut it into shorter videos",
        )
    return VideoEstimate(str(video), method, float("nan"), reason, message, float("nan"))


def estimate_blocks(
    blocks: BlockTrace,
    method: str = "pos",
    *,
    name: str = "",
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    rates: RunRates | None = None,
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

    frames = len(blocks.times_s)
    if not blocks.valid.any():
        return refused("no_face", f"no face in any of {frames} frames")
    if problem := span_problem(blocks.times_s):
        return refused("clock_unreadable", f"{problem}; correct the times of the video")
    signals = pulse_signals(blocks, "pos" if rates is not None else method)
    if rates is None:
        spans_s, rates_bpm = _spans_s(signals, window_s, step_s), None
    else:
        spans_s, rates_bpm = rates.windows(blocks, step_s)
    windows = tuple(_windows(signals, spans_s, rates_bpm))
    seen = [one for one in windows if np.isfinite(one.quality)]
    if not seen:
        return refused(*_nothing_seen(blocks, spans_s), windows)
    enough, accepted = _accepted(windows)
    supported = sum(accepted)
    hidden = tuple(one if kept else replace(one, heart_rate_bpm=float("nan")) for one, kept in zip(windows, accepted, strict=True))
    if supported < max(1.0, ACCEPTED_SHARE * len(seen)) or supported < AGREEING_SHARE * enough:
        nothing = tuple(replace(one, heart_rate_bpm=float("nan")) for one in windows)
        best = max(one.quality for one in seen)
        return refused(
            "no_pulse",
            f"no pulse that stands out from noise, motion and light: best quality {best:.2f}, and {supported} of {len(seen)} windows have "
            f"enough and agree with one beside them (needed {ACCEPTED_SHARE:.0%}); more light, a stiller face and less compression help",
            nothing,
        )
    given = [one for one in hidden if np.isfinite(one.heart_rate_bpm)]
    mean_bpm = float(np.average([one.heart_rate_bpm for one in given], weights=[one.quality for one in given]))
    return VideoEstimate(name, method, mean_bpm, "", "", _mean_quality(windows), hidden, blocks)


class RunRates:
    """The networks of a run as the method of :func:`estimate_video`.

    A user's video is new to each fold, so the rate of a window is the mean of the estimates of all of them.

    Parameters
    ----------
    run : Path
        Folder of a run, or a file of weights in one.
    device : str

    Raises
    ------
    ExtraMissingError
        Where torch is not installed.
    ModelError
        Where the folder is no run, a checkpoint is damaged, or folds do not read the same maps.
    """

    def __init__(self, run: Path, device: str = "cpu") -> None:
        require_torch()
        # imported late: the classical methods go without torch
        from stmap_pipeline.training.predict import Model

        folds = [None] if run.suffix == ".safetensors" else Model.folds(run)
        self._models: list[Model] = [Model.load(run, fold, device) for fold in folds]
        metadata = [one.metadata for one in self._models]
        self.samples, self.blocks, self.rate_hz = metadata[0].samples, metadata[0].blocks, metadata[0].rate_hz
        kinds = {(one.samples, one.blocks, one.clock, one.rate_hz) for one in metadata}
        if len(kinds) > 1:
            raise ModelError(
                f"{run}: its folds read maps of different kinds; give one of them, such as {run}/fold1/last.safetensors"
            )

    def windows(self, blocks: BlockTrace, step_s: float) -> tuple[FloatArray, FloatArray]:
        """Cut a trace into windows of the networks' length and estimate each.

        Parameters
        ----------
        blocks : BlockTrace
        step_s : float
            The last window ends with the trace.

        Returns
        -------
        spans_s : (W, 2) array
            Start and end of each window; none where the trace is shorter than one.
        rates_bpm : (W,) array

        Raises
        ------
        ModelError
            Where the grid of blocks is not that of the training.
        """
        if blocks.grid.count != self.blocks:
            raise ModelError(f"the run reads {self.blocks} blocks, not {blocks.grid.rows} x {blocks.grid.cols}")
        trace = blocks if self.rate_hz is None else resample_blocks(blocks, self.rate_hz)
        times_s, total = trace.times_s, len(trace.times_s)
        if total < self.samples:
            return np.empty((0, 2)), np.empty(0)
        wanted_s = np.arange(times_s[0], times_s[total - self.samples], step_s)
        starts = np.unique([*np.searchsorted(times_s, wanted_s).tolist(), total - self.samples])
        interval_s = float(np.median(np.diff(times_s)))
        spans_s = np.stack([times_s[starts], times_s[starts + self.samples - 1] + interval_s], axis=1)
        lengths_s = (spans_s[:, 1] - spans_s[:, 0]).tolist()
        rates = [one.predict_trace(trace, starts.tolist(), lengths_s).heart_rate_bpm for one in self._models]
        return spans_s, np.mean(rates, axis=0)


def _read(video: Path, config: Config, limits: Limits) -> RecordingResult:
    source = VideoSource(video)
    # a video with few frames with a face is refused by its windows, not by the limits of a build
    accepted = config.limits.model_copy(update={"max_lost_fraction": 1.0, "min_duration_s": 0.0})
    recording = Recording(safe_id(video.name), "estimate", "one", source)
    return build_recording(recording, config.model_copy(update={"limits": accepted}), limits=limits)


def _nothing_seen(blocks: BlockTrace, spans_s: FloatArray) -> tuple[str, str]:
    """Return reason and message where no window has a face and a movement of its color."""
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
    """Return start and end of each window, (W, 2); the last one ends with the video, and a short video has one alone."""
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
    places = [tuple(round((time_s - signals.times_s[0]) * signals.rate_hz) for time_s in span) for span in spans_s.tolist()]
    if rates_bpm is None:
        rates_bpm = dominant_rates_bpm([signals.face[begin:end] for begin, end in places], signals.rate_hz)
    found = []
    for (start_s, stop_s), (begin, end), rate_bpm in zip(spans_s.tolist(), places, rates_bpm.tolist(), strict=True):
        if not np.isfinite(signals.face[begin:end]).mean() >= _SEEN:
            found.append(WindowEstimate(start_s, stop_s, float("nan"), float("nan")))
            continue
        chance = quality(find_evidence(signals, begin, end, rate_bpm), signals.method, stop_s - start_s)
        # a face whose color does not move, or of which too few blocks are in sight: seen, and nothing found
        found.append(WindowEstimate(start_s, stop_s, rate_bpm, chance if np.isfinite(chance) else 0.0))
    return found


def _accepted(windows: tuple[WindowEstimate, ...]) -> tuple[int, list[bool]]:
    """Count the windows of enough quality, and decide for each window whether its rate is given."""
    length_s = windows[0].stop_s - windows[0].start_s

    def beside(one: WindowEstimate, other: WindowEstimate) -> bool:
        # what overlaps by more than half is nearly the same window, and no independent evidence
        return 0.5 * length_s - 0.1 <= abs(one.start_s - other.start_s) <= length_s + 0.1

    alone = [not any(beside(one, other) and np.isfinite(other.quality) for other in windows) for one in windows]
    enough = [one.quality >= (ACCEPT_ALONE if by_itself else ACCEPT) for one, by_itself in zip(windows, alone, strict=True)]
    good = [one for one, is_good in zip(windows, enough, strict=True) if is_good]

    def supported(one: WindowEstimate) -> bool:
        return any(beside(one, other) and abs(one.heart_rate_bpm - other.heart_rate_bpm) <= AGREE_BPM for other in good)

    accepted = [is_good and (by_itself or supported(one)) for one, is_good, by_itself in zip(windows, enough, alone, strict=True)]
    return len(good), accepted


def _mean_quality(windows: tuple[WindowEstimate, ...]) -> float:
    known = [one.quality for one in windows if np.isfinite(one.quality)]
    return float(np.mean(known)) if known else float("nan")


def _known(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
