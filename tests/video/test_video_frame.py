"""Native planes and their matrix give the RGB means that a conversion of every pixel would give."""

from __future__ import annotations

import av
import numpy as np
import pytest
from support.videos import colorful, exact_frame, write_video

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.records import Recording, VideoSource
from stmap_pipeline.video import open_stream
from stmap_pipeline.video.frame import make_reader

BT709, BT601, LIMITED, FULL = 1, 5, 1, 2


def rgb_mean(image, rows=slice(None), cols=slice(None)):
    """Mean RGB of a region from the planes, by the matrix of the image."""
    height, width = image.gray.shape
    samples = []
    for plane in image.planes:
        step_y, step_x = height // plane.shape[0], width // plane.shape[1]
        part = plane[rows.start and rows.start // step_y : rows.stop and rows.stop // step_y, :][
            :, cols.start and cols.start // step_x : cols.stop and cols.stop // step_x
        ]
        samples.append(part.astype(float).mean())
    return image.to_rgb[:, :-1] @ samples + image.to_rgb[:, -1]


def read_image(image, pixel_format, colorspace=BT601, color_range=LIMITED):
    frame = exact_frame(image, pixel_format, colorspace, color_range)
    return make_reader(frame, "test").read(frame), frame


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv440p", "yuv420p10le", "yuv444p12le"])
@pytest.mark.parametrize("colorspace", [BT601, BT709])
@pytest.mark.parametrize("color_range", [LIMITED, FULL])
def test_yuv_means_equal_the_source_color(pixel_format, colorspace, color_range):
    # a little noise dithers the rounding to whole samples, as a sensor does
    image = (colorful() + np.random.default_rng(0).normal(0, 2, (48, 64, 3))).astype(np.uint8)
    decoded, _ = read_image(image, pixel_format, colorspace, color_range)
    region = slice(8, 40), slice(16, 48)
    expected = image[region].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(rgb_mean(decoded, *region), expected, atol=0.1)


@pytest.mark.parametrize(
    ("packed", "planar"), [("nv12", "yuv420p"), ("yuyv422", "yuv422p"), ("uyvy422", "yuv422p"), ("p010le", "yuv420p10le")]
)
def test_packed_formats_hold_the_same_samples(packed, planar):
    frame = exact_frame(colorful(), planar)
    expected = make_reader(frame, "test").read(frame)
    other = frame.reformat(format=packed)
    found = make_reader(other, "test").read(other)
    for one, two in zip(expected.planes, found.planes, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr24", "rgba", "bgr0", "gbrp", "gbrp10le", "gbrp12le"])
def test_rgb_means_are_exact(pixel_format):
    image = colorful()
    decoded, _ = read_image(image, pixel_format)
    assert decoded.to_rgb.shape == (3, 4)
    np.testing.assert_allclose(rgb_mean(decoded), image.reshape(-1, 3).mean(axis=0), atol=0.01)


@pytest.mark.parametrize(("pixel_format", "color_range"), [("gray", FULL), ("gray", LIMITED), ("gray16le", FULL), ("ya8", FULL)])
def test_gray_has_one_plane_and_three_equal_means(pixel_format, color_range):
    level = np.full((16, 16), 100, np.uint8)
    frame = av.VideoFrame.from_ndarray(level, format="gray").reformat(format=pixel_format)
    frame.color_range = color_range
    decoded = make_reader(frame, "test").read(frame)
    assert len(decoded.planes) == 1
    expected = 100.0 if color_range == FULL else (100 - 16) * 255 / 219
    np.testing.assert_allclose(rgb_mean(decoded), expected, atol=0.01)


def test_luma_is_the_first_plane_itself_without_a_copy():
    decoded, _ = read_image(colorful(), "yuv420p")
    assert decoded.gray is decoded.planes[0]


def test_gray_of_ten_bits_and_of_rgb_has_eight():
    image = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    for pixel_format in ("yuv420p10le", "rgb24"):
        decoded, _ = read_image(image, pixel_format, color_range=FULL)
        assert decoded.gray.dtype == np.uint8
        assert abs(int(decoded.gray[0, 0]) - (0.299 * 200 + 0.587 * 100 + 0.114 * 50)) <= 1


def test_padding_at_the_end_of_a_row_is_not_image():
    # 50 columns are padded to a multiple of 32 or more in the decoder's memory
    decoded, frame = read_image(colorful(48, 50), "yuv444p")
    assert frame.planes[0].line_size > 50
    assert all(plane.shape == (48, 50) for plane in decoded.planes)


def test_a_format_without_lossless_planes_is_refused():
    frame = av.VideoFrame.from_ndarray(colorful(), format="rgb24").reformat(format="gbrpf32le")
    with pytest.raises(RecordingError, match="gbrpf32le") as caught:
        make_reader(frame, "clip.mkv")
    assert caught.value.reason == "unsupported_format"


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv411p", "gray"])
def test_a_crop_keeps_its_place_and_samples(pixel_format):
    decoded, _ = read_image(colorful(), pixel_format)
    part = decoded.crop(13, 9, 31, 30)
    x, y = part.origin_px
    assert (x, y) == (12, 8)
    assert part.size_px == (20, 24)
    np.testing.assert_array_equal(part.gray, decoded.gray[y : y + 24, x : x + 20])
    for whole, piece in zip(decoded.planes, part.planes, strict=True):
        step_x, step_y = 64 // whole.shape[1], 48 // whole.shape[0]
        np.testing.assert_array_equal(
            piece, whole[y // step_y : y // step_y + piece.shape[0], x // step_x : x // step_x + piece.shape[1]]
        )
        assert piece.base is None or piece.base is not whole.base
    # beyond the edge of the image a crop is clipped, not padded
    assert decoded.crop(-20, -20, 1000, 1000).size_px == (64, 48)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "name"),
    [
        ("ffv1", "yuv420p", "a.mkv"),
        ("mjpeg", "yuvj422p", "a.avi"),
        ("rawvideo", "bgr24", "a.avi"),
        ("libx264", "yuv420p", "a.mp4"),
        ("ffv1", "bgr0", "a.mkv"),
    ],
)
def test_a_decoded_file_has_the_means_of_what_went_in(tmp_path, codec, pixel_format, name):
    image = colorful()
    options = {"crf": "1"} if codec == "libx264" else {"qmin": "1", "qmax": "1"} if codec == "mjpeg" else {}
    path = write_video(tmp_path / name, [image] * 3, codec=codec, pixel_format=pixel_format, options=options)
    with open_stream(Recording("a", "folder", "a", VideoSource(path))) as stream:
        for frame in stream:
            np.testing.assert_allclose(rgb_mean(frame.image), image.reshape(-1, 3).mean(axis=0), atol=0.3)
        assert stream.info.pixel_format == pixel_format
