"""Build one recording in a worker, from its video to its file in ``shards/`` and its rows in the tables.

Stored traces are used again where they were made from the same video and settings; times and labels are then derived again where
their sources changed. The task ends with an outcome whatever is wrong with the recording.
"""

from __future__ import annotations

import contextlib
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from stmap_pipeline import registry
from stmap_pipeline.blocks import Measurement, measure_blocks
from stmap_pipeline.config import Config
from stmap_pipeline.errors import RecordingError, ShardError, StmapError, WorkerError, printable
from stmap_pipeline.faces import FaceBackend, TrackingStats, find_turn, track
from stmap_pipeline.labels import rate_problem, read_labels, span_problem, without_lag
from stmap_pipeline.maps import cut_windows
from stmap_pipeline.parallel import MAX_DEATHS, one_thread
from stmap_pipeline.pipeline.limits import Limits, forget_peak, guarded, is_memory_error, peak_memory_bytes, timeout_message, within
from stmap_pipeline.pipeline.metadata import Metadata, clock_metadata, label_metadata, metadata_of, notes_of
from stmap_pipeline.pipeline.scratch import SET_ASIDE, Mark, Scratch
from stmap_pipeline.pipeline.sources import clock_key, labels_key, settings_key, video_bytes, video_key, video_stamp
from stmap_pipeline.records import (
    BlockTrace,
    LandmarkTrack,
    Outcome,
    Recording,
    RecordingResult,
    SourceKeys,
    StreamPositions,
)
from stmap_pipeline.shards import read_recording, recording_path, write_recording
from stmap_pipeline.shards.tables import recording_row, window_row
from stmap_pipeline.video import Frame, FrameStream, open_stream, video_start
from stmap_pipeline.video.clock import Clock

T = TypeVar("T")
Row = dict[str, Any]

_FAULT = re.compile(r"Fatal Python error: (.+)")
# Tracking smooths over seconds: where a new clock is faster or slower by more than this, the face is tracked again.
_SAME_SPEED = 0.05
# Where no face is found: how many images, one of so many frames, are searched for a face that stands sideways or upside down.
_TURN_IMAGES, _TURN_EVERY = 8, 15


