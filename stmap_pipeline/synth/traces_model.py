"""From a heart to the block means that a camera would give: skin, motion, light, sensor and codec as equations, no picture.

The model and its sources stand in docs/explanation/simulated-traces.md; the letters of the equations are the names here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.synth.shape import SKIN_TONES
from stmap_pipeline.synth.traces_layout import ACROSS, DOWN, MOUTH, PERFUSION, PULSE_COLOR, SHINE, SKIN_SHARE
from stmap_pipeline.synth.traces_noise import band, bursts, low_pass, rates_hz, shaped_noise
from stmap_pipeline.synth.traces_pulse import Heart

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """What a scenario does to a picture.

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
        Factor on sensor and codec noise: of distance (fewer pixels) and of dark.
    lost : float
        Chance that the face is lost for a moment.
    """

    motion: float
    talk: float = 0.0
    light: float = 0.010
    level: float = 1.0
    noise: float = 1.0
    lost: float = 0.01


LOOKS = {
    "v1": Look(motion=0.014),
    "v2": Look(motion=0.080, lost=0.15),
    "v3": Look(motion=0.030, talk=0.04),
    "v4": Look(motion=0.014, light=0.02, level=1.15),
    "v5": Look(motion=0.014, light=0.02, level=0.6, noise=1.5),
    "v6": Look(motion=0.014, noise=1.5),
    "v7": Look(motion=0.022),
    "v8": Look(motion=0.018),
    "v9": Look(motion=0.060, talk=0.01, lost=0.10),
}
# size of everything that hides the pulse; set so that POS errs about as much as on VIPL-HR
SEVERITY = 1.0
_CODEC_LEVELS = {1: 0.34, 2: 0.26, 3: 0.38}
# standard deviation of the camera's white balance while it hunts, relative
_BALANCE = 0.0018


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """What stays the same in all recordings of one person.

    Parameters
    ----------
    tone : str
        Nearest name of :data:`~stmap_pipeline.synth.shape.SKIN_TONES`.
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


