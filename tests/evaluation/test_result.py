"""Tables of a run: read as written, and refused where they cannot be what they say."""

import dataclasses
import json

import numpy as np
import pytest

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation import Video, read_videos
from stmap_pipeline.evaluation.result import (
    Predictions,
    read_baselines,
    read_predictions,
    videos_of,
    write_baselines,
    write_predictions,
    write_videos,
)
from stmap_pipeline.records import Window
from stmap_pipeline.shards import RecordingInfo

NAN = float("nan")


def window(name="p001_v1", start=0, label=70.0):
    return Window(name, start, start + 300, start / 30, start / 30 + 10, label, label / 6, 1.0)


def table(path, windows, said, fold=1):
    write_predictions(path, Predictions.of(windows, said, fold=fold))
    return path


def test_several_tables_are_read_as_one(tmp_path):
    first = table(tmp_path / "a.csv", [window(), window(start=30)], [71.5, NAN], fold=1)
    second = table(tmp_path / "b.csv", [window("p002_v1", label=NAN)], [80.25], fold=2)
    found = read_predictions([first, second])
    assert found.recording_id.tolist() == ["p001_v1", "p001_v1", "p002_v1"]
    assert found.fold.tolist() == [1, 1, 2]
    assert found.stop.tolist() == [300, 330, 300]
    assert np.array_equal(found.predicted_bpm, [71.5, NAN, 80.25], equal_nan=True)
    assert np.array_equal(found.heart_rate_bpm, [70.0, 70.0, NAN], equal_nan=True)
    assert len(read_predictions([])) == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda text: text.replace("71.5", "seventy"), "line 2: predicted_bpm .*'seventy'"),
        (lambda text: text.replace(",300,", ",,"), r"predictions\.csv: is no table of predictions"),
        (lambda text: text.replace("recording_id", "name"), r"predictions\.json"),
        (lambda text: text[: len(text) - 12], "cells, not 9"),
        (lambda _: "\0", r"predictions\.csv"),
    ],
)
def test_a_table_that_was_changed_is_refused(tmp_path, change, text):
    path = table(tmp_path / "predictions.csv", [window(), window(start=30)], [71.5, 72.5])
    path.write_text(change(path.read_text()))
    with pytest.raises(ModelError, match=text):
        read_predictions([path])


def test_a_table_without_its_dictionary_or_with_another_one_is_refused(tmp_path):
    path = table(tmp_path / "predictions.csv", [window()], [71.5])
    dictionary = json.loads(path.with_suffix(".json").read_text())
    dictionary["predicted_bpm"]["Kind"] = "str"
    path.with_suffix(".json").write_text(json.dumps(dictionary))
    with pytest.raises(ModelError, match="column predicted_bpm "):
        read_predictions([path])
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r"predictions\.json"):
        read_predictions([path])


def test_windows_and_predictions_of_other_numbers_are_refused():
    with pytest.raises(ValueError, match=r"1 windows .*\(2,\)"):
        Predictions.of([window()], [1.0, 2.0])


def info(name, subject="p001"):
    return RecordingInfo(name, subject, 1, "v1", "source1", 900, 30.0, 60.0, 70.0, 80.0, 1.0, 1.0, "")


def test_a_video_is_the_mean_of_its_windows_and_missing_estimates_are_left_out_of_theirs_alone():
    windows = [window(start=0, label=70.0), window(start=30, label=74.0), window("p002_v1", label=90.0)]
    rates = np.array([[NAN, 60.0, 70.0], [NAN, 80.0, NAN], [88.0, NAN, 92.0]])
    said = Predictions.of(windows, [60.0, 70.0, 91.0], fold=3)
    first, second = videos_of(said, rates, {"p001_v1": info("p001_v1"), "p002_v1": info("p002_v1", "p002")}, {3: 79.0})
    assert (first.windows, first.true_bpm, first.predicted_bpm, first.constant_bpm) == (2, 72.0, 65.0, 79.0)
    assert np.array_equal([first.green_bpm, first.chrom_bpm, first.pos_bpm], [NAN, 70.0, 70.0], equal_nan=True)
    assert (second.subject, second.fold, second.scenario, second.green_bpm) == ("p002", 3, "v1", 88.0)


def test_where_some_windows_have_a_label_truth_and_estimates_are_of_these():
    windows = [window(start=0, label=70.0), window(start=30, label=NAN), window("p002_v1", label=NAN)]
    said = Predictions.of(windows, [60.0, 99.0, 91.0])
    first, second = videos_of(said, np.zeros((3, 3)), {"p001_v1": info("p001_v1"), "p002_v1": info("p002_v1")}, {})
    assert (first.windows, first.true_bpm, first.predicted_bpm) == (1, 70.0, 60.0)
    assert (second.windows, second.predicted_bpm) == (1, 91.0)
    assert np.isnan([second.true_bpm, second.constant_bpm]).all()


def test_videos_are_read_as_written_and_a_changed_table_is_refused(tmp_path):
    one = Video('odd "name"', "p1", "v1, talking", "", 0, 2, 72.0, 74.5, 79.2, 71.0, 72.4, 70.0)
    path = tmp_path / "videos.csv"
    write_videos(path, [one])
    assert read_videos(path) == [one]
    path.write_text(path.read_text().replace(",2,72.0", ",,72.0"))
    with pytest.raises(ModelError, match="fold or its number of windows; run stmap evaluate again"):
        read_videos(path)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(ModelError, match="column recording_id"):
        read_videos(path)
    with pytest.raises(ModelError, match=r"nothing\.json: "):
        read_videos(tmp_path / "nothing.csv")


def test_earlier_classical_rates_are_used_where_all_windows_are_the_same_seconds(tmp_path):
    windows = Predictions.of([window(start=start) for start in (0, 30, 60, 90)], [0.0] * 4)
    rates = np.arange(12.0).reshape(-1, 3)
    rates[1, 2] = NAN
    path = tmp_path / "baselines.csv"
    assert read_baselines(path, windows) is None
    write_baselines(path, windows, rates)
    assert np.array_equal(read_baselines(path, windows), rates, equal_nan=True)
    part = Predictions.of([window(start=start) for start in (90, 30)], [0.0] * 2)
    assert np.array_equal(read_baselines(path, part), rates[[3, 1]], equal_nan=True)
    assert read_baselines(path, Predictions.of([window(start=1)], [0.0])) is None
    # the same samples on a clock of 25 Hz
    other = dataclasses.replace(window(), stop_s=12.0)
    assert read_baselines(path, Predictions.of([other], [0.0])) is None
    path.write_text("nonsense")
    assert read_baselines(path, windows) is None
