"""A quarter of the template's pixels says where a face is nearly as well as all of them, and a light of any slope is no motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.faces.solution import ASKED, Solution, slopes_of
from stmap_pipeline.faces.template import FaceTemplate
from stmap_pipeline.synth.scene import Acting, HeadMotion, SensorNoise, make_scene

SIDE = 128
U, V = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
DEPTH = np.exp(-((U - 60) ** 2 + (V - 70) ** 2) / 800)
GRID = np.stack([U.ravel(), V.ravel(), np.ones(SIDE * SIDE), DEPTH.ravel()]).astype(np.float32)
WAVES = np.random.default_rng(1).uniform((-0.3, -0.3, 0), (0.3, 0.3, 2 * np.pi), (40, 3))


def texture(u, v):
    """A picture (S, S) that is known between its pixels, too: forty waves of 15 pixels and more."""
    return sum(9 * np.sin(across * u + down * v + phase) for across, down, phase in WAVES).astype(np.float32) + 120


PICTURE = texture(U, V)
EVEN = np.ones_like(PICTURE)


def solution(asked=ASKED, weights=EVEN):
    return Solution(PICTURE, slopes_of(PICTURE), weights, GRID, asked)


def solve(found, picture):
    gain, offset, *change, right, down = found.matrix @ picture[found.grid[1].astype(int), found.grid[0].astype(int)]
    return gain, offset, np.array(change) / gain, (right, down)


@given(gain=st.floats(0.5, 2), offset=st.floats(-40, 40), right=st.floats(-0.2, 0.2), down=st.floats(-0.2, 0.2))
def test_light_is_told_from_motion(gain, offset, right, down):
    across, along = (2 * U + 1) / SIDE - 1, (2 * V + 1) / SIDE - 1
    lit = PICTURE * (gain + right * across + down * along) + offset
    found = solve(solution(), lit.astype(np.float32))
    assert found[0] == pytest.approx(gain, abs=0.01)
    assert found[1] == pytest.approx(offset, abs=1.0)
    np.testing.assert_allclose(found[3], (right, down), atol=0.01)
    assert np.abs(found[2]).max() * SIDE / 2 < 0.02


@given(x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3), lean=st.floats(-0.3, 0.3))
def test_a_shift_and_a_lean_are_measured_to_a_hundredth_of_a_pixel(x, y, lean):
    change = solve(solution(), texture(U + x + lean * DEPTH, V + y))[2]
    np.testing.assert_allclose(change[:2], (x, y), atol=0.01)
    np.testing.assert_allclose(change[6], lean, atol=0.01)


def test_few_pixels_have_nearly_all_that_is_to_be_known():
    few, whole = solution(), solution(SIDE * SIDE)
    assert 0.9 * ASKED < few.grid.shape[1] < 1.1 * ASKED
    np.testing.assert_array_equal(whole.grid, GRID)
    # the variance of what is solved for is the sum of the squares of its line
    noise = [np.square(one.matrix[2:10]).sum(axis=1) for one in (few, whole)]
    # this texture is as steep everywhere; a face has its edges
    assert (noise[0] < 3 * noise[1]).all()
    assert (noise[0] > noise[1]).all()


def test_edges_of_a_face_have_more_to_say_than_its_cheeks():
    scene = replace(
        make_scene(3, "easy", size_px=(640, 480)), motion=HeadMotion(), acting=Acting(3, 0.0), noise=SensorNoise(1.5, 3)
    )
    first, second = (scene.render(0.0, index)[..., 1] for index in (0, 1))
    template = FaceTemplate(first, scene.landmarks(0.0), 0.0)
    poses = [template.align(second, template.pose, thorough=thorough).pose for thorough in (False, True)]
    way = [abs(pose.motion.on_point(template.center) - template.pose.motion.on_point(template.center)) for pose in poses]
    assert max(way) < 0.05
    picture = template.patch(template.align(first, template.pose))
    across, down = slopes_of(picture)
    steep = across**2 + down**2
    assert np.sort(steep.ravel())[-ASKED:].sum() > 0.85 * steep.sum()


def test_pixels_without_weight_are_not_asked():
    weights = EVEN.copy()
    weights[:, 64:] = 0
    assert solution(weights=weights).grid[0].max() < 64
    assert solution(asked=20_000).grid.shape[1] == SIDE * SIDE
