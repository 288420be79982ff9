"""Motion of the head and light on it: time courses, and how each one changes the blocks.

All changes are in the logarithm of linear light, where light, shading and exposure multiply by being added. A change is a sum of few time
courses times patterns over blocks and channels, so that the traces of all blocks are one product of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from stmap_pipeline.simulation.config import SimulationConfig
from stmap_pipeline.simulation.courses import GRID_HZ, band, grid_rates_hz, grid_samples, low_pass, noise_courses
from stmap_pipeline.simulation.frames import Frames
from stmap_pipeline.simulation.heart import HARMONICS, Hearts
from stmap_pipeline.simulation.people import FaceMaps, People

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

POSE = ("yaw", "pitch", "roll", "x", "y", "size")
"""Degrees of freedom of the head, in rad and face widths; size is a logarithm."""
_STEPS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Change of linear light in all frames: the logarithm is ``courses @ patterns[owner]``.

    Parameters
    ----------
    courses : (M, K) array of float32
        Of each frame.
    patterns : (B, K, N * 3) array of float32
    pose : (M, 6) array of float32
        :data:`POSE` in each frame.
    """

    courses: Float32
    patterns: Float32
    pose: Float32


def draw_scene(
    random: dict[str, np.random.Generator],
    terms: dict[str, BoolArray],
    severity: FloatArray,
    people: People,
    hearts: Hearts,
    frames: Frames,
    maps: FaceMaps,
    config: SimulationConfig,
) -> Scene:
    """Draw motion and light of B windows.

    Parameters
    ----------
    random : dict of numpy.random.Generator
        A generator for each term, so that a term changes no other one.
    terms : dict of (B,) array of bool
    severity : (B,) array of float64
        Factor on motion, light and texture.
    people, hearts, frames, maps, config
        Who is seen, when, and on which grid.
    """
    origin_s = float(frames.taken_s.min())
    size = grid_samples(float(frames.taken_s.max()) - origin_s + 0.2)
    at_frames = _interpolation(frames, origin_s, size)
    pulse_courses, pulse_patterns = _pulse(random["pulse"], people, hearts, frames, config)
    pose = _pose(random, terms, severity, people, hearts, frames, at_frames, size, config)
    parts: list[tuple[npt.NDArray[np.floating], FloatArray]] = [
        (pulse_courses, pulse_patterns),
        (pose, _pose_patterns(random["pose"], people, maps)),
        _talk(random["talking"], terms, severity, frames, at_frames, size, maps, people),
        _hand(random["hand"], terms, frames, maps, people),
        _light(random["light"], terms, severity, at_frames, size, maps, people, config),
        _screen(random["screen"], terms, severity, frames, maps),
        _lamp(random["lamp"], terms, severity, frames, maps),
        _mains(random["mains"], terms, severity, frames, maps),
        _gains(random["gains"], terms, severity, frames, len(maps.skin)),
        _texture(random["texture"], severity, people, at_frames, size),
    ]
    courses = np.concatenate([one.astype(np.float32, copy=False) for one, _ in parts], axis=1)
    patterns = np.concatenate(
        [one.reshape(*one.shape[:2], 3 * len(maps.skin)).astype(np.float32, copy=False) for _, one in parts], axis=1
    )
    return Scene(courses, patterns, pose.astype(np.float32))


def _interpolation(frames: Frames, origin_s: float, size: int) -> csr_matrix:
    """(M, B * size) weights that read a grid of :data:`GRID_HZ` at the times of frames, by cubic interpolation (Catmull and Rom, 1974)."""
    place = (frames.taken_s - origin_s) * GRID_HZ + 1
    left = np.floor(place).astype(np.intp)
    t = place - left
    weights = np.stack(
        [-0.5 * t + t**2 - 0.5 * t**3, 1 - 2.5 * t**2 + 1.5 * t**3, 0.5 * t + 2 * t**2 - 1.5 * t**3, -0.5 * t**2 + 0.5 * t**3],
        axis=1,
    ).astype(np.float32)
    index = np.clip(left[:, None] + np.arange(-1, 3), 0, size - 1) + (frames.owner * size)[:, None]
    shape = (len(frames.owner), len(frames.rate_hz) * size)
    return csr_matrix((weights.ravel(), index.ravel(), np.arange(0, weights.size + 1, 4)), shape=shape)


