"""Simulated traces: from a pulse to the block means that a camera would record, as equations and without any image.

The model and its sources are described in docs/explanation/simulated-traces.md; the letters of its equations are the names here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stmap_pipeline.records import BlockTrace, ClockSource, LandmarkTrack, Recording, RecordingResult, RoiGrid, VideoSource
from stmap_pipeline.simulation.courses import band, low_pass
from stmap_pipeline.simulation.face import BLOCKS, COLS, MEAN_SHAPE, MOUTH, PERFUSION, ROWS, SHINE, SKIN_SHARE, SKIN_TONES
from stmap_pipeline.simulation.pulse import PULSE_RGB, SampledPulse, pulse_wave, simulate_pulse

FloatArray = npt.NDArray[np.float64]

NAME = "synthetic-traces"
"""Name of the database in what is written."""
_ACROSS = np.tile(np.linspace(-1, 1, COLS), ROWS)
_DOWN = np.repeat(np.linspace(-1, 1, ROWS), COLS)

_CODEC_LEVELS = {1: 0.34, 2: 0.26, 3: 0.38}  # standard deviation of a block by camera, in gray levels
_WHITE_BALANCE = 0.0018  # standard deviation of the gains while the camera adjusts them, relative
_EYE_DISTANCE_PX = 80.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a scenario does to a recording.

    Parameters
    ----------
    motion : float
        Standard deviation of head turns; 0.01 turns the face by a hundredth of its half width.
    talk : float
        The same for the mouth, while it speaks.
    light : float
        Standard deviation of the light's drift, relative.
    level : float
        Level of the light; 1 is good.
    noise : float
        Factor on sensor and codec noise: of distance (fewer pixels) and of dim light.
    face_lost : float
        Probability that the face is lost for a moment.
    """

    motion: float
    talk: float = 0.0
    light: float = 0.010
    level: float = 1.0
    noise: float = 1.0
    face_lost: float = 0.01


SCENARIOS = {
    "v1": Scenario(motion=0.014),
    "v2": Scenario(motion=0.080, face_lost=0.15),
    "v3": Scenario(motion=0.030, talk=0.04),
    "v4": Scenario(motion=0.014, light=0.02, level=1.15),
    "v5": Scenario(motion=0.014, light=0.02, level=0.6, noise=1.5),
    "v6": Scenario(motion=0.014, noise=1.5),
    "v7": Scenario(motion=0.022),
    "v8": Scenario(motion=0.018),
    "v9": Scenario(motion=0.060, talk=0.01, face_lost=0.10),
}
"""Name of a scenario of VIPL-HR -> what it does."""


@dataclass(frozen=True, slots=True)
class TracePlan:
    """One recording that is to be simulated.

    Parameters
    ----------
    recording_id, subject : str
    number : int
        Of the subject, from 1.
    scenario : str
        ``v1`` to ``v9``, as in VIPL-HR.
    camera : int
        1 webcam, 2 phone, 3 RGB-D camera.
    take : int
    fold : int
    mean_bpm : float
        Mean heart rate of the recording.
    rate_hz : float
        Mean frame rate.
    duration_s : float
    """

    recording_id: str
    subject: str
    number: int
    scenario: str
    camera: int
    take: int
    fold: int
    mean_bpm: float
    rate_hz: float
    duration_s: float


