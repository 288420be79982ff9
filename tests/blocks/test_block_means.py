"""Block means are area means: no jump with sub-pixel motion, no color conversion, no rounding, nothing outside the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.videos import colorful, exact_frame

from stmap_pipeline.blocks.grid import GridEdges, face_box
from stmap_pipeline.blocks.means import block_means
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.video.frame import make_reader

GRID = RoiGrid(5, 5)
SIZE = (240, 200)


def image_of(image, pixel_format="yuv444p"):
    frame = exact_frame(image, pixel_format)
    return make_reader(frame, "test").read(frame)


def placed(center, width, height, degrees, grid=GRID):
    turn = np.radians(degrees)
    across, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    corner = np.array(center) - across * width / 2 - down * height / 2
    return np.column_stack([across * width / grid.cols, down * height / grid.rows, corner])


def true_means(image, box, grid=GRID, fine=128):
    """Area means of an image of square pixels by brute force: many points a block."""
    steps = (np.arange(fine * grid.cols) + 0.5) / fine, (np.arange(fine * grid.rows) + 0.5) / fine
    col, row = np.meshgrid(*steps)
    x, y = np.tensordot(box, np.stack([col, row, np.ones_like(col)]), axes=1)
    values = image[np.clip(np.round(y).astype(int), 0, image.shape[0] - 1), np.clip(np.round(x).astype(int), 0, image.shape[1] - 1)]
    return values.reshape(grid.rows, fine, grid.cols, fine, -1).mean(axis=(1, 3)).reshape(grid.count, -1)


def means_of(decoded, box, *others):
    """Means and coverage in one image."""
    return tuple(one[0] for one in block_means([decoded], box[None], *others))


@pytest.fixture(scope="module")
def noisy():
    """An image with as much fine detail as pixels can hold, colors inside the range."""
    rng = np.random.default_rng(3)
    return np.clip(colorful(SIZE[1], SIZE[0]).astype(float) + rng.normal(0, 12, (SIZE[1], SIZE[0], 3)), 30, 225).astype(np.uint8)


@settings(deadline=None, max_examples=30)
@given(
    x=st.floats(110, 130), y=st.floats(92, 108), width=st.floats(100, 150), height=st.floats(100, 150), degrees=st.floats(-20, 20)
)
def test_means_are_area_means_wherever_the_box_lies(noisy, x, y, width, height, degrees):
    box = placed((x, y), width, height, degrees)
    corners = box @ np.array([[0, GRID.cols, 0, GRID.cols], [0, 0, GRID.rows, GRID.rows], [1, 1, 1, 1]])
    # the largest ones that are tilted most leave the image by a sliver
    assume((corners >= -0.5).all() and (np.array(SIZE) - 0.5 >= corners.T).all())
    means, coverage = means_of(image_of(noisy), box, GridEdges(GRID))
    # white noise of 12 levels over blocks of 400 pixels and more: a warp that read single pixels would be off by 1 and more
    np.testing.assert_allclose(means, true_means(noisy, box), atol=0.5)
    assert np.all(coverage == 1)


def test_a_pulse_keeps_its_amplitude_while_the_face_moves():
    rng = np.random.default_rng(0)
    texture = rng.normal(0, 4, (SIZE[1] * 2, SIZE[0] * 2))
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    phase = np.arange(60) / 30 * 2 * np.pi
    from scipy.ndimage import gaussian_filter, map_coordinates

    skin = 120 + 8 * gaussian_filter(texture, 2)
    found = []
    for angle in phase:
        shift = 1.7 * np.sin(0.37 * angle), 1.3 * np.cos(0.41 * angle)
        level = (
            map_coordinates(skin, [y + 40 - shift[1], x + 40 - shift[0]], order=3)
            + 0.5 * np.sin(angle)
            + rng.normal(0, 1.5, y.shape)
        )
        image = np.repeat(np.clip(level, 0, 255).round().astype(np.uint8)[..., None], 3, axis=2)
        box = placed((120 + shift[0], 100 + shift[1]), 150, 150, 0)
        found.append(means_of(image_of(image, "gray"), box, GridEdges(GRID))[0][:, 1])
    signal = np.array(found) - np.mean(found, axis=0)
    wave = np.sin(phase)
    amplitude = signal.T @ wave / (wave @ wave)
    np.testing.assert_allclose(np.median(amplitude), 0.5, rtol=0.05)
    np.testing.assert_allclose(amplitude, 0.5, atol=0.06)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv411p", "gbrp"])
def test_subsampled_planes_give_the_same_colors(pixel_format):
    # a little noise dithers the rounding of the chroma, as a sensor does
    image = np.clip(colorful(SIZE[1], SIZE[0]) + np.random.default_rng(0).normal(0, 2, (SIZE[1], SIZE[0], 3)), 0, 255).astype(
        np.uint8
    )
    box = placed((121.3, 99.2), 140.7, 133.1, 7)
    means, _ = means_of(image_of(image, pixel_format), box, GridEdges(GRID))
    np.testing.assert_allclose(means, true_means(image, box), atol=0.3)


def test_a_crop_gives_what_the_whole_image_gives(noisy):
    box = placed((121.3, 99.2), 90.0, 100.0, -5)
    for pixel_format in ("yuv420p", "yuv444p"):
        decoded = image_of(noisy, pixel_format)
        part = decoded.crop(53, 31, 190, 171)
        np.testing.assert_allclose(means_of(part, box, GridEdges(GRID))[0], means_of(decoded, box, GridEdges(GRID))[0], atol=0.01)


def test_what_lies_outside_the_image_counts_neither_in_mean_nor_in_coverage():
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    # half of the first column of blocks is beyond the left edge, whose pixels end at -0.5
    box = placed((50 - 0.5 - 10, 100), 100, 100, 0)
    means, coverage = means_of(image_of(image), box, GridEdges(GRID))
    np.testing.assert_allclose(coverage.reshape(5, 5)[:, 0], 0.5, atol=0.02)
    np.testing.assert_allclose(coverage.reshape(5, 5)[:, 1:], 1.0)
    np.testing.assert_allclose(means, 90.0, atol=0.5)


def test_a_block_that_is_nowhere_in_the_image_is_nan_not_zero():
    means, coverage = means_of(
        image_of(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)), placed((-100, 100), 80, 80, 0), GridEdges(GRID)
    )
    assert np.isnan(means).all()
    assert (coverage == 0).all()


def test_a_mask_takes_out_what_it_hides(noisy):
    image = noisy.copy()
    image[:, 120:] = 0
    box = placed((119.5, 100), 100, 100, 0)

    mask = np.ones((240, 240), np.float32)
    mask[:, 120:] = 0
    means, coverage = means_of(image_of(image), box, GridEdges(GRID), mask)
    np.testing.assert_allclose(coverage.reshape(5, 5), [[1, 1, 0.5, 0, 0]] * 5, atol=0.02)
    assert np.isnan(means.reshape(5, 5, 3)[:, 3:]).all()
    # the black half shows nowhere
    assert np.nanmin(means) > 30


@given(
    rows=st.integers(1, 9), cols=st.integers(1, 9), factor=st.floats(0.8, 2.0), degrees=st.floats(-40, 40), zoom=st.floats(0.5, 3)
)
def test_the_box_turns_and_grows_with_the_face(rows, cols, factor, degrees, zoom):
    rng = np.random.default_rng(1)
    points = rng.uniform(-3, 3, (68, 2))
    points[[0, 16]] = [[-50, 0], [50, 4]]
    points[8], points[17:27] = [1, 70], [0, -30]
    points[36:42], points[42:48] = [-20, -10], [20, -10]
    grid = RoiGrid(rows, cols)
    box = face_box(points, grid, factor)
    width, height = np.hypot(*box[:, 0]) * cols, np.hypot(*box[:, 1]) * rows
    assert width == pytest.approx(100)
    assert height == pytest.approx(factor * 100)
    # the lower edge is at the chin
    assert (box @ [0, rows, 1])[1] == pytest.approx(70)
    turn = zoom * np.array(
        [[np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))], [np.sin(np.radians(degrees)), np.cos(np.radians(degrees))]]
    )
    motion = np.column_stack([turn, [12, -7]])
    np.testing.assert_allclose(face_box(points @ turn.T + [12, -7], grid, factor), motion @ np.vstack([box, [0, 0, 1]]), atol=1e-9)
