import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases.trees import mmse_hr, vipl_hr, vipl_recording, write
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.databases import mmse_hr as mmse
from stmap_pipeline.databases import vipl_hr as vipl
from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import Labels, check_sources, read_labels
from stmap_pipeline.records import ClockSource, LabelSource, Recording, VideoSource

NAN = np.nan
FRAMES = np.arange(90) / 30.0


def recording(*labels: LabelSource) -> Recording:
    return Recording("r1", "folder", "s1", VideoSource(Path("video.mp4")), labels=labels)


def read(folder: Path, text: str | bytes, frames: Any = FRAMES, kind: str = "heart_rate", **how: Any) -> Labels:
    path = write(folder / "label.csv", text)
    return read_labels(recording(LabelSource(kind, path, **how)), frames)  # type: ignore[arg-type]


def failed(folder: Path, text: str | bytes, **how: Any) -> str:
    with pytest.raises(RecordingError) as caught:
        read(folder, text, **how)
    assert (caught.value.stage, caught.value.reason) == ("labels", "label_unreadable")
    assert str(folder / "label.csv") in caught.value.message
    return caught.value.message


# ---- clocks


def test_a_rate_starts_at_the_first_frame(tmp_path: Path) -> None:
    trace = read(tmp_path, "70\n71\n72\n", FRAMES + 5.0, rate_hz=1.0).heart_rate
    assert trace is not None
    assert trace.times_s.tolist() == [5.0, 6.0, 7.0]
    assert trace.mean_between(5.0, 8.0) == 71.0


@pytest.mark.parametrize("rate_hz", [0.5, 2.0])
def test_a_rate_that_does_not_fit_the_length_of_the_video_is_refused_until_the_start_is_said(
    tmp_path: Path, rate_hz: float
) -> None:
    frames, text = np.arange(360) / 30.0, "70\n" * 12
    assert f"at {rate_hz:g} Hz" in failed(tmp_path, text, frames=frames, rate_hz=rate_hz, required=True)
    for how in ({"rate_hz": rate_hz, "starts_with_video": True}, {"rate_hz": 1.0}):
        trace = read(tmp_path, text, frames, required=True, **how).heart_rate
        assert trace is not None
        assert trace.mean_between(0.0, 5.0) == 70.0
    # what a database says of its own files is a note
    assert read(tmp_path, text, frames, rate_hz=rate_hz).notes


def test_a_time_column_is_taken_as_it_is(tmp_path: Path) -> None:
    trace = read(tmp_path, "bpm,ms\n70,500\n71,1500\n72,2500\n", column="bpm", time_column="ms", time_unit_s=0.001).heart_rate
    assert trace is not None
    assert trace.times_s.tolist() == [0.5, 1.5, 2.5]


def test_rows_without_a_time_are_left_out_with_a_note(tmp_path: Path) -> None:
    labels = read(tmp_path, "0,70\nx,71\n\n2,72\n3,73\n", column=1, time_column=0)
    assert labels.heart_rate is not None
    assert labels.heart_rate.heart_rate_bpm.tolist() == [70, 72, 73]
    assert labels.notes == ("label.csv: 1 of 4 rows holds no number, the first in line 2 (text such as 'x')",)


@given(st.integers(0, 120), st.integers(1, 120))
def test_rows_per_frame_use_the_common_part(tmp_path_factory: pytest.TempPathFactory, frames: int, rows: int) -> None:
    times_s = np.cumsum(np.full(frames, 0.04))
    labels = read(tmp_path_factory.getbasetemp(), "72\n" * rows, times_s, per_frame=True)
    assert labels.heart_rate is not None
    np.testing.assert_array_equal(labels.heart_rate.times_s, times_s[:rows])
    assert len(labels.notes) == (frames != rows)
    if frames != rows:
        assert f"{rows} rows for {frames} frames; the first {min(rows, frames)}" in labels.notes[0]


@pytest.mark.parametrize("times", ["0,1,1", "0,2,1"])
def test_times_that_do_not_increase_are_told_with_their_line(tmp_path: Path, times: str) -> None:
    rows = "".join(f"{time},70\n" for time in times.split(","))
    assert "line 4: time 1 s " in failed(tmp_path, "t,hr\n" + rows, column="hr", time_column="t")


# ---- values