def simulate(plan: TracePlan, seed: int, severity: float = 1.0, *, pulse: float = 1.0) -> RecordingResult:
    """Simulate one recording; the result depends on plan and seed alone.

    Parameters
    ----------
    plan : TracePlan
    seed : int
    severity : float
        Factor on all that hides the pulse: motion, drift, flicker, sensor and codec noise. At 1, POS errs about as much as on VIPL-HR.
    pulse : float
        Factor on the pulse; 0 simulates a recording without one, as of a photograph.

    Examples
    --------
    >>> plan = TracePlan("p001_v1_source1", "p001", 1, "v1", 1, 1, 1, 72.0, 25.0, 20.0)
    >>> result = simulate(plan, seed=0)
    >>> result.blocks.means.shape[1:], result.heart_rate is not None
    ((25, 3), True)
    """
    person = draw_person(np.random.default_rng([seed, 2, plan.number]))
    person = replace(person, pulse=pulse * person.pulse)
    random = np.random.default_rng([seed, 3, plan.number, list(SCENARIOS).index(plan.scenario), plan.camera, plan.take])
    times_s = _frame_times(random, plan)
    duration_s = float(times_s[-1]) + 1 / plan.rate_hz
    heart = simulate_pulse(random, plan.mean_bpm, duration_s, after_exercise=plan.scenario == "v7")
    means, attributes = _block_means(random, plan, person, heart, times_s, severity)
    lost = _face_lost(random, times_s, SCENARIOS[plan.scenario].face_lost if severity else 0.0)
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
        BlockTrace(times_s, means, np.where(lost[:, None], 0.0, np.ones((1, BLOCKS))).astype(np.float32), RoiGrid(ROWS, COLS)),
        LandmarkTrack(times_s, points_px, np.where(lost, np.nan, 1.0).astype(np.float32)),
        heart.oximeter_rate(duration_s),
        heart.finger_wave(duration_s, random),
        notes=("synthetic data: simulated traces",),
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
            **attributes,
        },
    )


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """What stays the same in all recordings of one person.

    Parameters
    ----------
    tone : str
        Nearest name of :data:`~stmap_pipeline.simulation.face.SKIN_TONES`.
    color : (3,) array
        R, G, B of evenly lit skin.
    pulse : float
        Amplitude of the wave in green, relative to its level, in a block of usual skin.
    perfusion : (N,) array
        Factor on it in each block.
    shade : (N,) array
        Level of each block, relative.
    liveliness : float
        Factor on all motion.
    """

    tone: str
    color: FloatArray
    pulse: float
    perfusion: FloatArray
    shade: FloatArray
    liveliness: float


def draw_person(random: np.random.Generator) -> Person:
    """Draw a simulated subject.

    Examples
    --------
    >>> one = draw_person(np.random.default_rng(3))
    >>> bool(0.0005 < one.pulse < 0.02), one.color.shape
    (True, (3,))
    """
    names = list(SKIN_TONES)
    # 0 very light, 4 very dark; few people are at the ends
    place = float(np.clip(random.normal(1.6, 0.8), 0, len(names) - 1))
    tones = np.array(list(SKIN_TONES.values()))
    color = np.array([np.interp(place, np.arange(len(names)), tones[:, channel]) for channel in range(3)])
    # melanin absorbs light before it reaches blood
    pulse = 0.0055 * np.exp(-0.22 * place) * float(random.lognormal(0, 0.45)) * 1.2
    return Person(
        tone=names[round(place)],
        color=color * random.uniform(0.65, 0.95),
        pulse=pulse,
        perfusion=PERFUSION * random.lognormal(0, 0.2, BLOCKS),
        shade=random.uniform(0.85, 1.1, BLOCKS),
        liveliness=float(random.lognormal(0, 0.35)),
    )


def _frame_times(random: np.random.Generator, plan: TracePlan) -> FloatArray:
    """Draw times as of ``time.txt``: whole milliseconds with jitter, rarely a dropped frame; those of the phone are even."""
    count = max(2, round(plan.duration_s * plan.rate_hz))
    if plan.camera == 2:
        return np.arange(count) / plan.rate_hz
    steps_s = (1 + 0.06 * random.uniform(-1, 1, count)) / plan.rate_hz
    steps_s *= np.where(random.random(count) < 0.002, 2.0, 1.0)
    return np.asarray(np.round(np.cumsum(steps_s) - steps_s[0], 3))


def _face_lost(random: np.random.Generator, times_s: FloatArray, probability: float) -> npt.NDArray[np.bool_]:
    """Draw the (T,) frames in which the face is lost: none, or one stretch of 0.3 to 2 s."""
    drawn, place, length_s = random.random(), random.uniform(0, 0.9), random.uniform(0.3, 2.0)
    start_s = place * float(times_s[-1])
    return np.asarray((drawn < probability) & (times_s >= start_s) & (times_s < start_s + length_s))


