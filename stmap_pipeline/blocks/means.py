"""Average each block in the native planes, as exactly as pixels allow: a pixel is a square and weighs by the area that a block covers.

By Green's theorem the sum over a region is a line integral along its border, so after one summed-area table only some pixels on the
edges of the grid are read. That is faster than warping the face and has no error of interpolation.

With ``F(x, y)`` the sum of all pixels left of x and above y, ``dF = S dy + T dx``, where S is the sum of a row up to x and T the
sum of a column up to y. The border's integral of ``S dy`` is taken directly along edges that run down, and along those that run
across as the difference of F less the integral of ``T dx``. A tilted edge is approximated by a staircase of equal steps through its
middle, so each integral is a sum of differences of F, and F between the corners of a pixel is bilinear.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stmap_pipeline.blocks.grid import Boxes, EdgeSampling, GridEdges, face_box, find_reference, project_box
from stmap_pipeline.blocks.mask import Mask, hull_mask, skin_mask
from stmap_pipeline.config import BlocksConfig
from stmap_pipeline.faces import TrackedFrame
from stmap_pipeline.faces.pose import transform
from stmap_pipeline.records import BlockTrace, LandmarkTrack, RoiGrid
from stmap_pipeline.video import Image

# Frames that are measured together.
_BATCH = 32
# Cells of a mask along each side of the face, at least.
_MASK_CELLS = 40
# Largest deviation of a tilted edge from its staircase, to both sides together: in pixels, or as a share of the side of a block where
# that is more. An eighth of a pixel costs 0.02 dB of the pulse in a video without loss, a quarter 0.07 dB, and 1.3 dB in a block that
# lies on an edge of the face.
_EDGE_DEVIATION_PX, _EDGE_DEVIATION = 0.125, 0.003
# Few numbers of steps, so that the same tables are used again and again.
_STEPS = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 44, 48, 64)
# Share of a block below which nothing of it lies in the image.
_NOTHING = 1e-9
# Points that are read at once: more do not fit into the processor's caches.
_POINTS_AT_ONCE = 2**16

_Array = npt.NDArray[np.float64]
_Planes = Sequence[npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Block means and landmarks of one recording, on the same frames."""

    blocks: BlockTrace
    track: LandmarkTrack