def _read(at_frames: csr_matrix, courses: Float32) -> Float32:
    """(M, C) values in the frames of courses (B, C, size)."""
    return np.asarray(at_frames @ np.ascontiguousarray(courses.transpose(0, 2, 1)).reshape(-1, courses.shape[1]))


def _pulse(
    random: np.random.Generator, people: People, hearts: Hearts, frames: Frames, config: SimulationConfig
) -> tuple[Float32, FloatArray]:
    """Blood: each block has its own delay of up to 40 ms, and breath modulates the depth."""
    count, blocks = len(people.skin), people.skin.shape[1]
    phase = hearts.phase(frames.taken_s, frames.owner)
    turn = np.exp(2j * np.pi * (phase % 1)).astype(np.complex64)
    depth = random.uniform(0.02, 0.3, count)[frames.owner] * hearts.breath(frames.taken_s, frames.owner)
    powers = np.stack([turn, turn**2, turn**3][:HARMONICS], axis=1) * (1 + depth)[:, None].astype(np.float32)
    delay = (
        2
        * np.pi
        * hearts.rate_bpm[:, None]
        / 60
        * random.uniform(0, 0.06 if config.settings == "unseen" else 0.04, (count, blocks))
    )
    order = np.arange(1, HARMONICS + 1)
    coefficient = hearts.wave[:, :, None] * np.exp(-1j * order[:, None] * delay[:, None, :])
    both = np.concatenate([coefficient.real, coefficient.imag], axis=1)
    # more blood absorbs more light
    patterns = -both[:, :, :, None] * people.pulse[:, None, :, :]
    return np.concatenate([powers.imag, powers.real], axis=1), patterns


