"""Simulated maps on disk: a finished build like any other, the same for each number of processes, continued after a stop."""

import json

import numpy as np
import pytest

from stmap_pipeline.config import Config
from stmap_pipeline.databases.vipl_hr import official_folds
from stmap_pipeline.errors import ConfigError, OutputError
from stmap_pipeline.pipeline import read_status, verify
from stmap_pipeline.shards import Shards, export_windows
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.synth.traces import TAKES, VIDEOS_BY_RATE_BPM, plan_recordings, plan_traces

SMALL = {"recordings_per_subject": 2, "duration_s": 21.0}


def content(folder):
    return {
        one.relative_to(folder).as_posix(): one.read_bytes()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and not one.name.startswith("timings")
    }


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    out = tmp_path_factory.mktemp("traces") / "maps"
    plan = plan_traces(out, 3, seed=4, **SMALL)
    assert list(plan.run()) == [one.recording_id for one in plan.recordings]
    return out


@pytest.fixture(scope="module")
def vipl():
    return plan_recordings(107, 0, None, 30.0)


def test_the_output_is_a_finished_build(maps):
    assert verify(maps) == []
    status = read_status(maps)
    assert (status.state, status.database, status.ok, status.failed) == ("finished", "synthetic-traces", 6, 0)
    with Shards(maps) as shards:
        assert shards.simulated
        assert shards.manifest.settings["simulated"] is True
        assert len(shards.recordings()) == 6
        windows = shards.windows(labeled=True)
        assert {one.recording_id for one in windows} == {one.recording_id for one in shards.recordings()}
        assert shards.stmap(windows[0]).values.shape == (25, 300, 3)
    description = json.loads((maps / "dataset_description.json").read_text())
    assert description["Simulated"] is True
    assert description["Simulation"]["seed"] == 4


def test_other_maps_are_not_simulated():
    with Shards(example_maps()) as shards:
        assert not shards.simulated


def test_it_can_be_exported(maps, tmp_path):
    with Shards(maps) as shards:
        assert list(export_windows(shards, tmp_path / "out"))
    assert any((tmp_path / "out").iterdir())


def test_the_same_bytes_for_each_number_of_processes(maps, tmp_path):
    assert len(list(plan_traces(tmp_path / "maps", 3, seed=4, **SMALL).run(jobs=2))) == 6
    assert content(tmp_path / "maps") == content(maps)


def test_another_seed_gives_other_traces(maps, tmp_path):
    list(plan_traces(tmp_path / "maps", 1, seed=5, **SMALL).run())
    ours, theirs = content(tmp_path / "maps"), content(maps)
    assert not any(ours[name] == theirs.get(name) for name in ours if name.startswith("shards/"))


def test_a_stopped_run_goes_on_where_it_was(maps, tmp_path):
    out = tmp_path / "maps"
    run = plan_traces(out, 3, seed=4, **SMALL).run()
    assert next(run).startswith("p001_")
    run.close()
    assert not (out / "manifest.json").exists()
    first = min((out / "shards").iterdir())
    before = first.stat().st_mtime_ns
    assert len(list(plan_traces(out, 3, seed=4, **SMALL).run())) == 6
    assert first.stat().st_mtime_ns == before
    assert content(out) == content(maps)


def test_a_damaged_shard_of_a_stopped_run_is_written_again(maps, tmp_path):
    out = tmp_path / "maps"
    run = plan_traces(out, 3, seed=4, **SMALL).run()
    next(run)
    run.close()
    min((out / "shards").iterdir()).write_bytes(b"no shard")
    list(plan_traces(out, 3, seed=4, **SMALL).run())
    assert content(out) == content(maps)


def test_a_finished_output_is_left_alone(maps):
    before = {path: path.stat().st_mtime_ns for path in maps.rglob("*")}
    assert len(list(plan_traces(maps, 3, seed=4, **SMALL).run())) == 6
    assert {path: path.stat().st_mtime_ns for path in maps.rglob("*")} == before


def test_other_settings_are_refused_with_what_differs(maps):
    with pytest.raises(OutputError, match=r"seed: 4 -> 6; .*duration_s: 21.0 -> 30.0"):
        plan_traces(maps, 3, seed=6, recordings_per_subject=2)
    with pytest.raises(OutputError, match=r"windows\.length"):
        plan_traces(maps, 3, seed=4, config=Config.from_mapping({"windows": {"length": "100 frames"}}), **SMALL)


