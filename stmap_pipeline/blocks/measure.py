"""Run over the tracked frames of one recording and keep what a shard stores: a few hundred numbers a frame, no picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from stmap_pipeline.blocks.box import face_box, posed
from stmap_pipeline.blocks.lattice import Lattice
from stmap_pipeline.blocks.mask import FaceMask, hull_mask, skin_mask
from stmap_pipeline.blocks.means import block_means
from stmap_pipeline.blocks.reference import Reference, take_reference
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.faces import TrackedFrame
from stmap_pipeline.faces.base import Points
from stmap_pipeline.faces.geometry import transform
from stmap_pipeline.records import BlockTrace, LandmarkTrack, RoiGrid
from stmap_pipeline.video import Image

# Frames that are measured together.
_AT_ONCE = 32


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
    times, scores, points, means, coverage = [], [], [], [], []
    while chunk := list(islice(frames, _AT_ONCE)):
        found, share = np.full((len(chunk), grid.count, 3), np.nan, np.float32), np.zeros((len(chunk), grid.count), np.float32)
        places = np.full((len(chunk), 68, 2), np.nan, np.float32)
        seen, marks, pictures = _with_a_face(chunk)
        if seen and shape is not None and box is not None:
            if config.align == "eyes":
                placed = np.stack([face_box(one, grid, config.height_factor) for one in marks])
            else:
                placed = posed(box, shape.poses_of(marks))
            found[seen], share[seen] = block_means(pictures, placed, lattice, mask)
            places[seen] = marks
        times += [frame.time_s for frame in chunk]
        scores += [frame.score for frame in chunk]
        points.append(places)
        means.append(found)
        coverage.append(share)
    times_s = np.array(times, dtype=np.float64)
    covered = np.concatenate([np.empty((0, grid.count), np.float32), *coverage])
    values = np.concatenate([np.empty((0, grid.count, 3), np.float32), *means])
    values[covered < config.min_coverage] = np.nan
    return Measurement(
        BlockTrace(times_s, values, covered, grid),
        LandmarkTrack(times_s, np.concatenate([np.empty((0, 68, 2), np.float32), *points]), np.array(scores, np.float32)),
    )


def _with_a_face(frames: list[TrackedFrame]) -> tuple[list[int], list[Points], list[Image]]:
    """Give which frames have a face, its landmarks and its pictures."""
    found = [
        (index, frame.points_px, frame.image)
        for index, frame in enumerate(frames)
        if frame.points_px is not None and frame.image is not None
    ]
    return [one[0] for one in found], [one[1] for one in found], [one[2] for one in found]


def _make_mask(reference: Reference | None, grid: RoiGrid, config: BlocksConfig) -> FaceMask | None:
    if reference is None or config.mask == "none":
        return None
    box = face_box(reference.points_px, grid, config.height_factor)
    make = hull_mask if config.mask == "hull" else skin_mask
    return make(reference, box, grid, config.height_factor)