def _pose(
    random: dict[str, np.random.Generator],
    terms: dict[str, BoolArray],
    severity: FloatArray,
    people: People,
    hearts: Hearts,
    frames: Frames,
    at_frames: csr_matrix,
    size: int,
    config: SimulationConfig,
) -> FloatArray:
    """(M, 6) pose of the head: slow wandering, breath, the recoil of the heart, and by term large turns and a rhythm."""
    count, rates_hz = len(severity), grid_rates_hz(size)
    draw, unseen = random["motion"], config.settings == "unseen"
    steep = np.clip(draw.normal(1.7 if unseen else 1.4, 0.2, count), 1, 2.5)
    slow = noise_courses(draw, low_pass(rates_hz, draw.uniform(0.1, 0.25, count), steep), 6, size)
    usual = np.exp(draw.uniform(np.log(0.002), np.log(0.012), count))
    large = np.exp(draw.uniform(np.log(0.02), np.log(0.12), count))
    still = terms["photo_still"] | terms["wall"]
    amplitude = np.where(terms["motion"], large, usual) * people.liveliness * severity * np.where(still, 0.02, 1)
    scale = np.array([1, 1, 0.5, 0.6, 0.6, 0.3]) * np.exp(draw.normal(0, 0.4, (count, 6)))
    gain = (amplitude[:, None] * scale)[:, :, None].astype(np.float32)
    slow *= gain
    turning = terms["motion"] & (draw.random(count) < 0.6)
    if turning.any():
        # turned on purpose: to and fro, with overtones
        center_hz = draw.uniform(0.2, 1.0, count)
        shape = sum(band(rates_hz, order * center_hz, 0.06 * order) / np.float32(order**1.5) for order in (1, 2, 3, 4))
        swing = noise_courses(draw, np.asarray(shape)[turning], 2, size)
        mixed = np.einsum("bdk,bks->bds", draw.normal(0, 0.7, (count, 6, 2)).astype(np.float32)[turning], swing)
        slow[turning] = 0.6 * slow[turning] + gain[turning] * mixed
    pose = _read(at_frames, slow).astype(np.float64)

    owner, times_s = frames.owner, frames.taken_s
    alive = (~terms["no_pulse"]).astype(np.float64)
    breath = (
        (alive * severity * np.exp(draw.uniform(np.log(0.0003), np.log(0.004), count)))[:, None]
        * draw.normal(0, 1, (count, 6))
        * (0.1, 1, 0.1, 0.1, 1, 0.6)
    )
    pose += hearts.breath(times_s, owner)[:, None] * breath[owner]
    recoil = (
        (alive * severity * np.exp(draw.uniform(np.log(5e-5), np.log(6e-4), count)))[:, None]
        * draw.normal(0, 1, (count, 6))
        * (0.3, 0.5, 0.2, 0.3, 1, 0.2)
    )
    beats = 2 * np.pi * (hearts.phase(times_s, owner) - 0.2)
    pose += (np.sin(beats) + 0.6 * np.sin(2 * beats))[:, None] * recoil[owner]

    draw = random["periodic_motion"]
    rhythm = terms["periodic_motion"] & ~still
    if rhythm.any():
        # nodding, walking, rocking, a treadmill, a hand that shakes the camera: the phase wanders a little
        rate_hz = np.exp(draw.uniform(np.log(0.4), np.log(3.6), count))
        wander = noise_courses(draw, low_pass(rates_hz, np.full(count, 0.1), 1.5), 1, size) * draw.uniform(
            0, 1.2, (count, 1, 1)
        ).astype(np.float32)
        angle = 2 * np.pi * (rate_hz[owner] * times_s + draw.random(count)[owner]) + _read(at_frames, wander)[:, 0]
        strong = rhythm * severity * np.exp(draw.uniform(np.log(0.002), np.log(0.06), count))
        weights = (
            strong[:, None, None]
            * draw.normal(0, 0.7, (count, 4, 6))
            * np.array([1, 1, 0.4, 0.25])[:, None]
            * (1, 1, 0.5, 0.8, 1, 0.4)
        )
        waves = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.sin(3 * angle)], axis=1)
        pose += np.einsum("mk,mkd->md", waves, weights[owner])
    return pose


def _pose_patterns(random: np.random.Generator, people: People, maps: FaceMaps) -> FloatArray:
    """(B, 6, N, 3): shading in all channels alike, shine in the color of the light, and what moves into and out of a block."""
    count, blocks = len(people.skin), people.skin.shape[1]
    direction = np.array([[0.1, 0.7, 0.0], [0.4, 0.1, 0.3], [0.0, 0.1, 0.1], [0.15, 0.2, 0.0], [0.15, 0.0, 0.2], [0.35, 0.1, 0.1]])
    common, side, up = np.moveaxis(direction * random.normal(0.6, 0.6, (count, 6, 3)) * random.choice([-1, 1], (count, 6, 1)), 2, 0)
    shading = common[:, :, None] + side[:, :, None] * maps.across + up[:, :, None] * maps.down
    edges = 1 + 3 * (1 - people.skin)
    texture = (
        random.normal(0, 0.45, (count, 6, blocks, 1))
        + random.normal(0, 0.18, (count, 6, blocks, 3))
        + random.normal(0, 0.07, (count, 6, 1, 3))
    )
    shine = random.normal(0, 1, (count, 6)) * np.array([0.2, 0.3, 0.05, 0.1, 0.1, 0.1])
    scale = np.array([1, 1, 0.6, 0.8, 0.8, 0.8])
    return np.asarray(
        2.0
        * (
            shading[:, :, :, None]
            + shine[:, :, None, None] * people.shine[:, None]
            + scale[:, None, None] * texture * edges[:, None, :, None]
        )
    )


