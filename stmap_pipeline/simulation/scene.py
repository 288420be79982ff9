"""Motion of the head and light on it: time courses, and how each one changes the blocks.

All changes are in the logarithm of linear light, where light, shading and exposure multiply by being added. A change is a sum of few time
courses times patterns over blocks and channels, so that the traces of all blocks are one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.batch import Batch
from stmap_pipeline.simulation.courses import band, low_pass
from stmap_pipeline.simulation.draws import factor_of_some, log_uniform
from stmap_pipeline.simulation.face import BLOCKS
from stmap_pipeline.simulation.heart import HARMONICS

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
Term = tuple[npt.NDArray[np.floating], FloatArray]
"""Courses (M, K) in the frames, and patterns (B, K, N, 3)."""

POSE = ("yaw", "pitch", "roll", "x", "y", "size")
"""Degrees of freedom of the head, in rad and face widths; size is a logarithm."""
_SCENES = 24
_GESTURES = 12
_STEPS = 4
_TEXTURES = 8
# heads and photographs, in the settings of training, whose wandering, breath and recoil are less than those of others, by a factor from 0.01 to 1
_HELD_SHARE = 0.1
# of what changes in a block of the 5 x 5 grid alone, the share that its parts have each on its own; the rest they have in common
_OWN_SHARE = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Change of linear light in all frames: the logarithm is ``courses @ patterns[owner]``.

    Parameters
    ----------
    courses : (M, K) array of float32
    patterns : (B, K, N * 3) array of float32
    pose : (M, 6) array of float32
        :data:`POSE` in each frame.
    """

    courses: Float32
    patterns: Float32
    pose: Float32


def draw_scene(batch: Batch) -> Scene:
    """Draw motion and light of a batch."""
    pose = _pose(batch)
    terms = [
        _pulse(batch),
        (pose, _pose_patterns(batch)),
        _slow_light(batch),
        _frame_gains(batch),
        _texture(batch),
    ]
    damages = {"talking": _talk, "hand": _hand, "screen": _screen, "lamp": _lamp, "mains": _mains}
    terms += [draw(batch) for name, draw in damages.items() if batch.terms[name].any()]
    if batch.terms["exposure_steps"].any() or batch.terms["white_balance_steps"].any():
        terms.append(_steps(batch))
    courses = np.concatenate([one.astype(np.float32, copy=False) for one, _ in terms], axis=1)
    width = 3 * batch.blocks
    patterns = np.concatenate([one.reshape(*one.shape[:2], width).astype(np.float32, copy=False) for _, one in terms], axis=1)
    return Scene(courses, patterns, pose.astype(np.float32))


def _pulse(batch: Batch) -> Term:
    """Blood: each block has its own delay of up to 40 ms, and breath modulates the depth."""
    random, hearts, frames = batch.random["pulse"], batch.hearts, batch.frames
    phase = hearts.phase(frames.taken_s, frames.owner)
    turn = np.exp(2j * np.pi * (phase % 1)).astype(np.complex64)
    depth = random.uniform(0.02, 0.3, batch.windows)[frames.owner] * hearts.breath(frames.taken_s, frames.owner)
    powers = np.stack([turn, turn**2, turn**3][:HARMONICS], axis=1) * (1 + depth)[:, None].astype(np.float32)
    delay_s = random.uniform(0, 0.06 if batch.unseen else 0.04, (batch.windows, 1, batch.blocks))
    order = np.arange(1, HARMONICS + 1)[:, None]
    shifted = hearts.wave[:, :, None] * np.exp(-2j * np.pi * order * hearts.rate_bpm[:, None, None] / 60 * delay_s)
    both = np.concatenate([shifted.real, shifted.imag], axis=1)
    # more blood absorbs more light
    return np.concatenate([powers.imag, powers.real], axis=1), -both[:, :, :, None] * batch.people.pulse[:, None, :, :]


