"""Weights as one vector: the same network, gradients and steps, and an average that is put back."""

import numpy as np
import pytest
import torch

from hpcvbi.infer.flat_weights import LARGEST_GRADIENT, FlatWeights
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


def steps(net, clear, step, n):
    """Take `n` steps on the mean square of the outputs; return the weights after each."""
    passed = []
    for number in range(n):
        clear()
        net(rows(number)).square().mean().backward()
        step()
        passed.append(flat(net))
    return np.array(passed)


def flat_steps(weights, net, n):
    """The same with weights in a vector."""
    return steps(net, weights.clear, lambda: weights.step(0.05), n)


def test_steps_of_the_vector_are_those_of_its_parts():
    parts, whole = network(), network()
    by_parts = torch.optim.AdamW(parts.parameters(), lr=0.05, weight_decay=0.3)
    one = steps(parts, by_parts.zero_grad, by_parts.step, 20)
    other = flat_steps(FlatWeights(torch, whole, HORIZON, decay=0.3), whole, 20)
    assert np.abs(one[-1] - one[0]).max() > 0.1
    assert other == pytest.approx(one, abs=1e-5)


def test_large_gradients_are_clipped():
    net = network()
    weights = FlatWeights(torch, net, HORIZON)
    weights.vector.grad.fill_(7.0)
    weights.step(0.05)
    assert float(weights.vector.grad.norm()) == pytest.approx(LARGEST_GRADIENT)
    weights.clear()
    assert not weights.vector.grad.any()


def test_the_average_follows_the_weights():
    net = network()
    weights = FlatWeights(torch, net, HORIZON)
    passed = flat_steps(weights, net, 12)
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
    own = flat_steps(weights, net, 3)[-1]
    with pytest.raises(ZeroDivisionError), weights.averaged():
        raise ZeroDivisionError
    assert (flat(net) == own).all()
