"""What a video codec does to block means: key frames that start anew, and blocks that are copied until they differ enough.

A block of the grid covers some transform blocks (units). In a predicted frame, a unit whose difference from the picture so far is well
inside the dead zone of the quantizer is skipped, that is copied; the farther it is off, the more of the units are updated. A key frame codes
all units anew, with the rounding error of its own quantizer, mostly the same error each time: the picture pumps. This happens in luma and
in chroma (BT.601), which has a quarter of the units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]

# BT.601: Y, Cb and Cr of R, G and B, and back
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32)
_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """Settings of the codecs of S windows.

    Parameters
    ----------
    key_interval : (S,) array of int
        Frames from one key frame to the next.
    key_phase : (S,) array of int
    step : (S,) array of float32
        Quantization step of luma, in gray levels of a unit.
    chroma_step : (S,) array of float32
    units : (S,) array of float32
        Transform blocks of luma in a block of the grid, at least 1.
    sharing : (S,) array of float32
        Share of chroma that a block takes from its neighbors, 0 to 1.
    b_frames : (S,) array of int
        Of so many frames all but one are coded with a coarser step; 1 for none.
    """

    key_interval: IntArray
    key_phase: IntArray
    step: Float32
    chroma_step: Float32
    units: Float32
    sharing: Float32
    b_frames: IntArray


def encode(random: np.random.Generator, means: Float32, lengths: IntArray, codec: Codec, grid: tuple[int, int]) -> None:
    """Replace block means by what a codec makes of them.

    Parameters
    ----------
    random : numpy.random.Generator
    means : (F, S, N, 3) array of float32
        Frames of S windows, changed in place. Windows come in the order of their length, the longest first.
    lengths : (S,) array of int
        Number of frames of each window.
    codec : Codec
    grid : tuple of int
        Rows and columns.
    """
    frames, windows, blocks, _ = means.shape
    ycc = means @ _TO_YCC.T
    if codec.sharing.any():
        share = codec.sharing[:, None, None]
        mixed = np.matmul(_neighbors(*grid), ycc[..., 1:])
        ycc[..., 1:] += share * (mixed - ycc[..., 1:])
    step = np.stack([codec.step, codec.chroma_step, codec.chroma_step], axis=1)[:, None, :]
    units = np.stack([codec.units, *[np.maximum(codec.units / 4, 1)] * 2], axis=1)[:, None, :]
    dead = np.float32(0.6) * step * np.ones((1, blocks, 1), dtype=np.float32)
    error = step / np.sqrt(units)
    usual = error * random.uniform(-0.5, 0.5, (windows, blocks, 3)).astype(np.float32)
    dither = random.random((frames, windows, blocks, 3), dtype=np.float32)
    number = np.arange(frames)[:, None] + codec.key_phase
    key = (number % codec.key_interval) == 0
    key[0] = True
    coarse = np.where(number % codec.b_frames == 0, 1.0, 1.7).astype(np.float32)[:, :, None, None]
    active = np.searchsorted(-lengths, -np.arange(frames), side="left")
    state = ycc[0].copy()
    difference, share = np.empty_like(state), np.empty_like(state)
    inverse, parts, per_part = 1 / dead, units * np.ones_like(dead), 1 / (units * np.ones_like(dead))
    for frame in range(frames):
        on = slice(0, int(active[frame]))
        d, s = difference[on], share[on]
        np.subtract(ycc[frame, on], state[on], out=d)
        np.multiply(d, inverse[on], out=s)
        np.divide(s, coarse[frame, on], out=s)
        np.multiply(s, s, out=s)
        np.minimum(s, 1, out=s)
        np.multiply(s, parts[on], out=s)
        np.add(s, dither[frame, on], out=s)
        np.floor(s, out=s)
        np.multiply(s, per_part[on], out=s)
        np.minimum(s, 1, out=s)
        np.multiply(s, d, out=d)
        np.add(state[on], d, out=state[on])
        if key[frame, on].any():
            anew = np.flatnonzero(key[frame, on])
            fresh = dither[frame, anew] - np.float32(0.5)
            state[anew] = ycc[frame, anew] + np.float32(0.8) * usual[anew] + np.float32(0.4) * error[anew] * fresh
        ycc[frame, on] = state[on]
    np.matmul(ycc, _TO_RGB.T, out=means)


def _neighbors(rows: int, cols: int) -> Float32:
    """(N, N) mean over a block and its neighbors above, below, left and right."""
    row, col = np.divmod(np.arange(rows * cols), cols)
    near = np.abs(row[:, None] - row) + np.abs(col[:, None] - col) <= 1
    return np.asarray(near / near.sum(axis=1, keepdims=True), dtype=np.float32)