def _pose(batch: Batch) -> FloatArray:
    """(M, 6) pose of the head: slow wandering, breath, the recoil of the heart, and by term large turns and a rhythm."""
    random, count, grid, frames = batch.random["motion"], batch.windows, batch.grid, batch.frames
    steep = np.clip(random.normal(1.9 if batch.unseen else 1.6, 0.25, count), 1, 2.8)
    wander = grid.draw(random, low_pass(grid.rates_hz, random.uniform(0.08, 0.25, count), steep), len(POSE))
    usual, large = log_uniform(random, 0.006, 0.04, count), log_uniform(random, 0.04, 0.2, count)
    still = batch.terms["photo_still"] | batch.terms["wall"]
    amplitude = np.where(batch.terms["motion"], large, usual) * batch.people.liveliness * batch.severity * np.where(still, 0.01, 1)
    scale = np.array([0.8, 0.8, 0.7, 0.7, 0.6, 0.3]) * np.exp(random.normal(0, 0.4, (count, len(POSE))))
    gain = (amplitude[:, None] * scale)[:, :, None].astype(np.float32)
    wander *= gain
    turning = batch.terms["motion"] & (random.random(count) < 0.6)
    if turning.any():
        # turned on purpose: to and fro, with overtones
        center_hz = random.uniform(0.2, 1.0, count)[turning]
        shape = np.zeros((len(center_hz), len(grid.rates_hz)), dtype=np.float32)
        for order in (1, 2, 3, 4):
            shape += band(grid.rates_hz, order * center_hz, np.full(len(center_hz), 0.06 * order)) / np.float32(order**1.5)
        mixed = random.normal(0, 0.7, (count, len(POSE), 2)).astype(np.float32)[turning] @ grid.draw(random, shape, 2)
        wander[turning] = 0.6 * wander[turning] + gain[turning] * mixed
    held = np.ones(count)
    if not batch.unseen:
        # a head on a rest, or one that software keeps in its place: that nothing moves is not always a photograph
        held = factor_of_some(random, _HELD_SHARE, 0.01, 1, count)
        wander *= held[:, None, None].astype(np.float32)
    pose = grid.read(wander).astype(np.float64)

    owner, times_s = frames.owner, frames.taken_s
    alive = ~batch.terms["no_pulse"] * batch.severity * held
    breath = (alive * log_uniform(random, 0.0005, 0.008, count))[:, None] * random.normal(0, (0.1, 1, 0.1, 0.1, 1, 0.6), (count, 6))
    pose += batch.hearts.breath(times_s, owner)[:, None] * breath[owner]
    recoil = (alive * log_uniform(random, 1e-4, 1e-3, count))[:, None] * random.normal(0, (0.3, 0.5, 0.2, 0.3, 1, 0.2), (count, 6))
    beats = 2 * np.pi * (batch.hearts.phase(times_s, owner) - 0.2)
    pose += (np.sin(beats) + 0.6 * np.sin(2 * beats))[:, None] * recoil[owner]
    if batch.terms["periodic_motion"].any():
        pose += _rhythm(batch)
    if batch.terms["gestures"].any():
        pose += _gestures(batch)
    return pose


def _gestures(batch: Batch) -> FloatArray:
    """(M, 6) sudden moves to another pose, for a glance, a nod or a laugh, and mostly back again; between them the head is still."""
    random, count, frames = batch.random["gestures"], batch.windows, batch.frames
    shape = (count, _GESTURES)
    pause_s = random.exponential(1.0, shape) * log_uniform(random, 0.8, 8, (count, 1)) + 0.3
    begin_s = np.cumsum(pause_s, axis=1) - 2.0
    ramp_s, stay_s = log_uniform(random, 0.1, 0.6, shape), log_uniform(random, 0.1, 2, shape)
    # a person has gestures of his own: much the same direction each time
    own = random.normal(0, 1, (count, 1, 6)) + 0.6 * random.normal(0, 1, (count, _GESTURES, 6))
    size = batch.present("gestures", 0.01, 0.12)[:, None] * log_uniform(random, 0.3, 2, shape)
    moves = size[:, :, None] * own * np.array([1, 1, 0.5, 0.5, 0.7, 0.3])
    back = np.where(random.random(shape) < 0.75, random.uniform(0.8, 1.0, shape), 0)
    on, owner, times_s = batch.frames_with("gestures")
    since_s = times_s[:, None] - begin_s[owner]
    away, again = (_smooth_step(one / ramp_s[owner]) for one in (since_s, since_s - (ramp_s + stay_s)[owner]))
    pose = np.zeros((len(frames.owner), len(POSE)))
    pose[on] = np.einsum("mk,mkd->md", away - back[owner] * again, moves[owner])
    return pose


