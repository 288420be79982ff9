"""One recording, from its video to its part: what a worker does. Every way it can end is an outcome."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TypeVar

from stmap_pipeline import registry
from stmap_pipeline.blocks import Measurement, measure_blocks
from stmap_pipeline.config import Config
from stmap_pipeline.errors import RecordingError, StmapError, printable
from stmap_pipeline.faces import FaceBackend, TrackingStats, track
from stmap_pipeline.faces.kept import StaleTrackError, replay
from stmap_pipeline.labels import read_labels
from stmap_pipeline.parallel import one_thread
from stmap_pipeline.pipeline.attributes import Attributes, attributes_of, notes_of, stats_from
from stmap_pipeline.pipeline.limits import Limits, forget_peak, peak_memory_bytes, within
from stmap_pipeline.pipeline.reuse import NotReusableError, Reuse, check_facts, check_times, read_stored
from stmap_pipeline.pipeline.source import source_bytes
from stmap_pipeline.pipeline.work import Work
from stmap_pipeline.records import Outcome, Recording, RecordingResult
from stmap_pipeline.records.outcome import Reused
from stmap_pipeline.video import open_stream
from stmap_pipeline.video.clock import span_problem

T = TypeVar("T")

_OPENCV_NO_MEMORY = -4


class Laps:
    """Seconds spent in each stage of a chain of iterators, measured from outside."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Pass items on and add up the time it takes to get each."""
        source = iter(items)
        while True:
            start = time.perf_counter()
            try:
                item = next(source)
            except StopIteration:
                return
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            yield item


@cache
def load_backend(name: str) -> FaceBackend:
    """Load a face backend: half a second and 95 MB, once per process."""
    backend: FaceBackend = registry.load("face_backends", name)()
    return backend


@one_thread()
def build_recording(
    recording: Recording,
    config: Config,
    laps: Laps | None = None,
    limits: Limits | None = None,
    stored: RecordingResult | None = None,
) -> RecordingResult:
    """Build one recording.

    Parameters
    ----------
    recording : Recording
    config : Config
    laps : Laps, optional
        Given the seconds of each stage.
    limits : Limits, optional
        Only the time is looked at here; see :func:`stmap_pipeline.pipeline.limits.guarded`.
    stored : RecordingResult, optional
        What was built of the same video: its landmarks are taken instead of tracking.

    Raises
    ------
    RecordingError
        With the stage and the reason code.
    ModelMissingError
        Where the landmark model is not installed.
    StaleTrackError
        Where ``stored`` has not the frames of this video.
    """
    laps = laps or Laps()
    stats = TrackingStats() if stored is None else stats_from(stored.attributes)
    with open_stream(recording) as stream:
        frames = laps.timed("decode", within(stream, limits.time_s) if limits else stream)
        if stored is not None:
            found = replay(frames, stored.track)
        else:
            found = track(frames, config.faces, load_backend(config.faces.backend), stats)
        tracked = laps.timed("faces", found)
        start = time.perf_counter()
        measured = measure_blocks(tracked, config.blocks)
        total_s = time.perf_counter() - start
        stream.clock.check(recording.video.path.name, config.limits.max_clock_mismatch)
    _separate(laps, total_s)
    return _with_labels(recording, config, measured, attributes_of(recording, stream, measured, stats), laps)


def take_over(recording: Recording, config: Config, reuse: Reuse, laps: Laps, limits: Limits) -> RecordingResult:
    """Build one recording from what is stored of it: without decoding, or without tracking.

    Raises
    ------
    NotReusableError
        Where what is stored is not what a full build would give.
    RecordingError
        As :func:`build_recording`.
    """
    start = time.perf_counter()
    stored = read_stored(reuse, recording)
    if reuse.level == "traces":
        check_times(recording, stored)
        laps.seconds["read"] = time.perf_counter() - start
        return _with_labels(recording, config, Measurement(stored.blocks, stored.track), stored.attributes, laps)
    laps.seconds["read"] = time.perf_counter() - start
    if stored.attributes["narrow_pictures"]:
        raise NotReusableError("more of the picture is needed than was kept in tracking")
    try:
        result = build_recording(recording, config, laps, limits, stored)
    except StaleTrackError as error:
        raise NotReusableError(str(error)) from None
    check_facts(result, stored)
    return result


