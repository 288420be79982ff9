"""Run over the tracked frames of one recording and keep what a shard stores: a few hundred numbers a frame, no picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stmap_pipeline.blocks.box import face_box, posed
from stmap_pipeline.blocks.lattice import Lattice
from stmap_pipeline.blocks.mask import FaceMask, hull_mask, skin_mask
from stmap_pipeline.blocks.means import block_means
from stmap_pipeline.blocks.reference import Reference, take_reference
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.faces import TrackedFrame
from stmap_pipeline.faces.geometry import transform
from stmap_pipeline.records import BlockTrace, LandmarkTrack, RoiGrid


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Block means and landmarks of one recording, on the same frames."""

    blocks: BlockTrace
    track: LandmarkTrack


def measure_blocks(tracked: Iterable[TrackedFrame], config: BlocksConfig) -> Measurement:
    """Measure the mean color of each block in each frame.

    Parameters
    ----------
    tracked : iterable of TrackedFrame
        As :func:`stmap_pipeline.faces.track` yields them.
    config : BlocksConfig

    Returns
    -------
    Measurement
        Frames without a face are NaN with coverage 0; so are blocks below ``config.min_coverage``.
    """
    grid = RoiGrid(config.rows, config.cols)
    reference, frames = take_reference(tracked)
    # the reference keeps the pictures of a second; only the mask needs them
    mask = _make_mask(reference, grid, config)
    shape = None if reference is None else Reference(reference.points_px, ())
    box = None if shape is None else face_box(shape.points_px, grid, config.height_factor)
    del reference
    lattice = Lattice(grid)
    if shape is not None and box is not None and config.align == "pose":
        relief, own = shape.relief, box
        lattice = Lattice(grid, lambda cells: relief.depth(transform(own, cells)))
    nothing, lost = (np.full((grid.count, 3), np.nan), np.zeros(grid.count)), np.full((68, 2), np.nan, np.float32)
    times, scores, points, means, coverage = [], [], [], [], []
    for frame in frames:
        found, share = nothing
        if frame.points_px is not None and frame.picture is not None and shape is not None and box is not None:
            if config.align == "eyes":
                placed = face_box(frame.points_px, grid, config.height_factor)
            else:
                placed = posed(box, shape.pose_of(frame.points_px))
            found, share = block_means(frame.picture, placed, lattice, mask)
        times.append(frame.time_s)
        scores.append(frame.score)
        points.append(lost if frame.points_px is None else frame.points_px.astype(np.float32))
        means.append(found.astype(np.float32))
        coverage.append(share.astype(np.float32))
    times_s = np.array(times, dtype=np.float64)
    seen = np.array(coverage, np.float32).reshape(-1, grid.count)
    values = np.array(means, np.float32).reshape(-1, grid.count, 3)
    values[seen < config.min_coverage] = np.nan
    return Measurement(
        BlockTrace(times_s, values, seen, grid),
        LandmarkTrack(times_s, np.array(points, np.float32).reshape(-1, 68, 2), np.array(scores, np.float32)),
    )


def _make_mask(reference: Reference | None, grid: RoiGrid, config: BlocksConfig) -> FaceMask | None:
    if reference is None or config.mask == "none":
        return None
    box = face_box(reference.points_px, grid, config.height_factor)
    make = hull_mask if config.mask == "hull" else skin_mask
    return make(reference, box, grid, config.height_factor)
