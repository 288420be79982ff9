"""A run on maps it was not trained on: the mean of its networks, and when it is refused."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from support.maps import RATES_BPM, folded_maps

torch = pytest.importorskip("torch", reason="networks need the extra 'train'")


from stmap_pipeline.errors import ExtraMissingError, ModelError, OtherSettingsError, OutputError, ShardError  # noqa: E402
from stmap_pipeline.evaluation import Bootstrap, evaluate_run, read_evaluation, read_videos  # noqa: E402
from stmap_pipeline.evaluation.example import example_run  # noqa: E402
from stmap_pipeline.evaluation.result import read_predictions  # noqa: E402
from stmap_pipeline.shards import Shards  # noqa: E402
from stmap_pipeline.training.config import TrainConfig  # noqa: E402
from stmap_pipeline.training.networks import build_network  # noqa: E402
from stmap_pipeline.training.predict import Model  # noqa: E402
from stmap_pipeline.training.run_folder import ModelMetadata, maps_metadata  # noqa: E402
from stmap_pipeline.training.tensor_file import write_tensors  # noqa: E402

FAST = Bootstrap(resamples=200)


def add_network(run, maps, fold, config, seed):
    """Write random weights as the network of a fold."""
    with Shards(maps) as shards:
        metadata = ModelMetadata(
            blocks=4, samples=240, clock="native", fold=fold, maps=maps_metadata(shards), config=config
        )  # fmt: skip
    torch.manual_seed(seed)
    network = build_network(config.network)
    network.fit_target(torch.tensor([68.0, 92.0]), torch.tensor([8.0, 8.0]))
    write_tensors(run / f"fold{fold}" / "weights.safetensors", network.state_dict(), metadata.model_dump_json())
    (run / f"fold{fold}" / "predictions.csv").touch()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("other")


@pytest.fixture(scope="module")
def run(folder):
    config = TrainConfig(network="resnet18", validation_share=0)
    found, maps = example_run(folder / "run", folded_maps(folder / "trained"), config=config)
    for fold in (1, 2):
        add_network(found, maps, fold, config, seed=fold)
    return found


@pytest.fixture(scope="module")
def other(folder):
    return folded_maps(folder / "other", shift_bpm=5.0)


@pytest.fixture(scope="module")
def applied(run, other):
    return evaluate_run(run, other, bootstrap=FAST, device="cpu")


def test_each_window_has_the_mean_of_the_networks(run, other, applied):
    found = read_predictions([run / "on-other" / "predictions.csv"])
    with Shards(other) as shards:
        windows = shards.windows()
        each = [Model.load(run, fold).predict(shards, windows).heart_rate_bpm for fold in (1, 2)]
    assert found.recording_id.tolist() == [one.recording_id for one in windows]
    assert found.predicted_bpm == pytest.approx(np.mean(each, axis=0))
    assert np.abs(each[0] - each[1]).max() > 1e-3
    assert set(found.fold.tolist()) == {0}
    assert (applied.held_out, applied.folds, applied.videos, applied.windows) == (False, (0,), 8, len(windows))
    assert any("mean of the predictions of folds 1, 2" in note for note in applied.notes)


def test_truth_and_classical_methods_are_those_of_the_other_maps(run, applied):
    videos = read_videos(run / "on-other" / "videos.csv")
    assert [one.true_bpm for one in videos] == [bpm + 5.0 for rates in RATES_BPM.values() for bpm in rates]
    assert applied.score("pos").mae_bpm.value < 1
    assert applied.names("fold") == []
    assert applied.maps.name == "other"
    # nothing of the run itself was touched
    assert not (run / "videos.csv").exists()


def test_the_constant_is_that_of_the_training_as_soon_as_it_is_known(run, other, applied, tmp_path):
    assert applied.score("constant").n == 0
    assert "the constant predictor is unknown: evaluate the run on the maps of its training first" in applied.notes
    copy = tmp_path / "run"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("on-*"))
    evaluate_run(copy, run.parent / "trained", bootstrap=FAST, device="cpu")
    evaluation = evaluate_run(copy, other, bootstrap=FAST, device="cpu", baselines=run / "on-other")
    assert evaluation.constant_bpm == {"0": pytest.approx(np.mean([*RATES_BPM.values()]))}
    assert evaluation.score("constant").n == 8
    assert read_evaluation(copy).held_out


def test_one_database_on_both_sides_is_pointed_out(applied):
    assert any("training and test are both example" in note for note in applied.notes)


def test_without_labels_there_are_predictions_and_no_errors(run, tmp_path):
    evaluation = evaluate_run(
        run, folded_maps(tmp_path / "unlabeled", label=False), out=tmp_path / "out", bootstrap=FAST, device="cpu"
    )
    assert (evaluation.videos, evaluation.unlabeled_videos, evaluation.rows) == (8, 8, ())
    assert any("no video has a heart rate label" in note for note in evaluation.notes)
    videos = read_videos(tmp_path / "out" / "videos.csv")
    assert np.isnan([one.true_bpm for one in videos]).all()
    assert np.isfinite([one.predicted_bpm for one in videos]).all()
    assert read_evaluation(tmp_path / "out").unlabeled_videos == 8


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"grid": (3, 2)}, "6 blocks, .* 4 blocks"),
        ({"clock": "uniform", "rate_hz": 25.0}, "uniform clock at 25 Hz, .* native clock"),
        ({"length": "200 frames"}, "200 samples; .* 240"),
    ],
)
def test_maps_of_another_kind_are_refused_in_words(run, tmp_path, more, text):
    with pytest.raises(ModelError, match=text):
        evaluate_run(run, folded_maps(tmp_path / "maps", shift_bpm=5.0, **more), bootstrap=FAST, device="cpu")
    assert not (run / "on-maps").exists()


@pytest.mark.parametrize(
    ("more", "key"),
    [({"grid": (3, 2)}, "blocks.rows"), ({"length": "200 frames"}, "windows.length"), ({"step": "0.7 s"}, "windows.step")],
)
def test_the_persons_of_the_training_built_in_another_way_are_no_other_maps(run, tmp_path, more, key):
    with pytest.raises(OtherSettingsError, match=f"{run}.* built with other settings") as caught:
        evaluate_run(run, folded_maps(tmp_path / "maps", **more), bootstrap=FAST, device="cpu")
    assert [one[0] for one in caught.value.differences] == [key]


def test_maps_without_a_window_as_valid_as_in_training_are_refused(run, tmp_path):
    with pytest.raises(ShardError, match=r"56 windows .*100% .*windows\.csv"):
        evaluate_run(run, folded_maps(tmp_path / "maps", shift_bpm=5.0, lost=True), bootstrap=FAST, device="cpu")


def test_networks_that_are_gone_or_damaged_are_told(run, other, tmp_path):
    bare = example_run(tmp_path / "bare", run.parent / "trained", config=TrainConfig(network="resnet18", validation_share=0))[0]
    with pytest.raises(ModelError, match=f"{bare}: "):
        evaluate_run(bare, other, bootstrap=FAST, device="cpu")
    shutil.copytree(run / "fold1", bare / "fold1")
    path = bare / "fold1" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ModelError, match=r"weights\.safetensors: holds no weights"):
        evaluate_run(bare, other, bootstrap=FAST, device="cpu")


def test_nothing_that_is_there_is_replaced_by_an_evaluation_on_other_maps(run, other, applied, tmp_path):
    with pytest.raises(OutputError, match=f"{run}: "):
        evaluate_run(run, other, out=run, bootstrap=FAST, device="cpu")
    namesake = folded_maps(tmp_path / "other", shift_bpm=-3.0)
    with pytest.raises(OutputError, match=r"on other maps called other; remove it.*--out"):
        evaluate_run(run, namesake, bootstrap=FAST, device="cpu")


def test_without_torch_own_maps_are_evaluated_and_others_ask_for_the_extra(run, other, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert evaluate_run(run, run.parent / "trained", out=tmp_path / "own", bootstrap=FAST, device="cpu").held_out
    with pytest.raises(ExtraMissingError, match=r"torch.*stmap\[train\]"):
        evaluate_run(run, other, bootstrap=FAST, device="cpu")


def test_evaluating_own_maps_does_not_wait_for_torch():
    code = "import sys; from stmap_pipeline.evaluation import evaluate_run; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
