"""Label files as devices, spreadsheets and people write them: each gives 75 bpm, or is refused with what to do."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edfio
import h5py
import numpy as np
import pytest
from databases.trees import write
from scipy.io import savemat

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import LabelFileError, Labels, check_sources, format_of, read_columns, read_labels
from stmap_pipeline.records import LabelSource, Recording, VideoSource

FRAMES = np.arange(420) / 30.0
SECONDS = range(15)
PULSE_S = np.arange(0, 15, 1 / 64)
PULSE = np.sin(2 * np.pi * 1.25 * PULSE_S) + 0.3 * np.sin(4 * np.pi * 1.25 * PULSE_S + 0.5)
START = "2024-05-03T10:00:00Z"


def rows(template: str, seconds: Any = SECONDS) -> str:
    return "".join(template.format(s=s, hr=75, t=f"10:00:{s:02}") + "\n" for s in seconds)


def recording(path: Path, **how: Any) -> Recording:
    source = LabelSource(how.pop("kind", "heart_rate"), path, **how)
    return Recording("r1", "folder", "s1", VideoSource(Path("video.mp4")), labels=(source,))


def read(path: Path, metadata_start: str = "", **how: Any) -> Labels:
    one = recording(path, **how)
    check_sources(one, lambda: metadata_start)
    return read_labels(one, FRAMES, lambda: metadata_start)


def heart_rate_bpm(labels: Labels) -> float:
    assert labels.heart_rate is not None
    return labels.heart_rate.mean_between(2.0, 12.0)


NAMED = {"column": "hr", "time_column": "t"}
POLAR = (
    "Name,Sport,Date,Start time,Duration,Average heart rate (bpm)\nAnna,OTHER,03-05-2024,10:00:00,00:00:14,75\n"
    "Sample rate,Time,HR (bpm),Speed (km/h)\n" + "".join(f"{1 if s == 0 else ''},00:00:{s:02},75,\n" for s in SECONDS)
)
KUBIOS = (
    "Kubios HRV Standard (ver. 3.5.0),,,\nFile name: walk.txt,,,\nMeasurement date: 03/05/2024 10:00:00,,,\n,,,\n"
    "Mean RR  (ms):, 800.00,,\n,,,\nRR INTERVAL DATA and SPECTRUM ESTIMATES,,,\n,SAMPLE 1,,\n,RR data,,FFT spectrum,\n"
    ",Time,RR interval,Frequency,PSD\n,(s),(s),(Hz),(s^2/Hz)\n"
    + "".join(f",{0.8 * i:.3f},{0.8:.3f},{i / 256:.6f},0.001\n" for i in range(1, 20))
    + "".join(f",,,{i / 256:.6f},0.001\n" for i in range(20, 200))
)
LABCHART = (
    "Interval=\t{interval}\nExcelDateTime=\t4.5415416666666664e+004\t03/05/2024 10:00:00.000\nTimeFormat=\tStartOfBlock\nDateFormat=\t\n"
    "ChannelTitle=\tPulse\tECG\nRange=\t10.000 V\t5.000 mV\n{rows}"
)


def labchart_rows(*, times: bool) -> str:
    rows = [f"{f'{at:.6f}' + chr(9) if times else ''}{value:.5f}\t0.1" for at, value in zip(PULSE_S, PULSE, strict=True)]
    rows[100] += "\t#1 the lamp was moved"
    return "\n".join(rows) + "\n"


# name -> text, and how it is described
TABLES: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "tabs": ("t\thr\n" + rows("{s}\t{hr}"), NAMED),
    "blanks": ("t  hr\n" + rows(" {s}   {hr} "), NAMED),
    "semicolons and decimal commas": ("t;hr\n" + rows("{s},0;{hr},0"), NAMED),
    "tabs and decimal commas": ("t\thr\n" + rows("{s},0\t{hr},0"), NAMED),
    "quoted decimal commas": ('"t","hr"\n' + rows('"{s},0","{hr},0"'), NAMED),
    "sep line": ("sep=;\nt;hr\n" + rows("{s};{hr}"), NAMED),
    "sep line, quoted": ('"sep=,"\nt,hr\n' + rows("{s},{hr}"), NAMED),
    "comments": ("# device: CMS50E\n# date: 2024-05-03\nt,hr\n" + rows("{s},{hr}"), NAMED),
    "percent comments, by number": ("% a\n%\nt,hr\n" + rows("{s},{hr}"), {"column": 1, "time_column": 0}),
    "header in a comment": ("# a b c\n# t hr\n" + rows("{s} {hr}"), NAMED),
    "two header blocks": (POLAR, {"column": "HR (bpm)", "time_column": "Time"}),
    "two header blocks, skipped": (POLAR, {"column": 2, "time_column": 1, "skip_rows": 2}),
    "units below the header": ("t,hr\ns,bpm\n" + rows("{s},{hr}"), NAMED),
    "milliseconds below the header": ("t,hr\n[ms],[bpm]\n" + rows("{s}000,{hr}"), NAMED),
    "milliseconds in the header": ("t (ms),hr\n" + rows("{s}000,{hr}"), {"column": "hr", "time_column": "t (ms)"}),
    "microseconds in the header": ("t_us,hr\n" + rows("{s}000000,{hr}"), {"column": "hr", "time_column": "t_us"}),
    "milliseconds by key": ("t,hr\n" + rows("{s}000,{hr}"), {**NAMED, "time_unit_s": 0.001}),
    "units in cells": ("t,hr\n" + rows("{s} s,{hr} bpm"), NAMED),
    "units in one column": (rows("{hr} bpm"), {"rate_hz": 1.0}),
    "hertz in the header": ("t,hr [Hz]\n" + rows("{s},1.25"), {"column": "hr [Hz]", "time_column": "t"}),
    "hertz in cells": ("t,hr\n" + rows("{s},1.25 Hz"), NAMED),
    "hertz by key": ("t,hr\n" + rows("{s},1.25"), {**NAMED, "unit": "hz"}),
    "byte-order mark": ("\ufefft,hr\n" + rows("{s},{hr}"), NAMED),
    "UTF-16": (("t,hr\n" + rows("{s},{hr}")).encode("utf-16"), NAMED),
    "UTF-16 without a mark": (("t,hr\n" + rows("{s},{hr}")).encode("utf-16-le"), NAMED),
    "Latin-1": (("t,hr,Größe\n" + rows("{s},{hr},1")).encode("latin-1"), NAMED),
    "Latin-1 name": (("t,Fréquence\n" + rows("{s},{hr}")).encode("latin-1"), {"column": "Fréquence", "time_column": "t"}),
    "CRLF": (("t,hr\n" + rows("{s},{hr}")).replace("\n", "\r\n"), NAMED),
    "repeated seconds": ("t,hr\n" + rows("{s},{hr}\n{s},{hr}\n{s},{hr}"), NAMED),
    "repeated clock seconds": ("t,hr\n" + rows("00:00:{s:02},{hr}\n00:00:{s:02},{hr}"), NAMED),
    "thousands": ("t,hr\n" + rows('"{s},000.0",{hr}'), {**NAMED, "time_unit_s": 0.001}),
    "elapsed clock": ("t,hr\n" + rows("00:00:{s:02}.000,{hr}"), NAMED),
    "times of day, start given": ("t,hr\n" + rows("{t},{hr}"), {**NAMED, "video_start": "10:00:00"}),
    "times of day, date given": ("t,hr\n" + rows("{t},{hr}"), {**NAMED, "video_start": "2024-05-03 10:00:00"}),
    "times of day, 12 hours": ("t,hr\n" + rows("{t} PM,{hr}"), {**NAMED, "video_start": "22:00:00"}),
    "times of day, together": ("t,hr\n" + rows("{t},{hr}"), {**NAMED, "starts_with_video": True}),
    "midnight": (
        "t,hr\n" + rows("23:59:{s},{hr}", range(50, 60)) + rows("00:00:{s:02},{hr}", range(5)),
        {**NAMED, "video_start": "23:59:50"},
    ),
    "ISO 8601, start given": ("t,hr\n" + rows("2024-05-03T{t}Z,{hr}"), {**NAMED, "video_start": "2024-05-03T12:00:00+02:00"}),
    "ISO 8601 without a zone": ("t,hr\n" + rows("2024-05-03 {t}.000,{hr}"), {**NAMED, "video_start": "2024-05-03T10:00:00"}),
    "ISO 8601, together": ("t,hr\n" + rows("2024-05-03T{t}Z,{hr}"), {**NAMED, "starts_with_video": True}),
    "German dates": ("t;hr\n" + rows("03.05.2024 {t};{hr}"), {**NAMED, "video_start": "2024-05-03T10:00:00"}),
    "UNIX times": ("t,hr\n" + rows("17147304{s:02},{hr}"), {**NAMED, "video_start": "2024-05-03T10:00:00Z"}),
    "UNIX milliseconds": ("t,hr\n" + rows("17147304{s:02}000,{hr}"), {**NAMED, "video_start": "1714730400"}),
    "an offset": ("t,hr\n" + rows("{s},{hr}", range(100, 115)), {**NAMED, "offset_s": -100.0}),
    "days of a spreadsheet": (
        "t,hr\n" + "".join(f"{45415.4 + i / 86400:.7f},75\n" for i in range(15)),
        {**NAMED, "time_unit_s": 86400.0, "starts_with_video": True},
    ),
    "nanoseconds since another year": (
        "t [ns],hr\n" + rows("7679664{s:02}000000000,{hr}"),
        {"column": "hr", "time_column": "t [ns]", "starts_with_video": True},
    ),
    "per frame": ("hr\n" + "75\n" * len(FRAMES), {"per_frame": True}),
    "RR in milliseconds": ("rr_ms\n" + "800\n" * 20, {"kind": "rr"}),
    "RR in seconds": ("0.8\n" * 20, {"kind": "rr", "unit": "s"}),
    "RR with times": ("t,rr\n" + "".join(f"{0.8 * i:.1f},0.8\n" for i in range(1, 20)), {"kind": "rr", "unit": "s", "column": "rr", "time_column": "t"}),
    "E4 HR.csv": ("1714730400.000000\n1.000000\n" + "75.00\n" * 15, {"rate_hz": 1.0}),
    "E4 HR.csv, start given": ("1714730400.000000\n1.000000\n" + "75.00\n" * 15, {"video_start": START}),
    "E4 BVP.csv": ("1714730400.0\n64.0\n" + "".join(f"{one:.4f}\n" for one in PULSE), {"kind": "pulse", "starts_with_video": True}),
    "E4 IBI.csv": (
        "1714730400.0, IBI\n" + "".join(f"{0.8 * i:.2f}, 0.8\n" for i in range(1, 20)),
        {"kind": "rr", "column": "IBI", "starts_with_video": True},
    ),
    "CMS50": ("Time,SpO2(%),PR(bpm)\n" + rows("{t},98,{hr}"), {"column": "PR(bpm)", "time_column": "Time", "video_start": "10:00:00"}),
    "a row for UBFC-rPPG": (
        " ".join(f"{one:.4f}" for one in np.interp(FRAMES, PULSE_S, PULSE))
        + "\n" + " ".join(["75"] * len(FRAMES)) + "\n" + " ".join(f"{one:.4f}" for one in FRAMES) + "\n",
        {"column": 1, "time_column": 2},
    ),
    "OpenSignals": (
        "# OpenSignals Text File Format\n# "
        + json.dumps({"20:15:05": {"column": ["nSeq", "A1"], "sensor": ["BVP"], "label": ["A1"], "sampling rate": 64, "date": "2024-05-03", "time": "10:00:00.0"}})
        + "\n# EndOfHeader\n" + "".join(f"{i % 16}\t{500 + 100 * one:.0f}\n" for i, one in enumerate(PULSE)),
        {"kind": "pulse", "column": "BVP", "starts_with_video": True},
    ),
    "JSON of PURE": (
        json.dumps({"/FullPackage": [{"Timestamp": s * 10**9, "Value": {"pulseRate": 75}} for s in SECONDS]}),
        {"column": "/FullPackage/Value/pulseRate", "time_column": "/FullPackage/Timestamp", "time_unit_s": 1e-9},
    ),
    "LabChart": (LABCHART.format(interval="0.015625 s", rows=labchart_rows(times=True)), {"kind": "pulse", "column": "Pulse", "starts_with_video": True}),
    "LabChart without times": (LABCHART.format(interval="15.625 ms", rows=labchart_rows(times=False)), {"kind": "pulse", "column": "Pulse", "rate_hz": 64.0}),
    "LabChart, start given": (LABCHART.format(interval="15.625 ms", rows=labchart_rows(times=True)), {"kind": "pulse", "column": 1, "video_start": "2024-05-03 10:00:00"}),
    "LabChart by its times": (LABCHART.format(interval="15.625 ms", rows=labchart_rows(times=True)), {"kind": "pulse", "column": "pulse", "time_column": "Time"}),
    "LabChart, lines counted": (LABCHART.format(interval="15.625 ms", rows=labchart_rows(times=True)), {"kind": "pulse", "column": 1, "time_column": 0, "skip_rows": 6}),
    "Kubios report": (KUBIOS, {"kind": "rr", "starts_with_video": True}),
    "Kubios report by name": (KUBIOS.replace("\n", "\r\n"), {"kind": "rr", "column": "RR"}),
    "JSON in UTF-16": (json.dumps({"hr": [75] * 15, "time": list(SECONDS)}).encode("utf-16"), {"column": "hr", "time_column": "time"}),
    "JSON lists": (json.dumps({"hr": [75] * 15, "time": list(SECONDS)}), {"column": "hr", "time_column": "time"}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_usual_files_give_their_heart_rate(tmp_path: Path, name: str) -> None:
    content, how = TABLES[name]
    labels = read(write(tmp_path / "label.csv", content), **how)
    assert heart_rate_bpm(labels) == pytest.approx(75.0, abs=0.3)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "hertz": ("t,hr\n" + rows("{s},1.25"), NAMED, 'unit = "hz"'),
    "RR intervals": ("rr_ms\n" + "800\n" * 20, {"rate_hz": 1.0}, 'kind = "rr"'),
    "RR intervals without a name": ("800\n" * 20, {"rate_hz": 1.0}, 'kind = "rr" and unit = "ms"'),
    "RR without a unit": ("800\n" * 20, {"kind": "rr"}, 'unit = "ms", "s" or "1/1024 s"'),
    "RR in the wrong unit": ("800\n" * 20, {"kind": "rr", "unit": "s"}, "correct unit or column"),
    "heart rates as RR": ("hr_bpm\n" + "75\n" * 20, {"kind": "rr"}, "heart rates and no RR"),
    "no clock": ("t,hr\n" + rows("{s},{hr}"), {"column": "hr"}, "give rate_hz, time_column, or per_frame = true; its columns are t, hr"),
    "dates": ("t,hr\n" + rows("2024-05-03T{t}Z,{hr}"), NAMED, 'give video_start = "2026-05-03T10:00:00Z"'),
    "times of day": ("t,hr\n" + rows("{t},{hr}"), NAMED, 'give video_start = "10:00:00"'),
    "no zone against a zone": ("t,hr\n" + rows("2024-05-03 {t},{hr}"), {**NAMED, "video_start": START}, "no time zone"),
    "a zone against none": ("t,hr\n" + rows("2024-05-03T{t}Z,{hr}"), {**NAMED, "video_start": START[:-1]}, "has no time zone"),
    "times of day against UTC": ("t,hr\n" + rows("{t},{hr}"), {**NAMED, "video_start": START}, "what clocks showed"),
    "another day": ("t,hr\n" + rows("2024-05-03T{t}Z,{hr}"), {**NAMED, "video_start": "2024-05-04T10:00:00Z"}, "before the video starts"),
    "a start that is none": ("t,hr\n" + rows("{t},{hr}"), {**NAMED, "video_start": "noon"}, "'noon' is no date"),
    "day or month": ("t,hr\n" + rows("03/05/2024 {t},{hr}"), NAMED, "2026-05-31"),
    "mixed times": ("t,hr\n2024-05-03T10:00:00Z,75\n10:00:01,75\n", NAMED, "some do not"),
    "an E4 file without a start": ("1714730400.0\n1.0\n" + "75.00\n" * 15, {}, "nothing says when the video started"),
    "an E4 file of another rate": ("1714730400.0\n64.0\n" + "75.00\n" * 15, {"rate_hz": 1.0}, "64 Hz of its own"),
    "a decimal comma and a unit": ("75,5 bpm\n" * 20, {"rate_hz": 1.0}, "decimal commas or several columns"),
    "two units": ("t,hr\n0,75 bpm\n1,1.25 Hz\n", NAMED, "bpm and in hz"),
    "a column that is not there": ("t,hr\n" + rows("{s},{hr}"), {"column": "HF", "rate_hz": 1.0}, "its columns are t, hr"),
    "decimal commas between commas": ("t,hr\n" + rows("{s},0,{hr},0"), NAMED, "quotes, or another separator"),
    "nothing but NaN": ("t,hr\n" + rows("{s},nan"), NAMED, "hold no number in column 'hr'"),
    "times that go back": ("t,hr\n0,75\n2,75\n1,75\n", NAMED, "line 4: time 1 s is not later than 2 s"),
    "days of a spreadsheet": ("t,hr\n" + "".join(f"{45415.4 + i / 86400:.7f},75\n" for i in range(15)), NAMED, "time_unit_s = 86400"),
    "nanoseconds since another year": (
        "t [ns],hr\n" + rows("7679664{s:02}000000000,{hr}"),
        {"column": "hr", "time_column": "t [ns]"},
        "starts_with_video = true",
    ),
    "cut off": ("t,hr\n0,75\n1\n2\n", NAMED, "hold no number"),
    "Kubios report without intervals": (KUBIOS.split("RR INTERVAL")[0], {"kind": "rr"}, "without the section 'RR INTERVAL DATA'"),
    "Kubios report of two samples": (
        KUBIOS.replace("Frequency,PSD", "Time,RR interval"), {"kind": "rr"}, "the intervals of 2 samples",
    ),
    "LabChart in two blocks": (
        2 * LABCHART.format(interval="1 s", rows="0\t75\t1\n"), {"column": 1, "rate_hz": 1.0}, "has 2 blocks",
    ),
    "LabChart without an interval": (LABCHART.format(interval="1", rows="0\t75\t1\n"), {"column": 1}, "no interval between samples"),
    "LabChart without such a channel": (
        LABCHART.format(interval="1 s", rows="0\t75\t1\n"), {"column": "HR"}, "has no column 'HR'; it holds Time, Pulse, ECG",
    ),
    "words as times in JSON": (json.dumps({"hr": [75] * 9, "t": ["0 sec"] * 9}), NAMED, "in column 't' (the first is '0 sec')"),
    "a wave with a leap": ("0,1\n1,2\n4000000,3\n", {"kind": "pulse", "column": 1, "time_column": 0}, "span"),
    "an ECG that is too slow": ("1\n0\n" * 200, {"kind": "ecg", "rate_hz": 20.0}, "at least 80"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_before_decoding(tmp_path: Path, name: str) -> None:
    content, how, message = REFUSED[name]
    path = write(tmp_path / "label.csv", content)
    with pytest.raises(RecordingError) as caught:
        check_sources(recording(path, **how))
    assert (caught.value.stage, caught.value.reason) == ("labels", "label_unreadable")
    assert str(path) in caught.value.message
    assert message in caught.value.message


def test_the_start_may_come_from_the_video_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "label.csv", "t,hr\n" + rows("2024-05-03T{t}Z,{hr}"))
    labels = read(path, START, **NAMED)
    assert heart_rate_bpm(labels) == 75.0
    assert labels.notes == (f"label.csv: counted from the start that the video's metadata have, {START}",)


def test_a_label_that_starts_later_is_later(tmp_path: Path) -> None:
    path = write(tmp_path / "label.csv", "t,hr\n" + rows("2024-05-03T{t}Z,{hr}"))
    labels = read(path, "2024-05-03T09:59:57.5Z", **NAMED)
    assert labels.heart_rate is not None
    assert labels.heart_rate.times_s[0] == pytest.approx(2.5)


def test_whole_seconds_that_repeat_are_spread_evenly(tmp_path: Path) -> None:
    labels = read(write(tmp_path / "label.csv", "t,hr\n" + rows("{s},{hr}\n{s},{hr}")), **NAMED)
    assert labels.heart_rate is not None
    assert labels.heart_rate.times_s[:5].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert "spread evenly" in labels.notes[0]


def test_one_heart_rate_is_that_of_each_window() -> None:
    one = Recording("r1", "folder", "s1", VideoSource(Path("v.mp4")), labels=(LabelSource("heart_rate", heart_rate_bpm=72.0),))
    check_sources(one)
    labels = read_labels(one, FRAMES)
    assert labels.heart_rate is not None
    assert labels.heart_rate.mean_between(0.0, 14.0) == 72.0


# ---- containers


def test_what_the_reader_of_edf_warns_of_is_a_note(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "label.edf"
    how = edf(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert format_of(path).list_columns(path) == ("EDA", "BVP")
    labels = read(path, **how)
    assert any(note.startswith("label.edf: ") and "record" in note for note in labels.notes)
    assert capfd.readouterr() == ("", "")


def edf(path: Path) -> dict[str, Any]:
    edfio.Edf(
        [edfio.EdfSignal(np.zeros(15 * 256), 256, label="EDA"), edfio.EdfSignal(np.repeat(PULSE, 4), 256, label="BVP")]
    ).write(path)
    return {"kind": "pulse", "column": "BVP", "starts_with_video": True}


def bdf(path: Path) -> dict[str, Any]:
    silence, status = np.zeros(64 * 4), np.zeros(64 * 23, dtype=np.int32)
    status[64 * 4 : 64 * 19] = 5
    status |= 1 << 20  # the state of the amplifier
    wave = np.concatenate([silence, PULSE, silence])
    trigger = edfio.BdfSignal.from_digital(status, 64, physical_range=(-8388608, 8388607), label="Status")
    edfio.Bdf([edfio.BdfSignal(wave, 64, label="BVP"), trigger]).write(path)
    return {"kind": "pulse", "column": "BVP", "span_column": "Status"}


def hdf5(path: Path) -> dict[str, Any]:
    with h5py.File(path, "w") as file:
        file["pulse"] = PULSE
        file["time"] = PULSE_S
        file.attrs["sample-rate-hz"] = 64
    return {"kind": "pulse", "column": "pulse"}


def hdf5_with_times(path: Path) -> dict[str, Any]:
    return {**hdf5(path), "time_column": "time"}


def matlab(path: Path) -> dict[str, Any]:
    savemat(
        path,
        {"video": np.zeros((3, 4, 5, 3)), "GT_ppg": np.interp(FRAMES, PULSE_S, PULSE)[None], "light": "LED-low"},
        do_compression=True,
    )
    return {"kind": "pulse", "column": "GT_ppg", "per_frame": True}


def kubios(path: Path) -> dict[str, Any]:
    rr_s = np.full(20, 0.8)
    savemat(path, {"Res": {"HRV": {"Data": {"RR": rr_s, "T_RR": np.cumsum(rr_s)}}}})
    return {"kind": "rr", "unit": "s", "column": "Res/HRV/Data/RR", "time_column": "Res/HRV/Data/T_RR"}


CONTAINERS: dict[str, tuple[str, Callable[[Path], dict[str, Any]]]] = {
    "EDF": ("edf", edf),
    "BDF with a trigger": ("edf", bdf),
    "HDF5": ("hdf5", hdf5),
    "HDF5 with times": ("hdf5", hdf5_with_times),
    "MATLAB": ("matlab", matlab),
    "Kubios": ("matlab", kubios),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_give_the_heart_rate_of_their_pulse(tmp_path: Path, name: str) -> None:
    format_name, make = CONTAINERS[name]
    path = tmp_path / "label.bin"
    how = make(path)
    assert format_of(path).name == format_name
    assert heart_rate_bpm(read(path, **how)) == pytest.approx(75.0, abs=0.3)
    assert how["column"] in format_of(path).list_columns(path)
    with pytest.raises(RecordingError, match="has no column 'other'"):
        read(path, **{**how, "column": "other"})


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("harm", ["cut off", "garbage"])
def test_damaged_containers_are_refused_by_name(tmp_path: Path, name: str, harm: str) -> None:
    path = tmp_path / "label.bin"
    how = CONTAINERS[name][1](path)
    data = path.read_bytes()
    path.write_bytes(data[:300] if harm == "cut off" else data[:260] + b"\xff" * (len(data) - 260))
    with pytest.raises(RecordingError, match=r"label\.bin") as caught:
        read(path, **how)
    assert caught.value.reason in ("label_unreadable", "source_missing")


def test_what_is_kept_in_another_file_is_not_read(tmp_path: Path) -> None:
    hdf5(tmp_path / "other.h5")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["pulse"] = h5py.ExternalLink("other.h5", "pulse")
    with pytest.raises(RecordingError, match="has no column 'pulse'"):
        read(tmp_path / "link.h5", kind="pulse", column="pulse", rate_hz=64.0)


def test_a_data_set_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("pulse", (10**9,), dtype="f8", chunks=(2**16,), fillvalue=0)
    with pytest.raises(RecordingError, match="1,000,000,000 values"):
        read(tmp_path / "large.h5", kind="pulse", column="pulse", rate_hz=64.0)


@pytest.mark.parametrize("between", ["\n", "\n\n", " \r\n"])
def test_blank_lines_between_rows_with_times_are_no_rows(tmp_path, between):
    path = tmp_path / "hr.csv"
    path.write_text("\n\ntime;hr\n\n" + "".join(f"{one};{70 + one % 5}\n{between}" for one in range(12)), newline="")
    found = read_columns(path, ["hr"], "time")
    assert found.values[0].tolist() == [70 + one % 5 for one in range(12)]
    assert found.times is not None
    assert found.times.values.tolist() == list(range(12))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(b"time,hr\n0,70\n", mtime=0), "is compressed \\(gzip\\); unpack it"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + bytes(99), "is a workbook .*; save its sheet as CSV"),
        (b"PK\x03\x04" + bytes(26) + b"hr.csv" + bytes(99), "is a zip archive; unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "old Office document.*save its sheet as CSV"),
        (b"<!DOCTYPE html>\n<html></html>", "is a web page; the download failed"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "is a still image .JPEG., not a table"),
        (b"time,hr,hr\n0,70,71\n1,70,71\n", "has 2 columns 'hr'.*; give one by its number, from 0"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, content, what):
    path = tmp_path / "hr.csv"
    path.write_bytes(content)
    with pytest.raises(LabelFileError, match=what):
        read_columns(path, ["hr"], "time")


def test_numbers_that_stand_on_one_line_are_named(tmp_path):
    path = tmp_path / "hr.txt"
    path.write_text("73 74 75 76 77 76 75\n")
    with pytest.raises(LabelFileError, match="line 1 holds all 7 numbers; put each on a line"):
        read_columns(path, [0])
