"""What a video codec does to block means: key frames that start anew, and blocks that are copied until they differ enough.

A block of the grid covers some transform blocks (units). In a predicted frame, a unit whose difference from the picture so far is well
inside the dead zone of the quantizer is skipped, that is copied; the farther it is off, the more of the units are updated. A key frame codes
all units anew, with the rounding error of its own quantizer, mostly the same error each time: the picture pumps. This happens in luma and
in chroma (BT.601), which has a quarter of the units.

Where a unit is larger than a block, and rows and columns of the grid are even in number, four blocks share it, as if it were no larger than they
are. Their mean and how they differ from left to right, from top to bottom and across are coded each for itself, as the first coefficients of a
transform are. One random number decides what of them is skipped, in luma too where only chroma is shared, as for the luma and chroma of a macroblock.
A key frame codes the mean anew, and the differences as any frame does.

Skin is alike all over a face, so that the same value is rounded, and skipped, in many blocks at once; and rate control changes the
quantization from frame to frame for the whole picture. Both make the error of a codec alike in all blocks, as a pulse is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from stmap_pipeline.signals.luma import KB, KG, KR

Float32 = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]

# half the width of the dead zone, in quantization steps; H.264 encoders round down what is below two thirds of a step or more
_DEAD_ZONE = np.float32(0.6)
# quantization of frames between two others relative to theirs
_COARSER = np.float32(1.7)
# of the logarithm of the quantization step from one frame to the next
_STEP_CORRELATION = 0.7


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
        Transform blocks of luma in a block of the grid; below 1 where they are larger than it.
    b_frames : (S,) array of int
        Of so many frames all but one are coded with a coarser step; 1 for none.
    alike : (S,) array of float32
        How much the blocks of a face are rounded and skipped together, from 0 to 1.
    step_spread : (S,) array of float32
        Standard deviation of the logarithm of the quantization step over the frames.
    """

    key_interval: IntArray
    key_phase: IntArray
    step: Float32
    chroma_step: Float32
    units: Float32
    b_frames: IntArray
    alike: Float32
    step_spread: Float32


def encode(random: np.random.Generator, ycc: Float32, lengths: IntArray, codec: Codec, grid: tuple[int, int]) -> None:
    """Replace block means by what a codec makes of them.

    Parameters
    ----------
    random : numpy.random.Generator
    ycc : (F, S, 3, N) array of float32
        Y, Cb and Cr in the frames of S windows, changed in place. Windows come in the order of their length, the longest first.
    lengths : (S,) array of int
        Number of frames of each window.
    codec : Codec
    grid : (int, int)
        Rows and columns of the blocks. With an odd number of either, no blocks share a unit.
    """
    frames, windows, _, blocks = ycc.shape
    step = np.stack([codec.step, codec.chroma_step, codec.chroma_step], axis=1)[:, :, None]
    units = np.stack([codec.units, *[codec.units / 4] * 2], axis=1)[:, :, None]
    shared = (units[:, :, 0] < 1) & (grid[0] % 2 == 0) & (grid[1] % 2 == 0)
    units = np.floor(np.maximum(units * np.where(shared, 4, 1)[:, :, None], 1)).astype(np.float32)
    fours = [_fours(ycc[: lengths[window], window, channel], grid) for window, channel in np.argwhere(shared)]
    for four in fours:
        _transform(four)
    error = step / np.sqrt(units)
    alike = codec.alike[:, None, None]
    rounding = alike * random.uniform(-0.5, 0.5, (windows, 3, 1)) + (1 - alike) * random.uniform(-0.5, 0.5, (windows, 3, blocks))
    usual = np.float32(0.8) * error * rounding.astype(np.float32)
    # of four blocks that share a unit, a key frame codes the mean anew; their differences are those of the frame before, unless they change
    renewed = np.ones((windows, 3, blocks), dtype=np.bool_)
    for window, channel in np.argwhere(shared):
        four = _fours(renewed[window, channel][None], grid)
        four[:] = False
        four[0, 0] = True
    # the number of updated units grows with the square of the difference, in terms of the dead zone
    per_difference = np.sqrt(units) / (_DEAD_ZONE * step)
    number = np.arange(frames)[:, None] + codec.key_phase
    key = number % codec.key_interval == 0
    key[0] = True
    wander = scipy.signal.lfilter(
        [np.sqrt(1 - _STEP_CORRELATION**2)], [1, -_STEP_CORRELATION], random.standard_normal((frames, windows)), axis=0
    )
    finer = np.where(number % codec.b_frames == 0, 1.0, 1 / _COARSER) * np.exp(-codec.step_spread * wander)
    fine = finer.astype(np.float32)[:, :, None, None] * per_difference
    any_key = key.any(axis=1)
    on_until = np.searchsorted(-lengths, -np.arange(frames), side="left")
    difference, update = np.empty_like(ycc[0]), np.empty_like(ycc[0])
    # whole units: what is left of one is updated with that probability; luma and chroma of a unit are skipped together
    dither = random.random((frames, windows, 1, blocks), dtype=np.float32)
    dither *= 1 - alike
    dither += random.random((frames, windows, 1, 1), dtype=np.float32)
    dither -= np.floor(dither)
    for window in np.flatnonzero(shared[:, 1]):
        four = _fours(dither[:, window, 0], grid)
        four[:] = four[0, 0].copy()
    # as many values as there are, since a factor for each window is slower to apply
    most, part = units * np.ones_like(difference), 1 / (units * np.ones_like(difference))
    for frame in range(frames):
        on = slice(0, int(on_until[frame]))
        before, now, d, u = ycc[frame - 1, on], ycc[frame, on], difference[on], update[on]
        if any_key[frame]:
            anew = np.flatnonzero(key[frame, on])
            coded = now[anew] + usual[anew] + np.float32(0.4) * error[anew] * (dither[frame, anew] - np.float32(0.5))
        if frame:
            np.subtract(now, before, out=d)
            np.multiply(d, fine[frame, on], out=u)
            np.multiply(u, u, out=u)
            np.minimum(u, most[on], out=u)
            np.add(u, dither[frame, on], out=u)
            np.floor(u, out=u)
            np.multiply(u, part[on], out=u)
            np.multiply(u, d, out=d)
            np.add(before, d, out=now)
        if any_key[frame]:
            now[anew] = np.where(renewed[anew], coded, now[anew])
    for four in fours:
        _transform(four)
        four *= 4


