"""The picture of an estimate: written whole, the same twice, and refused in words."""

import pytest
from simulated_traces import frame_times, simulated_blocks

from stmap_pipeline.errors import OutputError
from stmap_pipeline.evaluation.estimate import VideoEstimate, estimate_blocks

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
from stmap_pipeline.report.estimate_picture import draw_estimate


@pytest.fixture(scope="module")
def found():
    return estimate_blocks(simulated_blocks(72.0, frame_times(20.0), lost_s=[(12, 14)]), name="a $ <b>.mp4")


def test_a_picture_says_what_was_found(found, tmp_path):
    path = draw_estimate(found, tmp_path / "new" / "one.svg")
    text = path.read_text()
    assert "a $ &lt;b&gt;.mp4: 72" in text
    assert "Spectrum of 6 s over time" in text
    assert [one.name for one in path.parent.iterdir()] == ["one.svg"]


def test_a_refusal_is_drawn_with_its_reason(tmp_path):
    noise = estimate_blocks(simulated_blocks(72.0, frame_times(7.0), amplitude=0.0, noise=0.3), name="wall.mp4")
    assert noise.refused
    text = draw_estimate(noise, tmp_path / "one.svg").read_text()
    assert "wall.mp4: no heart rate (no_pulse)" in text


@pytest.mark.parametrize("name", ["one.png", "one.pdf"])
def test_other_formats(found, name, tmp_path):
    assert draw_estimate(found, tmp_path / name, dpi=40).stat().st_size > 1000


def test_what_cannot_be_drawn_is_refused(found, tmp_path):
    with pytest.raises(OutputError, match=r"one of \.png"):
        draw_estimate(found, tmp_path / "one.gif")
    unread = VideoEstimate("a.mp4", "pos", float("nan"), "source_missing", "a.mp4: no such file", float("nan"))
    with pytest.raises(OutputError, match=r"nothing to draw of a\.mp4: a\.mp4: no such file"):
        draw_estimate(unread, tmp_path / "one.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        draw_estimate(found, tmp_path / "file" / "one.png")