def _talk(
    random: np.random.Generator,
    terms: dict[str, BoolArray],
    severity: FloatArray,
    frames: Frames,
    at_frames: csr_matrix,
    size: int,
    maps: FaceMaps,
    people: People,
) -> tuple[Float32, FloatArray]:
    """Mouth: syllables of 1 to 4 Hz in phrases; lips and chin change most."""
    count, rates_hz = len(severity), grid_rates_hz(size)
    talks = terms["talking"] & ~terms["no_pulse"]
    if not talks.any():
        return np.zeros((len(frames.owner), 0), np.float32), np.zeros((count, 0, len(maps.skin), 3))
    syllables = noise_courses(random, band(rates_hz, random.uniform(1.0, 4.0, count), 1.2), 1, size)
    phrases = noise_courses(random, low_pass(rates_hz, np.full(count, 0.2), 3.0), 1, size)
    both = syllables * np.clip(3 * phrases + 1.5, 0, 1)
    amplitude = talks * severity * people.liveliness * np.exp(random.uniform(np.log(0.02), np.log(0.12), count))
    blocks = len(maps.skin)
    lips = maps.mouth[:, None] * (random.normal(0.5, 0.4, (count, blocks, 1)) + random.normal(0, 0.15, (count, blocks, 3)))
    return _read(at_frames, both), 2 * (amplitude[:, None, None] * lips)[:, None]


def _hand(
    random: np.random.Generator, terms: dict[str, BoolArray], frames: Frames, maps: FaceMaps, people: People
) -> tuple[FloatArray, FloatArray]:
    """Hand over some neighboring blocks, once or twice; what is seen there is mixed in the logarithm."""
    count, blocks = len(people.skin), people.skin.shape[1]
    if not terms["hand"].any():
        return np.zeros((len(frames.owner), 0)), np.zeros((count, 0, blocks, 3))
    end_s = float(frames.stamped_s.max())
    start_s, length_s = random.uniform(-1, end_s, (count, 2)), np.exp(random.uniform(np.log(0.3), np.log(4), (count, 2)))
    rise_s = random.uniform(0.1, 0.5, (count, 1))
    owner, times_s = frames.owner, frames.taken_s[:, None]
    inside = np.clip(np.minimum(times_s - start_s[owner], (start_s + length_s)[owner] - times_s) / rise_s[owner], 0, 1)
    place = random.uniform(-1, 1, (count, 2, 2))
    distance = np.hypot(maps.across - place[:, :, :1], maps.down - place[:, :, 1:])
    covers = np.clip((random.uniform(0.4, 1.2, (count, 2, 1)) - distance) / 0.4, 0, 1)
    hand = (
        people.base.mean(axis=1)[:, None, None, :]
        * random.uniform(0.5, 1.3, (count, 2, 1, 1))
        * random.uniform(0.93, 1.07, (count, 2, 1, 3))
    )
    pattern = covers[:, :, :, None] * np.log(hand / np.maximum(people.base[:, None], 1))
    return inside, pattern * terms["hand"][:, None, None, None]


def _light(
    random: np.random.Generator,
    terms: dict[str, BoolArray],
    severity: FloatArray,
    at_frames: csr_matrix,
    size: int,
    maps: FaceMaps,
    people: People,
    config: SimulationConfig,
) -> tuple[Float32, FloatArray]:
    """Slow light: common, from side to side, colored, white balance; and other light on blocks that are no skin."""
    count, blocks = len(people.skin), people.skin.shape[1]
    rates_hz = grid_rates_hz(size)
    corner = random.uniform(0.04, 0.15, count)
    drift = noise_courses(random, low_pass(rates_hz, corner, 1.7 if config.settings == "unseen" else 1.4), 5, size)
    balance = noise_courses(random, low_pass(rates_hz, np.full(count, 0.5), 1.0), 2, size)
    usual = np.exp(random.uniform(np.log(0.001), np.log(0.012), count))
    unsteady = np.exp(random.uniform(np.log(0.01), np.log(0.06), count))
    level = severity * np.where(terms["unsteady_light"], unsteady, usual)
    adjusting = severity * 0.003 * np.exp(random.normal(0, 0.6, count))
    pattern = np.zeros((count, 7, blocks, 3))
    pattern[:, 0] = level[:, None, None]
    pattern[:, 1] = (0.5 * level * random.normal(0, 1, count))[:, None, None] * maps.across[:, None]
    pattern[:, 2, :, 0] = (0.15 * level)[:, None]
    pattern[:, 3, :, 2] = (0.15 * level)[:, None]
    background = (random.random((count, blocks)) < 0.7) * (people.skin < 0.05) * np.exp(random.normal(-4, 1.2, (count, 1)))
    pattern[:, 4] = (background * severity[:, None])[:, :, None] * random.normal(1, 0.3, (count, 1, 3))
    pattern[:, 5, :, 0] = adjusting[:, None]
    pattern[:, 6, :, 2] = adjusting[:, None]
    return _read(at_frames, np.concatenate([drift, balance], axis=1)), pattern


