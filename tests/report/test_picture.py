import subprocess
import sys

import numpy as np
import pytest
from simulated_traces import simulated_result

from stmap_pipeline.errors import OutputError, StmapError, UnknownNameError
from stmap_pipeline.records import RecordingResult, RoiGrid

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")

from stmap_pipeline.report import draw_recording


@pytest.fixture(scope="module")
def svg_text(tmp_path_factory):
    """The texts of a picture: matplotlib draws letters as shapes and notes each text in a comment."""
    path = tmp_path_factory.mktemp("picture") / "one.svg"
    draw_recording(simulated_result(72, 20, lost_s=[(14, 16)]), path)
    return path.read_text("utf-8")


def test_the_picture_says_whose_it_is_what_is_true_and_what_good_looks_like(svg_text):
    assert "p001_v1_source1: true 72.0 bpm, POS 72." in svg_text
    assert "face seen in 90% of 600 frames" in svg_text
    assert "time (s)" in svg_text
    assert "Good: " in svg_text
    assert "Bad: " in svg_text
    assert "YUV as red, green, blue" in svg_text
    assert "label" in svg_text


def test_the_same_recording_gives_the_same_file_and_nothing_else(tmp_path):
    result = simulated_result(72, 12)
    first = draw_recording(result, tmp_path / "a.png", dpi=40).read_bytes()
    second = draw_recording(result, tmp_path / "new" / "a.png", dpi=40).read_bytes()
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first == second
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "a.png", "new"]


def test_a_picture_that_is_there_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    draw_recording(simulated_result(72, 12), path, dpi=40)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_a_lost_face_is_gray_and_has_no_number(tmp_path):
    from matplotlib.image import imread

    faceless = simulated_result(72, 12, lost_s=[(0, 99)])
    path = draw_recording(faceless, tmp_path / "none.png", dpi=50)
    pixels = imread(path)[:, :, :3]
    # 25 rows of a map, all of the one gray
    assert (np.abs(pixels - 0.8).max(axis=2) < 0.01).mean() > 0.3
    text = draw_recording(faceless, tmp_path / "none.svg").read_text("utf-8")
    assert "POS finds no pulse" in text
    assert "no pulse to be seen" in text
    assert "face seen in 0% of 360 frames" in text


def test_without_labels_the_truth_is_said_to_be_unknown(tmp_path):
    text = draw_recording(simulated_result(72, 12, label=False), tmp_path / "a.svg").read_text("utf-8")
    assert "true rate unknown, POS 7" in text
    text = draw_recording(simulated_result(72, 12, label=False, pulse=True), tmp_path / "b.svg").read_text("utf-8")
    assert "true 72.0 bpm" in text
    assert "pulse label, 6 s windows" in text


@pytest.mark.parametrize(
    ("color", "options"),
    [
        ("rgb", {}),
        ("rgb+yuv", {"start_s": 3.5, "window_s": 4}),
        ("ycbcr", {"method": "chrom", "window_s": 500}),
        ("yuv", {"start_s": 11.9}),
    ],
)
def test_color_window_and_method_can_be_chosen(tmp_path, color, options):
    result = simulated_result(72, 12, grid=RoiGrid(3, 4))
    text = draw_recording(result, tmp_path / "a.svg", color=color, **options).read_text("utf-8")
    for space in color.split("+"):
        assert f"{space.upper()} as red, green, blue" in text
    assert options.get("method", "pos").upper() in text


def test_wrong_requests_say_what_to_do(tmp_path):
    result = simulated_result(72, 12)
    with pytest.raises(OutputError, match=r"a\.bmp: a picture is written as one of \.png, \.svg, \.pdf"):
        draw_recording(result, tmp_path / "a.bmp")
    with pytest.raises(StmapError, match=r"from 50 s is outside the recording \(0\.00 to 1"):
        draw_recording(result, tmp_path / "a.png", start_s=50)
    with pytest.raises(UnknownNameError, match="ica"):
        draw_recording(result, tmp_path / "a.png", method="ica")
    with pytest.raises(UnknownNameError, match="hsv"):
        draw_recording(result, tmp_path / "a.png", color="hsv")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        draw_recording(result, tmp_path / "file" / "a.png", dpi=40)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_recording_of_one_frame_is_refused(tmp_path):
    whole = simulated_result(72, 12)
    blocks, track = whole.blocks, whole.track
    one = RecordingResult(
        whole.recording,
        type(blocks)(blocks.times_s[:1], blocks.means[:1], blocks.coverage[:1], blocks.grid),
        type(track)(track.times_s[:1], track.points_px[:1], track.score[:1]),
    )
    with pytest.raises(StmapError, match="nothing to draw in 1 frames"):
        draw_recording(one, tmp_path / "a.png")


def test_without_matplotlib_the_message_says_what_to_install(tmp_path, monkeypatch):
    # None is what the import system itself stores for "not to be found"
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(StmapError, match=r'pip install "stmap\[plot\]"'):
        draw_recording(simulated_result(72, 12), tmp_path / "a.png")


def test_importing_the_report_imports_no_matplotlib_and_drawing_no_pyplot(tmp_path):
    code = (
        "import sys; from stmap_pipeline.report import draw_recording; assert 'matplotlib' not in sys.modules\n"
        "from stmap_pipeline.maps.example import example_result\n"
        f"draw_recording(example_result(), {str(tmp_path / 'a.png')!r}, dpi=40)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
