import hashlib
import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stmap_pipeline.errors import ModelError  # noqa: E402
from stmap_pipeline.simulation import SimulationConfig, simulate_windows  # noqa: E402
from stmap_pipeline.training.networks import Batch  # noqa: E402
from stmap_pipeline.training.networks.pulse_net import PulseNetwork, prepare, pulse_loss  # noqa: E402
from stmap_pipeline.weights import (  # noqa: E402
    FOLDER,
    PULSE_NET,
    read_calibration,
    read_description,
    read_weights,
    weights_path,
)


@pytest.fixture(scope="module")
def shipped():
    network = PulseNetwork()
    network.load_state_dict({name: torch.tensor(one) for name, one in read_weights().items()})
    return network.eval()


def skin(rate_bpm, *, blocks=25, samples=300, pulse=0.005, noise=0.25, seed=0):
    """Block means of lit skin, far from any simulator: a sine with an overtone, drifting light, and noise."""
    random = np.random.default_rng(seed)
    times_s = np.arange(samples) / 30
    phase = 2 * np.pi * rate_bpm / 60 * times_s
    wave = np.sin(phase) + 0.3 * np.sin(2 * phase + 0.6)
    color, depth = np.array([170.0, 125.0, 105.0]), np.array([0.4, 1.0, 0.7])
    light = 1 + 0.02 * np.sin(2 * np.pi * 0.07 * times_s + random.uniform(0, 6))
    means = color * (1 - pulse * wave[:, None] * depth)[:, None] * light[:, None, None] * random.uniform(0.8, 1.1, (blocks, 1))
    return (means + noise * random.normal(size=means.shape)).astype(np.float32), wave


def estimate(network, means, motion=None):
    with torch.inference_mode():
        output = network(torch.as_tensor(np.asarray(means)), motion)
        return output, network.rates(output, None)


def test_a_known_pulse_is_found_over_the_whole_range(shipped):
    true = np.array([42, 48, 60, 75, 90, 110, 130, 150, 170, 180])
    windows, waves = zip(*[skin(rate, seed=number) for number, rate in enumerate(true)], strict=True)
    output, rates = estimate(shipped, np.stack(windows))
    assert np.abs(rates.heart_rate_bpm.numpy() - true).max() < 0.5
    assert rates.confidence.min() > 0.95
    found = output.wave.numpy() - output.wave.numpy().mean(axis=1, keepdims=True)
    likeness = [abs(np.corrcoef(one, wave[::2])[0, 1]) for one, wave in zip(found, waves, strict=True)]
    assert min(likeness) > 0.85