def _smooth_step(x: FloatArray) -> FloatArray:
    """0 before 0, 1 after 1, with slopes of 0 at both."""
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def _rhythm(batch: Batch) -> FloatArray:
    """(M, 6) nodding, walking, rocking, a treadmill, a hand that shakes the camera: three harmonics whose phase wanders a little."""
    random, count, grid, frames = batch.random["periodic_motion"], batch.windows, batch.grid, batch.frames
    rate_hz = log_uniform(random, 0.4, 3.6, count)
    wander = grid.draw(random, low_pass(grid.rates_hz, np.full(count, 0.1), np.full(count, 1.5)), 1)
    wander *= random.uniform(0, 1.2, (count, 1, 1)).astype(np.float32)
    start = random.random(count)
    strength = batch.present("periodic_motion", 0.003, 0.08)
    weights = random.normal(0, 0.7, (count, 4, 6)) * np.array([1, 1, 0.4, 0.25])[:, None] * (1, 1, 0.5, 0.8, 1, 0.4)
    on, owner, times_s = batch.frames_with("periodic_motion")
    angle = 2 * np.pi * (rate_hz[owner] * times_s + start[owner]) + grid.read(wander)[on, 0]
    waves = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.sin(3 * angle)], axis=1)
    pose = np.zeros((len(frames.owner), len(POSE)))
    pose[on] = np.einsum("mk,mkd->md", waves, (strength[:, None, None] * weights)[owner])
    return pose


def _pose_patterns(batch: Batch) -> FloatArray:
    """(B, 6, N, 3): shading in all channels alike, shine in the color of the light, and what moves into and out of a block."""
    random, count, people, maps = batch.random["pose"], batch.windows, batch.people, batch.maps
    # common, from side to side, up and down, of yaw, pitch, roll, x, y and size
    direction = np.array([[0.1, 0.7, 0.0], [0.4, 0.1, 0.3], [0.0, 0.1, 0.1], [0.15, 0.2, 0.0], [0.15, 0.0, 0.2], [0.35, 0.1, 0.1]])
    sign = random.choice([-1, 1], (count, 6, 1))
    common, side, up = np.moveaxis(direction * random.normal(0.6, 0.6, (count, 6, 3)) * sign, 2, 0)
    shading = common[:, :, None] + side[:, :, None] * maps.across + up[:, :, None] * maps.down
    edges = 1 + 3 * (1 - people.skin)
    colored = _each_block(batch, lambda blocks: random.normal(0, 0.10, (count, 6, blocks, 3))) + random.normal(
        0, 0.04, (count, 6, 1, 3)
    )
    gray = _each_block(batch, lambda blocks: random.normal(0, 0.45, (count, 6, blocks, 1)))
    texture = gray + np.exp(random.normal(0, 0.8, (count, 1, 1, 1))) * colored
    texture *= np.array([1, 1, 0.6, 0.8, 0.8, 0.8])[:, None, None] * edges[:, None, :, None]
    shine = random.normal(0, (0.2, 0.3, 0.05, 0.1, 0.1, 0.1), (count, 6))[:, :, None, None] * people.shine[:, None]
    return np.asarray(0.9 * shading[:, :, :, None] + 0.5 * (shine + texture))