def _screen(
    random: np.random.Generator, terms: dict[str, BoolArray], severity: FloatArray, frames: Frames, maps: FaceMaps
) -> tuple[FloatArray, FloatArray]:
    """Light of a screen: another level and color with each scene; a cut takes up to 0.1 s."""
    count = len(severity)
    if not terms["screen"].any():
        return np.zeros((len(frames.owner), 0)), np.zeros((count, 0, len(maps.skin), 3))
    scenes = 24
    length_s = random.exponential(1.0, (count, scenes)) * np.exp(random.uniform(np.log(0.25), np.log(3), (count, 1))) + 0.1
    cut_s = np.cumsum(length_s, axis=1) - 2.0
    owner = frames.owner
    # the level of the last scene whose cut has come, reached within its ramp
    change = random.normal(0, 1, (count, scenes, 2))
    change = np.diff(change, axis=1, prepend=0)
    ramp_s = random.uniform(0.01, 0.1, (count, 1))
    on = np.flatnonzero(terms["screen"][owner])
    reached = np.clip((frames.taken_s[on, None] - cut_s[owner[on]]) / ramp_s[owner[on]], 0, 1)
    courses = np.zeros((len(owner), 2))
    courses[on] = np.einsum("ms,msk->mk", reached, change[owner[on]])
    level = terms["screen"] * severity * np.exp(random.uniform(np.log(0.003), np.log(0.08), count))
    space = 1 + random.normal(0, 0.3, (count, 1)) * maps.across + random.normal(0, 0.2, (count, 1)) * maps.down
    color = np.exp(random.normal(0, 0.3, (count, 2, 3)) * np.array([[0.5], [1.0]])) * np.array([[1.0], [0.4]])
    return courses, (level[:, None] * space)[:, None, :, None] * color[:, :, None, :]


def _lamp(
    random: np.random.Generator, terms: dict[str, BoolArray], severity: FloatArray, frames: Frames, maps: FaceMaps
) -> tuple[FloatArray, FloatArray]:
    """Lamp that flickers as slowly as a pulse: a worn tube, a candle, a fan before a lamp, a blinking sign."""
    count = len(severity)
    if not terms["lamp"].any():
        return np.zeros((len(frames.owner), 0)), np.zeros((count, 0, len(maps.skin), 3))
    rate_hz = np.exp(random.uniform(np.log(0.4), np.log(4.5), count))
    sharp = random.uniform(0, 2.5, count)
    angle = 2 * np.pi * (rate_hz[frames.owner] * frames.taken_s + random.random(count)[frames.owner])
    wave = np.tanh(sharp[frames.owner] * np.sin(angle) + 1e-3 * np.sin(angle)) / np.tanh(sharp + 1e-3)[frames.owner]
    level = terms["lamp"] * severity * np.exp(random.uniform(np.log(0.001), np.log(0.04), count))
    color = np.exp(random.normal(0, 0.12, (count, 1, 3)))
    space = 1 + random.normal(0, 0.3, (count, 1)) * maps.across + random.normal(0, 0.2, (count, 1)) * maps.down
    return wave[:, None], ((level[:, None] * space)[:, :, None] * color)[:, None]