@pytest.mark.parametrize(
    "prepare", [lambda out: out.write_text("x"), lambda out: (out.mkdir(), (out / "mine.txt").write_text("x"))]
)
def test_what_is_not_ours_is_refused(prepare, tmp_path):
    prepare(tmp_path / "out")
    with pytest.raises(OutputError, match=f"{tmp_path}/out: .*; give a"):
        plan_traces(tmp_path / "out", 1)


def test_the_maps_of_another_database_are_refused(tmp_path):
    (tmp_path / "dataset_description.json").write_text('{"Name": "VIPL-HR"}')
    with pytest.raises(OutputError, match=f"{tmp_path}: .*another database"):
        plan_traces(tmp_path, 1)
    (tmp_path / "dataset_description.json").write_text("{")
    with pytest.raises(OutputError, match=r"dataset_description\.json"):
        plan_traces(tmp_path, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 0}, "1 to 999 subjects, not 0"),
        ({"subjects": 1000}, "999 subjects, not 1000"),
        ({"seed": -1}, "seed .*not -1"),
        ({"recordings_per_subject": 0}, "recording, not 0"),
        ({"duration_s": 0.5}, r"3600 s, not 0\.5"),
        ({"duration_s": float("nan")}, "3600 s, not nan"),
        ({"severity": -1.0}, r"severity .*-1\.0"),
        ({"config": Config.from_mapping({"blocks": {"rows": 7}})}, "5 x 5 blocks, not 7 x 5"),
    ],
)
def test_wrong_settings_are_refused(options, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        plan_traces(tmp_path / "maps", **options)
    assert not (tmp_path / "maps").exists()


def test_107_subjects_have_the_recordings_and_folds_of_vipl_hr(vipl):
    assert len(vipl) == 2378
    first = [one for one in vipl if one.take == 1]
    for scenario, takes in TAKES.items():
        assert tuple(sum(one.scenario == scenario and one.camera == camera for one in first) for camera in (1, 2, 3)) == takes
    ids = {one.recording_id for one in vipl}
    assert len(ids) == 2378
    assert not ids & {"p097_v1_source1", "p084_v1_source1", "p056_v6_source2", "p042_v3_source3", "p045_v9_source2"}
    assert {one.number: one.fold for one in vipl} == official_folds()


def test_heart_rates_are_spread_as_in_vipl_hr(vipl):
    rates = np.array([one.mean_bpm for one in vipl])
    counts = np.histogram(rates, [*VIDEOS_BY_RATE_BPM, 140])[0]
    np.testing.assert_allclose(counts, list(VIDEOS_BY_RATE_BPM.values()), atol=1)
    after_exercise = np.array([one.scenario == "v7" for one in vipl])
    assert rates[after_exercise].mean() > rates[~after_exercise].mean() + 12
    assert np.mean(after_exercise[rates >= 100]) > 0.5


def test_people_differ_more_than_their_recordings(vipl):
    rest = [one for one in vipl if one.scenario != "v7"]
    by_person = [[one.mean_bpm for one in rest if one.number == number] for number in range(1, 108)]
    between = np.std([np.mean(one) for one in by_person])
    within = np.mean([np.std(one) for one in by_person])
    assert between > within > 1


def test_frame_rates_are_those_of_the_cameras(vipl):
    rates = {camera: {one.rate_hz for one in vipl if one.camera == camera} for camera in (1, 2, 3)}
    assert rates == {1: {16.2, 25.0}, 2: {30.0}, 3: {29.9}}
    assert all(one.rate_hz == 16.2 for one in vipl if one.camera == 1 and one.scenario == "v5")


def test_fewer_recordings_are_drawn_over_scenarios_and_cameras():
    plans = plan_recordings(20, 0, 3, 30.0)
    assert len(plans) == 60
    assert len({one.scenario for one in plans}) >= 8
    assert {one.camera for one in plans} == {1, 2, 3}
    assert {one.fold for one in plans} == {1, 2, 3, 4, 5}
