"""Weights of a user: torchvision's names and shapes, made here, and files that are something else."""

import pickle

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from safetensors.torch import save_file  # noqa: E402

from stmap_pipeline import registry  # noqa: E402
from stmap_pipeline.errors import ConfigError  # noqa: E402
from stmap_pipeline.training.networks import NetworkInput, build_network, load_trunk  # noqa: E402


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


def network(channels=3, name="attention-resnet18", **options):
    return build_network(name, NetworkInput(channels, 9, 60), **options)


@pytest.mark.parametrize("name", registry.names("networks"))
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_all_of_the_trunk_comes_from_the_file(name, suffix, weights, tmp_path):
    path = tmp_path / f"resnet18{suffix}"
    (torch.save if suffix == ".pth" else save_file)(weights, path)
    one = network(name=name)
    before = {key: value.clone() for key, value in one.state_dict().items()}
    done = load_trunk(one, path)
    after = one.state_dict()
    assert len(weights) == 122
    assert done.missing == ()
    assert done.unexpected == ("fc.bias", "fc.weight")
    assert set(done.loaded) == weights.keys() - {"fc.bias", "fc.weight"}
    assert all(torch.equal(after[key], weights[key]) for key in done.loaded)
    # attention, GRU and head stay as they were
    assert all(torch.equal(after[key], before[key]) for key in after.keys() - set(done.loaded))
    assert "head.weight" in after.keys() - set(done.loaded)


def test_six_channels_keep_the_scale_of_three(weights, tmp_path):
    torch.save(weights, tmp_path / "a.pth")
    three, six = network(3), network(6)
    for one in (three, six):
        load_trunk(one, tmp_path / "a.pth")
    maps = torch.randn(2, 3, 9, 60)
    assert torch.allclose(six.conv1(maps.repeat(1, 2, 1, 1)), three.conv1(maps), atol=1e-5)


def test_counters_of_an_old_file_may_be_missing(weights, tmp_path):
    torch.save({key: one for key, one in weights.items() if "num_batches" not in key}, tmp_path / "old.pth")
    done = load_trunk(network(), tmp_path / "old.pth")
    assert len(done.missing) == 20
    assert all(key.endswith("num_batches_tracked") for key in done.missing)


def test_a_file_of_another_network_changes_nothing(weights, tmp_path):
    one = network()
    before = one.conv1.weight.clone()
    deeper = {key: torch.zeros(shape) for key, shape in torchvision_shapes((3, 4, 6, 3)).items()}
    wide = weights | {"layer4.1.conv2.weight": torch.zeros(512, 512, 1, 1)}
    lacking = {key: value for key, value in weights.items() if not key.startswith("layer3.1.conv2")}
    prefixed = {f"backbone.{key}": value for key, value in weights.items()}
    for state, message in [
        (deeper, "is no ResNet-18.*has layer1.2"),
        (wide, r"layer4.1.conv2.weight has the shape \(512, 512, 1, 1\), not \(512, 512, 3, 3\)"),
        (lacking, "lacks layer3.1.conv2.weight"),
        (prefixed, "lacks bn1.bias"),
        ({"state_dict": weights}, "is no state dict"),
        ([1, 2], "is no state dict"),
    ]:
        torch.save(state, tmp_path / "b.pth")
        with pytest.raises(ConfigError, match=message):
            load_trunk(one, tmp_path / "b.pth")
    assert torch.equal(one.conv1.weight, before)


class Harm:
    def __reduce__(self):
        return print, ("code of the file ran",)


def test_no_code_of_a_file_is_run(tmp_path, capsys):
    torch.save({"conv1.weight": Harm()}, tmp_path / "c.pth")
    (tmp_path / "d.pth").write_bytes(pickle.dumps({"conv1.weight": Harm()}))
    for name in ("c.pth", "d.pth"):
        with pytest.raises(ConfigError, match="without running code"):
            load_trunk(network(), tmp_path / name)
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["e.pth", "e.safetensors"])
def test_what_is_no_file_of_weights_says_so(name, tmp_path):
    with pytest.raises(ConfigError, match=f"{name}: cannot be read"):
        load_trunk(network(), tmp_path / name)
    for content in (b"", b"hello", b"\x80\x02K\x01.", bytes(range(256)) * 20):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=name):
            load_trunk(network(), tmp_path / name)


def test_a_cut_file_says_so(weights, tmp_path):
    torch.save(weights, tmp_path / "f.pth")
    save_file(weights, tmp_path / "f.safetensors")
    for path in (tmp_path / "f.pth", tmp_path / "f.safetensors"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ConfigError, match="holds no weights"):
            load_trunk(network(), path)
