"""Landmarks and coverage as small integers: what one reads back is a fixed point, so writing it again changes no byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stmap_pipeline.shards.schema import COVERAGE_SCALE, LOST

# 1/32 px reaches 1023 px, 1/16 px 2047 px, and so on; the coarsest, 1/4 px, reaches 8191 px
_STEPS_PER_PX = (32, 16, 8, 4)
_LARGEST = 32767


def quantize_landmarks(points_px: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int16], float]:
    """Turn landmarks into 16-bit integers in the finest step that their range allows.

    Parameters
    ----------
    points_px : (T, 68, 2) array of float32
        NaN where lost.

    Returns
    -------
    steps : (T, 68, 2) array of int16
        :data:`~stmap_pipeline.shards.schema.LOST` where lost.
    scale_px : float
        1/32 for pictures up to about 1000 pixels, down to 1/4 for 8000.

    Raises
    ------
    ValueError
        Where a coordinate is infinite or lies beyond 8191 pixels.

    Examples
    --------
    >>> quantize_landmarks(np.array([[[10.5, -3.0]]], dtype=np.float32))
    (array([[[336, -96]]], dtype=int16), 0.03125)
    """
    points = np.asarray(points_px, dtype=np.float64)
    lost = np.isnan(points)
    known = np.where(lost, 0.0, points)
    for steps_per_px in _STEPS_PER_PX:
        steps = np.rint(known * steps_per_px)
        if not np.any(np.abs(steps) > _LARGEST):
            return np.where(lost, LOST, steps).astype("<i2"), 1 / steps_per_px
    raise ValueError(
        f"a landmark lies at {np.abs(known).max():.0f} px; at most {_LARGEST / _STEPS_PER_PX[-1]:.0f} px can be stored"
    )


def restore_landmarks(steps: npt.NDArray[np.int16], scale_px: float) -> npt.NDArray[np.float32]:
    """Turn stored integers back into pixels, NaN where lost.

    Examples
    --------
    >>> restore_landmarks(np.array([[[336, -32768]]], dtype=np.int16), 1 / 32).tolist()
    [[[10.5, nan]]]
    """
    return np.where(steps == LOST, np.float32(np.nan), steps.astype(np.float32) * np.float32(scale_px)).astype(np.float32)


def quantize_coverage(coverage: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Turn shares of 0 to 1 into steps of 1/255; 0 and 1 stay exact, others move by at most 0.002.

    Raises
    ------
    ValueError
        Where a share is not between 0 and 1.

    Examples
    --------
    >>> quantize_coverage(np.array([0.0, 0.5, 1.0], dtype=np.float32)).tolist()
    [0, 128, 255]
    """
    shares = np.asarray(coverage, dtype=np.float64)
    # an area mean may pass 1 by a rounding
    if not np.all((shares >= -1e-4) & (shares <= 1 + 1e-4)):
        raise ValueError("coverage must lie between 0 and 1")
    return np.rint(np.clip(shares, 0, 1) / COVERAGE_SCALE).astype(np.uint8)


def restore_coverage(steps: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Turn stored steps back into shares.

    Examples
    --------
    >>> restore_coverage(np.array([0, 255], dtype=np.uint8)).tolist()
    [0.0, 1.0]
    """
    return (steps * COVERAGE_SCALE).astype(np.float32)
