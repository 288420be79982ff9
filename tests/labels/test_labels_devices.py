"""Files as further devices and programs write them: each gives its heart rate, or is refused with what to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases.trees import write
from labels.test_labels_habits import NAMED, PULSE, PULSE_S, heart_rate_bpm, read, recording

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import check_sources

HR = [75 + (second % 3 - 1) for second in range(15)]
ACQ = "subject1.acq\n15.625 msec/sample\n2 channels\nPPG\nVolts\nECG\nmV\nCH1\tCH2\t\n960\t960\t\n"


def rows(line: Callable[[int], str], seconds: Any = range(15)) -> str:
    return "".join(line(second) + "\n" for second in seconds)


def waves(line: Callable[[float, float], str]) -> str:
    return "".join(line(at, value) + "\n" for at, value in zip(PULSE_S, PULSE, strict=True))


READ: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "Embrace": (
        "timestamp_unix,timestamp_iso,pulse_rate_bpm,missing_value_reason\n"
        + rows(lambda s: f"{1714730400000 + s * 1000},2024-05-03T10:00:{s:02}Z,{HR[s] if s < 13 else ''},{'' if s < 13 else 'device_not_recording'}"),
        {"column": "pulse_rate_bpm", "time_column": "timestamp_unix", "starts_with_video": True},
    ),
    "Polar sensor logger": (
        "Phone timestamp;sensor timestamp [ns];channel 0\n"
        + waves(lambda t, v: f"2024-05-03T10:00:{t:06.3f};{599616000000000000 + int(t * 1e9)};{1000 * v:.0f}"),
        {"kind": "pulse", "column": "channel 0", "time_column": "sensor timestamp [ns]", "starts_with_video": True},
    ),
    "Apple Health": (
        "startDate,unit,value\n" + rows(lambda s: f"2024-05-03 10:00:{s:02} +0200,count/min,{HR[s]}"),
        {"column": "value", "time_column": "startDate", "video_start": "2024-05-03T10:00:00+02:00"},
    ),
    "Nonin": ("Date,Time,Pulse Rate,SpO2\n" + rows(lambda s: f"05/13/2024,10:00:{s:02},{HR[s]:03},098"), {"column": "Pulse Rate", "time_column": "Time", "video_start": "10:00:00"}),
    "CMS50 without a finger": ("Time,SpO2,PR\n" + rows(lambda s: f"10:00:{s:02},98,{HR[s] if s < 12 else '--'}"), {"column": "PR", "time_column": "Time", "video_start": "10:00:00"}),
    "Shimmer with four lines of header": (
        "sep=,\nS1,S1\nTimestamp,PPG\nCAL,CAL\nms,mV\n" + waves(lambda t, v: f"{1000 * t:.3f},{v:.4f}"),
        {"kind": "pulse", "column": "PPG", "time_column": "Timestamp"},
    ),
    "AcqKnowledge without times": (ACQ + waves(lambda _, v: f"{v:.5f}\t0.1\t"), {"kind": "pulse", "column": "CH1", "rate_hz": 64.0}),
    "AcqKnowledge in minutes": (ACQ.replace("CH1", "min\tCH1").replace("960", "\t960", 1) + waves(lambda t, v: f"{t / 60:.7f}\t{v:.5f}\t0.1\t"), {"kind": "pulse", "column": "CH1", "time_column": "min"}),
    "thousands with apostrophes": ("t (ms);hr\n" + rows(lambda s: f"{1000 * s:,};{HR[s]}".replace(",", "'")), {"column": "hr", "time_column": "t (ms)"}),
    "noon in 12 hours": ("t,hr\n" + rows(lambda s: f"11:59:{55 + s} AM,75", range(5)) + rows(lambda s: f"12:00:{s:02} PM,75", range(10)), {**NAMED, "video_start": "11:59:55"}),
    "midnight in 12 hours": ("t,hr\n" + rows(lambda s: f"11:59:{55 + s} PM,75", range(5)) + rows(lambda s: f"12:00:{s:02} AM,75", range(10)), {**NAMED, "video_start": "23:59:55"}),
    "the end of summer time": (
        "t,hr\n" + rows(lambda s: f"2024-10-27T02:59:{55 + s}+02:00,75", range(5)) + rows(lambda s: f"2024-10-27T02:00:{s:02}+01:00,75", range(10)),
        {**NAMED, "video_start": "2024-10-27T02:59:55+02:00"},
    ),
    "negative times": ("t,hr\n" + rows(lambda s: f"{s - 5},{75 if s >= 5 else 90}", range(21)), NAMED),
    "the header again, with times": ("t,hr\n" + rows(lambda s: f"{s},75", range(7)) + "t,hr\n" + rows(lambda s: f"{s},75", range(7, 15)), NAMED),
    "a mean under a column": ("hr\n" + rows(lambda s: f"{HR[s]}") + "MEAN\n180\n", {"column": "hr", "rate_hz": 1.0}),
    "an object on each line": (rows(lambda s: json.dumps({"t": s, "hr": HR[s]})), NAMED),
    "Arabic digits": ("t,hr\n" + rows(lambda s: f"{s},\u0667\u0665"), NAMED),
    "exponents and decimal commas": ("t;hr\n" + rows(lambda s: f"{s:.3E};{HR[s]:.2E}".replace(".", ",")), NAMED),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_further_devices_give_their_heart_rate(tmp_path: Path, name: str) -> None:
    content, how = READ[name]
    assert heart_rate_bpm(read(write(tmp_path / "label.csv", content), **how)) == pytest.approx(75.0, abs=0.3)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "two sessions of an E4": (2 * ("1714730400.0\n1.0\n" + rows(lambda s: f"{HR[s]}.00")), {"starts_with_video": True}, "the start of another session"),
    "a row of another kind before the times": (
        "t,hr\n1,nan\n" + rows(lambda s: f"{800_000_000 + s},{HR[s]}"), NAMED, "only 1 of its 16 samples lies inside",
    ),
    "a table behind another": ("hr,x\n" + rows(lambda s: f"{HR[s]},1") + "hr,x\n" + rows(lambda s: f"{HR[s]},1"), {"column": "hr", "rate_hz": 1.0}, "line 17 repeats the header"),
    "AcqKnowledge by number": (ACQ + waves(lambda _, v: f"{v:.5f}\t0.1\t"), {"kind": "pulse", "column": 0, "rate_hz": 64.0}, "set skip_rows"),
    "minutes or hours": ("t,hr\n" + rows(lambda s: f"00:{s:02},75"), NAMED, "Write 00:00:00 or"),
    "12 hours without AM and PM": ("t,hr\n" + rows(lambda s: f"12:59:{50 + s},75", range(10)) + rows(lambda s: f"1:00:{s:02},75"), {**NAMED, "video_start": "12:59:50"}, "is not later than"),
    "summer time without a zone": ("t,hr\n" + rows(lambda s: f"02:59:{50 + s},75", range(10)) + rows(lambda s: f"02:00:{s:02},75"), {**NAMED, "video_start": "02:59:50"}, "is not later than"),
    "two columns of one name": ("t,hr,hr\n" + rows(lambda s: f"{s},75,80"), NAMED, "has 2 columns 'hr'"),
    "percent": ("t,hr\n" + rows(lambda s: f"{s},75%"), NAMED, "the first is '75%'"),
    "a page": ("<html><table>\n" + rows(lambda s: f"<tr><td>{s}</td><td>75</td></tr>"), NAMED, "is a web page"),
    "breaths": ("t,resp\n" + rows(lambda s: f"{s},{15 + s % 2}"), {"column": "resp", "time_column": "t"}, "lie outside 25 to 240 bpm"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_device_means_is_refused(tmp_path: Path, name: str) -> None:
    content, how, message = REFUSED[name]
    one = recording(write(tmp_path / "label.csv", content), required=True, **how)
    with pytest.raises(RecordingError) as caught:
        check_sources(one, None, lambda: np.array([0.0, 14.0]))
    assert message in caught.value.message
