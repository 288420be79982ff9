"""A run on the subjects it held out: what is compared with what, the notes, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error
from support.maps import RATES_BPM, add_augmentation, folded_maps

from stmap_pipeline.errors import ModelError, OutputError, ShardError
from stmap_pipeline.evaluation import (
    Bootstrap,
    Evaluation,
    compare_runs,
    evaluate_run,
    heart_rate_metrics,
    read_evaluation,
    read_videos,
)
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.evaluation.result import read_predictions, write_evaluation
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.config import TrainConfig

FAST = Bootstrap(resamples=200)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return folded_maps(tmp_path_factory.mktemp("evaluate") / "maps")


@pytest.fixture
def run(maps, tmp_path):
    return example_run(tmp_path / "run", maps)[0]


@pytest.fixture(scope="module")
def evaluated(maps, tmp_path_factory):
    folder = example_run(tmp_path_factory.mktemp("evaluated") / "run", maps)[0]
    return folder, evaluate_run(folder, maps, bootstrap=FAST)


def test_each_video_is_the_mean_of_its_windows_beside_its_true_rate(evaluated):
    folder, evaluation = evaluated
    predictions = read_predictions([folder / "predictions.csv"])
    videos = read_videos(folder / "videos.csv")
    assert (evaluation.videos, evaluation.windows, evaluation.unlabeled_videos) == (8, len(predictions), 0)
    assert [one.recording_id for one in videos] == sorted(f"{who}_v{take}" for who in RATES_BPM for take in (1, 2))
    for one in videos:
        rows = predictions.recording_id == one.recording_id
        assert one.true_bpm == RATES_BPM[one.subject][int(one.recording_id[-1]) - 1]
        assert one.predicted_bpm == pytest.approx(predictions.predicted_bpm[rows].mean())
        assert one.windows == rows.sum()
    true, said = np.array([(one.true_bpm, one.predicted_bpm) for one in videos]).T
    assert evaluation.score("network").mae_bpm.value == pytest.approx(mean_absolute_error(true, said), abs=1e-9)
    assert evaluation.score("network", of="windows").metrics == heart_rate_metrics(
        predictions.predicted_bpm, predictions.heart_rate_bpm
    )


def test_the_constant_is_the_mean_of_the_videos_of_the_other_persons(evaluated):
    folder, evaluation = evaluated
    # p001 and p003 are fold 1
    means = {1: np.mean(RATES_BPM["p002"] + RATES_BPM["p004"]), 2: np.mean(RATES_BPM["p001"] + RATES_BPM["p003"])}
    assert evaluation.constant_bpm == {str(fold): pytest.approx(mean) for fold, mean in means.items()}
    for one in read_videos(folder / "videos.csv"):
        assert one.constant_bpm == pytest.approx(means[one.fold])


def test_classical_methods_see_the_pulse_of_the_same_windows(evaluated):
    _, evaluation = evaluated
    assert evaluation.methods == ["network", "constant", "green", "chrom", "pos"]
    for of in ("videos", "windows"):
        counts = {(one.n + one.n_missing) for one in (evaluation.score(name, of=of) for name in evaluation.methods)}
        assert counts == {evaluation.score("network", of=of).n}
    assert evaluation.score("pos").mae_bpm.value < 1
    assert evaluation.score("constant").mae_bpm.value > 10


def test_every_division_holds_all_videos(evaluated):
    _, evaluation = evaluated
    assert evaluation.names("band") == ["<60", "60-70", "70-85", "85-100", ">=100"]
    assert evaluation.names("scenario") == ["v1", "v2"]
    assert evaluation.names("camera") == ["source1"]
    assert evaluation.names("fold") == ["1", "2"]
    for group in ("band", "scenario", "camera", "fold"):
        parts = [evaluation.score("network", group, name) for name in evaluation.names(group)]
        assert sum(one.n for one in parts) == 8
        mean = sum(one.n * one.mae_bpm.value for one in parts) / 8
        assert mean == pytest.approx(evaluation.score("network").mae_bpm.value)
    with pytest.raises(KeyError, match=r"network .*band 200"):
        evaluation.score("network", "band", "200")


def test_every_score_keeps_the_identity_of_bias_and_spread(evaluated):
    for row in evaluated[1].rows:
        if row.score.n:
            plain = row.score.metrics
            assert plain.rmse_bpm**2 == pytest.approx(plain.me_bpm**2 + plain.sd_bpm**2, abs=1e-9)


def test_the_file_says_what_was_returned(evaluated):
    folder, evaluation = evaluated
    assert repr(read_evaluation(folder)) == repr(evaluation)
    content = json.loads((folder / "evaluation.json").read_text())
    assert content["format"] == "stmap-evaluation"
    assert content["simulated"] is False
    assert (content["held_out"], content["folds"], content["run"]["protocol"]) == (True, [1, 2], "within")
    # an unknown number is null: JSON has no NaN
    assert "NaN" not in (folder / "evaluation.json").read_text()
    assert "4 subjects: too few for an interval that can be relied on" in content["notes"]


def test_the_same_evaluation_again_gives_the_same_files_and_takes_over_what_is_slow(run, maps, monkeypatch):
    evaluate_run(run, maps, bootstrap=FAST)
    before = {one.name: one.read_bytes() for one in run.iterdir()}
    monkeypatch.setattr("stmap_pipeline.evaluation.evaluate.classical_rates", lambda *_, **__: pytest.fail("computed again"))
    evaluate_run(run, maps, bootstrap=FAST)
    assert {one.name: one.read_bytes() for one in run.iterdir()} == before


def test_another_run_may_take_the_baselines_of_this_one(run, maps, tmp_path, monkeypatch):
    first = evaluate_run(run, maps, bootstrap=FAST)
    other = example_run(tmp_path / "other", maps, error_bpm=1.0)[0]
    monkeypatch.setattr("stmap_pipeline.evaluation.evaluate.classical_rates", lambda *_, **__: pytest.fail("computed again"))
    second = evaluate_run(other, maps, bootstrap=FAST, baselines=run)
    assert second.score("pos") == first.score("pos")


def test_baselines_of_the_same_recordings_on_another_clock_are_refused(run, maps, tmp_path, monkeypatch):
    native = evaluate_run(run, maps, bootstrap=FAST)
    maps_25_hz = folded_maps(tmp_path / "maps", clock="uniform", rate_hz=25.0)
    other = example_run(tmp_path / "other", maps_25_hz)[0]
    with pytest.raises(ModelError, match=f"{run}.* another clock, than {maps_25_hz}"):
        evaluate_run(other, maps_25_hz, bootstrap=FAST, baselines=run)
    own = evaluate_run(other, maps_25_hz, bootstrap=FAST)
    assert own.maps.traces_sha256 == native.maps.traces_sha256
    assert (native.maps.clock, own.maps.clock) == ("native", "uniform 25 Hz")
    # even where both are said to be the same, rates of other seconds are not used
    monkeypatch.setattr(type(own.maps), "is_same", lambda *_: True)
    again = evaluate_run(other, maps_25_hz, out=tmp_path / "out", bootstrap=FAST, baselines=run)
    assert again.score("pos", of="windows") == own.score("pos", of="windows")


def test_an_evaluation_on_another_clock_is_not_replaced(run, maps, tmp_path):
    evaluate_run(run, maps, out=tmp_path / "out", bootstrap=FAST)
    maps_25_hz = folded_maps(tmp_path / "maps", clock="uniform", rate_hz=25.0)
    other = example_run(tmp_path / "other", maps_25_hz)[0]
    with pytest.raises(OutputError):
        evaluate_run(other, maps_25_hz, out=tmp_path / "out", bootstrap=FAST)


def test_progress_counts_recordings(run, maps):
    steps = []
    evaluate_run(run, maps, bootstrap=FAST, on_progress=lambda *step: steps.append(step))
    assert steps == [("recordings", done, 8) for done in range(9)]


def test_an_unfinished_run_is_evaluated_as_far_as_it_is(run, maps):
    header, *rows = (run / "predictions.csv").read_text().splitlines()
    (run / "fold1").mkdir()
    (run / "fold1" / "predictions.csv").write_text(
        "\n".join([header, *(row for row in rows if row.startswith(("p001", "p003")))]) + "\n"
    )
    shutil.move(run / "predictions.json", run / "fold1" / "predictions.json")
    (run / "predictions.csv").unlink()
    (run / "run.json").unlink()
    evaluation = evaluate_run(run, maps, bootstrap=FAST)
    assert (evaluation.videos, evaluation.folds, evaluation.run.finished) == (4, (1,), False)
    assert "the run is not finished: fold 1 alone" in evaluation.notes
    assert set(evaluation.constant_bpm) == {"1"}


def test_folds_that_were_never_asked_for_are_named(run, maps):
    path = run / "predictions.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith(("p001", "p003"))))
    notes = evaluate_run(run, maps, bootstrap=FAST).notes
    assert "fold 1 was not trained: these are the numbers of fold 2" in notes


def test_an_augmentation_after_the_training_changes_nothing(run, maps, tmp_path):
    before = evaluate_run(run, maps, bootstrap=FAST)
    copy = tmp_path / "maps"
    shutil.copytree(maps, copy)
    add_augmentation(copy)
    after = evaluate_run(run, copy, bootstrap=FAST)
    assert after.held_out
    assert after.maps.traces_sha256 == before.maps.traces_sha256
    assert after.score("network") == before.score("network")


def test_with_a_holdout_the_constant_is_of_those_who_were_not_held_out(maps, tmp_path):
    run = example_run(tmp_path / "run", maps, config=TrainConfig(protocol="holdout", holdout_share=0.25, validation_share=0.0))[0]
    evaluation = evaluate_run(run, maps, bootstrap=FAST)
    [subject] = {one.subject for one in read_videos(run / "videos.csv")}
    others = [rate for name, rates in RATES_BPM.items() if name != subject for rate in rates]
    assert evaluation.constant_bpm == {"0": pytest.approx(np.mean(others))}
    assert evaluation.names("fold") == []
    assert np.isnan(evaluation.score("network").mae_bpm.low)


def test_a_run_trained_on_everybody_has_no_score_and_says_why(maps, tmp_path):
    run = example_run(tmp_path / "run", maps, config=TrainConfig(protocol="cross"))[0]
    evaluation = evaluate_run(run, maps, bootstrap=FAST)
    assert (evaluation.videos, evaluation.rows) == (0, ())
    assert evaluation.constant_bpm == {"0": pytest.approx(np.mean([*RATES_BPM.values()]))}
    assert any("none was held out" in note for note in evaluation.notes)
    assert read_evaluation(run).rows == ()


def test_a_run_trained_on_everybody_knows_its_maps_after_another_augmentation_too(maps, tmp_path):
    run = example_run(tmp_path / "run", maps, config=TrainConfig(protocol="cross"))[0]
    evaluate_run(run, maps, bootstrap=FAST)
    copy = tmp_path / "maps"
    shutil.copytree(maps, copy)
    add_augmentation(copy)
    # otherwise its networks would be asked about those they were trained on
    assert evaluate_run(run, copy, bootstrap=FAST).held_out


def test_tables_may_go_elsewhere(run, maps, tmp_path):
    evaluate_run(run, maps, out=tmp_path / "elsewhere", bootstrap=FAST)
    assert not (run / "videos.csv").exists()
    assert read_evaluation(tmp_path / "elsewhere").held_out


def test_the_tables_of_another_run_are_not_replaced(run, maps, tmp_path):
    other = example_run(tmp_path / "other", maps)[0]
    with pytest.raises(OutputError, match=f"{other}: is the folder of a run.*--out"):
        evaluate_run(run, maps, out=other, bootstrap=FAST)


def replaced(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (lambda run: shutil.rmtree(run), "there is no such folder; give the RUN folder"),
        (lambda run: (run / "run.toml").unlink(), r"no run\.toml"),
        (lambda run: (run / "run.toml").write_text("epochs = 'many'"), "run.toml"),
        (lambda run: (run / "maps.json").write_bytes(b"\xff\xfe"), r"maps\.json"),
        (lambda run: (run / "maps.json").write_text("[" * 100_000), r"maps\.json"),
        (
            lambda run: (run / "predictions.csv").unlink(),
            "no fold is finished; run the same stmap train command again, with --resume",
        ),
        (
            lambda run: replaced(run / "predictions.csv", "55.0", "56.0"),
            r"predictions\.csv: .*the table was changed: restore a copy",
        ),
        (lambda run: replaced(run / "predictions.csv", "p001_v1,1", "p009_v1,1"), r"predictions\.csv: p009_v1 "),
    ],
)
def test_a_run_that_is_none_or_was_changed_is_refused(run, maps, harm, text):
    harm(run)
    with pytest.raises(ModelError, match=text):
        evaluate_run(run, maps, bootstrap=FAST)
    assert not (run / "evaluation.json").exists()


def test_a_person_who_was_trained_on_cannot_be_evaluated(run, maps):
    path = run / "predictions.csv"
    path.write_text("".join(line.replace("p001_v1,1,", "p001_v1,2,") for line in path.read_text().splitlines(True)))
    with pytest.raises(ModelError, match=r"p001_v1 .*in fold 2"):
        evaluate_run(run, maps, bootstrap=FAST)


def test_maps_that_are_none_are_told(run, tmp_path):
    with pytest.raises(ShardError, match="nowhere"):
        evaluate_run(run, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda _: "{", r"evaluation\.json"),
        (lambda _: "[]", "'stmap-evaluation'"),
        (lambda text: text.replace("stmap-evaluation", "other"), "'stmap-evaluation'"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 3'), "version is 3, not 2"),
        (lambda text: text.replace('"n": 8', '"n": "eight"', 1), "rows.0.score.n"),
        (lambda text: text.replace('"method": "network"', '"method": null', 1), "rows.0.method"),
        (lambda text: text.replace('"held_out": true', '"held_out": 7'), "held_out"),
    ],
)
def test_an_evaluation_that_was_changed_is_refused(evaluated, tmp_path, change, text):
    (tmp_path / "evaluation.json").write_text(change((evaluated[0] / "evaluation.json").read_text()))
    with pytest.raises(ModelError, match=text):
        read_evaluation(tmp_path)


def test_simulated_maps_are_called_so(run, maps, tmp_path, monkeypatch):
    monkeypatch.setattr(Shards, "simulated", True)
    evaluation = evaluate_run(run, maps, bootstrap=FAST)
    assert evaluation.simulated
    assert json.loads((run / "evaluation.json").read_text())["simulated"] is True


def test_two_runs_are_compared_on_the_same_videos(evaluated, maps, tmp_path):
    worse = example_run(tmp_path / "worse", maps, error_bpm=30.0)[0]
    evaluate_run(worse, maps, bootstrap=FAST)
    found = compare_runs(evaluated[0], worse, bootstrap=Bootstrap(resamples=500))
    videos = [read_videos(folder / "videos.csv") for folder in (evaluated[0], worse)]
    errors = [np.array([abs(one.predicted_bpm - one.true_bpm) for one in part]) for part in videos]
    assert found.overall.n == 8
    assert found.overall.difference_bpm.value == pytest.approx((errors[1] - errors[0]).mean())
    assert found.overall.second_mae_bpm - found.overall.first_mae_bpm == pytest.approx(found.overall.difference_bpm.value)
    assert found.overall.is_clear
    assert [one.name for one in found.rows] == ["", "<60", "60-70", "70-85", "85-100", ">=100"]
    assert sum(one.n for one in found.rows[1:]) == 8
    back = compare_runs(worse, evaluated[0], bootstrap=Bootstrap(resamples=500))
    assert back.overall.difference_bpm.value == -found.overall.difference_bpm.value
    assert back.overall.difference_bpm.low == pytest.approx(-found.overall.difference_bpm.high)
    # one subject in the band: a number, and no interval
    assert np.isnan(found.rows[1].difference_bpm.low)


def test_runs_of_several_seeds_are_compared_by_the_mean_of_their_errors(evaluated, maps, tmp_path):
    folders = [evaluated[0]]
    for seed in (1, 2):
        folders.append(
            example_run(tmp_path / f"seed{seed}", maps, config=TrainConfig(seed=seed, validation_share=0), error_bpm=9.0)[0]
        )
        evaluate_run(folders[-1], maps, bootstrap=FAST)
    errors = [np.array([abs(one.predicted_bpm - one.true_bpm) for one in read_videos(one / "videos.csv")]) for one in folders]
    found = compare_runs(folders[1:], folders[0], bootstrap=FAST)
    assert (found.first, found.second) == ("seed1, seed2", "run")
    assert found.overall.first_mae_bpm == pytest.approx(np.mean(errors[1:]))
    assert found.overall.difference_bpm.value == pytest.approx(errors[0].mean() - np.mean(errors[1:]))


def test_two_methods_of_one_run_are_compared(evaluated):
    found = compare_runs(evaluated[0], evaluated[0], method="constant", second_method="network", bootstrap=FAST)
    assert (found.first, found.second) == ("constant (run)", "run")
    assert found.overall.first_mae_bpm == pytest.approx(evaluated[1].score("constant").mae_bpm.value)
    assert found.overall.second_mae_bpm == pytest.approx(evaluated[1].score("network").mae_bpm.value)
    assert found.overall.is_clear


def test_a_run_does_not_differ_from_itself_and_its_pairs_are_counted(evaluated, tmp_path):
    same = compare_runs(evaluated[0], evaluated[0]).overall
    assert (same.difference_bpm.value, same.is_clear) == (0.0, False)
    shutil.copytree(evaluated[0], tmp_path / "less")
    path = tmp_path / "less" / "videos.csv"
    path.write_text("".join(path.read_text().splitlines(True)[:-2]))
    less = compare_runs(evaluated[0], tmp_path / "less").overall
    assert (less.n, less.n_missing) == (6, 2)


def test_runs_on_other_videos_are_not_compared(evaluated, tmp_path):
    shutil.copytree(evaluated[0], tmp_path / "other")
    path = tmp_path / "other" / "videos.csv"
    text = path.read_text()
    path.write_text(text.replace(",55.0,", ",57.0,"))
    with pytest.raises(ModelError, match=r"p001_v1 .*55 bpm .*57 bpm "):
        compare_runs(evaluated[0], tmp_path / "other")
    path.write_text(text.replace("p0", "q0"))
    with pytest.raises(ModelError, match="no video in common"):
        compare_runs(evaluated[0], tmp_path / "other")
    with pytest.raises(ModelError, match=f"{tmp_path}/nowhere/.*; run stmap evaluate first"):
        compare_runs(evaluated[0], tmp_path / "nowhere")
    with pytest.raises(ValueError, match="'best'"):
        compare_runs(evaluated[0], evaluated[0], method="best")
    with pytest.raises(ValueError, match="each side"):
        compare_runs([], evaluated[0])


def test_what_was_read_can_be_written_again(evaluated, tmp_path):
    evaluation = read_evaluation(evaluated[0])
    assert isinstance(evaluation, Evaluation)
    write_evaluation(tmp_path, evaluation)
    assert (tmp_path / "evaluation.json").read_bytes() == (evaluated[0] / "evaluation.json").read_bytes()
