"""What atomic posteriors are learned by: atoms told apart, and draws of the prior by themselves."""

from dataclasses import replace

import numpy as np
import pytest

from hpcvbi.infer import Apt, Draws
from hpcvbi.infer.apt import atomic
from hpcvbi.infer.batches import table_of
from hpcvbi.infer.bend import straight
from hpcvbi.infer.coordinates import log_prior
from hpcvbi.infer.draws import Masked
from hpcvbi.infer.isolation import isolated
from hpcvbi.infer.scaling import Scaling


def test_the_atomic_loss_is_that_of_telling_atoms_apart_and_of_draws_of_the_prior():
    import torch

    center, scale = np.array([0.3, -0.2]), np.array([0.5, 2.0])

    class Normal:
        def log_prob(self, z, x):
            return -0.5 * ((z - x) ** 2).sum(-1)

    with isolated(2):
        z, x, first = torch.randn(5, 2), torch.randn(5, 2), torch.tensor([1.0, 0, 0, 1, 0])
        marked = torch.cat([z, first[:, None]], 1)
        loss = atomic(5, center, scale)(Normal(), marked, x).numpy()  # all rows are atoms
    z, x, first = z.numpy(), x.numpy(), first.numpy()
    log_q = -0.5 * ((z[None] - x[:, None]) ** 2).sum(-1)
    ratio = np.exp(log_q - log_prior(center + scale * z))
    share = ratio / ratio.sum(1, keepdims=True)
    own = np.diag(log_q)
    np.testing.assert_allclose(loss, -np.log(np.diag(share)) - first * own, rtol=1e-5)


@pytest.mark.parametrize("streamed", [False, True])
def test_draws_of_the_prior_are_marked_from_the_second_round_on(streamed):
    apt, rounds, none = Apt(), np.repeat([-1, 0, 1], 10), np.zeros((30, 3))
    x = Masked(none, np.ones(30, bool)) if streamed else none
    draws = Draws(np.full((30, 2), 0.5), x, rounds)
    state, unit = apt.init(2, np.zeros(3)), np.ones(2)
    assert apt._marks(state, draws).shape == (30, 0)
    marks = apt._marks(replace(state, round=1), draws)
    none, one = np.zeros(3), np.ones(3)
    same = Scaling(-one, one, none, one, straight(3))
    table = table_of(draws, draws.whole, unit, unit, same, marks)
    with isolated(1) as torch:
        batches = table.batches(torch, torch.device("cpu"), 0.2)
        z = np.concatenate([z for part in (batches.epoch(7), batches.held_out()) for z, _ in part])
    assert z.shape == (30, 3) and sorted(z[:, 2]) == [0.0] * 10 + [1.0] * 20
    np.testing.assert_array_equal(z[:, :2], -1.0)


def test_draws_of_the_posterior_are_weighted_as_such():
    noise, observed, parts, states = 0.1, np.array([0.3]), [], []
    apt = Apt(draws=400, network="mdn", hidden=16, max_epochs=40)
    state, rng = apt.init(1, observed), np.random.default_rng(0)
    for number in range(2):
        u = apt.propose(state, apt.draws, number)
        parts.append(Draws.of(u, u + noise * rng.standard_normal(u.shape), number))
        state, _ = apt.update(state, Draws.join(parts), number)
        states.append(state)
    first, second = apt.populations(states, Draws.join(parts))
    before, after = (apt.log_density(s, parts[1].u, observed) for s in states)
    ratio = np.exp(after - before)
    np.testing.assert_allclose(second.weights, ratio / ratio.sum(), rtol=1e-9)
    density = np.exp(apt.log_density(states[0], parts[0].u, observed))
    np.testing.assert_allclose(first.weights, density / density.sum(), rtol=1e-9)
    # without the proposal's density it is the posterior's square, narrower by sqrt(2)
    spread = np.sqrt(np.cov(parts[1].u[:, 0], aweights=second.weights))
    assert 0.85 < spread / apt.posterior(state, observed, 2000, 1).std() < 1.15
