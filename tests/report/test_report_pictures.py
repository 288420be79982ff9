"""Pictures as files: of a recording, of an estimate, and of a balanced training set."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.maps import frame_times, simulated_blocks, simulated_result

from stmap_pipeline.balance import Augmentation, BalanceOptions, BinResult
from stmap_pipeline.errors import ExtraMissingError, OutputError, StmapError, UnknownNameError
from stmap_pipeline.evaluation.estimate import estimate_blocks
from stmap_pipeline.evaluation.video_estimate import VideoEstimate
from stmap_pipeline.records import RecordingResult, RoiGrid, Window
from stmap_pipeline.report import draw_estimate, draw_histogram, draw_recording

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")


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


@pytest.mark.filterwarnings("error")
def test_a_name_in_another_script_is_drawn_without_a_warning(tmp_path):
    result = simulated_result(72, 12)
    chinese = replace(result, recording=replace(result.recording, recording_id="李__rest", subject="李"))
    assert "李__rest: true 72.0 bpm" in draw_recording(chinese, tmp_path / "one.svg").read_text("utf-8")


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
    with pytest.raises(OutputError, match=r"a\.bmp: .*\.png, \.svg, \.pdf"):
        draw_recording(result, tmp_path / "a.bmp")
    with pytest.raises(StmapError, match=r"50 s .*\(0\.00 to 1"):
        draw_recording(result, tmp_path / "a.png", start_s=50)
    with pytest.raises(UnknownNameError, match="ica"):
        draw_recording(result, tmp_path / "a.png", method="ica")
    with pytest.raises(UnknownNameError, match="hsv"):
        draw_recording(result, tmp_path / "a.png", color="hsv")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"file/a\.png"):
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
    with pytest.raises(StmapError, match=" 1 frames "):
        draw_recording(one, tmp_path / "a.png")


def test_without_matplotlib_the_message_says_what_to_install(tmp_path, monkeypatch):
    # None is what the import system itself stores for "not to be found"
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraMissingError, match=r"stmap\[plot\]"):
        draw_recording(simulated_result(72, 12), tmp_path / "a.png")


def test_importing_the_report_imports_no_matplotlib_and_drawing_no_pyplot(tmp_path):
    code = (
        "import sys; from stmap_pipeline.report import draw_recording; assert 'matplotlib' not in sys.modules\n"
        "from stmap_pipeline.maps.example import example_result\n"
        f"draw_recording(example_result(), {str(tmp_path / 'a.png')!r}, dpi=40)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def found():
    return estimate_blocks(simulated_blocks(72.0, frame_times(20.0), lost_s=[(12, 14)]), name="a $ <b>.mp4")


def test_the_picture_of_an_estimate_says_what_was_found_and_is_the_same_twice(found, tmp_path):
    path = draw_estimate(found, tmp_path / "new" / "one.svg")
    text = path.read_text()
    assert f"a $ &lt;b&gt;.mp4: {found.heart_rate_bpm:.1f} bpm" in text
    assert found.heart_rate_bpm == pytest.approx(72.0, abs=0.5)
    assert "Probability of each rate over time" in text
    assert f"white 0, least {found.block_weights.min():.3f}, darkest {found.block_weights.max():.3f}" in text
    assert [one.name for one in path.parent.iterdir()] == ["one.svg"]
    assert draw_estimate(found, tmp_path / "two.svg").read_bytes() == path.read_bytes()


def test_a_refusal_is_drawn_with_its_reason(tmp_path):
    noise = estimate_blocks(simulated_blocks(72.0, frame_times(7.0), amplitude=0.0, noise=0.3), name="wall.mp4")
    assert noise.refused
    text = draw_estimate(noise, tmp_path / "one.svg").read_text()
    assert "wall.mp4: no heart rate (no_pulse)" in text


@pytest.mark.parametrize("name", ["one.png", "one.pdf"])
def test_other_formats_of_an_estimate(found, name, tmp_path):
    assert draw_estimate(found, tmp_path / name, dpi=40).stat().st_size > 1000


def test_an_estimate_that_cannot_be_drawn_is_refused(found, tmp_path):
    with pytest.raises(OutputError, match=r"one\.gif"):
        draw_estimate(found, tmp_path / "one.gif")
    unread = VideoEstimate("a.mp4", "pos", float("nan"), "source_missing", "a.mp4: no such file")
    with pytest.raises(OutputError, match=r"one\.png: .*a\.mp4: no such file"):
        draw_estimate(unread, tmp_path / "one.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/one\.png"):
        draw_estimate(found, tmp_path / "file" / "one.png")


def plan(options, *bins):
    added = (Window("a", 0, 300, 0.0, 10.0, 80.0, 40 / 3, 1.0, speed=1.1),) * sum(one.added for one in bins)
    return Augmentation(options, added, sum(one.before for one in bins), len(added), bins)


BALANCED = plan(
    BalanceOptions(), BinResult(40, 45, 3, 10, 4, "short"), BinResult(45, 50, 10, 10, 0), BinResult(50, 55, 0, 10, 2, "short")
)


def test_the_histogram_says_what_is_shown_and_how_to_read_it():
    text = draw_histogram(BALANCED, dpi=40)["histogram.svg"].decode("utf-8")
    assert "13 windows as recorded, 6 resampled (balance); normalized entropy 0.49 -&gt; 0.8" in text
    for word in ("as recorded", "resampled", "target", "heart rate (bpm)", "Good: ", "Bad: "):
        assert word in text


def test_without_a_target_no_line_is_drawn():
    fixed = plan(BalanceOptions("fg2019"), BinResult(40, 45, 3, None, 4), BinResult(45, 50, 0, None, 0))
    assert "target" not in draw_histogram(fixed, dpi=40)["histogram.svg"].decode("utf-8").split("Good: ")[0]


def test_the_same_plan_gives_the_same_bytes():
    assert draw_histogram(BALANCED, dpi=40) == draw_histogram(BALANCED, dpi=40)
    assert draw_histogram(BALANCED, dpi=40)["histogram.png"].startswith(b"\x89PNG")
