"""Muon and AdamW as one optimizer: what each of them moves, whatever the order of memory, and what a stopped training goes on with."""

from copy import deepcopy

import pytest
import torch

from stmap_pipeline.training.optimizer import MuonAdamW


def network(order):
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(4, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 8, 3), torch.nn.Conv2d(8, 2, 1)
    )
    return layers.to(memory_format=order)


def learn(layers, optimizer, steps):
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        layers(torch.randn(3, 4, 9, 9)).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_all_weights_learn_and_a_step_of_a_matrix_is_orthogonal(order):
    layers = network(order)
    before = {name: one.detach().clone() for name, one in layers.named_parameters()}
    learn(layers, MuonAdamW(layers.parameters(), 1e-3, 0.0), 1)
    change = {name: one.detach() - before[name] for name, one in layers.named_parameters()}
    assert all(one.abs().max() > 0 for one in change.values())
    # 8 outputs of 36 inputs: all directions move by about the rate of Muon, a small weight by that of AdamW
    sizes = torch.linalg.svdvals(change["0.weight"].flatten(1))
    assert ((sizes > 0.6 * 7e-3) & (sizes < 1.3 * 7e-3)).all()
    assert change["3.weight"].abs().max() <= 1.01e-3


def test_both_orders_of_memory_learn_the_same():
    found = []
    for order in (torch.contiguous_format, torch.channels_last):
        layers = network(order)
        # later steps differ by the rounding of sums
        learn(layers, MuonAdamW(layers.parameters(), 1e-3, 0.0), 1)
        found.append(torch.cat([one.detach().flatten() for one in layers.parameters()]))
    # sums are rounded in another order, and Muon computes in bfloat16
    assert (found[0] - found[1]).abs().median() < 1e-5


def test_a_state_that_was_saved_goes_on_like_one_that_was_not():
    one, other = network(torch.contiguous_format), network(torch.contiguous_format)
    first, second = (MuonAdamW(layers.parameters(), 1e-3, 0.01) for layers in (one, other))
    learn(one, first, 2)
    other.load_state_dict(one.state_dict())
    second.load_state_dict(deepcopy(first.state_dict()))
    learn(one, first, 2)
    learn(other, second, 2)
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)
