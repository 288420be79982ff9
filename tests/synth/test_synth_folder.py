"""A study of one's own, as a user would describe it."""

import tomllib

import av
import numpy as np

from stmap_pipeline.databases import folder
from stmap_pipeline.labels import read_labels


def test_the_adapter_lists_all_of_it(folder_tree):
    listed = list(folder.list_recordings(folder_tree.out))
    assert [one.recording_id for one in listed] == ["s01_free", "s01_rest", "s01_task", "s02_rest", "s02_task"]
    assert [one.recording_id for one in folder_tree.recordings] == [one.recording_id for one in listed]
    assert [len(one.labels) for one in listed] == [0, 1, 1, 1, 1]


def test_the_description_is_plain(folder_tree):
    text = tomllib.loads((folder_tree.out / "database.toml").read_text())
    assert text["name"] == "synthetic study"
    (rest,) = [one for one in text["recording"] if one["video"] == "s01_rest.mp4"]
    assert rest["label"] == [{"kind": "heart_rate", "file": "s01_rest.csv", "column": "heart_rate_bpm", "time_column": "time_s"}]


def test_frame_times_stand_in_the_container(folder_tree):
    for one in folder_tree.recordings:
        with av.open(str(folder_tree.out / one.place)) as container:
            times = [frame.time for frame in container.decode(video=0)]
        np.testing.assert_allclose(times, one.times_s(), atol=2e-5)
        assert (np.std(np.diff(times)) > 0.001) == ("pts_jitter" in one.quirks)


def test_labels_are_the_pulse_of_the_scene(folder_tree):
    for listed, plan in zip(folder.list_recordings(folder_tree.out), folder_tree.recordings, strict=True):
        labels = read_labels(listed, plan.times_s())
        if plan.scenario == "rest":
            assert abs(labels.heart_rate.heart_rate_bpm[1] - plan.scene.pulse.mean_over(1, 2)) < 0.01
        elif plan.scenario == "task":
            truth = [plan.scene.pulse.wave(time_s) for time_s in labels.pulse.times_s]
            np.testing.assert_allclose(labels.pulse.value, truth, atol=1e-4)
        else:
            assert labels.heart_rate is None
            assert labels.pulse is None