class StageTimer:
    """Seconds spent in each stage of a chain of iterators, measured from outside."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Pass items on and add up the time it takes to get each."""
        source = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(source)
                except StopIteration:
                    return
            yield item

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add times that were measured elsewhere."""
        for name, more_s in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + more_s

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class Rows(NamedTuple):
    """What one recording adds to the tables."""

    outcome: Outcome
    recording: Row | None = None
    windows: tuple[Row, ...] = ()


@cache
def load_backend(name: str) -> FaceBackend:
    """Load a face backend: half a second and 95 MB, once per process."""
    backend: FaceBackend = registry.load("face_backends", name)()
    return backend


@one_thread()
def build_recording(
    recording: Recording,
    config: Config,
    timer: StageTimer | None = None,
    limits: Limits | None = None,
    on_frame: Callable[[Frame], None] | None = None,
) -> RecordingResult:
    """Decode, track and measure one recording, and read its labels.

    Parameters
    ----------
    recording : Recording
    config : Config
    timer : StageTimer, optional
        Given the seconds of each stage.
    limits : Limits, optional
        Only the time is looked at here; see :func:`stmap_pipeline.pipeline.limits.guarded`.
    on_frame : callable, optional
        Called with each decoded frame, whole.

    Raises
    ------
    RecordingError
        With the stage and the reason code.
    ModelMissingError
        Where the landmark model is not installed.
    """
    timer = timer or StageTimer()
    rotate = config.faces.rotate
    stream, measured, stats = _measure(recording, config, timer, limits, on_frame, 0 if rotate == "auto" else int(rotate) // 90)
    if rotate == "auto" and not measured.track.found.any():
        with timer.stage("faces"):
            turns = _turn_with_face(recording, config)
        if turns is not None:
            stream, measured, stats = _measure(recording, config, timer, limits, on_frame, turns)
    clock = stream.clock
    clock.check(recording.video.path.name, config.limits.max_clock_mismatch)
    positions = StreamPositions(np.array(clock.numbers, dtype=np.int32), np.array(clock.presentation_s, dtype=np.float64))
    return _with_labels(recording, config, measured, metadata_of(recording, stream, measured, stats), positions, timer)


def _measure(
    recording: Recording,
    config: Config,
    timer: StageTimer,
    limits: Limits | None,
    on_frame: Callable[[Frame], None] | None,
    quarter_turns: int,
) -> tuple[FrameStream, Measurement, TrackingStats]:
    """Decode, track and measure the images of one recording, turned counterclockwise."""
    stats, own = TrackingStats(), StageTimer()
    with open_stream(recording, quarter_turns) as stream:
        watched = _told(stream, on_frame) if on_frame else stream
        frames = own.timed("decode", within(watched, limits.time_s) if limits else watched)
        tracked = own.timed("faces", track(frames, config.faces, load_backend(config.faces.backend), stats))
        with own.stage("blocks"):
            measured = measure_blocks(tracked, config.blocks)
    # stages were nested: blocks wait for faces, and faces for decoding
    decode_s, faces_s, blocks_s = (own.seconds.get(name, 0.0) for name in ("decode", "faces", "blocks"))
    timer.add({"decode": decode_s, "faces": max(0.0, faces_s - decode_s), "blocks": max(0.0, blocks_s - faces_s)})
    return stream, measured, stats


def _turn_with_face(recording: Recording, config: Config) -> int | None:
    """Return the turn of the image in which some frames of a recording show a face."""
    with open_stream(recording) as stream:
        chosen = (frame.image.gray for frame in stream if frame.index % _TURN_EVERY == 0)
        return find_turn(islice(chosen, _TURN_IMAGES), load_backend(config.faces.backend))


def _told(frames: Iterable[Frame], on_frame: Callable[[Frame], None]) -> Iterator[Frame]:
    for frame in frames:
        on_frame(frame)
        yield frame


def _with_labels(
    recording: Recording,
    config: Config,
    measured: Measurement,
    metadata: Metadata,
    positions: StreamPositions | None,
    timer: StageTimer,
) -> RecordingResult:
    check_limits(recording, measured.blocks, measured.track, config)
    with timer.stage("labels"):
        labels = read_labels(recording, measured.blocks.times_s, partial(video_start, recording.video))
        metadata = {**metadata, **label_metadata(labels, measured.blocks)}
        if labels.lag_auto:
            labels = without_lag(labels, float(metadata["pulse_lag_s"]))
    notes = notes_of(recording, labels, metadata)
    return RecordingResult(recording, measured.blocks, measured.track, labels.heart_rate, labels.pulse, notes, metadata, positions)


def check_limits(recording: Recording, blocks: BlockTrace, landmarks: LandmarkTrack, config: Config) -> None:
    """Raise an error where a recording is not what the limits of the configuration ask for.

    Raises
    ------
    RecordingError
        ``clock_unreadable`` where its times span far more than its frames fill, or no camera has their rate, ``too_short`` or ``no_face``.
    """
    name, times_s = recording.video.path.name, blocks.times_s
    # first of all, as whatever is counted in time grows with the span
    if problem := span_problem(times_s):
        raise RecordingError("decode", "clock_unreadable", f"{name}: {problem}; correct its times or give rate_hz")
    if problem := rate_problem(times_s):
        raise RecordingError("decode", "clock_unreadable", f"{name}: {problem}")
    duration_s = float(times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0
    if duration_s < config.limits.min_duration_s:
        raise RecordingError(
            "decode",
            "too_short",
            f"{name}: {len(times_s)} frames in {duration_s:.2f} s (limit {config.limits.min_duration_s:g} s)",
        )
    lost = 1 - float(landmarks.found.mean())
    if lost > config.limits.max_lost_fraction:
        raise RecordingError(
            "faces",
            "no_face",
            f"no face in {lost:.0%} of {len(times_s)} frames (limit {config.limits.max_lost_fraction:.0%})",
        )


def stored_path(out: Path, recording_id: str) -> Path:
    """Return where the traces of a recording are stored: in ``shards/``, or set aside."""
    path = recording_path(out, recording_id)
    aside = out / SET_ASIDE / path.name
    return aside if aside.is_file() and not path.is_file() else path


def rows_of(result: RecordingResult, config: Config) -> tuple[Row, tuple[Row, ...]]:
    """Return the row of a recording as stored, and those of its windows."""
    subject = result.recording.subject
    return recording_row(result), tuple(window_row(one, subject) for one in cut_windows(result, config.windows))


@dataclass(frozen=True, slots=True)
class RecordingTask:
    """One recording to build or update: decoded where necessary, otherwise from what is stored.

    Parameters
    ----------
    recording : Recording
    config : Config
    out : Path
        Absolute, and the same on all machines.
    run : str
        The run it belongs to.
    limits : Limits
    stamp : str, optional
        Stamp of the video that its stored traces were made of, where it is not to be looked at again.
    isolated : bool
        Whether the process may be lost; otherwise only the time is limited, and only from frame to frame.
    """

    recording: Recording
    config: Config
    out: Path
    run: str
    limits: Limits
    stamp: str | None = None
    isolated: bool = True

    @property
    def name(self) -> str:
        """The id of the recording."""
        return self.recording.recording_id

    @property
    def hard_time_s(self) -> float:
        """Seconds after which a process that does not answer is ended."""
        return self.limits.hard_time_s

    def do(self) -> Rows:
        """Build or update a recording, unless it failed already in this run or two workers died on it.

        A scheduler that loses a worker gives its tasks to another one, even those whose result was only not yet fetched: so a task
        can be done twice without harm.

        Raises
        ------
        StmapError
            For what is wrong with the whole run.
        """
        scratch = Scratch(self.out)
        scratch.check_run(self.run)
        earlier = scratch.outcome(self.name)
        if earlier is not None and earlier.status == "failed":
            return Rows(earlier)
        mark = scratch.mark(self.name)
        if mark.timed_out or mark.deaths >= MAX_DEATHS:
            return Rows(self._give_up(scratch, mark))
        if self.stamp is None:
            # once per process, and no part of any recording's time and memory
            load_backend(self.config.faces.backend)
        with scratch.marked(self.name) as report, guarded(self.limits, report) if self.isolated else contextlib.nullcontext():
            return self._process(scratch, earlier)

    def lost(self, times: int, hung: bool) -> None:
        """Note a hang in its mark, as the process could not do so itself; its own deaths are in the mark already.

        Raises
        ------
        WorkerError
            Where workers die before they leave a mark, so that the recording is not the cause.
        """
        scratch = Scratch(self.out)
        if hung:
            scratch.note_timeout(self.name, f"{self.hard_time_s:g} s, killed by the main process")
        if times > scratch.mark(self.name).deaths + MAX_DEATHS:
            raise WorkerError(
                f"worker processes die before they begin, last with {self.name}; is there memory for them, and does `stmap demo` work?"
            )

    def _process(self, scratch: Scratch, earlier: Outcome | None) -> Rows:
        """Build or update the recording; an error of its own is an outcome."""
        forget_peak()
        start = time.perf_counter()
        timer, stamp = StageTimer(), video_stamp(self.recording) if self.stamp is None else self.stamp
        one, decoded = self.recording, False
        row: Row | None = None
        windows: tuple[Row, ...] = ()
        try:
            result, decoded = self._up_to_date(scratch, timer)
            frames = len(result.blocks.times_s)
            row, windows = rows_of(result, self.config)
            short = f"no window: its {frames} frames are fewer than {self.config.windows.length}"
            outcome = Outcome(one.recording_id, one.subject, "ok", "", "", "" if windows else short, frames, video_stamp=stamp)
        except RecordingError as error:
            outcome = self._failure(stamp, error.stage, error.reason, str(error))
        except StmapError:
            raise
        except Exception as error:
            if is_memory_error(error):
                message = f"needed more than {self.limits.memory_bytes / 2**20:.0f} MB; give it more with --memory-limit"
                outcome = self._failure(stamp, "run", "out_of_memory", message)
            else:
                log = scratch.log(one.recording_id, traceback.format_exc())
                outcome = self._failure(stamp, "run", "internal_error", f"{type(error).__name__}: {error}; see {log}")
        if outcome.status == "ok" and not decoded:
            resumed = self.stamp is not None or earlier is None
            return Rows(replace(outcome, timings=earlier.timings if earlier else {}, resumed=resumed), row, windows)
        timings = {f"{name}_s": seconds for name, seconds in timer.seconds.items()}
        timings |= {
            "total_s": time.perf_counter() - start,
            "read_bytes": video_bytes(one),
            "written_bytes": recording_path(self.out, self.name).stat().st_size if row is not None else 0,
            "peak_memory_bytes": peak_memory_bytes(),
        }
        outcome = replace(outcome, timings=timings)
        scratch.check_run(self.run)
        scratch.keep_outcome(outcome)
        return Rows(outcome, row, windows)

    def _up_to_date(self, scratch: Scratch, timer: StageTimer) -> tuple[RecordingResult, bool]:
        """Return the recording as stored, and whether it was decoded."""
        one, path, result = self.recording, recording_path(self.out, self.name), None
        keys = SourceKeys(settings_key(self.config), "", clock_key(one), labels_key(one))
        stored = self._stored(keys.settings)
        with timer.stage("hash"):
            keys = replace(keys, video=stored.keys.video if stored and self.stamp is not None else video_key(one))
        if stored is not None and stored.keys == keys:
            check_limits(one, stored.blocks, stored.track, self.config)
            if path.is_file():
                return stored, False
            result = stored
        elif stored is not None and stored.keys.video == keys.video:
            result = _derived_again(one, self.config, stored, keys, timer)
        decoded = result is None
        if result is None:
            result = build_recording(one, self.config, timer, self.limits)
        scratch.check_run(self.run)
        with timer.stage("write"):
            try:
                return write_recording(path, replace(result, keys=keys)), decoded
            except (ValueError, OverflowError, TypeError) as error:
                raise RecordingError("write", "not_storable", str(error)) from None

    def _stored(self, settings: str) -> RecordingResult | None:
        """Read what is stored of the recording; None where it is missing, damaged, or made with other settings."""
        try:
            path = stored_path(self.out, self.name)
            if path.is_symlink():
                return None
            stored = read_recording(path)
        except ShardError:
            return None
        same = stored.recording.recording_id == self.name and stored.keys.settings == settings
        return stored if same else None

    def _give_up(self, scratch: Scratch, mark: Mark) -> Outcome:
        """Return the outcome of a recording on which workers died or hung."""
        one = self.recording
        if mark.timed_out:
            reason, message = "timed_out", timeout_message(self.limits.time_s)
        else:
            fault = _FAULT.search(mark.report)
            cause = fault[1].strip().lower() if fault else "killed, as the system does when memory runs out"
            reason, message = "worker_died", f"the worker process died {MAX_DEATHS} times ({cause})"
        if mark.report:
            message += f"; see {scratch.log(one.recording_id, mark.report)}"
        outcome = self._failure(video_stamp(one), "run", reason, message)
        scratch.keep_outcome(outcome)
        scratch.unmark(one.recording_id)
        return outcome

    def _failure(self, stamp: str, stage: str, reason: str, message: str) -> Outcome:
        one, attempt = self.recording, attempt_key(self.recording, self.config, stamp)
        text = one_line(message)
        return Outcome(one.recording_id, one.subject, "failed", stage, reason, text, video_stamp=stamp, attempt=attempt)


def attempt_key(recording: Recording, config: Config, stamp: str) -> str:
    """Return a hash of all that a failure of a recording depends on."""
    keys = (settings_key(config), stamp, clock_key(recording), labels_key(recording), config.fingerprint("limits"))
    return "-".join(keys)


def _derived_again(
    recording: Recording, config: Config, stored: RecordingResult, keys: SourceKeys, timer: StageTimer
) -> RecordingResult | None:
    """Assign times and labels to stored traces again; None where the new clock asks for decoding and tracking."""
    blocks, landmarks, positions, metadata = stored.blocks, stored.track, stored.positions, dict(stored.attributes)
    if stored.keys.clock != keys.clock:
        if positions is None or metadata["frames_surplus"]:
            # frames that had no time were not tracked
            return None
        clock = Clock(recording.clock, float(metadata["container_rate_hz"]))
        times_s = clock.times_of(positions, int(metadata["decoded_frames"]) + int(metadata["decode_errors"]))
        clock.check(recording.video.path.name, config.limits.max_clock_mismatch)
        if not _runs_alike(times_s, blocks.times_s[: len(times_s)]):
            return None
        kept = slice(len(times_s))
        blocks = BlockTrace(times_s, blocks.means[kept], blocks.coverage[kept], blocks.grid)
        landmarks = LandmarkTrack(times_s, landmarks.points_px[kept], landmarks.score[kept])
        positions = StreamPositions(positions.number[kept], positions.presentation_s[kept])
        metadata |= clock_metadata(recording, clock, times_s)
        metadata["frames_without_face"] = int((~landmarks.found).sum())
    return _with_labels(recording, config, Measurement(blocks, landmarks), metadata, positions, timer)


def _runs_alike(times_s: Any, before_s: Any) -> bool:
    if len(times_s) < 2:
        return False
    ratio = (times_s[-1] - times_s[0]) / (before_s[-1] - before_s[0])
    return bool(abs(ratio - 1) <= _SAME_SPEED)


def one_line(text: str) -> str:
    """Return a text as one printable line of 500 characters or less, for ``outcomes.csv``."""
    return printable(" ".join(text.split())[:500])