def make_person(random: np.random.Generator) -> Person:
    """Draw a person.

    Examples
    --------
    >>> one = make_person(np.random.default_rng(3))
    >>> bool(0.0005 < one.pulse < 0.02), one.color.shape
    (True, (3,))
    """
    names = list(SKIN_TONES)
    # 0 very light, 4 very dark; few people stand at the ends
    place = float(np.clip(random.normal(1.6, 0.8), 0, len(names) - 1))
    tones = np.array(list(SKIN_TONES.values()))
    color = np.array([np.interp(place, np.arange(len(names)), tones[:, channel]) for channel in range(3)])
    # melanin takes light before it reaches blood
    pulse = 0.0055 * np.exp(-0.22 * place) * float(random.lognormal(0, 0.45)) * 1.2
    return Person(
        tone=names[round(place)],
        color=color * random.uniform(0.65, 0.95),
        pulse=pulse,
        perfusion=PERFUSION * random.lognormal(0, 0.2, PERFUSION.size),
        shade=random.uniform(0.85, 1.1, PERFUSION.size),
        liveliness=float(random.lognormal(0, 0.35)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Simulated block means, and what a person who tests with them may want to know.

    Parameters
    ----------
    means : (T, N, 3) array
    pulse_percent : float
        Amplitude of the pulse in green, mean over the blocks.
    motion_percent : float
        Standard deviation of the head's turns.
    noise_levels : float
        Standard deviation of sensor and codec noise of a block in gray levels.
    """

    means: FloatArray
    pulse_percent: float
    motion_percent: float
    noise_levels: float


def make_means(
    random: np.random.Generator,
    person: Person,
    heart: Heart,
    times_s: FloatArray,
    rate_hz: float,
    scenario: str,
    camera: int,
    severity: float = SEVERITY,
) -> Signals:
    """Simulate the block means of one recording.

    Parameters
    ----------
    random : numpy.random.Generator
    person : Person
    heart : Heart
    times_s : (T,) array
        Times of the frames.
    rate_hz : float
        Their mean rate.
    scenario : str
    camera : int
    severity : float
        Factor on motion, drift, flicker, sensor and codec noise; 0 leaves the pulse alone.

    Returns
    -------
    Signals
    """
    look, size, rates = LOOKS[scenario], len(times_s), rates_hz(len(times_s), rate_hz)
    motion = severity * look.motion * person.liveliness * float(random.lognormal(0, 0.3))
    turns = motion * _turns(random, size, rates, shaking=scenario in ("v2", "v9"))
    mouth = severity * look.talk * person.liveliness * _speech(random, size, rate_hz, rates)
    breath = np.interp(times_s, heart.times_s, heart.breath)
    turns = turns + severity * (0.006 if scenario == "v7" else 0.001) * breath * np.array([[0.2], [1.0]])

    relative = _pulse(random, person, heart, times_s, breath)
    pulse_percent = 100 * person.pulse * float((SKIN_SHARE * person.perfusion).mean())
    relative = relative + _motion(random, turns, mouth)
    relative = relative + severity * _flicker(random, times_s)
    light = severity * _light(random, look, size, rates)
    skin = SKIN_SHARE[:, None] * person.color
    wall = (1 - SKIN_SHARE)[:, None] * random.uniform(20, 140) * random.uniform(0.85, 1.15, 3)
    base = person.shade[:, None] * (skin + wall) * look.level
    noise = severity * look.noise * _CODEC_LEVELS[camera] * float(random.lognormal(0, 0.3))
    means = base * (1 + relative) * (1 + light) + noise * _codec(random, size, rate_hz, rates)
    return Signals(means, pulse_percent, 100 * motion, noise)


def _pulse(random: np.random.Generator, person: Person, heart: Heart, times_s: FloatArray, breath: FloatArray) -> FloatArray:
    """(T, N, 3) relative change by blood; it reaches the blocks at times of their own, within 40 ms."""
    late_s = random.uniform(0, 0.04, SKIN_SHARE.size)
    beats = np.interp(times_s[:, None] - late_s, heart.times_s, heart.phase)
    depth = 1 + random.uniform(0.05, 0.2) * breath
    strength = person.pulse * float(random.lognormal(0, 0.25)) * SKIN_SHARE * person.perfusion
    change: FloatArray = -strength * depth[:, None] * heart.wave(beats)
    return change[:, :, None] * PULSE_COLOR


def _turns(random: np.random.Generator, size: int, rates: FloatArray, *, shaking: bool) -> FloatArray:
    """(2, T) turns of the head to the side and up, mostly slow, with some share as fast as a pulse."""
    slow = shaped_noise(random, 2, size, low_pass(rates, 0.15, 1.4))
    if not shaking:
        return slow
    # a head that is turned on purpose: to and fro, with overtones
    center_hz = random.uniform(0.25, 0.9)
    gain = sum(band(rates, order * center_hz, 0.06 * order) / order**1.5 for order in (1, 2, 3, 4))
    return np.asarray(0.6 * slow + 0.8 * shaped_noise(random, 2, size, np.asarray(gain)))


def _speech(random: np.random.Generator, size: int, rate_hz: float, rates: FloatArray) -> FloatArray:
    """(T,) opening of the mouth: syllables around 1 to 3 Hz, in phrases."""
    syllables = shaped_noise(random, 1, size, band(rates, random.uniform(1.0, 3.0), 1.2))[0]
    return np.asarray(syllables * bursts(random, size, rate_hz, 0.7, 2.5))


def _motion(random: np.random.Generator, turns: FloatArray, mouth: FloatArray) -> FloatArray:
    """(T, N, 3) relative change by motion: shading in all channels alike, shine, and the color of what moves into a block."""
    blocks = SKIN_SHARE.size
    side, up = turns
    shading = side[:, None] * (ACROSS * random.uniform(0.4, 1.0)) + up[:, None] * (DOWN * 0.3 + random.uniform(0.2, 0.6))
    shine = SHINE * (side[:, None] * random.normal(0, 0.5) + up[:, None] * random.normal(0, 0.8))
    # shine has the color of the light, and so lifts blue most on skin, which has least of it
    white = np.array([0.8, 1.05, 1.3])
    edges = 1 + 3 * (1 - SKIN_SHARE)
    texture = random.normal(0, 0.5, (2, blocks, 1)) + random.normal(0, 0.2, (2, blocks, 3)) + random.normal(0, 0.08, (2, 1, 3))
    color = texture * edges[:, None]
    lips = MOUTH[:, None] * (random.normal(0.5, 0.4, (blocks, 1)) + random.normal(0, 0.15, (blocks, 3)))
    change: FloatArray = shading[:, :, None] + 0.35 * shine[:, :, None] * white
    change += side[:, None, None] * color[0] + up[:, None, None] * color[1]
    return change + mouth[:, None, None] * lips


def _light(random: np.random.Generator, look: Look, size: int, rates: FloatArray) -> FloatArray:
    """(T, N, 3) relative change of the light: common, from side to side, and a little in its color."""
    common, slope, red, blue = shaped_noise(random, 4, size, low_pass(rates, 0.08, 1.4))
    tint = np.stack([red, np.zeros(size), blue], axis=1) * 0.12
    light = look.light * ((common[:, None] + 0.4 * slope[:, None] * ACROSS)[:, :, None] + tint[:, None, :])
    gains = shaped_noise(random, 2, size, low_pass(rates, 0.5, 1.0)) * _BALANCE * float(random.lognormal(0, 0.5))
    balance = np.stack([gains[0], np.zeros(size), gains[1]], axis=1)
    return np.asarray(light + balance[:, None, :])


def _flicker(random: np.random.Generator, times_s: FloatArray) -> FloatArray:
    """(T, 1, 3) relative change by lamps on mains, folded down by the frame rate, in a third of the recordings."""
    if random.random() > 0.33:
        return np.zeros((1, 1, 1))
    wave = np.sin(2 * np.pi * (random.uniform(0.2, 9.0) * times_s + random.uniform(0, 1)))
    return np.asarray(random.uniform(0.0005, 0.003) * wave[:, None, None] * np.array([1.0, 0.95, 0.85]))


def _codec(random: np.random.Generator, size: int, rate_hz: float, rates: FloatArray) -> FloatArray:
    """(T, N, 3) noise of sensor and codec of standard deviation about 1: white, held over frames, and pumping with key frames."""
    blocks = SKIN_SHARE.size
    gain = low_pass(rates, 1.2, 1.0)
    luma = shaped_noise(random, blocks, size, gain)
    # chroma is stored at half the resolution and quantized harder, neighbors together
    shared = shaped_noise(random, 2, size, gain)
    chroma = 0.8 * shaped_noise(random, 2 * blocks, size, gain).reshape(2, blocks, size) + 0.5 * shared[:, None, :]
    white = random.normal(0, 0.35, (size, blocks, 3))
    frame = np.arange(size) % (12 if rate_hz < 27 else 15)
    pump = random.normal(0, 0.6, (blocks, 3)) * random.uniform(0, 1) * np.exp(-frame / 3.0)[:, None, None]
    # BT.601: R = Y + 1.402 Cr, G = Y - 0.344 Cb - 0.714 Cr, B = Y + 1.772 Cb
    noise = np.moveaxis(
        np.stack([luma + 1.402 * chroma[1], luma - 0.344 * chroma[0] - 0.714 * chroma[1], luma + 1.772 * chroma[0]]), 0, -1
    )
    return np.asarray(0.6 * np.swapaxes(noise, 0, 1) + white + pump)
