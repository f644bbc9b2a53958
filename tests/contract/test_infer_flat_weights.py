"""Weights as one vector: the same network, gradients and steps, and an average that is put back."""

import numpy as np
import pytest
import torch

from hpcvbi.infer.flat_weights import FlatWeights
from hpcvbi.infer.isolation import isolated

HORIZON = 4.0


def network():
    """A small network that is the same every time."""
    with isolated(1):
        return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))


def flat(net):
    """All its weights (weight,)."""
    return np.concatenate([part.detach().numpy().ravel() for part in net.parameters()])


def rows(step):
    """Inputs of a step."""
    return torch.tensor(np.random.default_rng(step).standard_normal((7, 3)), dtype=torch.float32)


def steps(net, optimiser, n, after=lambda: None):
    """Take `n` steps on the mean square of the outputs; return the weights after each."""
    passed = []
    for step in range(n):
        optimiser.zero_grad(set_to_none=False)
        net(rows(step)).square().mean().backward()
        optimiser.step()
        after()
        passed.append(flat(net))
    return np.array(passed)


def test_steps_of_the_vector_are_those_of_its_parts():
    parts, whole = network(), network()
    weights = FlatWeights(torch, whole, HORIZON)
    by_parts = torch.optim.AdamW(parts.parameters(), lr=0.05, weight_decay=0.3)
    at_once = torch.optim.AdamW([weights.vector], lr=0.05, weight_decay=0.3, fused=True)
    one, other = steps(parts, by_parts, 20), steps(whole, at_once, 20)
    assert np.abs(one[-1] - one[0]).max() > 0.1
    assert other == pytest.approx(one, abs=1e-5)


def test_the_average_follows_the_weights():
    net = network()
    weights = FlatWeights(torch, net, HORIZON)
    passed = steps(net, torch.optim.AdamW([weights.vector], lr=0.05), 12, weights.average)
    expected = passed[0]
    for after in passed[1:]:
        expected = expected + (after - expected) / HORIZON
    with weights.averaged():
        assert flat(net) == pytest.approx(expected, abs=1e-6)
        assert np.abs(flat(net) - passed[-1]).max() > 1e-3
    assert (flat(net) == passed[-1]).all()


def test_own_weights_come_back_after_an_error():
    net = network()
    weights = FlatWeights(torch, net, HORIZON)
    own = steps(net, torch.optim.AdamW([weights.vector], lr=0.05), 3, weights.average)[-1]
    with pytest.raises(ZeroDivisionError), weights.averaged():
        raise ZeroDivisionError
    assert (flat(net) == own).all()
