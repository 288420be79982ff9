"""Windows of simulated videos of users: block means on a uniform clock, motion of the head, pulse, and what is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stmap_pipeline.simulation.batch import Batch
from stmap_pipeline.simulation.camera import record
from stmap_pipeline.simulation.config import SHARES, SimulationConfig
from stmap_pipeline.simulation.courses import CourseGrid, low_pass
from stmap_pipeline.simulation.draws import log_uniform
from stmap_pipeline.simulation.frames import draw_frames, resampling_matrix
from stmap_pipeline.simulation.heart import HARMONICS, draw_hearts
from stmap_pipeline.simulation.people import FaceMaps, draw_people
from stmap_pipeline.simulation.scene import Scene, draw_scene

Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CHUNK = 64
"""Windows of 300 samples that are simulated together; more would not fit into the cache of a processor."""
NO_PULSE = ("photo_still", "photo_moved", "wall")
_STREAMS = (
    *(
        "terms",
        "severity",
        "heart",
        "frames",
        "people",
        "pulse",
        "pose",
        "light",
        "frame_gains",
        "texture",
        "camera",
        "clipping",
        "noise_level",
        "landmarks",
    ),
    *SHARES,
)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedWindows:
    """B simulated windows of T samples and N blocks.

    Parameters
    ----------
    means : (B, T, N, 3) array of float32
        R, G, B in gray levels; NaN where frames or blocks are lost.
    motion : (B, T, 4) array of float32
        What a landmark track says of the head, with its noise: x and y of its center in face widths, logarithm of its size, roll in rad;
        each relative to its mean over the window, NaN where frames are lost.
    pulse : (B, T) array of float32
        Pulse wave at the face, a beat is a maximum, mean zero, amplitude of the fundamental 1; 0 where there is no pulse.
    heart_rate_bpm : (B,) array of float32
        Beats in the window divided by its length; NaN where there is no pulse.
    terms : dict of (B,) array of bool
        Whether each damage of :data:`~stmap_pipeline.simulation.config.SHARES`, ``no_pulse`` and its kinds ``photo_still``,
        ``photo_moved`` and ``wall`` are in a window, and ``damaged``: any of the damages may be.
    """

    means: Float32
    motion: Float32
    pulse: Float32
    heart_rate_bpm: Float32
    terms: dict[str, BoolArray]


def simulate_windows(count: int, seed: int | Sequence[int], config: SimulationConfig | None = None) -> SimulatedWindows:
    """Simulate windows; people, hearts, light, cameras and damages are drawn anew for each one.

    Parameters
    ----------
    count : int
        Number of windows, from 1. Memory grows by 0.1 MB a window of 5 x 5 blocks; what is in progress takes about 100 MB.
    seed : int or sequence of int
        Not negative. The same seed, count and settings give the same bytes on one machine.
    config : SimulationConfig, optional

    Raises
    ------
    ValueError
        Where ``count`` or the seed is not allowed.

    Examples
    --------
    >>> windows = simulate_windows(4, seed=1)
    >>> windows.means.shape, windows.motion.shape, windows.pulse.shape
    ((4, 300, 25, 3), (4, 300, 4), (4, 300))
    """
    if count < 1:
        raise ValueError(f"at least one window is simulated, not {count}")
    entropy = (int(seed),) if isinstance(seed, int | np.integer) else tuple(int(one) for one in seed)
    if not entropy or min(entropy) < 0:
        raise ValueError(f"a seed is one or more whole numbers from 0, not {seed}")
    config = config or SimulationConfig()
    blocks = config.rows * config.cols
    out = SimulatedWindows(
        np.empty((count, config.samples, blocks, 3), dtype=np.float32),
        np.empty((count, config.samples, 4), dtype=np.float32),
        np.empty((count, config.samples), dtype=np.float32),
        np.empty(count, dtype=np.float32),
        {name: np.zeros(count, dtype=np.bool_) for name in ("damaged", "no_pulse", *NO_PULSE, *SHARES)},
    )
    maps = FaceMaps.of_grid(config.rows, config.cols)
    # long windows take as much memory as many short ones
    chunk = max(1, CHUNK * 300 // max(config.samples, 300))
    for number, first in enumerate(range(0, count, chunk)):
        seeds = np.random.SeedSequence([*entropy, number]).spawn(len(_STREAMS))
        random = {name: np.random.Generator(np.random.SFC64(one)) for name, one in zip(_STREAMS, seeds, strict=True)}
        part = slice(first, min(first + chunk, count))
        _simulate(random, part, maps, config, out)
    return out


def _draw_terms(random: np.random.Generator, count: int, config: SimulationConfig) -> dict[str, BoolArray]:
    """Draw which damages each window has. The same numbers are drawn whatever the shares are, so a share changes no other term."""
    no_pulse = random.random(count) < config.no_pulse_share
    kind = random.choice(3, count, p=(0.35, 0.45, 0.2))
    damaged = random.random(count) < config.damaged_share
    # what beats without a pulse is where a method is fooled: rhythms are frequent there
    more = np.where(no_pulse, 2.5, 1.0)
    terms = {"damaged": damaged, "no_pulse": no_pulse}
    terms |= {name: no_pulse & (kind == index) for index, name in enumerate(NO_PULSE)}
    for name in SHARES:
        share = config.share(name)
        likely = share * more if name in ("periodic_motion", "lamp") and share < 1 else share
        terms[name] = damaged & (random.random(count) < likely)
    terms["dark"] &= ~terms["bright"]
    for name in ("irregular_beats", "ectopic_beats", "talking"):
        terms[name] &= ~no_pulse
    for name in ("motion", "periodic_motion", "gestures"):
        terms[name] &= ~(terms["photo_still"] | terms["wall"])
    return terms


def _simulate(
    random: dict[str, np.random.Generator], part: slice, maps: FaceMaps, config: SimulationConfig, out: SimulatedWindows
) -> None:
    """Simulate one chunk into its place."""
    count, samples = part.stop - part.start, config.samples
    severity = config.severity * log_uniform(random["severity"], 0.4, 1.6, count)
    terms = _draw_terms(random["terms"], count, config)
    frames = draw_frames(random, terms, (samples - 1) / config.rate_hz, config)
    hearts = draw_hearts(random["heart"], terms, (float(frames.taken_s.min()), float(frames.taken_s.max())), config)
    people = draw_people(random["people"], terms, maps, config)
    grid = CourseGrid.over(frames.taken_s, frames.owner, count)
    batch = Batch(random, terms, severity, people, hearts, frames, grid, maps, config)
    scene = draw_scene(batch)

    straight = terms["blended_frames"] & (frames.rate_hz < 28)
    matrix, known = resampling_matrix(frames, samples, config.rate_hz, straight)
    means = out.means[part]
    means[:] = (matrix @ record(batch, scene)).reshape(means.shape)
    np.clip(means, 0, 255, out=means)
    means[~known] = np.nan
    _lose_blocks(random["lost_blocks"], terms["lost_blocks"], means)
    motion = (matrix @ _track(batch, scene)).reshape(count, samples, 4)
    motion[~known] = np.nan
    out.motion[part] = motion - np.nanmean(motion, axis=1, keepdims=True)  # known in a third of the window at least

    times_s = np.arange(samples) / config.rate_hz
    owner = np.repeat(np.arange(count), samples)
    phase = hearts.phase(frames.taken_at(times_s).ravel(), owner).reshape(count, samples)
    turn = np.exp(2j * np.pi * (phase % 1))
    wave = sum((hearts.wave[:, k, None] * turn ** (k + 1)).imag for k in range(HARMONICS))
    alive = ~terms["no_pulse"]
    out.pulse[part] = np.where(alive[:, None], wave - np.mean(wave, axis=1, keepdims=True), 0)
    out.heart_rate_bpm[part] = np.where(alive, 60 * (phase[:, -1] - phase[:, 0]) / times_s[-1], np.nan)
    for name, present in terms.items():
        out.terms[name][part] = present


def _lose_blocks(random: np.random.Generator, term: BoolArray, means: Float32) -> None:
    """Blocks of which too little is in the picture: some, for a stretch or for the whole window."""
    count, samples, blocks = len(means), means.shape[1], means.shape[2]
    number = random.integers(1, max(2, blocks // 2 + 1), count)
    first = random.integers(0, samples, count)
    whole = random.random(count) < 0.4
    length = random.integers(2, samples, count)
    for window in np.flatnonzero(term):
        chosen = random.permutation(blocks)[: number[window]]
        stretch = slice(None) if whole[window] else slice(first[window], first[window] + length[window])
        means[window, stretch, chosen] = np.nan


def _track(batch: Batch, scene: Scene) -> Float32:
    """(M, 4) x, y, logarithm of size, roll as landmarks give them: turns move the center too, and small or dark faces have noise."""
    random, count, terms, frames = batch.random["landmarks"], batch.windows, batch.terms, batch.frames
    yaw, pitch, roll, x, y, size = scene.pose.T
    # the middle of the landmarks lies in front of the axis of the neck by about a third of the width of a face
    seen = np.stack([x + 0.35 * yaw, y + 0.35 * pitch, size - 0.1 * np.abs(yaw), roll], axis=1)
    # landmarks are smoothed over time: of their noise, little is left from frame to frame
    pixels = log_uniform(random, 0.03, 0.6, count) * np.where(terms["dark"], 2, 1) * np.where(terms["wall"], 10, 1)
    smooth = batch.grid.draw(random, low_pass(batch.grid.rates_hz, random.uniform(1, 5, count), np.full(count, 3.0)), 4)
    noise = batch.grid.read(smooth) + np.float32(0.1) * random.standard_normal(seen.shape, dtype=np.float32)
    noise *= (pixels / batch.people.width_px)[frames.owner, None].astype(np.float32) * np.array([1, 1, 1, 1.4], dtype=np.float32)
    return np.asarray((seen + noise)[frames.shown], dtype=np.float32)