def _each_block(batch: Batch, draw: Callable[[int], FloatArray]) -> FloatArray:
    """Draw patterns (B, K, N, C) that differ from block to block; ``draw`` returns those of a number of blocks, each on its own.

    Small blocks change more, and neighbors are partly alike, so that the mean over a block of the 5 x 5 grid is what it is without division.
    """
    own = draw(batch.blocks)
    if batch.blocks <= BLOCKS:
        return own
    return np.asarray(
        np.sqrt(_OWN_SHARE * batch.blocks / BLOCKS) * own + np.sqrt(1 - _OWN_SHARE) * draw(BLOCKS)[:, :, batch.maps.region]
    )


def _talk(batch: Batch) -> Term:
    """Mouth: syllables of 1 to 4 Hz in phrases; lips and chin change most."""
    random, count, grid = batch.random["talking"], batch.windows, batch.grid
    on = np.flatnonzero(batch.terms["talking"])
    syllables = grid.draw(random, band(grid.rates_hz, random.uniform(1.0, 4.0, count)[on], np.full(len(on), 1.2)), 1)
    phrases = grid.draw(random, low_pass(grid.rates_hz, np.full(len(on), 0.2), np.full(len(on), 3.0)), 1)
    mouth = np.zeros((count, 1, grid.samples), dtype=np.float32)
    mouth[on] = syllables * np.clip(3 * phrases + 1.5, 0, 1)
    strength = batch.present("talking", 0.02, 0.12) * batch.people.liveliness
    lips = random.normal(0.5, 0.4, (count, batch.blocks, 1)) + random.normal(0, 0.15, (count, batch.blocks, 3))
    pattern = strength[:, None, None] * batch.maps.mouth[:, None] * lips
    return grid.read(mouth), pattern[:, None]


def _hand(batch: Batch) -> Term:
    """Hand over some neighboring blocks, once or twice; what is seen there is mixed in the logarithm."""
    random, count, people, maps = batch.random["hand"], batch.windows, batch.people, batch.maps
    start_s, length_s = random.uniform(-1, batch.end_s(), (count, 2)), log_uniform(random, 0.3, 4, (count, 2))
    rise_s = random.uniform(0.1, 0.5, (count, 1))
    on, owner, times_s = batch.frames_with("hand")
    inside = np.zeros((len(batch.frames.owner), 2))
    since_s, until_s = times_s[:, None] - start_s[owner], (start_s + length_s)[owner] - times_s[:, None]
    inside[on] = np.clip(np.minimum(since_s, until_s) / rise_s[owner], 0, 1)
    place = random.uniform(-1, 1, (count, 2, 2))
    distance = np.hypot(maps.across - place[:, :, :1], maps.down - place[:, :, 1:])
    covers = np.clip((random.uniform(0.4, 1.2, (count, 2, 1)) - distance) / 0.4, 0, 1)
    shade = random.uniform(0.5, 1.3, (count, 2, 1, 1)) * random.uniform(0.93, 1.07, (count, 2, 1, 3))
    hand = people.base.mean(axis=1)[:, None, None, :] * shade
    change = covers[:, :, :, None] * np.log(hand / np.maximum(people.base[:, None], 1))
    return inside, change * batch.terms["hand"][:, None, None, None]


def _slow_light(batch: Batch) -> Term:
    """Slow light: common, from side to side, colored; the white balance; and other light on blocks that are no skin."""
    random, count, grid, people = batch.random["light"], batch.windows, batch.grid, batch.people
    steep = random.uniform(1.2, 1.8, count) if batch.unseen else random.uniform(0.8, 1.5, count)
    drift = grid.draw(random, low_pass(grid.rates_hz, random.uniform(0.04, 0.15, count), steep), 3)
    tint = grid.draw(random, low_pass(grid.rates_hz, random.uniform(0.05, 0.2, count), random.uniform(1.6, 2.4, count)), 2)
    balance = grid.draw(random, low_pass(grid.rates_hz, np.full(count, 0.5), np.ones(count)), 2)
    usual, unsteady = log_uniform(random, 0.002, 0.016, count), log_uniform(random, 0.01, 0.05, count)
    level = batch.severity * np.where(batch.terms["unsteady_light"], unsteady, usual)
    adjusting = batch.severity * 0.0012 * np.exp(random.normal(0, 0.7, count))
    pattern = np.zeros((count, 7, batch.blocks, 3))
    pattern[:, 0] = level[:, None, None]
    pattern[:, 1] = ((0.5 * level * random.normal(0, 1, count))[:, None] * batch.maps.across)[:, :, None]
    other = (random.random((count, batch.blocks)) < 0.7) * (people.skin < 0.05) * np.exp(random.normal(-4.5, 1.0, (count, 1)))
    pattern[:, 2] = (other * batch.severity[:, None])[:, :, None] * random.normal(1, 0.3, (count, 1, 3))
    pattern[:, 3, :, 0] = pattern[:, 4, :, 2] = (batch.severity * log_uniform(random, 0.001, 0.015, count))[:, None]
    pattern[:, 5, :, 0] = pattern[:, 6, :, 2] = adjusting[:, None]
    return grid.read(np.concatenate([drift, tint, balance], axis=1)), pattern


