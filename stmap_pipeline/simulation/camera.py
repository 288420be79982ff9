"""From linear light to the block means of a file: exposure, gamma, 8 bits, sensor noise, codec, repeated frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.batch import Batch
from stmap_pipeline.simulation.codec import Codec, encode, share_chroma, to_rgb, to_ycc
from stmap_pipeline.simulation.draws import log_uniform
from stmap_pipeline.simulation.frames import Frames
from stmap_pipeline.simulation.scene import Scene

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_KEY_INTERVALS = {"training": (8, 12, 15, 24, 25, 30, 48, 50, 60, 120, 250, 600), "unseen": (10, 16, 20, 32, 40, 72, 90, 150, 300)}
# side of a transform block, and how often it is drawn: encoders choose large ones where a picture is smooth, as skin is
_UNIT_PX = {"training": ((8, 16, 32), (0.5, 0.3, 0.2)), "unseen": ((4, 8, 16), (0.25, 0.5, 0.25))}
# multiplications up to which OpenBLAS starts no threads: on busy cores they wait for each other much longer than they work
_ONE_THREAD = 2**18
# pixels that share their noise, through demosaicing, denoising and scaling
_ALIKE = 12
# windows of noise that those of a batch share
_SUPPLY = 8


def record(batch: Batch, scene: Scene) -> Float32:
    """Record the scenes of a batch.

    Returns
    -------
    (M, N * 3) array of float32
        R, G, B of each block in each frame, in gray levels.
    """
    random, count, frames = batch.random["camera"], batch.windows, batch.frames
    # too little or too much light, or a brightness that was set afterwards: a factor, or a number of levels
    set_afterwards = random.random(count) < 0.4
    dark, bright = log_uniform(random, 0.06, 0.5, count), random.uniform(1.15, 2.4, count)
    level = np.where(set_afterwards, 1, np.where(batch.terms["bright"], bright, np.where(batch.terms["dark"], dark, 1)))
    shift = set_afterwards * (
        batch.terms["bright"] * random.uniform(10, 100, count) - batch.terms["dark"] * random.uniform(10, 70, count)
    )
    base = batch.people.base * level[:, None, None]
    base = np.where(batch.terms["bright"][:, None, None], base, np.minimum(base, 235)).reshape(count, -1)
    # a gray level is a power of linear light: factors on light are factors of another size on levels
    gamma = random.uniform(1.0, 2.6, count) if batch.unseen else random.uniform(1.5, 2.4, count)
    patterns = scene.patterns / gamma[:, None, None].astype(np.float32)
    start = np.log(np.maximum(base, 0.5)).astype(np.float32)
    sigma, shared = _noise(batch, base)
    spread, offset = _clipping(batch, shift)
    means = np.empty((len(frames.owner), base.shape[1]), dtype=np.float32)
    noise = np.empty((int(np.diff(frames.starts).max()), base.shape[1]), dtype=np.float32)
    # many windows take their noise at random places of one supply: to draw all of it would be a fifth of the work
    supply = batch.random["noise"].standard_normal(noise.size * min(count, _SUPPLY), dtype=np.float32)
    places = batch.random["noise"].integers(0, len(supply) - noise.size, count, endpoint=True)
    if count <= _SUPPLY:
        places = np.arange(count) * noise.size
    piece = max(1, _ONE_THREAD // (patterns.shape[1] * patterns.shape[2]))
    for window, (first, last) in enumerate(zip(frames.starts[:-1].tolist(), frames.starts[1:].tolist(), strict=True)):
        # all steps of one window, while it is in the cache of the processor
        one = means[first:last]
        for some in range(0, len(one), piece):
            np.matmul(scene.courses[first + some : min(first + some + piece, last)], patterns[window], out=one[some : some + piece])
        one += start[window]
        np.minimum(one, 7, out=one)
        np.exp(one, out=one)
        drawn = noise[: len(one)]
        drawn.ravel()[:] = supply[places[window] : places[window] + drawn.size]
        # channel by channel: three times as fast as all at once
        colors = drawn.reshape(-1, 3).T
        common = colors[0] + colors[1]
        common += colors[2]
        common *= shared[window]
        for color in colors:
            color += common
        drawn *= sigma[window].ravel()
        one += drawn
        if batch.terms["bright"][window]:
            one += offset[window]
            one -= _excess(one - 255, float(spread[window]))
        elif offset[window]:
            one[:] = _excess(one + offset[window], 0.3 * float(spread[window]))
    _compress(batch, means)
    _round(batch, means)
    held = np.flatnonzero(frames.shown != np.arange(len(means)))
    means[held] = means[frames.shown[held]]
    np.clip(means, 0, 255, out=means)
    return means


def _windows(term: BoolArray, frames: Frames) -> list[tuple[int, slice]]:
    return [(int(one), slice(int(frames.starts[one]), int(frames.starts[one + 1]))) for one in np.flatnonzero(term)]


def _clipping(batch: Batch, shift: FloatArray) -> tuple[FloatArray, Float32]:
    """Draw how much the pixels of a block differ, (B,), and the levels that are added, (B,): below 0 a black level is taken off."""
    random, count = batch.random["clipping"], batch.windows
    spread, black = random.uniform(6, 30, count), random.uniform(0, 8, count)
    crushed = batch.terms["dark"] & (random.random(count) < 0.5)
    return spread, (shift - np.where(crushed, black, 0)).astype(np.float32)


def _excess(values: Float32, spread: float) -> Float32:
    """Mean of max(x, 0) over logistically distributed x around each value, with that standard deviation."""
    scale = np.float32(spread * np.sqrt(3) / np.pi)
    return np.asarray(scale * np.logaddexp(np.float32(0), values / scale), dtype=np.float32)


def _noise(batch: Batch, base: FloatArray) -> tuple[Float32, Float32]:
    """Draw the standard deviation (B, N, 3) of sensor noise, and the share (B,) of each channel that all channels get.

    The noise of photons grows with the level, that of reading does not; a mean over more pixels has less.
    """
    random, count, people = batch.random["noise_level"], batch.windows, batch.people
    gain = np.where(batch.terms["dark"], random.uniform(1.2, 4.0, count), 1.0)
    read, photons = log_uniform(random, 0.4, 3.0, count) * gain, log_uniform(random, 0.005, 0.06, count) * gain**2
    factor = (
        np.where(batch.terms["noise"], log_uniform(random, 1.5, 8, count), 1) * batch.severity * random.uniform(0.8, 1.6, count)
    )
    # red and blue are amplified by the white balance, and stored at half the resolution
    channel = np.exp(random.normal(0, 0.2, (count, 1, 3))) * (1.4, 1.0, 1.5)
    variance = photons[:, None, None] * np.minimum(base, 255).reshape(count, -1, 3) + read[:, None, None] ** 2
    sigma = (factor / np.sqrt(np.maximum(people.pixels / _ALIKE, 1)))[:, None, None] * channel * np.sqrt(variance)
    # denoising and the codec keep less of what differs between the channels than of what they share
    shared = random.uniform(0, 3, count) * np.where(batch.terms["dark"], 0.4, 1)
    sigma /= np.sqrt(1 + (2 * shared + shared**2) / 3)[:, None, None]
    return sigma.astype(np.float32), (shared / 3).astype(np.float32)


def _compress(batch: Batch, means: Float32) -> None:
    """Pass the windows that have it through a codec, the longest first."""
    random, count, frames = batch.random["codec"], batch.windows, batch.frames
    step = batch.present("codec", 0.06, 4.0 if batch.unseen else 8.0)
    chroma = step * log_uniform(random, 0.8, 4, count)
    sharing = np.clip(1.5 - np.maximum(batch.people.pixels / 8**2, 1) / 8, 0, 0.8) * random.random(count)
    interval, phase = random.choice(_KEY_INTERVALS[batch.config.settings], count), random.integers(0, 600, count)
    b_frames = random.choice([1, 1, 2, 3, 4], count)
    alike, step_spread = random.random(count), random.uniform(0, 0.5, count)
    sides_px, weights = _UNIT_PX[batch.config.settings]
    units = batch.people.pixels / random.choice(sides_px, count, p=weights) ** 2
    chosen = np.flatnonzero(step > 0)
    if not len(chosen):
        return
    chosen = chosen[np.argsort(-np.diff(frames.starts)[chosen], kind="stable")]
    lengths = np.diff(frames.starts)[chosen]
    places = [slice(int(frames.starts[one]), int(frames.starts[one + 1])) for one in chosen]
    rows, cols = batch.config.rows, batch.config.cols
    stack = np.zeros((int(lengths[0]), len(chosen), 3, rows * cols), dtype=np.float32)
    for index, place in enumerate(places):
        one = to_ycc(means[place].reshape(-1, rows * cols, 3))
        if sharing[chosen[index]]:
            share_chroma(one, float(sharing[chosen[index]]), rows, cols)
        stack[: lengths[index], index] = one
    codec = Codec(
        key_interval=interval[chosen],
        key_phase=phase[chosen],
        step=step[chosen].astype(np.float32),
        chroma_step=chroma[chosen].astype(np.float32),
        units=units[chosen].astype(np.float32),
        b_frames=b_frames[chosen],
        alike=alike[chosen].astype(np.float32),
        step_spread=step_spread[chosen].astype(np.float32),
    )
    encode(random, stack, lengths, codec, (rows, cols))
    for index, place in enumerate(places):
        means[place] = to_rgb(stack[: lengths[index], index]).reshape(lengths[index], -1)


def _round(batch: Batch, means: Float32) -> None:
    """8 bits where the pixels of a block hardly differ, so that their rounding does not average out."""
    levels = batch.random["rounding"].choice([2, 4, 8, 16, 64], batch.windows).astype(np.float32)
    for window, on in _windows(batch.terms["rounding"], batch.frames):
        means[on] = np.rint(means[on] * levels[window]) / levels[window]