def measure_blocks(tracked: Iterable[TrackedFrame], config: BlocksConfig) -> Measurement:
    """Measure the mean color of each block in each frame of a recording.

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
    edges, mask, box = GridEdges(grid), None, None
    reference, first_frames, frames = find_reference(tracked)
    if reference is not None:
        box = face_box(reference.points_px, grid, config.height_factor)
        if config.mask == "hull":
            mask = hull_mask(reference, box, grid, config.height_factor)
        elif config.mask == "skin":
            mask = skin_mask(reference, first_frames, box, grid, config.height_factor)
        if config.align == "pose":
            depth, reference_box = reference.depth, box
            edges = GridEdges(grid, lambda cells: depth.at(transform(reference_box, cells)))
    # they hold the images of a second
    del first_frames
    times, scores, points, means, coverage = [], [], [], [], []
    while batch := list(islice(frames, _BATCH)):
        batch_means = np.full((len(batch), grid.count, 3), np.nan, np.float32)
        batch_coverage = np.zeros((len(batch), grid.count), np.float32)
        batch_points = np.full((len(batch), 68, 2), np.nan, np.float32)
        found = [
            (index, frame.points_px, frame.image)
            for index, frame in enumerate(batch)
            if frame.points_px is not None and frame.image is not None
        ]
        if found and reference is not None and box is not None:
            indices, landmarks, images = (list(one) for one in zip(*found, strict=True))
            if config.align == "eyes":
                boxes = np.stack([face_box(one, grid, config.height_factor) for one in landmarks])
            else:
                boxes = project_box(box, reference.poses(landmarks))
            batch_means[indices], batch_coverage[indices] = block_means(images, boxes, edges, mask)
            batch_points[indices] = landmarks
        times += [frame.time_s for frame in batch]
        scores += [frame.score for frame in batch]
        points.append(batch_points)
        means.append(batch_means)
        coverage.append(batch_coverage)
    times_s = np.array(times, dtype=np.float64)
    covered = np.concatenate([np.empty((0, grid.count), np.float32), *coverage])
    values = np.concatenate([np.empty((0, grid.count, 3), np.float32), *means])
    return Measurement(
        BlockTrace(times_s, values, covered, grid).covered(config.min_coverage),
        LandmarkTrack(times_s, np.concatenate([np.empty((0, 68, 2), np.float32), *points]), np.array(scores, np.float32)),
    )


def block_means(images: Sequence[Image], boxes: Boxes, edges: GridEdges, mask: Mask | None = None) -> tuple[_Array, _Array]:
    """Average some images of one stream over each block.

    Parameters
    ----------
    images : sequence of Image
        Whole, or a part that holds the box as far as it lies in the whole.
    boxes : (T, 2, 3) or (T, 2, 4) array
        From grid coordinates (column, row) to pixels of the whole image, as :func:`~stmap_pipeline.blocks.grid.face_box` and
        :func:`~stmap_pipeline.blocks.grid.project_box` return them.
    edges : GridEdges
    mask : (H, W) array, optional
        Weights over the box. They are averaged over cells smaller than blocks, so that masked means are as exact.

    Returns
    -------
    means : (T, N, 3) array
        Mean R, G, B in gray levels; NaN where the coverage is 0.
    coverage : (T, N) array
        Share of each block that lies in the image, times its mean weight.
    """
    grid, parts, weights = edges.grid, (1, 1), None
    if mask is not None:
        parts = -(-_MASK_CELLS // grid.rows), -(-_MASK_CELLS // grid.cols)
        edges = edges.subdivided(*parts)
        size = edges.grid.cols, edges.grid.rows
        weights = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    # from the centers of pixels to their corners
    squares = boxes / (parts[1], parts[0], 1, 1)[: boxes.shape[2]]
    squares[:, :, 2] += 0.5 - np.array([image.origin_px for image in images])
    means: list[_Array] = []
    coverage = np.zeros((len(images), grid.count))
    first, *others = images[0].planes
    # planes of one size are summed together
    subsampled = bool(others) and others[0].shape != first.shape
    for chosen in (slice(1), slice(1, None)) if subsampled else (slice(None),):
        planes = [image.planes[chosen] for image in images]
        shrink = np.array([_shrink(image, one) for image, (one, *_) in zip(images, planes, strict=True)])
        sums, areas, whole = block_sums(planes, squares * shrink[..., None], edges)
        areas, whole = areas[:, None], whole[:, None]
        if weights is not None:
            sums, areas = _weighted(sums, weights, grid, parts), _weighted(areas, weights, grid, parts)
            whole = _weighted(whole, np.ones_like(weights), grid, parts)
        if not means:
            coverage = (areas / whole)[:, 0]
        # a sliver of a block may be visible in one plane and not in a subsampled one
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(sums / areas)
    to_rgb = images[0].to_rgb
    rgb = np.moveaxis(to_rgb[:, :-1] @ np.concatenate(means, axis=1) + to_rgb[:, -1:], 1, 2)
    rgb[coverage <= 0] = np.nan
    return rgb, np.minimum(coverage, 1.0)


def _shrink(image: Image, plane: npt.NDArray[np.generic]) -> tuple[float, float]:
    """Return the number of pixels of a plane for one of the image, across and down."""
    width, height = image.size_px
    return plane.shape[1] / width, plane.shape[0] / height


def _weighted(values: _Array, weights: _Array, grid: RoiGrid, parts: tuple[int, int]) -> _Array:
    """Sum the weighted cells of each block: (T, P, cells) to (T, P, N)."""
    cells = values.reshape(*values.shape[:2], grid.rows, parts[0], grid.cols, parts[1])
    return np.asarray(np.einsum("tprucv,rucv->tprc", cells, weights.reshape(cells.shape[2:])).reshape(*values.shape[:2], -1))


def block_sums(images: Sequence[_Planes], boxes: Boxes, edges: GridEdges) -> tuple[_Array, _Array, _Array]:
    """Sum planes over the blocks of a grid, as far as it lies inside them.

    An image takes microseconds, no more than a step of numpy costs beside its numbers; so some are processed at once.

    Parameters
    ----------
    images : T sequences of P (H, W) arrays of uint8 or uint16
        The planes of one image have one size.
    boxes : (T, 2, 3) or (T, 2, 4) array
        From grid coordinates (column, row, 1), and the depth of the edges, to the planes', in which the first pixel covers 0 to 1.
    edges : GridEdges

    Returns
    -------
    sums : (T, P, N) array
    areas : (T, N) array
        Pixels of each block that lie inside.
    whole : (T, N) array
        Pixels of each block.

    Examples
    --------
    >>> ramp = np.tile(np.arange(12, dtype=np.uint8), (10, 1))
    >>> sums, areas, _ = block_sums([[ramp]], np.array([[[2.5, 0, 1.0], [0, 4.0, 1.0]]]), GridEdges(RoiGrid(1, 2)))
    >>> (sums[0] / areas).tolist(), areas.tolist()
    ([[1.8, 4.2]], [[10.0, 10.0]])
    """
    sampling = edges.sampling(*_steps(boxes, edges))
    at_once = max(1, _POINTS_AT_ONCE // sampling.at_x.shape[1])
    sums = np.empty((len(images), len(images[0]), edges.grid.count))
    areas, whole = np.empty((len(images), edges.grid.count)), sampling.areas(boxes)
    for start in range(0, len(images), at_once):
        part = slice(start, start + at_once)
        sums[part], areas[part] = _sums_of_few(images[part], boxes[part], sampling, whole[part])
    return sums, areas, whole


def _sums_of_few(images: Sequence[_Planes], boxes: Boxes, sampling: EdgeSampling, whole: _Array) -> tuple[_Array, _Array]:
    """Return sums and areas of so few images that all arrays stay in the processor's caches."""
    terms = boxes.shape[2]
    x, y = boxes[:, 0] @ sampling.at_x[:terms], boxes[:, 1] @ sampling.at_y[:terms]
    areas = whole
    sizes = np.array([planes[0].shape for planes in images])
    height, width = sizes[:, :1], sizes[:, 1:]
    (left, right), (top, bottom) = _extremes(x), _extremes(y)
    if left.min() < 0 or top.min() < 0 or (right > width).any() or (bottom > height).any():
        x, y = x.clip(0, width), y.clip(0, height)
        areas = sampling.line_integrals(x * y)
        # what rounding leaves of a block outside is nothing
        areas[areas < _NOTHING * whole] = 0
        (left, right), (top, bottom) = _extremes(x), _extremes(y)
    # what lies left of and above all edges cancels out
    left, top = np.minimum(left.astype(np.intp), width - 1), np.minimum(top.astype(np.intp), height - 1)
    columns = np.minimum((right - left).astype(np.intp) + 1, width - left)
    rows = np.minimum((bottom - top).astype(np.intp) + 1, height - top)
    # operands of one type: others would be cast piece by piece
    x -= left.astype(np.float64)
    y -= top.astype(np.float64)
    column, row = np.floor(x), np.floor(y)
    if (right >= width).any() or (bottom >= height).any():
        # the last edge may lie on the far border of the last pixel
        np.minimum(column, columns - 1, out=column)
        np.minimum(row, rows - 1, out=row)
    x -= column
    y -= row
    row *= columns + 1.0
    row += column
    places = row.astype(np.intp)
    parts = np.concatenate([left, top, left + columns, top + rows, columns + 1], axis=1).tolist()
    sums = np.empty((len(images), len(images[0]), whole.shape[1]))
    for index, planes in enumerate(zip(*images, strict=True)):
        # F above and below, before and after
        corners = np.empty((2, 2, *x.shape), np.int32 if planes[0].dtype == np.uint8 else np.float64)
        for one, (plane, (x_0, y_0, x_1, y_1, stride)) in enumerate(zip(planes, parts, strict=True)):
            table = cv2.integral(plane[y_0:y_1, x_0:x_1], sdepth=cv2.CV_32S if plane.dtype == np.uint8 else cv2.CV_64F).ravel()
            for below, after in ((0, 0), (0, 1), (1, 0), (1, 1)):
                # no place is out of range, so clipping only saves a check
                table[below * stride + after :].take(places[one], out=corners[below, after, one], mode="clip")
        sums[:, index] = sampling.line_integrals(_bilinear(corners, x, y))
    sums *= areas[:, None] > 0
    return sums, areas


