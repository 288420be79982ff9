"""Without the extra `train` an error names what to install, and everything that needs no torch works."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import stmap_pipeline.torch
import stmap_pipeline.training as training
from stmap_pipeline.errors import ExtraMissingError


def run(code):
    env = {**os.environ, "PYTHONPATH": str(Path(training.__file__).parents[2])}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)


def test_the_names_of_networks_are_listed_without_torch():
    done = run(
        "import sys; from stmap_pipeline import registry, training; print(registry.names('networks'), 'torch' in sys.modules)"
    )
    assert done.stdout.strip() == "['attention-resnet18', 'pulse-net', 'resnet18'] False", done.stderr


@pytest.mark.parametrize("name", ["build_network", "Model"])
def test_without_torch_the_error_names_what_to_install(monkeypatch, name):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda one, *rest: None if one == "torch" else find_spec(one, *rest))
    with pytest.raises(ExtraMissingError, match=r"need torch, which is not installed: pip install 'stmap\[train\]'"):
        getattr(training, name)


def test_windows_for_pytorch_need_the_same_extra(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda one, *rest: None if one == "torch" else find_spec(one, *rest))
    with pytest.raises(ExtraMissingError, match=r"pip install 'stmap\[train\]'"):
        stmap_pipeline.torch.MapDataset  # noqa: B018


def test_the_names_that_are_offered_are_there():
    for package in (training, stmap_pipeline.torch):
        assert all(hasattr(package, name) for name in package.__all__)
    assert not hasattr(training, "nothing")