def _block_means(
    random: np.random.Generator, plan: TracePlan, person: Person, heart: SampledPulse, times_s: FloatArray, severity: float
) -> tuple[npt.NDArray[np.float32], dict[str, float]]:
    """Simulate the (T, N, 3) block means, and describe how strong pulse, motion and noise are in them."""
    scenario, size = SCENARIOS[plan.scenario], len(times_s)
    rates_hz: FloatArray = np.asarray(np.fft.rfftfreq(size, 1 / plan.rate_hz), dtype=np.float64)
    motion = severity * scenario.motion * person.liveliness * float(random.lognormal(0, 0.3))
    turns = motion * _turns(random, size, rates_hz, shaking=plan.scenario in ("v2", "v9"))
    mouth = severity * scenario.talk * person.liveliness * _speech(random, size, rates_hz)
    breath = np.interp(times_s, heart.times_s, heart.breath)
    turns = turns + severity * (0.006 if plan.scenario == "v7" else 0.001) * breath * np.array([[0.2], [1.0]])

    relative = _pulse(random, person, heart, times_s, breath)
    relative = relative + _motion(random, turns, mouth)
    relative = relative + severity * _flicker(random, times_s)
    light = severity * _light(random, scenario, size, rates_hz)
    skin = SKIN_SHARE[:, None] * person.color
    wall = (1 - SKIN_SHARE)[:, None] * random.uniform(20, 140) * random.uniform(0.85, 1.15, 3)
    base = person.shade[:, None] * (skin + wall) * scenario.level
    noise = severity * scenario.noise * _CODEC_LEVELS[plan.camera] * float(random.lognormal(0, 0.3))
    means = base * (1 + relative) * (1 + light) + noise * _codec(random, size, plan.rate_hz, rates_hz)
    attributes = {
        "simulated_pulse_percent": round(100 * person.pulse * float((SKIN_SHARE * person.perfusion).mean()), 6),
        "simulated_motion_percent": round(100 * motion, 6),
        "simulated_noise_levels": round(noise, 6),
    }
    return means.astype(np.float32), attributes


def _pulse(random: np.random.Generator, person: Person, heart: SampledPulse, times_s: FloatArray, breath: FloatArray) -> FloatArray:
    """(T, N, 3) relative change by blood, which reaches each block with its own delay of up to 40 ms."""
    late_s = random.uniform(0, 0.04, BLOCKS)
    beats = np.interp(times_s[:, None] - late_s, heart.times_s, heart.beats)
    depth = 1 + random.uniform(0.05, 0.2) * breath
    strength = person.pulse * float(random.lognormal(0, 0.25)) * SKIN_SHARE * person.perfusion
    change: FloatArray = -strength * depth[:, None] * pulse_wave(beats, heart.harmonics)
    return change[:, :, None] * PULSE_RGB


def _turns(random: np.random.Generator, size: int, rates_hz: FloatArray, *, shaking: bool) -> FloatArray:
    """(2, T) turns of the head to the side and up, mostly slow, partly as fast as a pulse."""
    slow = shaped_noise(random, 2, size, low_pass(rates_hz, 0.15, 1.4))
    if not shaking:
        return slow
    # a head that is turned on purpose: to and fro, with overtones
    center_hz = random.uniform(0.25, 0.9)
    gain = sum(band(rates_hz, order * center_hz, 0.06 * order) / order**1.5 for order in (1, 2, 3, 4))
    return np.asarray(0.6 * slow + 0.8 * shaped_noise(random, 2, size, np.asarray(gain)))


def _speech(random: np.random.Generator, size: int, rates_hz: FloatArray) -> FloatArray:
    """(T,) opening of the mouth: syllables around 1 to 3 Hz in phrases."""
    syllables = shaped_noise(random, 1, size, band(rates_hz, random.uniform(1.0, 3.0), 1.2))[0]
    return np.asarray(syllables * bursts(random, size, rates_hz, share=0.7, length_s=2.5))


def _motion(random: np.random.Generator, turns: FloatArray, mouth: FloatArray) -> FloatArray:
    """(T, N, 3) relative change by motion: shading in all channels alike, shine, and the color of what moves into a block."""
    side, up = turns
    shading = side[:, None] * (_ACROSS * random.uniform(0.4, 1.0)) + up[:, None] * (_DOWN * 0.3 + random.uniform(0.2, 0.6))
    shine = SHINE * (side[:, None] * random.normal(0, 0.5) + up[:, None] * random.normal(0, 0.8))
    # shine has the color of the light, and so raises blue most on skin, which has least of it
    white = np.array([0.8, 1.05, 1.3])
    edges = 1 + 3 * (1 - SKIN_SHARE)
    texture = random.normal(0, 0.5, (2, BLOCKS, 1)) + random.normal(0, 0.2, (2, BLOCKS, 3)) + random.normal(0, 0.08, (2, 1, 3))
    color = texture * edges[:, None]
    lips = MOUTH[:, None] * (random.normal(0.5, 0.4, (BLOCKS, 1)) + random.normal(0, 0.15, (BLOCKS, 3)))
    change: FloatArray = shading[:, :, None] + 0.35 * shine[:, :, None] * white
    change += side[:, None, None] * color[0] + up[:, None, None] * color[1]
    return change + mouth[:, None, None] * lips


