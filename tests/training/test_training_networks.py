"""Each network of the registry: shapes, gradients, what it can learn, what it refuses, and initial weights from a file."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from stmap_pipeline.errors import ConfigError, UnknownNameError  # noqa: E402
from stmap_pipeline.training.networks import Batch, build_network  # noqa: E402

NAMES = ["attention-resnet18", "resnet18"]
SMALL = (9, 90)


def pulses(rates_bpm, shape=SMALL, seed=0):
    """Maps of a known rate at 30 frames/s, -1 to 1, with noise."""
    random = np.random.default_rng(seed)
    blocks, samples = shape
    times_s = np.arange(samples) / 30
    phase = random.uniform(0, 6, (len(rates_bpm), 1, 1, 1))
    wave = np.sin(2 * np.pi * np.asarray(rates_bpm)[:, None, None, None] / 60 * times_s + phase)
    values = 0.6 * wave + 0.1 * random.standard_normal((len(rates_bpm), 3, blocks, samples))
    return torch.as_tensor(values, dtype=torch.float32)


def windows(rates_bpm, shape=SMALL):
    """Block means of such maps."""
    rates = torch.tensor(rates_bpm, dtype=torch.float32)
    return Batch(100 + pulses(rates_bpm, shape).permute(0, 3, 2, 1), None, None, rates, torch.full_like(rates, shape[1] / 30))


def built(name, seed=0, **options):
    torch.manual_seed(seed)
    return build_network(name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_maps_gives_a_number_each(name):
    network = built(name, color="rgb+yuv").eval()
    maps = torch.randn(2, 6, 25, 300)
    with torch.no_grad():
        estimates = network(maps)
        assert estimates.shape == (2,)
        assert estimates.isfinite().all()
        # one map is not seen by the estimate of another
        assert torch.allclose(network(maps[1:]), estimates[1:], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_every_parameter(name):
    network = built(name).train()
    maps = pulses(np.linspace(50, 150, 12))
    (network(maps) - 1).abs().mean().backward()
    without = [key for key, one in network.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("name", NAMES)
def test_one_batch_can_be_learned_by_heart(name):
    shape = (4, 60)
    network = built(name, width=16).train()
    rates_bpm = np.linspace(45, 150, 12)
    maps, target = pulses(rates_bpm, shape), torch.as_tensor((rates_bpm - rates_bpm.mean()) / rates_bpm.std(), dtype=torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (network(maps) - target).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # the mean of all as the estimate would cost 0.87
    assert losses[0] > 0.5
    assert min(losses[-5:]) < 0.3


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("attention")])
def test_attention_is_a_weight_for_each_block_and_sample(name):
    network = built(name).eval()
    batch = windows([60, 90])
    (maps,) = network.inputs(batch)
    weights = network.attention_maps(batch)
    assert sorted(weights) == [f"{kind}{stage}" for kind in ("channel", "spatial") for stage in (1, 2, 3, 4)]
    for stage, width in enumerate((64, 128, 256, 512), 1):
        assert weights[f"spatial{stage}"].shape == (2, 9, 90)
        assert weights[f"channel{stage}"].shape == (2, width)
    assert all(one.min() >= 0 and one.max() <= 1 and not one.requires_grad for one in weights.values())
    assert weights["spatial1"].std() > 1e-3  # it is not the same everywhere
    # asking does not change what is estimated
    with torch.no_grad():
        before = network(maps)
        network.attention_maps(batch)
        assert torch.equal(network(maps), before)


def test_attention_changes_what_the_trunk_would_say():
    with_attention, without = built("attention-resnet18").eval(), built("resnet18").eval()
    without.load_state_dict({key: one for key, one in with_attention.state_dict().items() if not key.startswith("attention")})
    maps = pulses([60, 90])
    assert without.attention_maps(windows([60, 90])) == {}
    with torch.no_grad():
        assert not torch.allclose(with_attention(maps), without(maps))
        # with all weights at one nothing is left of it
        for module in with_attention.attention:
            torch.nn.init.constant_(module.channel.shared[2].bias, 50.0)
            torch.nn.init.constant_(module.spatial.conv.bias, 500.0)
        assert torch.allclose(with_attention(maps), without(maps), atol=1e-4)


def test_the_stem_keeps_rows_for_the_attention():
    seen = {}
    network = built("attention-resnet18", color="rgb+yuv").eval()
    for number in (1, 4):
        network.get_submodule(f"layer{number}").register_forward_hook(
            lambda *a, number=number: seen.update({number: a[2].shape[2:]})
        )
    with torch.no_grad():
        network(torch.zeros(1, 6, 25, 300))
    assert seen == {1: (13, 75), 4: (2, 10)}


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_network_is_the_same_with_fewer_channels(name):
    wide, narrow = built(name), built(name, width=16).eval()
    convolutions = [key for key in wide.state_dict() if key.startswith("layer") and "conv" in key]
    assert len(convolutions) == 16
    for key in convolutions:
        assert narrow.state_dict()[key].numel() * 16 == wide.state_dict()[key].numel()
    with torch.no_grad():
        assert narrow(pulses([60, 90])).shape == (2,)
    for key, one in narrow.attention_maps(windows([60, 90])).items():
        assert one.shape == ((2, 9, 90) if key.startswith("spatial") else (2, 16 * 2 ** (int(key[-1]) - 1)))


def test_an_unknown_network_is_answered_with_the_names():
    with pytest.raises(UnknownNameError, match=r"'resnet-18'.*'resnet18'.*attention-resnet18"):
        build_network("resnet-18")


def test_a_seed_decides_the_weights():
    one, same, other = (built("attention-resnet18", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_computes_what_the_cpu_computes(name):
    network = built(name, color="rgb+yuv").eval()
    maps = torch.randn(6, 6, 25, 300)
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.no_grad():
            ours = network(maps)
            theirs = network.cuda()(maps.cuda()).cpu()
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
    assert torch.allclose(ours, theirs, atol=1e-3)


def norm(name, width):
    return {f"{name}.{key}": (width,) for key in ("weight", "bias", "running_mean", "running_var")} | {
        f"{name}.num_batches_tracked": ()
    }


def torchvision_shapes(blocks=(2, 2, 2, 2)):
    """Names and shapes of the state dict of torchvision's resnet18 (or, with 3, 4, 6, 3 blocks, of resnet34)."""
    shapes = {"conv1.weight": (64, 3, 7, 7), **norm("bn1", 64)}
    before = 64
    for stage, (width, count) in enumerate(zip((64, 128, 256, 512), blocks, strict=True), 1):
        for block in range(count):
            name = f"layer{stage}.{block}"
            shapes |= {f"{name}.conv1.weight": (width, before, 3, 3), **norm(f"{name}.bn1", width)}
            shapes |= {f"{name}.conv2.weight": (width, width, 3, 3), **norm(f"{name}.bn2", width)}
            if block == 0 and stage > 1:
                shapes |= {f"{name}.downsample.0.weight": (width, before, 1, 1), **norm(f"{name}.downsample.1", width)}
            before = width
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


