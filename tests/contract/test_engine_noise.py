"""What noise does to the state: its size per variable and region, its memory, its factor."""

import numpy as np
import pytest

from hpcvbi import (
    LINEAR,
    Brain,
    Connectome,
    Model,
    OrnsteinUhlenbeck,
    Param,
    Sample,
    Space,
    State,
    Uniform,
    WhiteNoise,
    simulate,
)
from hpcvbi.core.errors import ConfigError
from hpcvbi.sim.noise import normals

N, DT, STEPS, DRAWS = 4, 0.5, 40, 500


def still(x, y, c, rate):
    """Moved by noise alone, unless there is a rate."""
    return rate * x + c, rate * y


def proportional(x, y, rate):
    """Noise on x in proportion to x, on y as it is."""
    return x, 1.0 + 0.0 * y


STATE = (State("x", init=1.0), State("y", init=1.0))
PARAMS = (Param("rate", 0.0, "1/ms", -10.0, 10.0),)
STILL = Model("still", still, STATE, ("c",), PARAMS, ("x",))
GEOMETRIC = Model("geometric", still, STATE, ("c",), PARAMS, ("x",), diffusion=proportional)
SIGMA = np.linspace(0.0, 0.3, N)


def brain_of(model: Model, noise, values, **changes) -> Brain:
    return Brain(
        Connectome(np.zeros((N, N)), np.zeros((N, N)), tuple("abcd")),
        model,
        LINEAR,
        noise,
        dt=DT,
        duration=STEPS * DT,
        monitors=(Sample("x", DT), Sample("y", DT, name="y")),
        values=values,
        **changes,
    )