def _fours(values: npt.NDArray[Any], grid: tuple[int, int]) -> npt.NDArray[Any]:
    """View (F, N) values as (2, 2, F, rows / 2, columns / 2): upper or lower, left or right of four neighbors."""
    return values.reshape(len(values), grid[0] // 2, 2, grid[1] // 2, 2).transpose(2, 4, 0, 1, 3)


def _transform(fours: Float32) -> None:
    """Replace four neighbors by their mean and by a quarter of what is left less right, upper less lower, and across (Haar); done twice, by a quarter of themselves."""
    fours /= 4
    fours[:, 0], fours[:, 1] = fours[:, 0] + fours[:, 1], fours[:, 0] - fours[:, 1]
    fours[0], fours[1] = fours[0] + fours[1], fours[0] - fours[1]


def to_ycc(rgb: Float32) -> Float32:
    """Convert (F, N, 3) R, G, B to (F, 3, N) Y, Cb, Cr of BT.601, without offsets."""
    red, green, blue = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
    out = np.empty((len(rgb), 3, rgb.shape[1]), dtype=np.float32)
    out[:, 0] = np.float32(KR) * red + np.float32(KG) * green + np.float32(KB) * blue
    out[:, 1] = (blue - out[:, 0]) * np.float32(1 / (2 - 2 * KB))
    out[:, 2] = (red - out[:, 0]) * np.float32(1 / (2 - 2 * KR))
    return out


def to_rgb(ycc: Float32) -> Float32:
    """Convert (F, 3, N) Y, Cb, Cr of BT.601 to (F, N, 3) R, G, B.

    Examples
    --------
    >>> rgb = np.array([[[200, 150, 120]]], dtype=np.float32)
    >>> to_rgb(to_ycc(rgb)).round(3).tolist()
    [[[200.0, 150.0, 120.0]]]
    """
    luma, blue, red = ycc[:, 0], ycc[:, 1], ycc[:, 2]
    out = np.empty((len(ycc), ycc.shape[2], 3), dtype=np.float32)
    out[:, :, 0] = luma + np.float32(2 - 2 * KR) * red
    out[:, :, 1] = luma - np.float32(KB * (2 - 2 * KB) / KG) * blue - np.float32(KR * (2 - 2 * KR) / KG) * red
    out[:, :, 2] = luma + np.float32(2 - 2 * KB) * blue
    return out


def share_chroma(ycc: Float32, share: float, rows: int, cols: int) -> None:
    """Replace a share of the chroma of (F, 3, N) means by that of the neighbors above, below, left and right."""
    chroma = ycc[:, 1:].reshape(len(ycc), 2, rows, cols)
    padded = np.pad(chroma, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    near = padded[:, :, :-2, 1:-1] + padded[:, :, 2:, 1:-1] + padded[:, :, 1:-1, :-2] + padded[:, :, 1:-1, 2:]
    chroma += np.float32(share) * (near / np.float32(4) - chroma)
    ycc[:, 1:] = chroma.reshape(len(ycc), 2, -1)
