"""Each network of the registry: shapes, gradients, what it can learn, and what it refuses."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from stmap_pipeline import registry  # noqa: E402
from stmap_pipeline.errors import UnknownNameError  # noqa: E402
from stmap_pipeline.training.networks import NetworkInput, build_network  # noqa: E402

NAMES = registry.names("networks")
SMALL = NetworkInput(channels=3, blocks=9, samples=90)
NATIVE = NetworkInput(channels=6, blocks=25, samples=300)


def pulses(rates_bpm, shape=SMALL, seed=0):
    """Maps of a known rate at 30 frames/s, -1 to 1, with noise."""
    random = np.random.default_rng(seed)
    times_s = np.arange(shape.samples) / 30
    phase = random.uniform(0, 6, (len(rates_bpm), 1, 1, 1))
    wave = np.sin(2 * np.pi * np.asarray(rates_bpm)[:, None, None, None] / 60 * times_s + phase)
    values = 0.6 * wave + 0.1 * random.standard_normal((len(rates_bpm), shape.channels, shape.blocks, shape.samples))
    return torch.as_tensor(values, dtype=torch.float32)


def built(name, shape=SMALL, seed=0, **options):
    torch.manual_seed(seed)
    return build_network(name, shape, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("resize", [None, (64, 64)])
def test_a_batch_of_maps_gives_a_number_each(name, resize):
    network = built(name, NATIVE, resize=resize).eval()
    maps = torch.randn(2, 6, 25, 300)
    with torch.no_grad():
        estimates = network(maps)
        assert estimates.shape == (2,)
        assert estimates.isfinite().all()
        # one map is not seen by the estimate of another
        assert torch.allclose(network(maps[1:]), estimates[1:], atol=1e-5)
    assert (network.consecutive == 6) == name.endswith("gru")


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_every_parameter(name):
    network = built(name).train()
    maps = pulses(np.linspace(50, 150, 12))
    if network.consecutive > 1:
        maps = maps.view(2, 6, *maps.shape[1:])
    (network(maps) - 1).abs().mean().backward()
    without = [key for key, one in network.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("name", NAMES)
def test_one_batch_can_be_learned_by_heart(name):
    shape = NetworkInput(3, 4, 60)
    network = built(name, shape).train()
    rates_bpm = np.linspace(45, 150, 12)
    maps, target = pulses(rates_bpm, shape), torch.as_tensor((rates_bpm - rates_bpm.mean()) / rates_bpm.std(), dtype=torch.float32)
    if network.consecutive > 1:
        maps, target = maps.view(2, 6, *maps.shape[1:]), target.view(2, 6)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (network(maps) - target).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # to say the mean of all would cost 0.87
    assert losses[0] > 0.5
    assert min(losses[-5:]) < 0.3


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("attention")])
def test_attention_is_a_weight_for_each_block_and_sample(name):
    network = built(name).eval()
    maps = pulses([60, 90])
    weights = network.attention_maps(maps)
    assert sorted(weights) == [f"{kind}{stage}" for kind in ("channel", "spatial") for stage in (1, 2, 3, 4)]
    for stage, width in enumerate((64, 128, 256, 512), 1):
        assert weights[f"spatial{stage}"].shape == (2, 9, 90)
        assert weights[f"channel{stage}"].shape == (2, width)
    assert all(one.min() >= 0 and one.max() <= 1 and not one.requires_grad for one in weights.values())
    assert weights["spatial1"].std() > 1e-3  # it is not the same everywhere
    # asking does not change what is estimated
    with torch.no_grad():
        before = network(maps)
        network.attention_maps(maps)
        assert torch.equal(network(maps), before)


def test_attention_changes_what_the_trunk_would_say():
    with_attention, without = built("attention-resnet18").eval(), built("resnet18").eval()
    without.load_state_dict({key: one for key, one in with_attention.state_dict().items() if not key.startswith("attention")})
    maps = pulses([60, 90])
    assert without.attention_maps(maps) == {}
    with torch.no_grad():
        assert not torch.allclose(with_attention(maps), without(maps))
        # with all weights at one nothing is left of it
        for module in with_attention.attention:
            torch.nn.init.constant_(module.channel.shared[2].bias, 50.0)
            torch.nn.init.constant_(module.spatial.conv.bias, 500.0)
        assert torch.allclose(with_attention(maps), without(maps), atol=1e-4)


def test_the_gru_knows_what_came_before_and_not_what_comes_after():
    network = built("attention-resnet18-gru").eval()
    rows = pulses(np.linspace(50, 100, 6)).view(1, 6, 3, 9, 90)
    other = rows.clone()
    other[0, 3] = pulses([150.0], seed=1)[0]
    with torch.no_grad():
        ours, theirs = network(rows)[0], network(other)[0]
        assert ours.shape == (6,)
        assert torch.allclose(ours[:3], theirs[:3], atol=1e-6)
        assert (ours[3:] - theirs[3:]).abs().min() > 1e-6
        # a window by itself is a row of one
        assert torch.allclose(network(rows[:, 0]), ours[:1], atol=1e-5)
    assert network.attention_maps(rows)["spatial2"].shape == (1, 6, 9, 90)


def test_the_stem_keeps_rows_for_the_attention():
    seen = {}
    network = built("attention-resnet18", NATIVE).eval()
    for number in (1, 4):
        network.get_submodule(f"layer{number}").register_forward_hook(
            lambda *a, number=number: seen.update({number: a[2].shape[2:]})
        )
    with torch.no_grad():
        network(torch.zeros(1, 6, 25, 300))
    assert seen == {1: (13, 75), 4: (2, 10)}


@pytest.mark.parametrize("name", NAMES)
def test_maps_of_another_size_are_refused(name):
    network = built(name)
    for wrong in [(2, 6, 9, 90), (2, 3, 10, 90), (2, 3, 9, 91), (3, 9, 90)]:
        with pytest.raises(ValueError, match=r"the network reads .*\(3, 9, 90\)"):
            network(torch.zeros(wrong))


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_network_is_the_same_with_fewer_channels(name):
    wide, narrow = built(name), built(name, width=16).eval()
    convolutions = [key for key in wide.state_dict() if key.startswith("layer") and "conv" in key]
    assert len(convolutions) == 16
    for key in convolutions:
        assert narrow.state_dict()[key].numel() * 16 == wide.state_dict()[key].numel()
    with torch.no_grad():
        assert narrow(pulses([60, 90])).shape == (2,)
    for key, one in narrow.attention_maps(pulses([60, 90])).items():
        assert one.shape == ((2, 9, 90) if key.startswith("spatial") else (2, 16 * 2 ** (int(key[-1]) - 1)))


def test_windows_in_a_row_are_for_the_gru_alone():
    with pytest.raises(ValueError, match=r"not an array \(1, 6, 3, 9, 90\)"):
        built("attention-resnet18")(torch.zeros(1, 6, 3, 9, 90))


def test_an_unknown_network_is_answered_with_the_names():
    with pytest.raises(UnknownNameError, match=r"did you mean 'resnet18'.*attention-resnet18-gru"):
        build_network("resnet-18", SMALL)


def test_a_seed_decides_the_weights():
    one, same, other = (built("attention-resnet18", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_says_what_the_cpu_says(name):
    network = built(name, NATIVE).eval()
    maps = torch.randn(6, 6, 25, 300)
    maps = maps[None] if network.consecutive > 1 else maps
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.no_grad():
            ours = network(maps)
            theirs = network.cuda()(maps.cuda()).cpu()
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
    assert torch.allclose(ours, theirs, atol=1e-3)
