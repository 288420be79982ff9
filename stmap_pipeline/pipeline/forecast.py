"""How long a build will take, from a measurement of a few seconds before it starts."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stmap_pipeline.blocks import measure_blocks
from stmap_pipeline.config import Config
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.faces import TrackingStats, track
from stmap_pipeline.parallel import one_thread
from stmap_pipeline.pipeline.plan import BuildPlan
from stmap_pipeline.pipeline.worker import load_backend
from stmap_pipeline.records import Recording
from stmap_pipeline.video import Frame, VideoFacts, open_stream, probe_video

# headers that are read, sizes of image that are measured, and how long each
_PROBED, _SIZES, _MEASURED_S = 16, 3, 1.0
# the first frames hold the search for the face, which the others do not
_FIRST = 10
# a build of fewer frames is over before an estimate is worth its time
_FEW_FRAMES = 3000
_USUAL_RATE_HZ = 30.0
# start of the processes, each with a face model
_START_S = 3.0


@dataclass(frozen=True, slots=True)
class BuildForecast:
    """Time that a build will take.

    Parameters
    ----------
    frames : float
        To be decoded, by the headers of some videos.
    frames_per_s : float
        Of one process, as measured.
    seconds : float
        With all processes.
    """

    frames: float
    frames_per_s: float
    seconds: float


def forecast_build(plan: BuildPlan, processes: int) -> BuildForecast | None:
    """Estimate how long a build will take: decode the begin of a video of each size of image, in this process.

    Parameters
    ----------
    plan : BuildPlan
    processes : int
        That will work side by side, each on a core of its own.

    Returns
    -------
    BuildForecast or None
        None where there are few frames to decode, or none that can be.
    """
    by_size = defaultdict[tuple[int, int], list[tuple[Recording, float]]](list)
    for one, facts in _probed(plan.todo[:: max(1, len(plan.todo) // _PROBED)]):
        by_size[facts.width_px, facts.height_px].append((one, _frames_of(facts)))
    probed = sum(map(len, by_size.values()))
    if not probed:
        return None
    share = len(plan.todo) / probed
    frames = share * sum(count for group in by_size.values() for _, count in group)
    if frames < _FEW_FRAMES:
        return None
    seconds = measured_frames = 0.0
    # the sizes of which there are most
    for group in sorted(by_size.values(), key=lambda group: -sum(count for _, count in group))[:_SIZES]:
        rate = next((rate for one, _ in group[:2] if (rate := _measured_rate(one, plan.config)) > 0), 0.0)
        if rate > 0:
            count = sum(count for _, count in group)
            seconds += count / rate
            measured_frames += count
    if not seconds:
        return None
    per_s = measured_frames / seconds
    return BuildForecast(frames, per_s, _START_S + frames / per_s / max(1, min(processes, len(plan.todo))))


def _probed(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, VideoFacts]]:
    for one in recordings:
        try:
            facts = probe_video(one, quick=True)
        except RecordingError:
            # its build says so
            continue
        if _frames_of(facts) > 0:
            yield one, facts


def _frames_of(facts: VideoFacts) -> float:
    if facts.frames > 0:
        return float(facts.frames)
    rate_hz = facts.rate_hz if 0 < facts.rate_hz < np.inf else _USUAL_RATE_HZ
    return facts.duration_s * rate_hz if facts.duration_s > 0 else 0.0


@one_thread()
def _measured_rate(recording: Recording, config: Config) -> float:
    """Return how many frames of a recording are decoded, tracked and measured in a second; 0 where none can be."""
    backend = load_backend(config.faces.backend)
    times_s: list[float] = []
    try:
        with open_stream(recording) as stream:
            measure_blocks(track(_for_a_while(stream, times_s), config.faces, backend, TrackingStats()), config.blocks)
    except RecordingError:
        return 0.0
    times_s.append(time.monotonic())
    counted = times_s[min(_FIRST, len(times_s) - 2) :] if len(times_s) > 2 else []
    return (len(counted) - 1) / (counted[-1] - counted[0]) if counted and counted[-1] > counted[0] else 0.0


def _for_a_while(frames: Iterable[Frame], times_s: list[float]) -> Iterator[Frame]:
    """Yield frames until the time of the measurement is over, and note when each was asked for."""
    for frame in frames:
        times_s.append(time.monotonic())
        yield frame
        if times_s[-1] - times_s[0] > _MEASURED_S:
            return