def run(brain: Brain, draws: int = DRAWS, backend: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """x and y (draw, step, region), with the initial state in front."""
    options = {"width": 4} if backend == "cpu" else {}
    theta = np.zeros((draws, 0))
    seen = simulate(brain, theta, seed=6, backend=backend, dtype="float64", **options).signals
    start = np.ones((draws, 1, N))
    return tuple(np.concatenate([start, seen[name]], axis=1) for name in ("sample", "y"))


def test_white_noise_by_hand():
    """Each variable has its own sigma, per region, and the normals of its place in `on`."""
    noise = WhiteNoise(("y", "x"), separate=True)
    values = {"sigma_x": SIGMA, "sigma_y": 0.2}
    got = run(brain_of(STILL, noise, values), 3, "reference")
    for draw in range(3):
        z = normals(6, draw, STEPS, N, 2).astype(float) * np.sqrt(DT)
        np.testing.assert_allclose(np.diff(got[0][draw], axis=0), SIGMA * z[:, 1], atol=1e-13)
        np.testing.assert_allclose(np.diff(got[1][draw], axis=0), 0.2 * z[:, 0], atol=1e-13)


OU = {"sigma_x": SIGMA, "sigma_y": 0.05, "tau_noise": 4.0}


@pytest.fixture(scope="module")
def etas():
    """Ornstein-Uhlenbeck noise, (draw, step, region), on x and on y."""
    brain = brain_of(STILL, OrnsteinUhlenbeck(("x", "y"), separate=True), OU)
    return tuple(np.diff(values, axis=1) / DT for values in run(brain))


def test_coloured_noise_is_stationary_from_the_first_step(etas):
    assert (etas[0][..., 0] == 0).all()
    for eta, sigma in ((etas[0][..., 1:], SIGMA[1:]), (etas[1], np.full(N, 0.05))):
        for step in (0, 1, 7, STEPS - 1):
            variance = np.mean(eta[:, step] ** 2, axis=0) / sigma**2
            assert np.abs(variance - 1).max() < 4.5 * np.sqrt(2 / DRAWS)
        assert abs((eta[:, 0] / sigma).mean()) < 4 / np.sqrt(DRAWS * len(sigma))


@pytest.mark.parametrize("lag", [1, 4, 8, 24])
def test_coloured_noise_forgets_exponentially(etas, lag):
    eta = etas[1] / 0.05
    product = (eta[:, lag:] * eta[:, :-lag]).mean(axis=(1, 2))
    error = product.std() / np.sqrt(DRAWS)
    assert abs(product.mean() - np.exp(-lag * DT / 4.0)) < 4 * error < 0.1


def test_coloured_noise_is_independent_between_variables_regions_and_draws(etas):
    together = np.concatenate([etas[0][..., 1:] / SIGMA[1:], etas[1] / 0.05], axis=2)
    for step in (0, STEPS - 1):
        between = np.corrcoef(together[:, step].T)[np.triu_indices(2 * N - 1, 1)]
        assert np.abs(between).max() < 4.5 / np.sqrt(DRAWS)
    neighbours = etas[1][1:] * etas[1][:-1] / 0.05**2
    error = neighbours.mean(axis=(1, 2)).std() / np.sqrt(DRAWS)
    assert abs(neighbours.mean()) < 5 * error


def test_coloured_noise_in_the_reference(etas):
    brain = brain_of(STILL, OrnsteinUhlenbeck(("x", "y"), separate=True), OU)
    for got, values in zip(etas, run(brain, 2, "reference"), strict=True):
        np.testing.assert_allclose(got[:2], np.diff(values, axis=1) / DT, rtol=0, atol=1e-11)


MU, S = -0.02, 0.15


@pytest.fixture(scope="module")
def geometric():
    values = {"sigma": S, "rate": MU}
    return brain_of(GEOMETRIC, WhiteNoise(("x", "y")), values)


def test_noise_in_proportion_to_the_state(geometric):
    """Geometric Brownian motion: both backends, and the moments of Euler's scheme."""
    x, y = run(geometric, 2000)
    plain_x, plain_y = run(geometric, 2, "reference")
    np.testing.assert_allclose(x[:2], plain_x, rtol=0, atol=1e-11)
    np.testing.assert_allclose(y[:2], plain_y, rtol=0, atol=1e-11)
    z = normals(6, 0, STEPS, N, 2).astype(float)
    by_hand = np.cumprod(1.0 + MU * DT + S * np.sqrt(DT) * z[:, 0], axis=0)
    np.testing.assert_allclose(x[0, 1:], by_hand, rtol=1e-12)
    end = x[:, -1].ravel()
    mean, square = (1 + MU * DT) ** STEPS, ((1 + MU * DT) ** 2 + S**2 * DT) ** STEPS
    assert abs(end.mean() - mean) < 4 * end.std() / np.sqrt(end.size)
    assert abs((end**2).mean() - square) < 4 * (end**2).std() / np.sqrt(end.size)
    # Those of the exact solution are near.
    time = STEPS * DT
    assert mean == pytest.approx(np.exp(MU * time), rel=0.01)
    assert square == pytest.approx(np.exp((2 * MU + S**2) * time), rel=0.01)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_zero_noise_is_no_noise(geometric, backend):
    values = {"sigma": 0.0, "rate": MU}
    silent = brain_of(GEOMETRIC, WhiteNoise(("x", "y")), values)
    x, _ = run(silent, 1, backend)
    expected = (1 + MU * DT) ** np.arange(STEPS + 1)
    np.testing.assert_allclose(x[0], expected[:, None] * np.ones(N), rtol=1e-12)


def test_sigmas_can_be_drawn_and_are_checked():
    noise = WhiteNoise(("x", "y"), separate=True)
    space = Space((Param("sigma_y", 0.1, low=0.0, prior=Uniform(0.0, 1.0)),))
    brain = brain_of(STILL, noise, {}, space=space)
    table = brain.parameters(np.array([[0.5], [0.25]]))
    assert table["sigma_y"].ravel().tolist() == [0.5, 0.25]
    assert [p.name for p in noise.params] == ["sigma_x", "sigma_y"]
    with pytest.raises(ConfigError, match="'sigma' is no parameter of this brain"):
        brain_of(STILL, noise, {"sigma": 0.1})
    with pytest.raises(ConfigError, match=r"sigma_x \[1/sqrt\(ms\)\] must lie in \[0, 1e\+06\]"):
        brain_of(STILL, noise, {"sigma_x": -0.1})
    with pytest.raises(ConfigError, match=r"tau_noise \[ms\] must lie in \[0.001, 1e\+06\]"):
        brain_of(STILL, OrnsteinUhlenbeck(("x",)), {"tau_noise": 0.0})
    with pytest.raises(ConfigError, match="scheme sra1 is for additive noise; geometric declares"):
        brain_of(GEOMETRIC, WhiteNoise(("x",)), {}, scheme="sra1")
