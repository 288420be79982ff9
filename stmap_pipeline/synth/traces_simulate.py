"""One simulated recording, as a build would hand it to a shard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import BlockTrace, ClockSource, LandmarkTrack, Recording, RecordingResult, RoiGrid, VideoSource
from stmap_pipeline.synth.shape import MEAN_SHAPE
from stmap_pipeline.synth.traces_cast import TracePlan
from stmap_pipeline.synth.traces_layout import COLS, ROWS
from stmap_pipeline.synth.traces_model import LOOKS, SEVERITY, make_means, make_person
from stmap_pipeline.synth.traces_pulse import make_heart

NAME = "synthetic-traces"
_EYE_DISTANCE_PX = 80.0


def simulate(plan: TracePlan, seed: int, severity: float = SEVERITY, *, pulse: float = 1.0) -> RecordingResult:
    """Simulate one recording; the same plan and seed give the same numbers, whatever was simulated before.

    Parameters
    ----------
    plan : TracePlan
    seed : int
    severity : float
        Factor on all that hides the pulse.
    pulse : float
        Factor on the pulse; with 0 there is none, as in the picture of a picture.

    Examples
    --------
    >>> from stmap_pipeline.synth.traces_cast import cast
    >>> one = simulate(cast(1, 0, 1, 20.0)[0], seed=0)
    >>> one.blocks.means.shape[1:], one.heart_rate is not None
    ((25, 3), True)
    """
    person = make_person(np.random.default_rng([seed, 2, plan.number]))
    person = replace(person, pulse=pulse * person.pulse)
    random = np.random.default_rng([seed, 3, plan.number, list(LOOKS).index(plan.scenario), plan.camera, plan.take])
    times_s = _frame_times(random, plan)
    duration_s = float(times_s[-1]) + 1 / plan.rate_hz
    heart = make_heart(random, plan.mean_bpm, duration_s, after_exercise=plan.scenario == "v7")
    signals = make_means(random, person, heart, times_s, plan.rate_hz, plan.scenario, plan.camera, severity)
    lost = _lost(random, times_s, LOOKS[plan.scenario].lost if severity else 0.0)
    means = signals.means.astype(np.float32)
    means[lost] = np.nan
    points_px = np.broadcast_to((MEAN_SHAPE * _EYE_DISTANCE_PX + (180.0, 140.0)).astype(np.float32), (len(times_s), 68, 2)).copy()
    points_px[lost] = np.nan
    intervals_s = np.diff(times_s)
    return RecordingResult(
        Recording(
            plan.recording_id,
            NAME,
            plan.subject,
            VideoSource(Path("none")),
            clock=ClockSource("constant", rate_hz=plan.rate_hz, note="simulated: the times are stored, there is no clock to read"),
            scenario=plan.scenario,
            camera=f"source{plan.camera}",
            fold=plan.fold,
            extras={"take": str(plan.take), "skin_tone": person.tone},
        ),
        BlockTrace(times_s, means, np.where(lost[:, None], 0.0, np.ones((1, ROWS * COLS))).astype(np.float32), RoiGrid(ROWS, COLS)),
        LandmarkTrack(times_s, points_px, np.where(lost, np.nan, 1.0).astype(np.float32)),
        heart.label(duration_s),
        heart.contact(duration_s, random),
        notes=("simulated: nobody was filmed",),
        attributes={
            "clock": "simulated",
            "rate_hz": round(1 / float(intervals_s.mean()), 6),
            "interval_min_s": round(float(intervals_s.min()), 6),
            "interval_median_s": round(float(np.median(intervals_s)), 6),
            "interval_max_s": round(float(intervals_s.max()), 6),
            "decoded_frames": len(times_s),
            "frames_without_face": int(lost.sum()),
            "skin_tone": person.tone,
            "true_mean_bpm": round(plan.mean_bpm, 6),
            "simulated_pulse_percent": round(signals.pulse_percent, 6),
            "simulated_motion_percent": round(signals.motion_percent, 6),
            "simulated_noise_levels": round(signals.noise_levels, 6),
        },
    )


def _frame_times(random: np.random.Generator, plan: TracePlan) -> npt.NDArray[np.float64]:
    """Draw times as ``time.txt`` has them: whole milliseconds with jitter, now and then a dropped frame; the phone's are even."""
    count = max(2, round(plan.duration_s * plan.rate_hz))
    if plan.camera == 2:
        return np.arange(count) / plan.rate_hz
    steps_s = (1 + 0.06 * random.uniform(-1, 1, count)) / plan.rate_hz
    steps_s *= np.where(random.random(count) < 0.002, 2.0, 1.0)
    return np.asarray(np.round(np.cumsum(steps_s) - steps_s[0], 3))


def _lost(random: np.random.Generator, times_s: npt.NDArray[np.float64], chance: float) -> npt.NDArray[np.bool_]:
    drawn, place, length_s = random.random(), random.uniform(0, 0.9), random.uniform(0.3, 2.0)
    start_s = place * float(times_s[-1])
    return np.asarray((drawn < chance) & (times_s >= start_s) & (times_s < start_s + length_s))
