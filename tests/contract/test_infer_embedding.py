"""Features that a network compresses: what shapes fit, what the network sees, and what it learns
that no mean would tell.
"""

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError
from hpcvbi.infer import ALGORITHMS, Draws, Npe
from hpcvbi.infer.embedding import EMBEDDINGS, embedded
from hpcvbi.infer.estimator import Architecture
from hpcvbi.infer.flow import FLOW
from hpcvbi.infer.isolation import isolated

EMBEDDED = ["npe", "tsnpe", "apt", "nre", "fmpe", "npse"]
TIME = 200


def autoregression(u, seed):
    """Rows of mean 0 and variance 1, which tell nothing, with a coefficient of -0.9 ... 0.9."""
    rng, a = np.random.default_rng(seed), 1.8 * u[:, 0] - 0.9
    noise = rng.standard_normal((len(u), TIME))
    x = noise.copy()
    for t in range(1, TIME):
        x[:, t] = a * x[:, t - 1] + np.sqrt(1 - a**2) * noise[:, t]
    return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)


def test_a_network_over_time_learns_an_autoregression_from_the_raw_recording():
    algorithm = Npe(draws=600, embedding="cnn", hidden=32, max_epochs=30)
    truth = np.linspace(0.1, 0.9, 9)[:, None]
    observed = autoregression(truth, 99)
    state = algorithm.init(1, observed[0])
    u = algorithm.propose(state, algorithm.draws, 1)
    fitted, _ = algorithm.update(state, Draws.of(u, autoregression(u, 2)), 3)
    drawn = algorithm.posterior(fitted, observed, 200, 1)[..., 0]
    # 200 samples tell the coefficient within sqrt((1 - a^2) / 200), at most 0.04 of its range
    assert np.corrcoef(drawn.mean(1), truth[:, 0])[0, 1] > 0.95
    assert drawn.std(1).mean() < 0.12
    assert (np.abs(drawn.mean(1) - truth[:, 0]) < 4 * drawn.std(1)).all()


class Far:
    """A matrix that says it is not in memory."""

    def __init__(self, x):
        self.x, self.shape = x, x.shape

    def __getitem__(self, rows):
        return self.x[rows]


@pytest.mark.parametrize("stored", [np.asarray, Far])
def test_columns_are_standardised_as_the_averaged_weights_make_them(stored):
    algorithm = Npe(
        embedding="cnn", hidden=8, transforms=1, max_epochs=12, learning_rate=1e-2, validation=0.01
    )
    u = np.random.default_rng(1).random((400, 1))
    x = autoregression(u, 2)
    state, _ = algorithm.update(algorithm.init(1, x[0]), Draws.of(u, stored(x)), 3)
    seen = []
    with isolated(0) as torch, torch.no_grad():
        net = algorithm._ensemble(state).nets[0]
        (layer,) = (part for part in net.modules() if isinstance(part, torch.nn.BatchNorm1d))
        layer.register_forward_hook(lambda _, given, made: seen.extend((given[0], made)))
        net.compressed(torch.tensor(state.scaling.apply(x), dtype=torch.float32))
    given, made = (part.numpy() for part in seen)
    vary = given.std(0) > 0.1 * given.std(0).max()  # of others eps is the larger part
    # 4 of 400 rows are held out, and the fit's batches are 50 rows
    assert vary.sum() > 3 and np.abs(made.mean(0)).max() < 0.05
    assert np.abs(made.std(0)[vary] - 1).max() < 0.1


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize(("embedding", "features"), [("mlp", 5), ("cnn", 16), ("fc", 15)])
def test_every_posterior_can_be_learned_through_every_embedding(name, embedding, features):
    estimator = embedded(ALGORITHMS[name].estimator)
    architecture = Architecture(
        2, features, estimator.networks[-1], 8, 1, embedding, embedding_size=10, channels=2
    )
    with isolated(1) as torch:
        net = estimator.build(architecture)
        for part in net.parameters():  # some networks begin with zeros, which let nothing through
            part.data += 0.1 * torch.randn(part.shape)
        z, x = torch.randn(6, 2), torch.randn(6, features)
        estimator.losses(net, z, x).mean().backward()
        first = next(net.compressed.parameters())
        assert first.grad is not None and torch.isfinite(first.grad).all()
        assert (first.grad != 0).any()
        density = estimator.log_density(net, z, x[:1])
        assert density.shape == (6,) and torch.isfinite(density).all()
        if estimator.sample is not None:
            with torch.no_grad():
                assert estimator.sample(net, 4, x[:1]).shape == (4, 2)


def test_the_matrix_is_symmetric_and_in_the_order_of_its_upper_triangle():
    with isolated(1) as torch:
        matrix = EMBEDDINGS["fc"](Architecture(1, 15, "maf", 8, 1, "fc"))[0]
        features = torch.arange(1.0, 16.0)[None]
        seen = matrix(features).numpy().reshape(6, 6)
    np.testing.assert_array_equal(seen, seen.T)
    np.testing.assert_array_equal(np.diag(seen), 0)
    np.testing.assert_array_equal(seen[np.triu_indices(6, 1)], np.arange(1, 16))


def test_channels_follow_each_other():
    with isolated(1) as torch:
        net = EMBEDDINGS["cnn"](Architecture(1, 16, "maf", 8, 1, "cnn", channels=2)).eval()
        x = torch.randn(1, 16)
        # what is last in time cannot change what was before it, in its own channel or the other
        with torch.no_grad():
            before = net.causal_cnns(x.view(1, 2, 8))
            x[0, 7] += 1
            after = net.causal_cnns(x.view(1, 2, 8))
    changed = (before != after).any(dim=1)[0].numpy()
    assert list(changed) == [False] * 7 + [True]


def test_without_an_embedding_nothing_is_added():
    architecture = Architecture(2, 4, "maf", 8, 2)
    with isolated(1):
        plain = FLOW.build(architecture).state_dict()
    with isolated(1):
        through = embedded(FLOW).build(architecture).state_dict()
    assert list(plain) == list(through)


@pytest.mark.parametrize(
    ("settings", "features", "said"),
    [
        ({"embedding": "rnn"}, 9, "no embedding 'rnn'. Known: none, mlp, cnn, fc"),
        ({"embedding": "cnn", "channels": 2}, 17, "17 features are not 2 channels"),
        ({"embedding": "cnn", "channels": 4}, 16, "at least 8 time points"),
        ({"embedding": "fc"}, 16, "upper triangle .* not 16"),
        ({"embedding": "fc"}, 3, "at least 4 regions"),
    ],
)
def test_features_of_another_shape_are_refused_before_any_simulation(settings, features, said):
    with pytest.raises(ConfigError, match=said):
        Npe(**settings).init(2, np.zeros(features))
