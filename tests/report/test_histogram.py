"""The picture of a balanced training set."""

import subprocess
import sys

import pytest

from stmap_pipeline.balance import Augmentation, BalanceOptions, BinResult
from stmap_pipeline.errors import StmapError
from stmap_pipeline.records import Window

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")

from stmap_pipeline.report import draw_histogram


def plan(options, *bins):
    added = (Window("a", 0, 300, 0.0, 10.0, 80.0, 40 / 3, 1.0, speed=1.1),) * sum(one.added for one in bins)
    return Augmentation(options, added, sum(one.before for one in bins), len(added), bins)


BALANCED = plan(
    BalanceOptions(), BinResult(40, 45, 3, 10, 4, "short"), BinResult(45, 50, 10, 10, 0), BinResult(50, 55, 0, 10, 2, "short")
)


def test_the_svg_says_what_is_shown_and_how_to_read_it():
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


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(StmapError, match=r'pip install "stmap\[plot\]"'):
        draw_histogram(BALANCED)


def test_importing_it_does_not_import_matplotlib():
    code = "import sys, stmap_pipeline.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
