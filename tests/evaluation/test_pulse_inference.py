"""The pulse network in NumPy computes what the network in torch does."""

import numpy as np
import pytest

from stmap_pipeline.evaluation.pulse_inference import PulseInference
from stmap_pipeline.simulation import simulate_windows
from stmap_pipeline.weights import read_weights


@pytest.fixture(scope="module")
def windows():
    return simulate_windows(8, 5)


@pytest.fixture(scope="module")
def both():
    torch = pytest.importorskip("torch", reason="the comparison needs the extra 'train'")
    from stmap_pipeline.training.networks import pulse_net

    network = pulse_net.PulseNetwork().eval()
    network.load_state_dict({name: torch.tensor(one) for name, one in read_weights().items()})
    return network, PulseInference(read_weights())


@pytest.mark.parametrize("samples", [300, 299, 150, 121])
@pytest.mark.parametrize("moves", [True, False])
def test_it_is_the_network_at_any_length(both, windows, samples, moves):
    import torch

    network, inference = both
    means = windows.means[:, :samples].copy()
    motion = windows.motion[:, :samples] if moves else None
    means[0, :, :20] = np.nan
    means[1, 40:90] = np.nan
    means[2] = np.nan
    found = inference(means, motion)
    with torch.inference_mode():
        expected = network(torch.tensor(means), None if motion is None else torch.tensor(motion))
    for one, other in zip(found, expected, strict=True):
        assert np.isfinite(one).all()
        # of logarithms down to -50
        np.testing.assert_allclose(one, other.numpy(), atol=1.5e-4)


def test_any_number_of_blocks_is_read(both, windows):
    import torch

    network, inference = both
    means = windows.means[:2, :, 7:10]
    with torch.inference_mode():
        expected = network(torch.tensor(means), None)
    np.testing.assert_allclose(inference(means).log_probability, expected.log_probability.numpy(), atol=1e-4)
