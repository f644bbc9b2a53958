"""Tasks of sbibm whose mean is the solution of a differential equation.

SIR:             Ṡ = -β S I / N,  İ = β S I / N - γ I,  N = 10⁶, one infected at t = 0
                 x_k ~ Binomial(1000, I / N) at t = 0, 17, ..., 153 days
Lotka-Volterra:  Ẋ = α X - β X Y,  Ẏ = -γ Y + δ X Y,  X(0) = 30, Y(0) = 1
                 log x_k ~ N(log X, 0.1²) and N(log Y, 0.1²) at t = 0, 2.1, ..., 18.9

SIR is solved by the classical Runge-Kutta scheme. In q = log X, p = log Y, Lotka-Volterra is a
separable Hamiltonian system, solved by the fourth-order composition of five leapfrog steps.

Lueckmann et al. (2021), DOI 10.48550/arXiv.2101.04653; the composition: Suzuki (1990),
DOI 10.1016/0375-9601(90)90962-N.
"""

import numpy as np
from tasks.prior import LogNormal
from tasks.reference import Sbibm
from tasks.task import Task

PEOPLE, SAMPLED = 1e6, 1000
SIR_TIMES, SIR_EVERY, SIR_STEPS = 10, 17.0, 68
LV_TIMES, LV_EVERY, LV_STEPS = 10, 2.1, 70
LV_NOISE = 0.1
LV_RANGE = (1e-10, 1e4)
OUTER = 1 / (4 - 4 ** (1 / 3))
COMPOSED = (OUTER, OUTER, 1 - 4 * OUTER, OUTER, OUTER)


def infected(theta: np.ndarray) -> np.ndarray:
    """Share of the infected (draw, time)."""
    beta, gamma = theta.T
    step = SIR_EVERY / SIR_STEPS
    state = np.empty((2, len(theta)))
    state[0], state[1] = 1 - 1 / PEOPLE, 1 / PEOPLE

    def slope(state: np.ndarray) -> np.ndarray:
        caught = beta * state[0] * state[1]
        return np.stack([-caught, caught - gamma * state[1]])

    found = np.empty((len(theta), SIR_TIMES))
    found[:, 0] = state[1]
    for k in range(1, SIR_TIMES):
        for _ in range(SIR_STEPS):
            first = slope(state)
            second = slope(state + step / 2 * first)
            third = slope(state + step / 2 * second)
            fourth = slope(state + step * third)
            state = state + step / 6 * (first + 2 * second + 2 * third + fourth)
        found[:, k] = state[1]
    return np.clip(found, 0.0, 1.0)


def _draw_sir(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.binomial(SAMPLED, infected(theta)).astype(float)


def _log_sir(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    share = np.clip(infected(theta), 1e-300, 1 - 1e-16)
    return (x * np.log(share) + (SAMPLED - x) * np.log1p(-share)).sum(axis=1)


def populations(theta: np.ndarray) -> np.ndarray:
    """Logarithm of prey at all times, then of predators (draw, 2 time); NaN if it diverged."""
    alpha, beta, gamma, delta = theta.T
    prey, predators = np.full(len(theta), np.log(30.0)), np.zeros(len(theta))
    found = np.empty((len(theta), 2, LV_TIMES))
    found[:, 0, 0], found[:, 1, 0] = prey, predators
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(1, LV_TIMES):
            for part in COMPOSED * LV_STEPS:
                step = part * LV_EVERY / LV_STEPS
                prey = prey + step / 2 * (alpha - beta * np.exp(predators))
                predators = predators + step * (delta * np.exp(prey) - gamma)
                prey = prey + step / 2 * (alpha - beta * np.exp(predators))
            found[:, 0, k], found[:, 1, k] = prey, predators
    found[~np.isfinite(found).all(axis=(1, 2))] = np.nan
    return np.clip(found, *np.log(LV_RANGE)).reshape(len(theta), 2 * LV_TIMES)


def _draw_lotka_volterra(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.exp(populations(theta) + LV_NOISE * rng.standard_normal((len(theta), 2 * LV_TIMES)))


def _log_lotka_volterra(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    residual = (np.log(x) - populations(theta)) / LV_NOISE
    return np.nan_to_num(-0.5 * (residual**2).sum(axis=1), nan=-np.inf)


sir = Task("sir", 2, SIR_TIMES, LogNormal((np.log(0.4), np.log(0.125)), (0.5, 0.2)),
           _draw_sir, _log_sir, Sbibm("sir"))  # fmt: skip
lotka_volterra = Task(
    "lotka_volterra",
    4,
    2 * LV_TIMES,
    LogNormal((-0.125, -3.0, -0.125, -3.0), (0.5,) * 4),
    _draw_lotka_volterra,
    _log_lotka_volterra,
    Sbibm("lotka_volterra"),
)