def _frame_gains(batch: Batch) -> Term:
    """Gain of single frames, of all blocks alike: exposure control, image processing and rate control are not exact."""
    random, count = batch.random["frame_gains"], batch.windows
    courses = random.standard_normal((len(batch.frames.owner), 3), dtype=np.float32)
    level = batch.severity * log_uniform(random, 1e-4, 1e-3, count)
    pattern = np.zeros((count, 3, batch.blocks, 3))
    pattern[:, 0] = level[:, None, None]
    pattern[:, 1, :, 0] = pattern[:, 2, :, 2] = (level * random.uniform(0.05, 0.4, count))[:, None]
    return courses, pattern


def _texture(batch: Batch) -> Term:
    """Draw what changes in the blocks without the head: errors of the landmarks, expression, blinking; each block in its own way."""
    random, count, grid = batch.random["texture"], batch.windows, batch.grid
    shape = low_pass(grid.rates_hz, random.uniform(0.3, 2.5, count), random.uniform(0.8, 1.6, count))
    level = batch.severity * log_uniform(random, 0.0003, 0.004 if batch.unseen else 0.006, count) / np.sqrt(_TEXTURES)
    edges = 1 + 2 * (1 - batch.people.skin)
    colored = np.exp(random.normal(0, 0.8, (count, 1, 1, 1))) * _each_block(
        batch, lambda blocks: random.normal(0, 0.2, (count, _TEXTURES, blocks, 3))
    )
    pattern = _each_block(batch, lambda blocks: random.normal(0, 1, (count, _TEXTURES, blocks, 1))) + colored
    return grid.read(grid.draw(random, shape, _TEXTURES)), (level[:, None] * edges)[:, None, :, None] * pattern


def _space(random: np.random.Generator, batch: Batch) -> FloatArray:
    """(B, N) strength of a lamp that is not straight ahead."""
    side, up = random.normal(0, 0.3, (batch.windows, 1)), random.normal(0, 0.2, (batch.windows, 1))
    return np.asarray(1 + side * batch.maps.across + up * batch.maps.down)


def _screen(batch: Batch) -> Term:
    """Light of a screen: another level and color with each scene; a cut takes up to 0.1 s."""
    random, count, frames = batch.random["screen"], batch.windows, batch.frames
    length_s = random.exponential(1.0, (count, _SCENES)) * log_uniform(random, 0.25, 3, (count, 1)) + 0.1
    cut_s = np.cumsum(length_s, axis=1) - 2.0
    # the level of the last scene whose cut has come, reached within its ramp
    change = np.diff(random.normal(0, 1, (count, _SCENES, 2)), axis=1, prepend=0)
    ramp_s = random.uniform(0.01, 0.1, (count, 1))
    on, owner, times_s = batch.frames_with("screen")
    reached = np.clip((times_s[:, None] - cut_s[owner]) / ramp_s[owner], 0, 1)
    courses = np.zeros((len(frames.owner), 2))
    courses[on] = np.einsum("ms,msk->mk", reached, change[owner])
    level = batch.present("screen", 0.002, 0.04)
    color = np.exp(random.normal(0, 0.3, (count, 2, 3)) * np.array([[0.5], [1.0]])) * np.array([[1.0], [0.4]])
    return courses, (level[:, None] * _space(random, batch))[:, None, :, None] * color[:, :, None, :]


