"""A trained run as a source of rates: the windows and numbers of its own evaluation, on a video's trace."""

import shutil

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need the extra 'train'")
from support.maps import small_maps
from support.training import train

from stmap_pipeline.errors import ModelError
from stmap_pipeline.evaluation.estimate import estimate_blocks
from stmap_pipeline.evaluation.window_rates import RunRates
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.records import RoiGrid
from stmap_pipeline.shards import Shards
from stmap_pipeline.training.predict import Model


@pytest.fixture(scope="module", params=["native", "uniform"])
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run_rates")
    maps = small_maps(folder / "maps", clock=request.param, rate_hz=25.0)
    train(maps, folder / "run", epochs=1)
    return maps, folder / "run"


def test_one_fold_says_what_it_says_of_the_same_windows_in_maps(trained):
    maps, run = trained
    with Shards(maps) as shards:
        recording = shards.recordings()[0].recording_id
        windows = shards.windows(recording_id=recording)
        expected = Model.load(run, 1).predict(shards, windows).heart_rate_bpm
        blocks = shards.recording(recording).blocks
    spans_s, rates_bpm = RunRates(run / "fold1" / "weights.safetensors").rates(blocks, 1.0)
    np.testing.assert_allclose(spans_s[: len(windows)], [(one.start_s, one.stop_s) for one in windows], atol=1e-6)
    np.testing.assert_allclose(rates_bpm[: len(windows)], expected, atol=1e-2)


def test_several_folds_say_their_mean_and_the_last_window_ends_with_the_video(trained):
    _, run = trained
    blocks = example_result(frames=200).blocks
    spans_s, both = RunRates(run).rates(blocks, 1.0)
    each = [RunRates(run / f"fold{fold}" / "weights.safetensors").rates(blocks, 1.0)[1] for fold in (1, 2)]
    np.testing.assert_allclose(both, np.mean(each, axis=0))
    assert not np.allclose(each[0], each[1])
    assert spans_s[-1, 1] == pytest.approx(200 / 30, abs=0.05)


def test_an_estimate_has_the_windows_of_the_run(trained):
    _, run = trained
    found = estimate_blocks(example_result(frames=300).blocks, RunRates(run), step_s=2.0)
    assert found.method == str(run)
    assert {round(one.stop_s - one.start_s, 1) for one in found.windows} <= {2.0, 2.4}
    assert estimate_blocks(example_result(frames=20).blocks, RunRates(run)).reason == "too_short"


def test_another_grid_is_refused(trained):
    with pytest.raises(ModelError, match="4 blocks, not 5 x 5"):
        RunRates(trained[1]).rates(example_result(frames=300, grid=RoiGrid(5, 5)).blocks, 1.0)


def test_what_is_no_run_is_refused(trained, tmp_path):
    with pytest.raises(ModelError, match=f"{tmp_path}: "):
        RunRates(tmp_path)
    shutil.copytree(trained[1], tmp_path / "run")
    (tmp_path / "run/fold1/weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="weights"):
        RunRates(tmp_path / "run")
