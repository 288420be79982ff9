"""Optimizer of a training: AdamW, or Muon for the matrices of a network and AdamW for all else.

Muon (Jordan et al.: Muon, an optimizer for hidden layers in neural networks, 2024) steps along the orthogonal matrix that is nearest to the
gradient's moving average, so that all directions of a layer learn equally fast. The arithmetic is that of :class:`torch.optim.Muon`, which takes
matrices alone; a convolution is the matrix of its outputs by all of its inputs and taps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

#: A weight with fewer outputs is no matrix: it has hardly any directions.
LEAST_OUTPUTS = 8
#: Learning rate of matrices over that of all else. A step of Muon has the same size whatever the gradient is, and 0.02 is its usual rate
#: where 0.003 is that of AdamW.
MUON_RATE = 7.0
# decoupled weight decay of the matrices
_MATRIX_DECAY = 0.01


class MuonAdamW(torch.optim.AdamW):
    """Muon for weights of at least two dimensions and eight outputs, AdamW for all others.

    Parameters
    ----------
    parameters : iterable of Parameter
    learning_rate : float
        Of AdamW; that of Muon is seven times as large. Both follow the rate of the parameter group.
    weight_decay : float
        Of AdamW.

    Examples
    --------
    >>> layer = nn.Conv1d(4, 8, 3)
    >>> optimizer = MuonAdamW(layer.parameters(), 1e-3, 0.0)
    >>> layer(torch.ones(1, 4, 9)).square().sum().backward()
    >>> optimizer.step()
    >>> sorted(optimizer.state[layer.weight]), sorted(optimizer.state[layer.bias])
    (['momentum_buffer'], ['exp_avg', 'exp_avg_sq', 'step'])
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        whole = list(parameters)
        super().__init__(whole, learning_rate, weight_decay=weight_decay, fused=True)
        self._matrices = {
            one: nn.Parameter(one.detach().flatten(1)) for one in whole if one.ndim >= 2 and len(one) >= LEAST_OUTPUTS
        }
        self._muon = torch.optim.Muon(self._matrices.values(), weight_decay=_MATRIX_DECAY)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; the gradients of matrices are taken away."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for parameter, matrix in self._matrices.items():
            # weights may have been read since; those in another order of memory (channels last) are no matrix without a copy
            matrix.copy_(parameter.flatten(1))
            matrix.grad = None if parameter.grad is None else parameter.grad.flatten(1)
            parameter.grad = None
        self._muon.param_groups[0]["lr"] = MUON_RATE * self.param_groups[0]["lr"]
        self._muon.step()
        for parameter, matrix in self._matrices.items():
            parameter.copy_(matrix.view(parameter.shape))
            if matrix in self._muon.state:
                self.state[parameter] = self._muon.state[matrix]
        super().step()
        return loss

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that was saved."""
        states = dict(state_dict["state"])
        parameters = [one for group in self.param_groups for one in group["params"]]
        of_matrices = {
            index: states.pop(index) for index, one in enumerate(parameters) if one in self._matrices and index in states
        }
        # AdamW expects its own moments of whatever has a state
        super().load_state_dict({**state_dict, "state": states})
        for index, state in of_matrices.items():
            matrix = self._matrices[parameters[index]]
            moments = {key: torch.empty_like(matrix).copy_(one) for key, one in state.items()}
            self._muon.state[matrix] = self.state[parameters[index]] = moments
