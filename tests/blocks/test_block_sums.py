"""Block sums by the definition: each pixel a square, clipped by each block in turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.blocks.grid import GridEdges
from stmap_pipeline.blocks.means import block_sums
from stmap_pipeline.records import RoiGrid

PLANE = np.random.default_rng(5).integers(0, 256, (26, 30), dtype=np.uint8)


def clipped(polygon, inside, crossing):
    """Cut a polygon by a half plane (Sutherland and Hodgman)."""
    kept = []
    for one, two in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if inside(one):
            kept.append(one)
        if inside(one) != inside(two):
            kept.append(crossing(one, two))
    return kept


def area_in_square(corners, column, row):
    """Area that a polygon covers of the pixel from (column, row) to one more."""
    polygon = [tuple(map(float, one)) for one in corners]
    for axis, bound, sign in ((0, column, 1), (0, column + 1, -1), (1, row, 1), (1, row + 1, -1)):

        def crossing(one, two, axis=axis, bound=bound):
            share = (bound - one[axis]) / (two[axis] - one[axis])
            return tuple(a + share * (b - a) for a, b in zip(one, two, strict=True))

        polygon = clipped(polygon, lambda point, axis=axis, bound=bound, sign=sign: sign * (point[axis] - bound) >= 0, crossing)
        if len(polygon) < 3:
            return 0.0
    x, y = np.array(polygon).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def by_definition(plane, box, grid):
    means = []
    for row in range(grid.rows):
        for column in range(grid.cols):
            corners = [box @ (column + u, row + v, 1) for u, v in ((0, 0), (1, 0), (1, 1), (0, 1))]
            low, high = np.floor(np.min(corners, axis=0)).astype(int), np.ceil(np.max(corners, axis=0)).astype(int)
            cells = [(x, y) for y in range(low[1], high[1]) for x in range(low[0], high[0])]
            weights = np.array([area_in_square(corners, x, y) for x, y in cells])
            means.append(weights @ [float(plane[y, x]) for x, y in cells] / weights.sum())
    return np.array(means)


def sums_of(planes, box, edges):
    """Sums, areas and whole areas in one plane."""
    return tuple(one[0] for one in block_sums([planes], box[None], edges))


def exact_means(plane, box, grid):
    sums, areas, _ = sums_of([plane], box, GridEdges(grid))
    return sums[0] / areas


def box_of(left, top, width, height, degrees, grid):
    turn = np.radians(degrees)
    across, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    return np.column_stack([across * width / grid.cols, down * height / grid.rows, (left, top)])


@settings(deadline=None, max_examples=25)
@given(
    left=st.floats(8, 11),
    top=st.floats(4, 7),
    width=st.floats(3, 14),
    height=st.floats(3, 14),
    degrees=st.floats(-20, 20),
    rows=st.integers(1, 4),
    cols=st.integers(1, 4),
)
def test_means_are_those_of_the_definition(left, top, width, height, degrees, rows, cols):
    grid = RoiGrid(rows, cols)
    box = box_of(left, top, width, height, degrees, grid)
    # edges are staircases that deviate by an eighth of a pixel: in white noise a percent of the deviation of a mean of many pixels
    atol = 50 * (width * height / (rows * cols)) ** -0.75 if degrees else 1e-9
    np.testing.assert_allclose(exact_means(PLANE, box, grid), by_definition(PLANE, box, grid), atol=atol)


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_an_upright_grid_is_exact_to_the_last_digit(rows):
    grid = RoiGrid(rows, 3)
    box = box_of(2.25, 1.5, 24.3, 21.7, 0.0, grid)
    np.testing.assert_allclose(exact_means(PLANE, box, grid), by_definition(PLANE, box, grid), rtol=1e-9)


@pytest.mark.parametrize("degrees", [0.0, 3.0, -11.0])
def test_a_flat_plane_has_its_level_everywhere(degrees):
    flat = np.full((60, 70), 137, np.uint8)
    for grid in (RoiGrid(5, 5), RoiGrid(64, 64)):
        sums, areas, _ = sums_of(
            [flat, flat.astype(np.uint16) * 256], box_of(15.0, 12.0, 33.3, 31.1, degrees, grid), GridEdges(grid)
        )
        np.testing.assert_allclose(areas, 33.3 * 31.1 / grid.count, rtol=1e-9)
        np.testing.assert_allclose(sums[0] / areas, 137, rtol=1e-9)
        np.testing.assert_allclose(sums[1] / areas, 137 * 256, rtol=1e-9)


def test_a_grid_may_fill_the_plane_to_its_edges():
    box = np.array([[15.0, 0, 0], [0, 13.0, 0]])
    expected = PLANE.reshape(2, 13, 2, 15).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(exact_means(PLANE, box, RoiGrid(2, 2)), expected, rtol=1e-8)


@pytest.mark.parametrize("degrees", [0.0, 4.0, -17.0])
def test_what_lies_beyond_the_edge_counts_neither_in_sum_nor_in_area(degrees):
    grid = RoiGrid(3, 2)
    box = box_of(20.4, -5.3, 17.2, 23.1, degrees, grid)
    wide = np.pad(PLANE, 40)
    seen = np.pad(np.ones_like(PLANE), 40)
    shifted = box + np.array([0, 0, 40])
    sums, areas, whole = sums_of([PLANE], box, GridEdges(grid))
    around, _, _ = sums_of([wide, seen], shifted, GridEdges(grid))
    np.testing.assert_allclose(whole, 17.2 * 23.1 / 6, rtol=1e-9)
    np.testing.assert_allclose(areas, around[1], atol=1e-6)
    np.testing.assert_allclose(sums[0], around[0], atol=1e-6)
    assert areas.min() < 0.9 * areas.max()


def test_a_grid_beyond_the_plane_sums_up_to_nothing():
    for left, top in ((-50, 3), (40, 3), (3, -50), (3, 40)):
        sums, areas, _ = sums_of([PLANE], box_of(left, top, 9, 9, 5.0, RoiGrid(2, 2)), GridEdges(RoiGrid(2, 2)))
        assert not sums.any()
        assert not areas.any()


def test_a_face_on_its_side_is_as_exact():
    grid = RoiGrid(2, 3)
    box = box_of(24.2, 3.1, 18.0, 14.0, 90.0, grid)
    np.testing.assert_allclose(exact_means(PLANE, box, grid), by_definition(PLANE, box, grid), rtol=1e-9)


def curved(cells):
    """A depth that is no plane."""
    return 0.5 * cells[:, 0] ** 2 - 0.3 * cells[:, 1] * cells[:, 0]


@pytest.mark.parametrize("rotation", [(0.0, 0.0), (1.5, 0.0), (0.0, -1.2), (-2.0, 1.0)])
def test_lines_on_a_face_that_is_turned_are_curves(rotation):
    grid = RoiGrid(2, 3)
    box = np.column_stack([box_of(40.0, 30.0, 90.0, 80.0, 6.0, grid), rotation])
    plane = np.random.default_rng(8).integers(0, 256, (150, 180), dtype=np.uint8)
    sums, areas, whole = sums_of([plane, np.ones_like(plane)], box, GridEdges(grid, curved))
    np.testing.assert_allclose(sums[1], areas, rtol=1e-9)
    np.testing.assert_allclose(areas, whole)
    # the same by brute force: many points of each block, each counting by the area around it
    fine = 400
    row, col = np.meshgrid(*((np.arange(one * fine) + 0.5) / fine for one in (grid.rows, grid.cols)), indexing="ij")
    cells = np.stack([col.ravel(), row.ravel()], axis=1)
    x, y = box @ np.stack([*cells.T, np.ones(len(cells)), curved(cells)])
    across = box[:, :1] + box[:, 3:] * (cells[:, 0] - 0.3 * cells[:, 1])
    down = box[:, 1:2] + box[:, 3:] * (-0.3 * cells[:, 0])
    area = (across[0] * down[1] - across[1] * down[0]) / fine**2
    block = row.ravel().astype(int) * grid.cols + col.ravel().astype(int)
    value = plane[y.astype(int), x.astype(int)]
    np.testing.assert_allclose(areas, np.bincount(block, area), rtol=1e-3)
    means = np.bincount(block, area * value) / np.bincount(block, area)
    # white noise of 74 levels: a staircase within an eighth of a pixel
    np.testing.assert_allclose(sums[0] / areas, means, atol=0.5)


def test_finer_cells_of_a_turned_face_add_up_to_its_blocks():
    grid = RoiGrid(2, 3)
    box = np.column_stack([box_of(4.0, 3.0, 19.0, 18.0, 0.0, grid), (0.4, -0.3)])
    edges = GridEdges(grid, curved)
    sums, areas, _ = sums_of([PLANE], box, edges)
    cells, parts, _ = sums_of([PLANE], box / (5, 4, 1, 1), edges.subdivided(4, 5))
    gathered = [one.reshape(2, 4, 3, 5).sum(axis=(1, 3)).ravel() for one in (cells[0], parts)]
    np.testing.assert_allclose(gathered[1], areas, rtol=0.01)
    np.testing.assert_allclose(gathered[0] / gathered[1], sums[0] / areas, atol=1.5)


@pytest.mark.parametrize("shrink", [1, 2])
def test_images_that_are_read_together_equal_those_read_alone(shrink):
    grid, rng = RoiGrid(3, 2), np.random.default_rng(2)
    sizes = [(26, 30), (40, 33), (21, 50), (26, 30)]
    planes = [[rng.integers(0, 256, size, dtype=np.uint8) for _ in range(2)] for size in sizes]
    # tilted by as much, as more steps are only more exact; the second lies partly, the third wholly outside
    boxes = np.stack([box_of(left, 5.3, 17.2, 15.1, 6.0, grid) / shrink for left in (6.4, -8.0, 80.0, 9.9)])
    edges = GridEdges(grid)
    for together, *alone in zip(
        block_sums(planes, boxes, edges), *(sums_of(*one, edges) for one in zip(planes, boxes, strict=True)), strict=True
    ):
        np.testing.assert_allclose(together, np.stack(alone), rtol=1e-9, atol=1e-6)


def test_areas_are_those_that_the_lines_enclose():
    grid, rng = RoiGrid(3, 2), np.random.default_rng(4)
    edges = GridEdges(grid, curved)
    boxes = np.stack(
        [np.column_stack([box_of(4.0, 3.0, 19.0, 18.0, angle, grid), rng.normal(0, 0.5, 2)]) for angle in (0.0, 9.0, -25.0)]
    )
    sampling = edges.sampling(4, 3)
    x, y = boxes[:, 0] @ sampling.at_x, boxes[:, 1] @ sampling.at_y
    np.testing.assert_allclose(sampling.areas(boxes), sampling.line_integrals(x * y), rtol=1e-9)
    np.testing.assert_allclose(sampling.areas(boxes[:, :, :3]).sum(axis=1), 19 * 18, rtol=1e-9)