def _bilinear(corners: npt.NDArray[Any], x: _Array, y: _Array) -> _Array:
    """Interpolate F between four corners, (2, 2, ...), in the pixel; ``corners`` is overwritten."""
    (start, right), (below, far) = corners
    # integers are subtracted as such: half the memory, and exact
    far -= below
    right -= start
    below -= start
    far -= right
    values, across = far.astype(np.float64), right.astype(np.float64)
    values *= x
    values += below
    values *= y
    across *= x
    values += across
    values += start
    return np.asarray(values)


def _extremes(values: _Array) -> tuple[_Array, _Array]:
    """Return the minimum and maximum of each row, (T, 1)."""
    return values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)


def _steps(boxes: Boxes, edges: GridEdges) -> tuple[int, int]:
    """Return the number of steps for the edges of blocks that run down and across."""
    size = np.abs(boxes).max(axis=0)
    rotation = size[:, 3] if boxes.shape[2] > 3 else np.zeros(2)
    length = np.hypot(*np.moveaxis(boxes[:, :, :2], 1, 0)).max(axis=0)
    # how far an edge departs from its main direction
    aside = size[0, 1] + rotation[0] * edges.depth_change[0], size[1, 0] + rotation[1] * edges.depth_change[1]
    return _enough_steps(aside[0], length[1]), _enough_steps(aside[1], length[0])


def _enough_steps(aside_px: float, length_px: float) -> int:
    """Return the number of steps that keeps the deviation in its limit; no more than an edge has pixels."""
    needed = min(aside_px / max(_EDGE_DEVIATION_PX, _EDGE_DEVIATION * length_px), length_px)
    return next((one for one in _STEPS if one >= needed), _STEPS[-1])
