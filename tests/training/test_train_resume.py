"""Kill a training at any moment: with --resume it ends, to the byte, like one that was never killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import torch
from support import training
from support.maps import small_maps
from support.training import SETTINGS, result, train

from stmap_pipeline.errors import ModelError, OutputError
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.plan import plan_training
from stmap_pipeline.training.run_folder import RESUME
from stmap_pipeline.training.train import Progress, run_training

# In a process of its own, which forks one that trains and kills itself at the n-th call of something; then the next one goes on.
_KILLS = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
# what a first step would import, once for all
import torch._dynamo
from stmap_pipeline.training import state, tensor_file, train as trainer
from support.training import train

POINTS = {
    "step": (torch.optim.AdamW, "step"),
    "writing": (tensor_file, "atomic_write_bytes"),
    "save": (trainer.TrainState, "save"),
    "validation": (trainer, "validation_mae_bpm"),
    "table": (trainer, "write_table"),
    "weights": (trainer, "write_tensors"),
    "state": (state, "write_tensors"),
    "gather": (trainer, "read_table"),
}

def killed_at(point, number, before):
    owner, name = POINTS[point]
    real, calls = getattr(owner, name), iter(range(1, 10**9))
    def killing(*words, **more):
        last = next(calls) == number
        if last and before:
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*words, **more)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(owner, name, killing)

maps = Path(sys.argv[2])
for run in sys.argv[3:]:
    out, *kills = run.split("|")
    for one in kills:
        point, number, when = one.split(":")
        child = os.fork()
        if child == 0:
            killed_at(point, int(number), when == "before")
            train(maps, Path(out), resume=True)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(one, "killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else f"ended {status}")
"""

# two steps an epoch, three epochs, two folds
RUNS = (
    (
        "step:1:after",
        "validation:1:before",
        "validation:1:after",
        "save:1:before",
        "save:1:after",
        "step:1:before",
        "writing:1:after",
    ),
    ("writing:1:before", "table:1:before", "table:1:after", "step:3:after", "validation:3:before", "weights:1:before"),
    ("weights:1:after", "state:1:before", "state:1:after", "table:2:before", "table:3:after", "gather:1:before"),
)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return small_maps(tmp_path_factory.mktemp("resume") / "maps")


@pytest.fixture(scope="module")
def whole(maps, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    train(maps, out)
    return result(out)


def test_killed_again_and_again_it_gives_the_same_weights_to_the_bit(maps, whole, tmp_path):
    runs = {tmp_path / f"run{number}": kills for number, kills in enumerate(RUNS)}
    words = [str(Path(__file__).parents[1]), str(maps), *("|".join([str(out), *kills]) for out, kills in runs.items())]
    done = subprocess.run(
        [sys.executable, "-c", _KILLS, *words], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.stdout.splitlines() == [f"{one} killed" for kills in RUNS for one in kills], done.stderr
    for out in runs:
        assert not (out / "run.json").exists()
        with pytest.raises(OutputError, match=f"{out}: .*--resume"):
            train(maps, out)
        train(maps, out, resume=True)
        assert result(out) == whole
        assert not list(out.rglob("*.stmap-tmp")) + list(out.rglob("resume*"))


def test_ctrl_c_at_any_step_loses_no_more_than_its_epoch(maps, whole, tmp_path, monkeypatch):
    out, steps, real = tmp_path / "run", [], torch.optim.AdamW.step

    def interrupted(self, *words, **more):
        steps.append(1)
        if len(steps) == 4:
            signal.raise_signal(signal.SIGINT)
        return real(self, *words, **more)

    monkeypatch.setattr(torch.optim.AdamW, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(maps, out)
    assert (out / "fold1" / RESUME).exists()
    assert len(steps) == 4
    train(maps, out, resume=True)
    # two of the twelve steps, the first epoch, were not done again
    assert len(steps) == 4 + 12 - 2
    assert result(out) == whole


def test_an_iterator_that_was_closed_can_be_resumed(maps, whole, tmp_path):
    out = tmp_path / "run"
    training.register()
    for resume in (False, True, True):
        plan = plan_training(maps, out, TrainConfig.from_mapping(SETTINGS), resume=resume)
        with closing(run_training(plan, "cpu")) as events:
            next(one for one in events if isinstance(one, Progress) and one.epoch_done)
    train(maps, out, resume=True)
    assert result(out) == whole


def test_resume_begins_a_run_where_there_is_none(maps, whole, tmp_path):
    train(maps, tmp_path / "run", resume=True)
    assert result(tmp_path / "run") == whole


@pytest.mark.parametrize("harm", ["empty", "cut", "foreign", "zeros"])
def test_a_damaged_state_is_refused_with_what_to_do(maps, tmp_path, harm):
    from safetensors.torch import save_file
    from torch import zeros

    out = tmp_path / "run"
    training.register()
    plan = plan_training(maps, out, TrainConfig.from_mapping(SETTINGS))
    with closing(run_training(plan, "cpu")) as events:
        next(one for one in events if isinstance(one, Progress) and one.epoch_done)
    path = out / "fold1" / RESUME
    if harm == "foreign":
        save_file({"network/a": zeros(1)}, path, {"stmap": '[{"epoch": 1, "seconds": 1.0}]'})
    else:
        data = path.read_bytes()
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "zeros": bytes(len(data))}[harm])
    with pytest.raises(ModelError, match=r"resume\.safetensors: .*; remove .*fold1 and run the same command again"):
        train(maps, out, resume=True)