def test_text_and_codes_and_impossible_rates_become_nan_with_notes(tmp_path: Path) -> None:
    labels = read(tmp_path, "HR\n70\n255\n255\nlost\n0\n-5\n241\n240\n1\n70\n70\n70\n70\n", rate_hz=1.0, missing=(255.0,))
    assert labels.heart_rate is not None
    np.testing.assert_array_equal(labels.heart_rate.heart_rate_bpm, [70, *[NAN] * 6, 240, NAN, *[70] * 4])
    assert labels.notes[:3] == (
        "label.csv: 1 of 13 rows holds no number, the first in line 5 (text such as 'lost')",
        'label.csv: 2 of 13 values are the code for "no value"',
        "label.csv: 4 of 13 heart rates taken out (not within 25 to 240 bpm)",
    )


def test_a_rate_in_hertz_is_judged_in_bpm(tmp_path: Path) -> None:
    labels = read(tmp_path, "1.2\n5.1\n0.5\n", rate_hz=1.0, unit="hz")
    assert labels.heart_rate is not None
    np.testing.assert_array_equal(labels.heart_rate.heart_rate_bpm, [72.0, NAN, 30.0])


def test_a_pulse_may_have_any_value(tmp_path: Path) -> None:
    labels = read(tmp_path, "-5\n0\n4000\n" * 30, kind="pulse", rate_hz=30.0)
    assert labels.pulse is not None
    assert labels.pulse.value[:3].tolist() == [-5, 0, 4000]
    assert labels.notes == ("the heart rate is computed from the pulse",)


def test_all_codes_is_a_label_that_knows_nothing(tmp_path: Path) -> None:
    labels = read(tmp_path, "255\n255\n255\n", rate_hz=1.0, missing=(255.0,))
    assert labels.heart_rate is not None
    assert np.isnan(labels.heart_rate.heart_rate_bpm).all()


@given(st.lists(st.one_of(st.just("n/a"), st.integers(30, 200)), min_size=2, max_size=40))
def test_more_than_half_unreadable_is_refused(tmp_path_factory: pytest.TempPathFactory, cells: list[str | int]) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = "\n".join(str(cell) for cell in ["HR", *cells])
    bad = cells.count("n/a")
    if 2 * bad > len(cells):
        assert f"{bad} of {len(cells)} rows hold no number in column 0" in failed(folder, text, rate_hz=1.0)
    else:
        trace = read(folder, text, rate_hz=1.0).heart_rate
        assert trace is not None
        assert int(np.isnan(trace.heart_rate_bpm).sum()) == bad


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("1.25\n1.267\n1.25\n", {"rate_hz": 1.0}, 'look like hertz; set unit = "hz"'),
        ("rr_ms\n800\n789\n800\n811\n", {"rate_hz": 1.0}, 'its unit is ms: RR intervals are no heart rates; set kind = "rr"'),
        ("800\n789\n800\n811\n", {"rate_hz": 1.0}, "4 of 4 heart rates lie outside 25 to 240 bpm"),
        ("7000\n7100\n72\n0\n0\n", {"per_frame": True}, "2 of 3 heart rates"),
        (
            "t,hr\n2024-05-03T10:00:00Z,75\n2024-05-03T10:00:01Z,76\n",
            {"column": "hr", "time_column": "t"},
            "nothing says when the video started; give video_start = ",
        ),
    ],
)
def test_what_is_no_heart_rate_in_bpm_is_refused_before_decoding(
    tmp_path: Path, text: str, how: dict[str, Any], message: str
) -> None:
    assert message in failed(tmp_path, text, **how)


# ---- before decoding


def test_all_that_needs_no_frames_is_checked_before_decoding(tmp_path: Path) -> None:
    write(tmp_path / "good.csv", "t,hr\n0,70\n1,71\n")
    write(tmp_path / "back.csv", "t,hr\n1,70\n0,71\n")
    write(tmp_path / "times.csv", "0\n40\n40\n")

    def source(name: str, **how: Any) -> Recording:
        return recording(LabelSource("heart_rate", tmp_path / name, column="hr", time_column="t", **how))

    def reason(one: Recording) -> str:
        with pytest.raises(RecordingError) as caught:
            check_sources(one)
        return caught.value.reason

    check_sources(source("good.csv"))
    check_sources(source("gone.csv"))
    check_sources(recording())
    assert reason(source("gone.csv", required=True)) == "source_missing"
    assert reason(source("back.csv")) == "label_unreadable"
    clock = ClockSource("times_file", tmp_path / "times.csv", unit_s=0.001)
    assert reason(replace(source("good.csv"), clock=clock)) == "clock_unreadable"
    assert reason(replace(source("good.csv"), clock=replace(clock, path=tmp_path / "gone.txt"))) == "source_missing"
    write(tmp_path / "times.csv", "".join(f"{33 * i}\n" for i in range(59)) + "1600000000000\n")
    assert reason(replace(source("good.csv"), clock=clock)) == "clock_unreadable"


