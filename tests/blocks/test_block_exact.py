"""Block means against the definition itself: each pixel a square, clipped by each block in turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmap_pipeline.blocks.exact import exact_means
from stmap_pipeline.records import RoiGrid

PICTURE = np.random.default_rng(5).integers(0, 256, (26, 30), dtype=np.uint8)


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


def by_definition(picture, box, grid):
    means = []
    for row in range(grid.rows):
        for column in range(grid.cols):
            corners = [box @ (column + u, row + v, 1) for u, v in ((0, 0), (1, 0), (1, 1), (0, 1))]
            low, high = np.floor(np.min(corners, axis=0)).astype(int), np.ceil(np.max(corners, axis=0)).astype(int)
            cells = [(x, y) for y in range(low[1], high[1]) for x in range(low[0], high[0])]
            weights = np.array([area_in_square(corners, x, y) for x, y in cells])
            means.append(weights @ [float(picture[y, x]) for x, y in cells] / weights.sum())
    return np.array(means)


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
    found = exact_means([PICTURE], box, grid)[0]
    # a line that leaves a pixel by its side within one row is taken to be in one pixel there: a part of a percent of white noise
    np.testing.assert_allclose(
        found,
        by_definition(PICTURE, box, grid),
        atol=60 * abs(np.sin(np.radians(degrees))) / (width * height / (rows * cols)) ** 0.5 + 1e-9,
    )


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_an_upright_grid_is_exact_to_the_last_digit(rows):
    grid = RoiGrid(rows, 3)
    box = box_of(2.25, 1.5, 24.3, 21.7, 0.0, grid)
    np.testing.assert_allclose(exact_means([PICTURE], box, grid)[0], by_definition(PICTURE, box, grid), rtol=1e-9)


@pytest.mark.parametrize("degrees", [0.0, 3.0, -11.0])
def test_a_flat_picture_has_its_level_everywhere(degrees):
    flat = np.full((60, 70), 137, np.uint8)
    for grid in (RoiGrid(5, 5), RoiGrid(64, 64)):
        means = exact_means([flat, flat.astype(np.uint16) * 256], box_of(15.0, 12.0, 33.3, 31.1, degrees, grid), grid)
        np.testing.assert_allclose(means[0], 137, rtol=1e-9)
        np.testing.assert_allclose(means[1], 137 * 256, rtol=1e-9)


def test_a_grid_may_fill_the_picture_to_its_edges():
    box = np.array([[15.0, 0, 0], [0, 13.0, 0]])
    expected = PICTURE.reshape(2, 13, 2, 15).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(exact_means([PICTURE], box, RoiGrid(2, 2))[0], expected, rtol=1e-8)