def _light(random: np.random.Generator, scenario: Scenario, size: int, rates_hz: FloatArray) -> FloatArray:
    """(T, N, 3) relative change of the light: common, from side to side, slightly colored, and by the white balance."""
    common, slope, red, blue = shaped_noise(random, 4, size, low_pass(rates_hz, 0.08, 1.4))
    tint = np.stack([red, np.zeros(size), blue], axis=1) * 0.12
    light = scenario.light * ((common[:, None] + 0.4 * slope[:, None] * _ACROSS)[:, :, None] + tint[:, None, :])
    gains = shaped_noise(random, 2, size, low_pass(rates_hz, 0.5, 1.0)) * _WHITE_BALANCE * float(random.lognormal(0, 0.5))
    balance = np.stack([gains[0], np.zeros(size), gains[1]], axis=1)
    return np.asarray(light + balance[:, None, :])


def _flicker(random: np.random.Generator, times_s: FloatArray) -> FloatArray:
    """(T, 1, 3) relative change by lamps on mains, aliased by the frame rate, in a third of the recordings."""
    if random.random() > 0.33:
        return np.zeros((1, 1, 1))
    wave = np.sin(2 * np.pi * (random.uniform(0.2, 9.0) * times_s + random.uniform(0, 1)))
    return np.asarray(random.uniform(0.0005, 0.003) * wave[:, None, None] * np.array([1.0, 0.95, 0.85]))


def _codec(random: np.random.Generator, size: int, rate_hz: float, rates_hz: FloatArray) -> FloatArray:
    """(T, N, 3) noise of sensor and codec of standard deviation about 1: white, held over frames, and periodic with key frames."""
    gain = low_pass(rates_hz, 1.2, 1.0)
    luma = shaped_noise(random, BLOCKS, size, gain)
    # chroma is stored at half the resolution and quantized harder, neighbors together
    shared = shaped_noise(random, 2, size, gain)
    chroma = 0.8 * shaped_noise(random, 2 * BLOCKS, size, gain).reshape(2, BLOCKS, size) + 0.5 * shared[:, None, :]
    white = random.normal(0, 0.35, (size, BLOCKS, 3))
    frame = np.arange(size) % (12 if rate_hz < 27 else 15)
    pump = random.normal(0, 0.6, (BLOCKS, 3)) * random.uniform(0, 1) * np.exp(-frame / 3.0)[:, None, None]
    # BT.601: R = Y + 1.402 Cr, G = Y - 0.344 Cb - 0.714 Cr, B = Y + 1.772 Cb
    noise = np.moveaxis(
        np.stack([luma + 1.402 * chroma[1], luma - 0.344 * chroma[0] - 0.714 * chroma[1], luma + 1.772 * chroma[0]]), 0, -1
    )
    return np.asarray(0.6 * np.swapaxes(noise, 0, 1) + white + pump)


def shaped_noise(random: np.random.Generator, count: int, samples: int, gain: FloatArray) -> FloatArray:
    """Draw Gaussian processes of mean 0 and standard deviation 1 whose amplitude spectrum has a given shape.

    Parameters
    ----------
    random : numpy.random.Generator
    count : int
        Number of independent processes.
    samples : int
    gain : (samples // 2 + 1,) array
        Amplitude at the rates of :func:`numpy.fft.rfftfreq`; that of rate 0 is not used.

    Returns
    -------
    (count, samples) array

    Examples
    --------
    >>> one = shaped_noise(np.random.default_rng(0), 2, 300, low_pass(np.fft.rfftfreq(300, 1 / 30), 0.2, 2))
    >>> one.shape, float(one.std(axis=1).round(6).max())
    ((2, 300), 1.0)
    """
    spectrum = random.normal(size=(count, len(gain))) + 1j * random.normal(size=(count, len(gain)))
    spectrum *= gain
    spectrum[:, 0] = 0
    values = np.fft.irfft(spectrum, samples, axis=1)
    return np.asarray(values / values.std(axis=1, keepdims=True))


def bursts(random: np.random.Generator, samples: int, rates_hz: FloatArray, share: float, length_s: float) -> FloatArray:
    """Draw an envelope from 0 to 1 that is 1 for about a share of the time, in stretches of about that length."""
    slow = shaped_noise(random, 1, samples, low_pass(rates_hz, 0.5 / length_s, 3))[0]
    return np.asarray(np.clip((slow - np.quantile(slow, 1 - share)) * 3 + 0.5, 0, 1))