@pytest.mark.parametrize(("blocks", "samples"), [(1, 300), (4, 151), (9, 450), (100, 300)])
def test_any_grid_and_any_length_are_read(shipped, blocks, samples):
    output, rates = estimate(shipped, skin(90, blocks=blocks, samples=samples, noise=0.1)[0][None])
    assert output.wave.shape == output.time_weights.shape == (1, -(-samples // 2))
    assert output.block_weights.shape == (1, blocks)
    assert float(rates.heart_rate_bpm) == pytest.approx(90, abs=4)
    total = output.log_probability.exp().sum() + output.log_no_pulse.exp()
    assert float(total) == pytest.approx(1, abs=1e-4)


def test_a_block_that_was_never_seen_could_as_well_not_be_there(shipped):
    means, _ = skin(70)
    hidden = means.copy()
    hidden[:, [3, 11, 24]] = np.nan
    with_it, _ = estimate(shipped, hidden[None])
    without, _ = estimate(shipped, np.delete(means, [3, 11, 24], axis=1)[None])
    assert torch.allclose(with_it.log_probability, without.log_probability, atol=1e-3)
    assert with_it.block_weights[0, [3, 11, 24]].tolist() == [0, 0, 0]
    assert float(with_it.block_weights.sum()) == pytest.approx(1, abs=1e-4)


def test_the_order_of_the_blocks_does_not_matter(shipped):
    means, _ = skin(70)
    order = np.random.default_rng(1).permutation(25)
    assert torch.allclose(estimate(shipped, means[None])[0].wave, estimate(shipped, means[None, :, order])[0].wave, atol=1e-3)


def test_a_moment_without_a_face_has_no_weight_and_does_not_hide_the_pulse(shipped):
    means, _ = skin(66)
    means[120:180] = np.nan
    output, rates = estimate(shipped, means[None])
    assert output.time_weights[0, 64:88].max() == 0
    assert float(rates.heart_rate_bpm) == pytest.approx(66, abs=2)


def test_nothing_seen_gives_finite_numbers_and_no_confidence(shipped):
    output, rates = estimate(shipped, np.full((1, 300, 25, 3), np.nan, np.float32))
    assert all(torch.isfinite(one).all() for one in output)
    assert float(output.block_weights.sum()) == 0
    assert float(rates.confidence) < 0.5


def test_the_level_of_light_does_not_change_the_answer(shipped):
    means, _ = skin(82, noise=0.05)
    bright, dim = (estimate(shipped, (factor * means)[None])[1] for factor in (1.0, 0.5))
    assert float(bright.heart_rate_bpm) == pytest.approx(float(dim.heart_rate_bpm), abs=0.2)


def test_without_a_pulse_it_is_not_sure_of_any_rate(shipped):
    windows = simulate_windows(300, 77, SimulationConfig.unseen(no_pulse_share=1.0, damaged_share=0.5))
    _, rates = estimate(shipped, windows.means, torch.as_tensor(windows.motion))
    assert (rates.confidence > 0.6).float().mean() < 0.08


def test_simulated_windows_of_unseen_settings(shipped):
    config = SimulationConfig.unseen(no_pulse_share=0.0, damaged_share=0.5, heart_rate_edges_bpm=(40.0, 180.0))
    windows = simulate_windows(400, 78, config)
    _, rates = estimate(shipped, windows.means, torch.as_tensor(windows.motion))
    error = np.abs(rates.heart_rate_bpm.numpy() - windows.heart_rate_bpm)
    sure = rates.confidence.numpy() >= np.quantile(rates.confidence.numpy(), 0.2)
    assert error.mean() < 3.5
    assert np.median(error) < 0.35
    assert error[sure].mean() < 0.5


def test_a_nod_is_not_taken_for_a_pulse_where_the_motion_is_known(shipped):
    means, _ = skin(72, pulse=0.002, noise=0.1)
    nod = np.sin(2 * np.pi * 1.6 * np.arange(300) / 30)
    means = means * (1 + 0.004 * nod[:, None, None] * np.linspace(-1, 1, 25)[:, None]).astype(np.float32)
    motion = np.zeros((1, 300, 4), np.float32)
    motion[0, :, 1] = 0.01 * nod
    _, rates = estimate(shipped, means[None], torch.as_tensor(motion))
    assert float(rates.heart_rate_bpm) == pytest.approx(72, abs=3)


def test_the_gradient_reaches_every_part():
    torch.manual_seed(0)
    network = PulseNetwork()
    windows = simulate_windows(8, 1)
    means, motion, pulse, rate_bpm = (
        torch.as_tensor(one, dtype=torch.float32) for one in (windows.means, windows.motion, windows.pulse, windows.heart_rate_bpm)
    )
    rate_bpm[0] = torch.nan
    pulse_loss(network(means, motion), rate_bpm, pulse).backward()
    # a softmax over blocks does not depend on what is added to all of them
    silent = [name for name, one in network.named_parameters() if not one.grad.abs().max() > 1e-7 and name != "score.bias"]
    assert silent == []


def test_the_loss_learns_from_a_rate_alone_and_from_no_pulse():
    output, _ = estimate(PulseNetwork().eval(), skin(70)[0][None])
    rate = torch.tensor([70.0])
    unknown = torch.full((1, 300), torch.nan)
    assert pulse_loss(output, rate) == pulse_loss(output, rate, unknown) < pulse_loss(output, rate, torch.randn(1, 300))
    assert float(pulse_loss(output, torch.tensor([torch.nan]))) == pytest.approx(-float(output.log_no_pulse), rel=1e-5)


def test_training_sees_some_blocks_and_hides_motion_of_some_windows():
    torch.manual_seed(3)
    network = PulseNetwork().train()
    means, motion = torch.rand(64, 300, 25, 3), torch.zeros(64, 300, 4)
    batch = Batch(means, motion, None, torch.full((64,), 70.0), torch.full((64,), 10.0))
    seen = [network.inputs(batch) for _ in range(40)]
    counts = {one.shape[2] for one, _ in seen}
    assert min(counts) <= 4
    assert max(counts) == 16
    hidden = np.mean([one.isnan().all(dim=(1, 2)).float().mean() for _, one in seen])
    assert 0.2 < hidden < 0.3
    assert network.eval().inputs(batch)[0] is means


def test_preparation_does_not_depend_on_other_windows_of_the_batch():
    windows = torch.as_tensor(np.stack([skin(60)[0], 3 * skin(120, noise=2.0, seed=5)[0]]))
    together, alone = prepare(windows), prepare(windows[1:])
    assert torch.allclose(together.blocks[1:], alone.blocks, atol=1e-4)
    assert torch.allclose(together.level[1:], alone.level, atol=1e-4)


def test_the_weights_are_those_that_are_described():
    data = weights_path().read_bytes()
    assert len(data) < 1_000_000
    assert hashlib.sha256(data).hexdigest() == read_description()["sha256"]
    assert 0.5 < read_calibration().temperature < 2


def test_damaged_weights_are_refused(tmp_path):
    for path in FOLDER.glob(f"{PULSE_NET}.*"):
        shutil.copy(path, tmp_path)
    file = weights_path(folder=tmp_path)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ModelError, match="describes"):
        read_weights(folder=tmp_path)
    description = file.with_suffix(".json")
    for text in (json.dumps({"sha256": "", "calibration": {}}), "{}", "[]", "null"):
        description.write_text(text)
        with pytest.raises(ModelError, match="install the package again"):
            read_weights(folder=tmp_path)
    file.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(folder=tmp_path)


def test_a_training_sees_at_most_a_third_of_many_blocks_and_sixteen_of_few():
    network = PulseNetwork().train()
    torch.manual_seed(0)
    for blocks, most in ((25, 16), (100, 33)):
        means = torch.zeros(1, 300, blocks, 3)
        batch = Batch(means, None, None, torch.zeros(1), torch.zeros(1))
        counts = [network.inputs(batch)[0].shape[2] for _ in range(400)]
        assert (min(counts), max(counts)) == (1, most)