def _mains(
    random: np.random.Generator, terms: dict[str, BoolArray], severity: FloatArray, frames: Frames, maps: FaceMaps
) -> tuple[FloatArray, FloatArray]:
    """Lamps on mains: 100 or 120 Hz, seen as what the frame rate makes of it; a rolling shutter shows each row another phase."""
    count = len(severity)
    if not terms["mains"].any():
        return np.zeros((len(frames.owner), 0)), np.zeros((count, 0, len(maps.skin), 3))
    rate_hz = random.choice([100.0, 120.0], count) * (1 + random.normal(0, 3e-4, count))
    turns = rate_hz[frames.owner] * frames.taken_s + random.random(count)[frames.owner]
    angle = 2 * np.pi * (turns % 1)
    level = terms["mains"] * severity * np.exp(random.uniform(np.log(0.001), np.log(0.03), count))
    rows = random.uniform(0, 2, (count, 1)) * maps.down
    color = np.array([1.0, 0.95, 0.85]) * np.exp(random.normal(0, 0.05, (count, 1, 3)))
    both = np.stack([np.cos(rows), np.sin(rows)], axis=1)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1), (level[:, None, None] * both)[:, :, :, None] * color[:, None]


def _gains(
    random: np.random.Generator, terms: dict[str, BoolArray], severity: FloatArray, frames: Frames, blocks: int
) -> tuple[FloatArray, FloatArray]:
    """Automatic exposure and white balance: steps that take 0.05 to 2 s, for all blocks alike."""
    count = len(severity)
    courses = np.zeros((len(frames.owner), 3))
    pattern = np.zeros((count, 3, blocks, 3))
    pattern[:, 0], pattern[:, 1, :, 0], pattern[:, 2, :, 2] = 1, 1, 1
    end_s = float(frames.stamped_s.max())
    for index, (term, low, high, slow_s) in enumerate(
        (("exposure_steps", 0.01, 0.35, 1.0), ("white_balance_steps", 0.005, 0.12, 2.0))
    ):
        start_s = random.uniform(-1, end_s, (count, _STEPS))
        ramp_s = np.exp(random.uniform(np.log(0.05), np.log(slow_s), (count, _STEPS)))
        present = terms[term][:, None] & (random.random((count, _STEPS)) < 0.6)
        size = present * severity[:, None] * np.exp(random.uniform(np.log(low), np.log(high), (count, _STEPS)))
        sign = random.choice([-1, 1], (count, _STEPS))
        blue = random.uniform(-1.2, -0.2, (count, _STEPS))
        on = np.flatnonzero(terms[term][frames.owner])
        if not len(on):
            continue
        owner = frames.owner[on]
        reached = np.clip((frames.taken_s[on, None] - start_s[owner]) / ramp_s[owner], 0, 1)
        steps = reached * (size * sign)[owner]
        if index == 0:
            courses[on, 0] = steps.sum(axis=1)
        else:
            courses[on, 1], courses[on, 2] = steps.sum(axis=1), (steps * blue[owner]).sum(axis=1)
    return courses, pattern


def _texture(
    random: np.random.Generator, severity: FloatArray, people: People, at_frames: csr_matrix, size: int
) -> tuple[Float32, FloatArray]:
    """Draw what moves in the blocks without the head: errors of the landmarks, expression, blinking; each block in its own way."""
    count, blocks = len(people.skin), people.skin.shape[1]
    rates_hz = grid_rates_hz(size)
    courses = noise_courses(random, low_pass(rates_hz, random.uniform(0.3, 2.5, count), random.uniform(0.8, 1.6, count)), 8, size)
    level = severity * np.exp(random.uniform(np.log(0.0002), np.log(0.004), count)) / np.sqrt(8)
    edges = 1 + 2 * (1 - people.skin)
    pattern = random.normal(0, 1, (count, 8, blocks, 1)) + random.normal(0, 0.4, (count, 8, blocks, 3))
    return _read(at_frames, courses), (level[:, None] * edges)[:, None, :, None] * pattern