def _with_labels(
    recording: Recording, config: Config, measured: Measurement, attributes: Attributes, laps: Laps
) -> RecordingResult:
    _check_limits(recording, measured, config)
    start = time.perf_counter()
    labels = read_labels(recording, measured.blocks.times_s)
    laps.seconds["labels"] = time.perf_counter() - start
    notes = notes_of(recording, labels, attributes)
    return RecordingResult(recording, measured.blocks, measured.track, labels.heart_rate, labels.pulse, notes, attributes)


def process_recording(
    recording: Recording, config: Config, work: Work, run: str, limits: Limits, reuse: Reuse | None = None
) -> Outcome:
    """Build one recording and keep its part; never raises for what is wrong with the recording.

    Parameters
    ----------
    recording : Recording
    config : Config
    work : Work
    run : str
        The run that must still own ``work`` when the part is written.
    limits : Limits
    reuse : Reuse, optional
        What is taken over where it can be; otherwise the recording is built in full, and its log says why.

    Raises
    ------
    StmapError
        For what is wrong with the whole run: no landmark model, an output that cannot be written.
    """
    laps = Laps()
    forget_peak()
    start = time.perf_counter()
    stage, reason, message, frames, written, result = "", "", "", 0, 0, None
    reused: Reused = reuse.level if reuse is not None else ""
    try:
        if reuse is not None:
            try:
                result = take_over(recording, config, reuse, laps, limits)
            except NotReusableError as error:
                reused, laps = "", Laps()
                work.log(recording.recording_id, f"built in full, nothing was taken over from {reuse.maps}: {error}")
        result = result or build_recording(recording, config, laps, limits)
        frames = len(result.blocks.times_s)
    except RecordingError as error:
        stage, reason, message = error.stage, error.reason, _one_line(f"{recording.recording_id}: {error}")
    except (StmapError, KeyboardInterrupt):
        raise
    except Exception as error:
        stage = "run"
        if _is_memory(error):
            reason = "out_of_memory"
            message = (
                f"{recording.recording_id}: needed more than {limits.memory_bytes / 2**20:.0f} MB; give it more with --memory-limit"
            )
        else:
            reason = "internal_error"
            message = _one_line(f"{recording.recording_id}: {type(error).__name__}: {error}; see logs/{recording.recording_id}.txt")
            work.log(recording.recording_id, traceback.format_exc())
    work.check_run(run)
    if result is not None:
        lap = time.perf_counter()
        written = work.keep_part(result)
        laps.seconds["write"] = time.perf_counter() - lap
    timings = {f"{name}_s": seconds for name, seconds in laps.seconds.items()}
    timings |= {
        "total_s": time.perf_counter() - start,
        "read_bytes": 0 if reused == "traces" else source_bytes(recording),
        "written_bytes": written,
        "peak_memory_bytes": peak_memory_bytes(),
    }
    outcome = Outcome(
        recording.recording_id,
        recording.subject,
        "ok" if result is not None else "failed",
        stage,
        reason,
        message,
        frames,
        timings,
        reused=reused if result is not None else "",
    )
    work.keep_outcome(outcome)
    return outcome


def _is_memory(error: Exception) -> bool:
    # OpenCV has one class for all errors and tells this one by its code
    return isinstance(error, MemoryError) or getattr(error, "code", None) == _OPENCV_NO_MEMORY


def _separate(laps: Laps, total_s: float) -> None:
    """Turn nested times (blocks wait for faces, faces for decoding) into times of their own."""
    decode, faces = laps.seconds.get("decode", 0.0), laps.seconds.get("faces", 0.0)
    laps.seconds["blocks"] = max(0.0, total_s - faces)
    laps.seconds["faces"] = max(0.0, faces - decode)


def _check_limits(recording: Recording, measured: Measurement, config: Config) -> None:
    times_s = measured.blocks.times_s
    if problem := span_problem(times_s):
        raise RecordingError(
            "decode", "clock_unreadable", f"{recording.video.path.name}: {problem}; mend its times or give rate_hz"
        )
    duration_s = float(times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0
    if duration_s < config.limits.min_duration_s:
        raise RecordingError(
            "decode",
            "too_short",
            f"{recording.video.path.name}: {len(times_s)} frames in {duration_s:.2f} s (limit {config.limits.min_duration_s:g} s)",
        )
    lost = 1 - float(measured.track.found.mean())
    if lost > config.limits.max_lost_fraction:
        raise RecordingError(
            "faces",
            "no_face",
            f"no face in {lost:.0%} of {len(times_s)} frames (limit {config.limits.max_lost_fraction:.0%})",
        )


def _one_line(text: str) -> str:
    return printable(" ".join(text.split())[:500])
