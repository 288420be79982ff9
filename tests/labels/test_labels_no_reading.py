"""What a device writes where it has no heart rate is no label, and a true heart rate of the same number stays one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases.trees import write
from hypothesis import given
from hypothesis import strategies as st
from labels.test_labels_habits import recording

from stmap_pipeline.errors import RecordingError
from stmap_pipeline.labels import Labels, check_sources, heart_rate_from_rr, read_labels
from stmap_pipeline.labels.no_reading import fill_codes, held_values, summary_rows
from stmap_pipeline.records import LabelSource

FRAMES = np.arange(0, 120, 0.1)


def read(path: Path, text: str, **how: Any) -> Labels:
    one = recording(write(path / "hr.csv", text), **how)
    check_sources(one)
    return read_labels(one, FRAMES)


def seconds(values: Any) -> str:
    return "".join(f"{value:g}\n" for value in values)


def refused(path: Path, text: str, **how: Any) -> str:
    with pytest.raises(RecordingError) as caught:
        check_sources(recording(write(path / "hr.csv", text), **how))
    assert caught.value.reason == "label_unreadable"
    return caught.value.message


RESTING = 75 + np.round(3 * np.sin(np.arange(120) / 5))


@pytest.mark.parametrize("code", [127, 255, 511, 0, -1])
@pytest.mark.parametrize(
    "place", [slice(0, 12), slice(50, 51), slice(50, 62), slice(108, 120)], ids=["first", "one", "inside", "last"]
)
def test_codes_of_oximeters_for_no_finger_are_no_heart_rates(tmp_path: Path, code: int, place: slice) -> None:
    values = RESTING.copy()
    values[place] = code
    labels = read(tmp_path, seconds(values), rate_hz=1.0)
    assert labels.heart_rate is not None
    assert np.flatnonzero(np.isnan(labels.heart_rate.heart_rate_bpm)).tolist() == list(range(120))[place]
    assert any("no finger" in note or "taken out" in note for note in labels.notes)


@pytest.mark.parametrize("seed", range(8))
def test_a_true_heart_rate_of_127_stays(seed: int) -> None:
    random = np.random.default_rng(seed)
    # up and down between 90 and 150 at 1.5 bpm a second, in whole bpm, with what an oximeter adds
    times_s = np.arange(0, 300.0)
    bpm = np.round(120 + 30 * np.sin(times_s / 20) + np.cumsum(random.normal(0, 0.3, times_s.size)))
    assert (bpm == 127).any()
    assert not fill_codes(bpm, times_s).any()
    assert not fill_codes(np.full(20, 127.0), np.arange(20.0)).any()


def test_an_oximeter_that_shows_127_throughout_has_no_finger(tmp_path: Path) -> None:
    assert "heart_rate_bpm = 127" in refused(tmp_path, "127\n" * 40, rate_hz=1.0)


@pytest.mark.parametrize("value", [75.0, 72.6])
def test_a_heart_rate_that_stands_still_for_more_than_a_minute_is_none(tmp_path: Path, value: float) -> None:
    assert "no heart stands still" in refused(tmp_path, f"{value}\n" * 80, rate_hz=1.0)
    labels = read(tmp_path, seconds([*RESTING[:20], *[value] * 70, *RESTING[:30]]), rate_hz=1.0)
    assert labels.heart_rate is not None
    assert np.isnan(labels.heart_rate.heart_rate_bpm).sum() >= 70
    assert np.isfinite(labels.heart_rate.heart_rate_bpm[:20]).all()
    assert labels.heart_rate.coverage_problem(40.0, 50.0) == "label_gaps"
    assert read(tmp_path, seconds([value] * 60), rate_hz=1.0).heart_rate is not None


@given(st.integers(0, 2**32 - 1))
def test_what_an_oximeter_shows_of_a_real_heart_is_kept(seed: int) -> None:
    random = np.random.default_rng(seed)
    # beats at rest with the breath and slow waves, as an oximeter shows them: the mean over 8 s in whole bpm
    beats_s = np.cumsum(60 / (66 + 2 * np.sin(np.arange(300) * 0.26) + np.cumsum(random.normal(0, 0.15, 300))))
    trace = heart_rate_from_rr(beats_s[1:], np.diff(beats_s))
    times_s = np.arange(10.0, beats_s[-1] - 10)
    shown = np.round(trace.mean_between(times_s - 8, times_s))
    assert not (held_values(shown, times_s) | fill_codes(shown, times_s)).any()
    assert summary_rows(shown) == 0


def test_zeros_alone_are_refused(tmp_path: Path) -> None:
    assert "all 30 heart rates are 0 or less" in refused(tmp_path, "0\n" * 30, rate_hz=1.0)
    assert "all 30 heart rates are 0 or less" in refused(tmp_path, "hr\n" + "0.0\n" * 30, per_frame=True, column="hr")


@pytest.mark.parametrize(
    "footer",
    ["mean,75\nmin,60\nmax,90\n", "\n\nAverage HR:,75\nMax. (bpm),90\n", "Durchschnitt,75\n"],
    ids=["words", "after blank lines", "German"],
)
@pytest.mark.parametrize("how", [{"rate_hz": 1.0}, {"time_column": 0}], ids=["rate", "times"])
def test_a_summary_under_the_table_is_no_row(tmp_path: Path, footer: str, how: dict[str, Any]) -> None:
    rows = "".join(f"{at},{value:g}\n" for at, value in enumerate(RESTING))
    labels = read(tmp_path, "t,hr\n" + rows + footer, column="hr", **how)
    assert labels.heart_rate is not None
    np.testing.assert_array_equal(labels.heart_rate.heart_rate_bpm, RESTING)
    assert "summary" in labels.notes[0]


@pytest.mark.parametrize("blank", ["", "\n", "\n\n"])
def test_a_summary_in_numbers_alone_is_no_row(tmp_path: Path, blank: str) -> None:
    values = 75 + np.round(12 * np.sin(np.arange(60) / 9))
    footer = [round(float(values.mean()), 1), values.min(), values.max(), round(float(values.std()), 2), values.size]
    labels = read(tmp_path, seconds(values) + blank + seconds(footer), rate_hz=1.0)
    assert labels.heart_rate is not None
    known = labels.heart_rate.heart_rate_bpm[np.isfinite(labels.heart_rate.heart_rate_bpm)]
    np.testing.assert_array_equal(known, values)


@pytest.mark.parametrize(("bad", "left_out"), [(0, 0), (100, 100), (500, 0)])
def test_samples_of_bad_quality_are_unknown_unless_most_are(tmp_path: Path, bad: int, left_out: int) -> None:
    rows = "".join(f"{np.sin(i / 4):.3f},{int(i >= bad)}\n" for i in range(900))
    labels = read(tmp_path, "BVP,quality\n" + rows, kind="pulse", column="BVP", rate_hz=30.0, quality_column="quality")
    assert labels.pulse is not None
    assert np.isnan(labels.pulse.value).sum() == left_out
    assert len(labels.notes) == 1 + (bad > 0) + 1  # and that durations differ, and where the heart rate comes from


# ---- RR intervals

RR_S = 0.8 + 0.03 * np.sin(np.arange(120) / 3)
SENT = np.round(1024 * RR_S)


@pytest.mark.parametrize("beat_by_beat", [True, False])
def test_intervals_in_1024ths_of_a_second_contradict_their_times(tmp_path: Path, beat_by_beat: bool) -> None:
    times_s = np.cumsum(RR_S)
    if not beat_by_beat:
        times_s = np.sort(np.ceil(times_s) + np.tile([0.0, 0.01], 60))  # of packets, one a second
    rows = "t,rr\n" + "".join(f"{at:.3f},{rr:.0f}\n" for at, rr in zip(times_s, SENT, strict=True))
    how = {"kind": "rr", "column": "rr", "time_column": "t"}
    if beat_by_beat:
        assert 'unit = "1/1024 s"' in refused(tmp_path, rows, **how, unit="ms")
    labels = read(tmp_path, rows, **how, unit="1/1024 s")
    assert labels.heart_rate is not None
    assert labels.heart_rate.mean_between(10, 80) == pytest.approx(75, abs=0.6)


def test_beats_that_are_missing_contradict_nothing(tmp_path: Path) -> None:
    kept = np.ones(120, dtype=bool)
    kept[[20, 21, 60, 61, 62, 90]] = False
    rows = "t,rr\n" + "".join(f"{at:.3f},{rr:.3f}\n" for at, rr in zip(np.cumsum(RR_S)[kept], RR_S[kept], strict=True))
    labels = read(tmp_path, rows, kind="rr", column="rr", time_column="t", unit="s")
    assert labels.heart_rate is not None
    assert labels.heart_rate.mean_between(10, 80) == pytest.approx(75, abs=0.6)


def test_intervals_in_1024ths_of_a_second_contradict_a_pulse_beside_them(tmp_path: Path) -> None:
    beats = np.interp(np.arange(0, 90, 1 / 64), np.concatenate([[0], np.cumsum(RR_S)]), np.arange(121.0))
    wave = np.sin(2 * np.pi * beats) + 0.3 * np.sin(4 * np.pi * beats + 0.5)
    pulse = LabelSource("pulse", write(tmp_path / "ppg.csv", seconds(wave)), rate_hz=64.0)
    rr = LabelSource("rr", write(tmp_path / "rr.txt", seconds(SENT)), unit="ms")
    one = recording(tmp_path / "rr.txt", kind="rr", unit="ms")
    both = type(one)("r1", "folder", "s1", one.video, labels=(rr, pulse))
    with pytest.raises(RecordingError, match="1/1024 s"):
        read_labels(both, FRAMES)
    with pytest.raises(RecordingError, match="1/1024 s"):
        check_sources(both)
    right = type(one)("r1", "folder", "s1", one.video, labels=(LabelSource("rr", tmp_path / "rr.txt", unit="1/1024 s"), pulse))
    trace = read_labels(right, FRAMES).heart_rate
    assert trace is not None
    assert trace.mean_between(10, 80) == pytest.approx(75, abs=0.3)
    hr = LabelSource("heart_rate", write(tmp_path / "hr.csv", seconds(RESTING[:90] * 1.0)), rate_hz=1.0)
    labels = read_labels(type(one)("r1", "folder", "s1", one.video, labels=(hr, rr)), FRAMES)
    assert labels.heart_rate_from == "heart_rate"
    assert any("1/1024 s" in note for note in labels.notes)
