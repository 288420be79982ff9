"""Several processes, started by torchrun: the same weights on all, and those that one process would have learned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.maps import small_maps
from support.training import result, train

SETTINGS = {"network": "tiny-plain", "mask_frames": None, "epochs": 2, "validation_share": 0.4, "learning_rate": 0.01}

_RANK = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
from stmap_pipeline.training import train as trainer
from support.training import train
networks, real = [], trainer.initial_network
trainer.initial_network = lambda *words: networks.append(real(*words)) or networks[-1]
# validation puts the best weights in place on rank 0 alone: without it both ranks end with the last ones
train(Path(sys.argv[2]), Path(sys.argv[3]) / "run", **eval(sys.argv[4]) | {"validation_share": 0})
for fold, network in enumerate(networks, 1):
    torch.save(dict(network.named_parameters()), Path(sys.argv[3]) / f"rank{os.environ['RANK']}-fold{fold}.pt")
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch was built without distributed training")
def test_two_processes_agree_and_learn_what_one_does(tmp_path):
    maps = small_maps(tmp_path / "maps")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = tmp_path / "rank.py"
    script.write_text(_RANK)
    words = [str(Path(__file__).parents[1]), str(maps), str(tmp_path), repr(SETTINGS)]
    done = subprocess.run(
        [*torchrun, str(script), *words], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    train(maps, tmp_path / "alone", **SETTINGS | {"validation_share": 0})
    assert result(tmp_path / "run").keys() == result(tmp_path / "alone").keys()
    for fold in (1, 2):
        ranks = [torch.load(tmp_path / f"rank{rank}-fold{fold}.pt", weights_only=True) for rank in (0, 1)]
        alone = load_file(tmp_path / "alone" / f"fold{fold}" / "last.safetensors")
        together = load_file(tmp_path / "run" / f"fold{fold}" / "last.safetensors")
        for name, value in ranks[0].items():
            assert torch.equal(value, ranks[1][name]), name
            assert torch.equal(value, together[name]), name
            torch.testing.assert_close(value.detach(), alone[name], atol=2e-4, rtol=0)
