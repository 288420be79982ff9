"""Values that a heart rate can have, too, and that are none: no window may get a label of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labels.test_labels_habits import FRAMES, PULSE, PULSE_S, heart_rate_bpm, read

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import heart_rate_from_rr, heart_rate_from_wave

SECONDS = range(40)


@pytest.mark.parametrize(
    ("text", "how", "named"),
    [
        (
            "n,hr\n" + "".join(f"{60 + s},75\n" for s in SECONDS),
            {"column": "n", "rate_hz": 2.0},
            "'n' holds the numbers of the rows",
        ),
        ("".join(f"{s / 2},75\n" for s in range(400)), {"column": 0, "rate_hz": 2.0, "format": "csv"}, "the times of the rows"),
        ("t,o\n" + "".join(f"{s},{s + 50.2}\n" for s in SECONDS), {"column": "o", "time_column": "t"}, "'o' holds the numbers"),
        ("t,SpO2,PR\n" + "".join(f"{s},98,75\n" for s in SECONDS), {"column": 1, "time_column": "t"}, "'SpO2' holds an oxygen"),
        ("".join(f"{80 + 25 * value:.1f}\n" for value in PULSE), {"rate_hz": 64.0}, 'kind = "pulse"'),
        ("".join(f"{80 + 25 * value:.1f}\n" for value in PULSE), {"per_frame": True}, 'kind = "pulse"'),
        (
            "type,t,value\n" + "".join(f"HR,{s},75\nSpO2,{s},98\n" for s in SECONDS),
            {"column": "value", "time_column": "t"},
            "rows of several quantities",
        ),
    ],
    ids=[
        "counter",
        "times",
        "times with an offset",
        "oxygen saturation",
        "wave",
        "wave of each frame",
        "two quantities in one column",
    ],
)
def test_a_column_of_something_else_is_refused(tmp_path: Path, text: str, how: dict[str, Any], named: str) -> None:
    path = tmp_path / "hr.csv"
    path.write_text(text)
    with pytest.raises(RecordingError) as caught:
        read(path, **how)
    assert caught.value.reason == "label_unreadable"
    assert named in str(caught.value)


def test_a_heart_rate_that_rises_or_varies_from_beat_to_beat_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "hr.csv"
    path.write_text("".join(f"{60 + s / 2}\n" for s in SECONDS))
    assert heart_rate_bpm(read(path, rate_hz=1.0)) == pytest.approx(63.25)
    path.write_text("".join(f"{75 + 12 * np.sin(s)}\n" for s in np.arange(0, 15, 0.25)))
    assert heart_rate_bpm(read(path, rate_hz=4.0)) == pytest.approx(75, abs=2)


@pytest.mark.parametrize("at", [0, 448])
def test_one_sample_far_outside_changes_no_heart_rate_of_a_pulse(at: int) -> None:
    spoiled = PULSE.copy()
    spoiled[at] = 1750.0
    trace = heart_rate_from_wave(PULSE_S, spoiled)
    assert trace.mean_between(FRAMES[0], 10.0) == pytest.approx(75, abs=0.3)


@pytest.mark.parametrize("between", [[1.6], [0.4], [0.5, 1.1]], ids=["missed beat", "beat too much", "extrasystole"])
def test_an_interval_unlike_its_neighbors_is_no_heart_rate(between: list[float]) -> None:
    rr_s = np.array([0.8] * 6 + between + [0.8] * 8)
    trace = heart_rate_from_rr(np.cumsum(rr_s), rr_s)
    assert trace.mean_between(0.0, 10.0) == pytest.approx(75, abs=0.5)


def test_a_text_export_of_acqknowledge_needs_no_further_keys(tmp_path: Path) -> None:
    path = tmp_path / "biopac.txt"
    head = "subject1.acq\n15.625 msec/sample\n1 channels\nPPG\nVolts\nmsec\tCH1\t\n\t960\t\n"
    path.write_text(head + "".join(f"{1000 * s:.3f}\t{value:.5f}\t\n" for s, value in zip(PULSE_S, PULSE, strict=True)))
    assert heart_rate_bpm(read(path, kind="pulse", column="CH1", time_column="msec")) == pytest.approx(75, abs=0.3)


def test_minutes_and_seconds_with_a_fraction_are_times(tmp_path: Path) -> None:
    path = tmp_path / "hr.csv"
    path.write_text("t;hr\n" + "".join(f"00:{s:02},0;75\n" for s in SECONDS))
    assert heart_rate_bpm(read(path, column="hr", time_column="t")) == 75.0