def _lamp(batch: Batch) -> Term:
    """Lamp that flickers as slowly as a pulse: a worn tube, a candle, a fan before a lamp, a blinking sign."""
    random, count, frames = batch.random["lamp"], batch.windows, batch.frames
    rate_hz, sharp = log_uniform(random, 0.4, 4.5, count), random.uniform(0.01, 2.5, count)
    on, owner, times_s = batch.frames_with("lamp")
    angle = 2 * np.pi * (rate_hz[owner] * times_s + random.random(count)[owner])
    wave = np.zeros((len(frames.owner), 1))
    wave[on, 0] = np.tanh(sharp[owner] * np.sin(angle)) / np.tanh(sharp)[owner]
    level = batch.present("lamp", 0.0007, 0.02)
    if batch.unseen:
        color = np.exp(random.normal(0, 0.12, (count, 1, 3)))
    else:
        # warmer or colder than the other light: red and blue differ most, as among the colors of black bodies
        color = np.exp(random.normal(0, 0.15, (count, 1, 1)) * (-1, 0, 1) + random.normal(0, 0.05, (count, 1, 3)))
    return wave, ((level[:, None] * _space(random, batch))[:, :, None] * color)[:, None]


def _mains(batch: Batch) -> Term:
    """Lamps on mains: 100 or 120 Hz, seen as what the frame rate makes of it; a rolling shutter shows each row another phase."""
    random, count, frames = batch.random["mains"], batch.windows, batch.frames
    rate_hz = random.choice([100.0, 120.0], count) * (1 + random.normal(0, 3e-4, count))
    on, owner, times_s = batch.frames_with("mains")
    angle = 2 * np.pi * ((rate_hz[owner] * times_s + random.random(count)[owner]) % 1)
    courses = np.zeros((len(frames.owner), 2))
    courses[on, 0], courses[on, 1] = np.sin(angle), np.cos(angle)
    rows = random.uniform(0, 2, (count, 1)) * batch.maps.down
    color = np.array([1.0, 0.95, 0.85]) * np.exp(random.normal(0, 0.05, (count, 1, 3)))
    both = batch.present("mains", 0.0007, 0.015)[:, None, None] * np.stack([np.cos(rows), np.sin(rows)], axis=1)
    return courses, both[:, :, :, None] * color[:, None]


def _steps(batch: Batch) -> Term:
    """Automatic exposure and white balance: steps that take 0.05 to 2 s, of all blocks alike."""
    count, frames = batch.windows, batch.frames
    courses = np.zeros((len(frames.owner), 3))
    pattern = np.zeros((count, 3, batch.blocks, 3))
    pattern[:, 0], pattern[:, 1, :, 0], pattern[:, 2, :, 2] = 1, 1, 1
    for term, low, high, slow_s in (("exposure_steps", 0.005, 0.2, 1.0), ("white_balance_steps", 0.003, 0.06, 2.0)):
        random, present = batch.random[term], batch.terms[term]
        start_s, ramp_s = random.uniform(-1, batch.end_s(), (count, _STEPS)), log_uniform(random, 0.05, slow_s, (count, _STEPS))
        size = log_uniform(random, low, high, (count, _STEPS)) * random.choice([-1, 1], (count, _STEPS))
        size *= (random.random((count, _STEPS)) < 0.6) * (present * batch.severity)[:, None]
        # red falls where blue rises
        blue = random.uniform(-1.2, -0.2, (count, 1))
        on, owner, times_s = batch.frames_with(term)
        steps = (np.clip((times_s[:, None] - start_s[owner]) / ramp_s[owner], 0, 1) * size[owner]).sum(axis=1)
        if term == "exposure_steps":
            courses[on, 0] = steps
        else:
            courses[on, 1], courses[on, 2] = steps, steps * blue[owner, 0]
    return courses, pattern
