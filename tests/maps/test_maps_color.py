"""Linear color spaces."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stmap_pipeline.errors import UnknownNameError
from stmap_pipeline.maps.color import COLOR_SPACES, channel_names, color_matrix, convert_color

NAMES = [*COLOR_SPACES, "rgb+yuv", "yuv+ycbcr"]


@pytest.mark.parametrize("name", NAMES)
@given(pixels=arrays(np.float64, (6, 3), elements=st.floats(0, 255)))
@settings(deadline=None)
def test_averaging_commutes_with_the_matrix(name, pixels):
    assert np.allclose(convert_color(pixels, name).mean(axis=0), convert_color(pixels.mean(axis=0), name), atol=1e-9)


@pytest.mark.parametrize("name", COLOR_SPACES)
def test_gray_has_luma_and_neutral_chroma(name):
    gray = convert_color([[37.0, 37.0, 37.0]], name)[0]
    assert gray[0] == pytest.approx(37.0)
    assert gray[1:] == pytest.approx([37.0, 37.0] if name == "rgb" else [128.0, 128.0], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "code", "order"), [("yuv", cv2.COLOR_RGB2YUV, [0, 1, 2]), ("ycbcr", cv2.COLOR_RGB2YCrCb, [0, 2, 1])]
)
def test_the_numbers_are_those_of_8_bit_images_before_rounding(name, code, order):
    pixels = np.random.default_rng(0).integers(60, 190, (1, 500, 3), dtype=np.uint8)  # skin-like: nothing saturates
    theirs = cv2.cvtColor(pixels, code)[0][:, order].astype(float)
    assert np.abs(convert_color(pixels[0], name) - theirs).max() < 1.0  # theirs rounds the luma first


def test_the_two_chroma_scales_differ_by_a_factor_only():
    pixels = np.random.default_rng(1).uniform(0, 255, (50, 3))
    yuv, ycbcr = convert_color(pixels, "yuv") - 128, convert_color(pixels, "ycbcr") - 128
    for channel in (1, 2):
        ratio = yuv[:, channel] / ycbcr[:, channel]
        assert np.ptp(ratio) < 1e-3 * abs(ratio.mean())


def test_values_are_neither_rounded_nor_clipped():
    assert convert_color([300.0, -20.0, 0.25], "rgb").tolist() == [300.0, -20.0, 0.25]
    assert convert_color([255.0, 0.0, 0.0], "ycbcr")[2] == pytest.approx(255.5)


def test_nan_reaches_all_components_and_no_other_pixel():
    out = convert_color([[np.nan, 1.0, 1.0], [1.0, 1.0, 1.0]], "yuv")
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1]).all()


def test_combinations_stand_side_by_side():
    pixels = np.random.default_rng(2).uniform(0, 255, (4, 5, 3))
    both = convert_color(pixels, "rgb+yuv")
    assert both.shape == (4, 5, 6)
    assert np.array_equal(both[..., :3], convert_color(pixels, "rgb"))
    assert np.array_equal(both[..., 3:], convert_color(pixels, "yuv"))
    assert channel_names("rgb+yuv") == ("R", "G", "B", "Y", "U", "V")
    matrix, offset = color_matrix("rgb+yuv")
    assert (matrix.shape, offset.shape) == ((6, 3), (6,))


@pytest.mark.parametrize("name", ["", "yuv2", "rgb+", "RGB", "rgb yuv"])
def test_an_unknown_space_is_answered_with_the_known_ones(name):
    with pytest.raises(UnknownNameError, match=r"known: rgb, yuv, ycbcr"):
        convert_color([1.0, 2.0, 3.0], name)


def test_a_near_miss_gets_a_hint():
    with pytest.raises(UnknownNameError, match=r"'ycrcb'.*'ycbcr'"):
        color_matrix("ycrcb")


def test_the_last_axis_must_be_a_color():
    with pytest.raises(ValueError, match="R, G, B"):
        convert_color(np.zeros((3, 4)), "yuv")
