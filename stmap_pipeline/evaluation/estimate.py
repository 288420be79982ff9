"""Heart rate over time of a user's video: a number with its probability, or a refusal with its reason.

A refusal is a result: a video of an empty room, of a photograph, or of a face whose pulse is lost in motion has no heart rate, and a number
for it could not be distinguished from a correct one. It still has a best guess, marked as such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.config import Config
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.evaluation.background import Background
from stmap_pipeline.evaluation.decision import ANSWER, Evidence, best_of_all, decide, explained
from stmap_pipeline.evaluation.picture import PictureMeter
from stmap_pipeline.evaluation.signal_problems import missing_spans_s, signal_problems
from stmap_pipeline.evaluation.video_estimate import VideoEstimate, WindowEstimate
from stmap_pipeline.evaluation.window_rates import (
    PULSE_NET_METHOD,
    SHORTEST_S,
    ClassicalRates,
    RateSource,
    WindowRates,
    rate_source,
)
from stmap_pipeline.labels import span_problem
from stmap_pipeline.pipeline.limits import Limits, is_memory_error, limited_memory
from stmap_pipeline.pipeline.worker import build_recording
from stmap_pipeline.records import (
    LARGEST_GRID,
    BlockTrace,
    LandmarkTrack,
    Recording,
    RecordingResult,
    RoiGrid,
    VideoSource,
    duration_s,
    median_interval_s,
)
from stmap_pipeline.records.recording import safe_id
from stmap_pipeline.signals.resample import MAX_GAP_S
from stmap_pipeline.video import Frame

FloatArray = npt.NDArray[np.float64]

WINDOW_S, STEP_S = 10.0, 2.0
#: A face must be known in so much of a window.
SEEN = 0.6
#: Rows and columns into which each block of the grid is divided for a method that reads any number of blocks. A codec copies and rounds parts
#: of a picture; where parts are measured apart, those that still show the pulse can be told from the others.
PARTS = 2
#: Classical methods that are set beside where the network gives no rate, and in JSON always.
SECOND_OPINIONS = ("pos", "chrom")


def estimate_video(
    video: str | Path,
    method: str | RateSource = PULSE_NET_METHOD,
    *,
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    config: Config | None = None,
    others: Iterable[str] = (),
    on_frame: Callable[[float], None] | None = None,
) -> VideoEstimate:
    """Estimate the heart rate of a video.

    Decoding, tracking and block means are those of a build, with its limits of time and memory; nothing is written.

    Parameters
    ----------
    video : str or Path
    method : str or RateSource
        ``pulse-net`` (the network that comes with the package), ``green``, ``chrom`` or ``pos``; or what finds the rates of windows,
        such as :class:`~stmap_pipeline.evaluation.window_rates.RunRates`.
    window_s, step_s : float
        Length of a window, and time from one to the next. A shorter video has one window. A trained run has a length of its own.
    config : Config, optional
        Of faces and blocks; its limits are not looked at. A method that reads any number of blocks gets :data:`PARTS` x :data:`PARTS`
        parts of each, up to 32 rows and columns.
    others : iterable of str
        Classical methods to set beside. Where the network gives no rate, POS and CHROM are set beside it, with a note where one of them would give one.
    on_frame : callable, optional
        Called at each frame with its time in seconds.

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
    ModelError
        Where the weights of the package are missing or damaged.
    ValueError
        Where a window is shorter than 5 s, or a step is not positive.

    Examples
    --------
    >>> one = estimate_video(Path("nowhere.mp4"))
    >>> one.reason, one.heart_rate_bpm
    ('source_missing', nan)
    """
    video = Path(video)
    _check_windows(window_s, step_s)
    source = rate_source(method) if isinstance(method, str) else method
    beside = [ClassicalRates(one) for one in others]
    limits = Limits()
    try:
        with limited_memory(limits.memory_bytes):
            config = config or Config()
            divided = getattr(source, "any_grid", False) and max(config.blocks.rows, config.blocks.cols) * PARTS <= LARGEST_GRID
            result, meter = _read(video, divided_grid(config) if divided else config, limits, on_frame)
            least = config.blocks.min_coverage
            found = _estimate(
                result.blocks.merged(PARTS).covered(least) if divided else result.blocks,
                result.track,
                _attributes(result, video),
                source,
                beside,
                str(video),
                window_s=window_s,
                step_s=step_s,
                background=meter.background(result.track),
                repeated=meter.repeated(result.track),
                parts=result.blocks.covered(least) if divided else None,
            )
            return replace(found, notes=(*result.notes, *found.notes))
    except RecordingError as error:
        reason, message = error.reason, str(error)
    except Exception as error:
        if not is_memory_error(error):
            raise
        reason, message = (
            "out_of_memory",
            f"{video}: needed more than {limits.memory_bytes / 2**20:.0f} MB; cut it into shorter videos",
        )
    return VideoEstimate(str(video), source.name, float("nan"), reason, message)


def estimate_blocks(
    blocks: BlockTrace,
    method: str | RateSource = PULSE_NET_METHOD,
    *,
    track: LandmarkTrack | None = None,
    name: str = "",
    window_s: float = WINDOW_S,
    step_s: float = STEP_S,
    others: Iterable[str] = (),
) -> VideoEstimate:
    """Estimate the heart rate of block means at hand, whose blocks are read as they are; see :func:`estimate_video`.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> one = estimate_blocks(example_result(frames=450).blocks)  # a sine without noise is no pulse to the network
    >>> one.reason, [(round(w.start_s), round(w.stop_s)) for w in one.windows]
    ('no_pulse', [(0, 10), (2, 12), (4, 14), (5, 15)])
    >>> one.notes[0].partition(",")[0]
    'the method pos would give 72 bpm'
    """
    _check_windows(window_s, step_s)
    source = rate_source(method) if isinstance(method, str) else method
    beside = [ClassicalRates(one) for one in others]
    return _estimate(blocks, track, {}, source, beside, name, window_s=window_s, step_s=step_s)


def _check_windows(window_s: float, step_s: float) -> None:
    if not (window_s >= SHORTEST_S and step_s > 0):
        raise ValueError(f"a window lasts {SHORTEST_S:g} s at least and a step is positive, not {window_s} and {step_s}")


def _estimate(
    blocks: BlockTrace,
    track: LandmarkTrack | None,
    attributes: Mapping[str, str | int | float],
    source: RateSource,
    beside: list[ClassicalRates],
    name: str,
    *,
    window_s: float,
    step_s: float,
    background: Background | None = None,
    repeated: npt.NDArray[np.bool_] | None = None,
    parts: BlockTrace | None = None,
) -> VideoEstimate:
    times_s = blocks.times_s
    nothing = VideoEstimate(name, source.name, float("nan"), "", "", blocks=blocks)
    if problem := span_problem(times_s):
        return replace(nothing, reason="clock_unreadable", message=f"{problem}; correct the times of the video")
    nothing = replace(nothing, problems=signal_problems(blocks, track, attributes, repeated))
    if repeated is not None and repeated.any():
        # such a frame is no measurement of its time
        blocks, track = blocks.at(~repeated), None if track is None else track.at(~repeated)
        parts = None if parts is None else parts.at(~repeated)
        nothing = replace(nothing, blocks=blocks)
    if not blocks.valid.any():
        return explained(replace(nothing, reason="no_face", message=f"no face in any of {len(times_s)} frames"))
    # between frames that are left out as repeats, traces are interpolated
    bridged_s = MAX_GAP_S if len(blocks.times_s) < len(times_s) else 0.0
    rates = source.windows(blocks if parts is None else parts, track, window_s, step_s)
    if parts is not None:
        rates = of_whole_blocks(rates, blocks.grid)
    seen = known_share(blocks, rates.spans_s, bridged_s) >= SEEN
    if not seen.any():
        windows = tuple(WindowEstimate(*span, *[float("nan")] * 5) for span in rates.spans_s.tolist())
        return explained(
            replace(nothing, reason="too_short", message=_too_short(blocks, rates.spans_s, times_s, bridged_s), windows=windows)
        )
    if not np.isfinite(rates.no_pulse[seen]).any():
        windows = tuple(WindowEstimate(*span, *[float("nan")] * 5) for span in rates.spans_s.tolist())
        message = "the color of the face does not change at all, so there is no best guess either"
        return explained(replace(nothing, reason="no_pulse", message=message, windows=windows, pulse=rates.pulse))
    found = decide(Evidence(rates, seen, blocks, background), nothing)
    # the network has no rate: others may be sure of one
    unsure = found.refused and source.name == PULSE_NET_METHOD
    if unsure:
        asked = {one.name for one in beside}
        beside = [*beside, *(ClassicalRates(one) for one in SECOND_OPINIONS if one not in asked)]
    others = {}
    for one in beside:
        rates = one.windows(blocks, track, window_s, step_s)
        others[one.name] = best_of_all(Evidence(rates, known_share(blocks, rates.spans_s, bridged_s) >= SEEN, blocks, background))
    notes = tuple(
        f"the method {name} would give {rate_bpm:.0f} bpm, with a probability of {probability:.2f}; the network is not sure of that rhythm"
        for name, (rate_bpm, probability) in others.items()
        if unsure and probability >= ANSWER
    )
    return replace(found, others=others, notes=(*found.notes, *notes))


def divided_grid(config: Config) -> Config:
    """Return settings with each block of the grid divided into :data:`PARTS` rows and columns, and means of parts of which hardly anything is seen.

    Those are needed for the mean of the block: one that came and went with a part at the edge of the picture would jump.
    """
    grid = {"rows": PARTS * config.blocks.rows, "cols": PARTS * config.blocks.cols, "min_coverage": 1e-6}
    return config.model_copy(update={"blocks": config.blocks.model_copy(update=grid)})


def of_whole_blocks(rates: WindowRates, grid: RoiGrid) -> WindowRates:
    """Return rates with the weight of each block of a grid in place of those of its :data:`PARTS` x :data:`PARTS` parts."""
    if rates.block_weights is None:
        return rates
    weights = rates.block_weights.reshape(grid.rows, PARTS, grid.cols, PARTS).sum(axis=(1, 3))
    return rates._replace(block_weights=weights.ravel())


def known_share(blocks: BlockTrace, spans_s: FloatArray, bridged_s: float = 0.0) -> FloatArray:
    """Return the share of each window in which frames with a face are there, (W,).

    A frame stands for the time up to the next one, but for three usual steps, or ``bridged_s``, at most: what is missing is not known.

    Examples
    --------
    >>> from stmap_pipeline.maps.example import example_result
    >>> known_share(example_result(frames=300, lost=slice(0, 150)).blocks, np.array([[0.0, 10.0]])).round(2).tolist()
    [0.5]
    """
    times_s = blocks.times_s
    if len(times_s) < 2:
        return np.zeros(len(spans_s))
    steps_s, usual_s = np.diff(times_s), median_interval_s(times_s)
    stands_s = np.append(np.where(steps_s <= max(3 * usual_s, bridged_s), steps_s, usual_s), usual_s) * blocks.valid
    sums = np.concatenate([[0.0], np.cumsum(stands_s)])
    first, last = np.searchsorted(times_s, spans_s[:, 0] - 1e-6), np.searchsorted(times_s, spans_s[:, 1] - 1e-6)
    return np.asarray(np.minimum((sums[last] - sums[first]) / (spans_s[:, 1] - spans_s[:, 0]), 1.0))


def _too_short(blocks: BlockTrace, spans_s: FloatArray, times_s: FloatArray, bridged_s: float) -> str:
    """Describe what there is of a video with frames at some times, of which the blocks have those that repeat none."""
    length_s = duration_s(times_s)
    repeated_s = (len(times_s) - len(blocks.times_s)) * median_interval_s(times_s)
    missing_s = sum(stop_s - start_s for start_s, stop_s in missing_spans_s(times_s))
    parts = [f"{missing_s:.1f} s have no frames"] * (missing_s > 0) + [f"{repeated_s:.1f} s repeat a frame"] * (repeated_s > 0)
    lacking = f" ({', '.join(parts)})" if parts else ""
    if not len(spans_s):
        return f"the video lasts {length_s:.1f} s{lacking}, {'and what is left' if parts else 'which'} is less than one window"
    whole_s = np.array([[times_s[0], times_s[0] + length_s]])
    seen_s = float(known_share(blocks, whole_s, bridged_s)[0]) * length_s
    window_s = float((spans_s[:, 1] - spans_s[:, 0]).max())
    return (
        f"a face is seen for {seen_s:.1f} of {length_s:.1f} s{lacking}, and nowhere in {SEEN:.0%} of a window of {window_s:.1f} s"
    )


def _read(
    video: Path, config: Config, limits: Limits, on_frame: Callable[[float], None] | None
) -> tuple[RecordingResult, PictureMeter]:
    source = VideoSource(video)
    # a video with few frames with a face is refused by its windows, not by the limits of a build
    accepted = config.limits.model_copy(update={"max_lost_fraction": 1.0, "min_duration_s": 0.0})
    recording = Recording(safe_id(video.name), "estimate", "one", source)
    meter = PictureMeter()

    def watch(frame: Frame) -> None:
        meter.add(frame)
        if on_frame is not None:
            on_frame(frame.time_s)

    result = build_recording(recording, config.model_copy(update={"limits": accepted}), limits=limits, on_frame=watch)
    return result, meter


def _attributes(result: RecordingResult, video: Path) -> dict[str, str | int | float]:
    """Return the metadata of a recording with the bits that each pixel of a frame takes in its file."""
    known = dict(result.attributes)
    pixels = int(known.get("width_px", 0)) * int(known.get("height_px", 0)) * int(known.get("decoded_frames", 0))
    if pixels and video.is_file():
        known["bits_per_pixel"] = 8 * video.stat().st_size / pixels
    return known
