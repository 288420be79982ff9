"""From linear light to the block means of a file: exposure, gamma, 8 bits, sensor noise, codec, repeated frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.codec import Codec, encode
from stmap_pipeline.simulation.config import SimulationConfig
from stmap_pipeline.simulation.frames import Frames
from stmap_pipeline.simulation.people import People
from stmap_pipeline.simulation.scene import Scene

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_KEY_INTERVALS = {"training": (8, 12, 15, 24, 25, 30, 48, 50, 60, 120, 250, 600), "unseen": (10, 16, 20, 32, 40, 72, 90, 150, 300)}


def record(
    random: dict[str, np.random.Generator],
    terms: dict[str, BoolArray],
    severity: FloatArray,
    people: People,
    scene: Scene,
    frames: Frames,
    config: SimulationConfig,
) -> Float32:
    """Record the scenes of B windows.

    Returns
    -------
    (M, N * 3) array of float32
        R, G, B of each block in each frame, in gray levels.
    """
    draw, count = random["camera"], len(severity)
    dark = np.where(terms["dark"], np.exp(draw.uniform(np.log(0.06), np.log(0.5), count)), 1)
    level = np.where(terms["bright"], draw.uniform(1.15, 2.4, count), dark)
    contrast = 1 / draw.uniform(1.0, 2.6, count) if config.settings == "unseen" else 1 / draw.uniform(1.5, 2.4, count)
    base = people.base * level[:, None, None]
    base = np.where(terms["bright"][:, None, None], base, np.minimum(base, 235)).reshape(count, -1)
    patterns = scene.patterns * contrast[:, None, None].astype(np.float32)
    means = np.empty((len(frames.owner), base.shape[1]), dtype=np.float32)
    start = np.log(np.maximum(base, 0.5)).astype(np.float32)
    for window, (first, last) in enumerate(zip(frames.starts[:-1], frames.starts[1:], strict=True)):
        out = means[first:last]
        np.matmul(scene.courses[first:last], patterns[window], out=out)
        out += start[window]
        np.minimum(out, 7, out=out)
        np.exp(out, out=out)

    _clip(draw, terms, means, frames)
    _add_noise(random["noise"], terms, severity, people, base, means, frames)
    _compress(random["codec"], terms, severity, people, means, frames, config)
    _round(random["rounding"], terms, means, frames)
    held = np.flatnonzero(frames.shown != np.arange(len(means)))
    means[held] = means[frames.shown[held]]
    np.clip(means, 0, 255, out=means)
    return means


def _windows(term: BoolArray, frames: Frames) -> list[tuple[int, slice]]:
    return [(int(one), slice(int(frames.starts[one]), int(frames.starts[one + 1]))) for one in np.flatnonzero(term)]


def _clip(random: np.random.Generator, terms: dict[str, BoolArray], means: Float32, frames: Frames) -> None:
    """Mean of pixels that differ within a block when the bright ones end at 255, or the dark ones at a black level."""
    spread = random.uniform(6, 30, len(terms["dark"]))
    black = random.uniform(0, 8, len(spread))
    crushed = terms["dark"] & (random.random(len(spread)) < 0.5)
    for window, on in _windows(terms["bright"], frames):
        means[on] -= _excess(means[on] - 255, float(spread[window]))
    for window, on in _windows(crushed, frames):
        means[on] = _excess(means[on] - float(black[window]), 0.3 * float(spread[window]))


def _excess(values: Float32, spread: float) -> Float32:
    """Mean of max(x, 0) over logistically distributed x around each value, with about that standard deviation."""
    scale = np.float32(spread * np.sqrt(3) / np.pi)
    return np.asarray(scale * np.logaddexp(np.float32(0), values / scale), dtype=np.float32)


def _add_noise(
    random: np.random.Generator,
    terms: dict[str, BoolArray],
    severity: FloatArray,
    people: People,
    base: FloatArray,
    means: Float32,
    frames: Frames,
) -> None:
    """Sensor noise: that of photons grows with the level, that of reading does not; a mean over more pixels has less."""
    count = len(severity)
    read = np.exp(random.uniform(np.log(0.4), np.log(3.0), count)) * np.where(terms["dark"], 2.0, 1.0)
    photons = np.exp(random.uniform(np.log(0.005), np.log(0.06), count)) * np.where(terms["dark"], 4.0, 1.0)
    factor = np.where(terms["noise"], np.exp(random.uniform(np.log(1.5), np.log(8), count)), 1) * severity
    # a face is 1.3 times as high as wide; neighboring pixels share noise through demosaicing and scaling
    pixels = np.maximum(1.3 * people.width_px**2 / people.skin.shape[1] / 6, 1)
    variance = photons[:, None] * np.minimum(base, 255) + read[:, None] ** 2
    sigma = (factor / np.sqrt(pixels))[:, None] * np.sqrt(variance)
    drawn = random.standard_normal(means.shape, dtype=np.float32)
    for window, on in _windows(np.ones(count, dtype=np.bool_), frames):
        drawn[on] *= sigma[window].astype(np.float32)
    means += drawn


def _compress(
    random: np.random.Generator,
    terms: dict[str, BoolArray],
    severity: FloatArray,
    people: People,
    means: Float32,
    frames: Frames,
    config: SimulationConfig,
) -> None:
    count = len(severity)
    step = severity * np.exp(random.uniform(np.log(0.08), np.log(6.0), count))
    chroma = step * random.uniform(0.8, 2.5, count)
    units = np.maximum(1.3 * people.width_px**2 / people.skin.shape[1] / 8**2, 1)
    sharing = np.clip(1.5 - units / 8, 0, 0.8) * random.random(count)
    interval = random.choice(_KEY_INTERVALS[config.settings], count)
    phase = random.integers(0, 600, count)
    b_frames = random.choice([1, 1, 2, 3, 4], count)
    chosen = np.flatnonzero(terms["codec"] & (step > 0))
    if not len(chosen):
        return
    lengths = np.diff(frames.starts)[chosen]
    order = np.argsort(-lengths, kind="stable")
    chosen, lengths = chosen[order], lengths[order]
    stack = np.zeros((int(lengths[0]), len(chosen), means.shape[1]), dtype=np.float32)
    for index, window in enumerate(chosen):
        stack[: lengths[index], index] = means[frames.starts[window] : frames.starts[window + 1]]
    pick = Codec(
        key_interval=interval[chosen],
        key_phase=phase[chosen],
        step=step[chosen].astype(np.float32),
        chroma_step=chroma[chosen].astype(np.float32),
        units=np.floor(units[chosen]).astype(np.float32),
        sharing=sharing[chosen].astype(np.float32),
        b_frames=b_frames[chosen],
    )
    encode(random, stack.reshape(*stack.shape[:2], -1, 3), lengths, pick, (config.rows, config.cols))
    for index, window in enumerate(chosen):
        means[frames.starts[window] : frames.starts[window + 1]] = stack[: lengths[index], index]


def _round(random: np.random.Generator, terms: dict[str, BoolArray], means: Float32, frames: Frames) -> None:
    """8 bits where the pixels of a block hardly differ, so that their rounding does not average out."""
    levels = random.choice([2, 4, 8, 16, 64], len(terms["rounding"])).astype(np.float32)
    for window, on in _windows(terms["rounding"], frames):
        means[on] = np.rint(means[on] * levels[window]) / levels[window]