@pytest.fixture(scope="module")
def weights():
    random = torch.Generator().manual_seed(0)
    return {
        key: torch.tensor(7) if shape == () else torch.rand(shape, generator=random) * 0.1
        for key, shape in torchvision_shapes().items()
    }


def network(name="attention-resnet18", **options):
    return build_network(name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_all_of_the_trunk_comes_from_the_file(name, weights):
    one = network(name)
    before = {key: value.clone() for key, value in one.state_dict().items()}
    one.load_initial(weights)
    after = one.state_dict()
    assert len(weights) == 122
    assert all(torch.equal(after[key], weights[key]) for key in weights if not key.startswith("fc."))
    # attention and head stay as they were
    assert all(torch.equal(after[key], before[key]) for key in after.keys() - weights.keys())
    assert "head.weight" in after.keys() - weights.keys()


def test_six_channels_keep_the_scale_of_three(weights):
    three, six = network(), network(color="rgb+yuv")
    for one in (three, six):
        one.load_initial(weights)
    maps = torch.randn(2, 3, 9, 60)
    assert torch.allclose(six.conv1(maps.repeat(1, 2, 1, 1)), three.conv1(maps), atol=1e-5)


def test_counters_of_an_old_file_may_be_missing(weights):
    one = network()
    one.load_initial({key: value for key, value in weights.items() if "num_batches" not in key})
    assert torch.equal(one.bn1.running_mean, weights["bn1.running_mean"])


def test_weights_of_another_network_are_refused(weights):
    deeper = {key: torch.zeros(shape) for key, shape in torchvision_shapes((3, 4, 6, 3)).items()}
    wide = weights | {"layer4.1.conv2.weight": torch.zeros(512, 512, 1, 1)}
    lacking = {key: value for key, value in weights.items() if not key.startswith("layer3.1.conv2")}
    prefixed = {f"backbone.{key}": value for key, value in weights.items()}
    for state, message in [
        (deeper, r"layer1\.2"),
        (wide, r"layer4.1.conv2.weight.*\[512, 512, 1, 1\].*\[512, 512, 3, 3\]"),
        (lacking, r"layer3\.1\.conv2\.weight is missing"),
        (prefixed, r"bn1\.bias is missing"),
    ]:
        with pytest.raises(ConfigError, match=message):
            network().load_initial(state)


def test_a_perfect_output_has_no_loss_and_the_right_rates():
    one, batch = network("resnet18"), windows([50, 70, 120], (9, 60))
    one.fit_target(batch.heart_rate_bpm, batch.duration_s)
    output = (batch.heart_rate_bpm - 80) / np.std([50, 70, 120])
    assert one.loss(output, batch) < 1e-6
    torch.testing.assert_close(one.rates(output, batch).heart_rate_bpm.float(), batch.heart_rate_bpm)
    # one that is a standard deviation off costs one; one without a label costs nothing
    unlabeled = replace(batch, heart_rate_bpm=torch.tensor([50.0, torch.nan, 120.0]))
    assert one.loss(output + torch.tensor([1.0, 9.0, 1.0]), unlabeled) == pytest.approx(1.0, abs=1e-6)