# ---- files


def test_an_optional_file_that_is_missing_or_empty_is_a_note(tmp_path: Path) -> None:
    gone = LabelSource("pulse", tmp_path / "gone.csv", rate_hz=60.0)
    empty = LabelSource("heart_rate", write(tmp_path / "empty.csv", "HR\r\n"), rate_hz=1.0)
    labels = read_labels(recording(gone, empty), FRAMES)
    assert (labels.heart_rate, labels.pulse) == (None, None)
    assert labels.notes == ("gone.csv: the pulse file is not there", "empty.csv: the heart rate file is empty")


@pytest.mark.parametrize("content", [None, ""])
def test_a_required_file_must_be_there(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "hr.csv"
    if content is not None:
        write(path, content)
    with pytest.raises(RecordingError, match=r"hr\.csv") as caught:
        read_labels(recording(LabelSource("heart_rate", path, rate_hz=1.0, required=True)), FRAMES)
    assert (caught.value.stage, caught.value.reason) == ("labels", "source_missing")


def test_damage_fails_even_where_the_file_is_optional(tmp_path: Path) -> None:
    assert "binary data" in failed(tmp_path, b"\x89PNG\x00\x00", rate_hz=1.0)
    assert "its columns are t, bpm" in failed(tmp_path, "t,bpm\n0,70\n", column="hr", rate_hz=1.0)


def test_a_second_file_of_one_kind_is_only_used_where_the_first_is_missing(tmp_path: Path) -> None:
    sources = [LabelSource("heart_rate", tmp_path / name, rate_hz=1.0) for name in ("gone.csv", "a.csv", "b.csv")]
    write(tmp_path / "a.csv", "70\n70\n70\n")
    write(tmp_path / "b.csv", "80\n80\n80\n")
    labels = read_labels(recording(*sources), FRAMES)
    assert labels.heart_rate is not None
    assert labels.heart_rate.heart_rate_bpm[0] == 70
    assert labels.notes[-1] == "b.csv: not used, the heart rate comes from another file"


def test_notes_hold_no_place_of_this_machine(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    labels = read_labels(recording(LabelSource("pulse", tmp_path / name, rate_hz=1.0)), FRAMES)
    (note,) = labels.notes
    assert note.startswith(r"caf\xe9.csv: ")


def test_no_labels_are_no_error() -> None:
    labels = read_labels(recording(), FRAMES)
    assert (labels.heart_rate, labels.pulse, labels.notes) == (None, None, ())


# ---- durations


@pytest.mark.parametrize(
    ("rows", "rate_hz", "said"),
    [
        (35, 1.0, False),
        (36, 1.0, False),
        (37, 1.0, False),
        (33, 1.0, True),
        (39, 1.0, True),
        (2084, 60.0, False),
        (2020, 60.0, True),
        (1, 1.0, True),
    ],
)
def test_durations_that_differ_are_noted(tmp_path: Path, rows: int, rate_hz: float, said: bool) -> None:
    frames = np.linspace(0, 34.736, 1036)
    labels = read(tmp_path, "75\n" * rows, frames, rate_hz=rate_hz)
    assert bool(labels.notes) == said
    if said:
        assert "and the video 34.7 s" in labels.notes[0]


FRAMES_30_S = np.arange(900) / 30
NAMED = {"column": "hr", "time_column": "t"}


@pytest.mark.parametrize(
    ("step", "how", "unit_s"),
    [
        (1000, NAMED, 0.001),
        (1e9, NAMED, 1e-9),
        (1 / 60, NAMED, 60),
        (1 / 86400, NAMED, 86400),
        (1, {**NAMED, "time_unit_s": 0.001}, 1),
    ],
    ids=["ms", "ns", "min", "days", "s as ms"],
)
def test_times_in_another_unit_are_refused_with_the_unit(tmp_path: Path, step: float, how: dict[str, Any], unit_s: float) -> None:
    text = "t,hr\n" + "".join(f"{step * i},{70 + i % 2}\n" for i in range(30))
    assert f"time_unit_s = {unit_s:g}" in failed(tmp_path, text, frames=FRAMES_30_S, **how)
    trace = read(tmp_path, text, FRAMES_30_S, **{**how, "time_unit_s": unit_s}).heart_rate
    assert trace is not None
    assert trace.mean_between(0.0, 10.0) == pytest.approx(70.5)


def test_a_label_of_one_sample_in_a_video_is_refused(tmp_path: Path) -> None:
    text = "t,hr\n" + "".join(f"{60 * i},{70 + i % 2}\n" for i in range(60))
    assert "a sample every 60 s" in failed(tmp_path, text, frames=FRAMES_30_S, **NAMED)
    # a session of an hour around a video of half a minute is usual
    text = "t,hr\n" + "".join(f"{i},{70 + i % 2}\n" for i in range(3600))
    assert read(tmp_path, text, FRAMES_30_S, **NAMED).heart_rate is not None


def test_a_rate_near_zero_makes_no_long_note(tmp_path: Path) -> None:
    assert all(len(note) < 200 for note in read(tmp_path, "70\n71\n", rate_hz=1e-300).notes)


def test_a_label_of_another_time_is_refused(tmp_path: Path) -> None:
    text = "".join(f"{1000 + i},{70 + i % 2}\n" for i in range(30))
    one = recording(LabelSource("heart_rate", write(tmp_path / "label.csv", text), column=1, time_column=0, required=True))
    for attempt in (lambda: read_labels(one, FRAMES_30_S), lambda: check_sources(one, None, lambda: FRAMES_30_S[[0, -1]])):
        with pytest.raises(RecordingError) as caught:
            attempt()
        assert (caught.value.stage, caught.value.reason) == ("labels", "label_overlap")
        assert "offset_s" in caught.value.message
    check_sources(one, None, lambda: np.zeros(0))  # a container may not say how long it lasts
    moved = read(tmp_path, text, FRAMES_30_S, column=1, time_column=0, offset_s=-1000.0)
    assert moved.heart_rate is not None
    assert moved.heart_rate.mean_between(0.0, 10.0) == pytest.approx(70.5)


# ---- through the databases


def test_vipl_hr(tmp_path: Path) -> None:
    vipl_hr(tmp_path)
    found = {one.recording_id: one for one in vipl.list_recordings(tmp_path)}
    labels = read_labels(found["p001_v1_source1"], FRAMES)
    assert labels.heart_rate is not None
    assert labels.pulse is not None
    np.testing.assert_array_equal(labels.heart_rate.heart_rate_bpm, [75, NAN, 77])
    assert labels.pulse.times_s[60] == 1.0
    second = read_labels(found["p016_v1-2_source1"], FRAMES)
    assert second.pulse is None
    assert any(note.startswith("wave.csv: ") for note in second.notes)


def test_vipl_hr_without_heart_rate_has_that_of_its_pulse(tmp_path: Path) -> None:
    (vipl_recording(tmp_path, "p1/v1/source1") / "gt_HR.csv").unlink()
    labels = read_labels(next(vipl.list_recordings(tmp_path)), FRAMES)
    assert labels.heart_rate_from == "pulse"
    assert [note.partition(":")[0] for note in labels.notes] == ["gt_HR.csv", "the heart rate is computed from the pulse"]


def test_mmse_hr(tmp_path: Path) -> None:
    mmse_hr(tmp_path)
    found = {one.recording_id: one for one in mmse.list_recordings(tmp_path)}
    labels = read_labels(found["F013_T10"], np.arange(3) / 25.0)
    assert labels.heart_rate is not None
    assert labels.pulse is not None
    assert labels.heart_rate.times_s[-1] == pytest.approx(0.119)
    assert (labels.heart_rate.heart_rate_bpm[0], labels.pulse.value[0], labels.notes) == (72.5, 101.25, ())


def test_real_vital_signs(tmp_path: Path) -> None:
    root = Path(os.environ.get("STMAP_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = root / "rouast_clip1" / "sample_vitals_1.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there: set STMAP_REAL_DATA to the folder of real recordings")
    sources = (
        LabelSource("heart_rate", path, column="hr_ppg", per_frame=True),
        LabelSource("pulse", path, column="ppg", per_frame=True),
    )
    labels = read_labels(recording(*sources), np.arange(354) / 30.0)
    assert labels.heart_rate is not None
    assert labels.pulse is not None
    assert labels.notes == ()
    assert 60 < np.nanmean(labels.heart_rate.heart_rate_bpm) < 100
    assert labels.pulse.value.size == 354


def test_a_number_too_large_for_its_unit_is_no_number(tmp_path: Path) -> None:
    heart_rate = read(tmp_path, "1e308\n1.2\n1.2\n", rate_hz=1.0, unit="hz").heart_rate
    assert heart_rate is not None
    np.testing.assert_array_equal(heart_rate.heart_rate_bpm, [NAN, 72.0, 72.0])
    pulse = read(tmp_path, "0,1\n1,2\n1e308,3\n", kind="pulse", column=1, time_column=0, time_unit_s=10.0).pulse
    assert pulse is not None
    assert pulse.value.tolist() == [1.0, 2.0]
