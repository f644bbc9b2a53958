"""Feedback inhibition control: the inhibitory weight of each region, fitted to simulations.

Noise moves the mean rate away from where the noise-free equations rest, and so away from what the
closed form of `hpcvbi.models.feedback_inhibition` holds. Deco et al. (2014)
doi:10.1523/JNEUROSCI.5068-13.2014 therefore tune J_i by iteration until the mean excitatory rate of
every region is at its target. The rate is watched as a further state variable that follows it,

    d rate/dt = (H_E − rate) / T,        H_E = (Ṡ_E + S_E/τ_E) / (γ_E (1 − S_E))

All iterations see the same noise: the mean rates are a smooth function of J_i, whose root Broyden's
method finds. Broyden (1965) doi:10.1090/S0025-5718-1965-0198670-6.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.brain.model import State
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Space
from hpcvbi.models import MODELS
from hpcvbi.observe.sampling import Average
from hpcvbi.observe.summary import Moments
from hpcvbi.sim.simulate import simulate

BALANCED = MODELS["wong_wang_ei"]
gating = BALANCED.dfun
WEIGHT, TARGET, RATE = "J_i", "target_rate", "rate"
FOLLOWS = 0.1
"""1/T [1/ms]; the mean over time does not depend on it."""
OPEN = 1e-6
"""Keeps H_E finite where all channels are open, S_E = 1."""
WINDOW = 100.0
"""Averages of so many ms are what the running mean is of."""
FIRST_STEP, LONGEST_STEP = 0.02, 0.1
"""Changes of J_i relative to itself."""


def with_rate(
    S_E,
    S_I,
    rate,
    c,
    w_plus,
    J_N,
    I_o,
    I_ext,
    W_e,
    a_e,
    b_e,
    d_e,
    gamma_e,
    tau_e,
    W_i,
    a_i,
    b_i,
    d_i,
    gamma_i,
    tau_i,
    lamda,
    target_rate,
    J_i,
):
    """Time derivatives of the gating variables [1/ms] and of the rate that follows [kHz/ms]."""
    dS_E, dS_I = gating(
        S_E,
        S_I,
        c,
        w_plus,
        J_N,
        I_o,
        I_ext,
        W_e,
        a_e,
        b_e,
        d_e,
        gamma_e,
        tau_e,
        W_i,
        a_i,
        b_i,
        d_i,
        gamma_i,
        tau_i,
        lamda,
        target_rate,
        J_i,
    )
    H_E = (dS_E + S_E * (1.0 / tau_e)) / (gamma_e * (1.0 - S_E + OPEN))
    return dS_E, dS_I, (H_E - rate) * FOLLOWS


RATED = replace(
    BALANCED, dfun=with_rate, state=(*BALANCED.state, State(RATE, "kHz", init=0.003, low=0.0))
)


def balance_inhibition(
    brain: Brain,
    theta: np.ndarray | None = None,
    *,
    seed: int,
    target_rate: float | None = None,
    tolerance: float = 1e-4,
    duration: float = 60_000.0,
    burn_in: float = 5_000.0,
    draws: int = 16,
    iterations: int = 40,
    dtype: str = "float32",
    **options: Any,
) -> np.ndarray:
    """Return the inhibitory weight J_i [nA] of each region, shape (region,), that holds the mean
    excitatory rate of every region within `tolerance` of the target; to be put into
    `brain.values["J_i"]`.

    Parameters
    ----------
    brain : of `wong_wang_ei`. Its monitors, duration and burn-in play no role, nor does a J_i in
        its values: the fit starts from the closed form.
    theta : (1, param), the point at which to balance; absent for a brain whose space is empty.
    target_rate : [kHz]; absent for the brain's own parameter of that name.
    tolerance : of the mean rate [kHz]. It must exceed the sampling error, which falls as
        1 / √(draws · duration).
    duration, burn_in : of each simulation [ms].
    draws : realisations of the noise that are averaged; they run side by side.
    iterations : how many simulations there may be.
    dtype, options : of `simulate`, such as `backend` or `threads`.

    Raises
    ------
    ConfigError : the model has no such weight, or the rates do not reach the target.
    """
    theta = np.zeros((1, 0)) if theta is None else np.asarray(theta, float)
    if theta.shape != (1, len(brain.space)):
        raise ConfigError(
            f"inhibition is balanced at one point: theta must have shape (1, {len(brain.space)}), "
            f"got {theta.shape}"
        )
    watched = _watched(brain, target_rate, duration, burn_in)
    theta = theta[:, [name in watched.space.names for name in brain.space.names]]
    table = watched.parameters(theta)
    shape = brain.connectome.n_regions
    target, start = (np.broadcast_to(table[name][0], shape) for name in (TARGET, WEIGHT))
    many = draws if brain.noise else 1

    def excess(weight: np.ndarray) -> np.ndarray:
        balanced = replace(watched, values={**watched.values, WEIGHT: weight})
        seen = simulate(balanced, np.repeat(theta, many, 0), seed=seed, dtype=dtype, **options)
        return seen.signals["moments"][:, 0].astype(float).mean(axis=0) - target

    return _solve(excess, start, tolerance, iterations, brain)


def _watched(brain: Brain, target: float | None, duration: float, burn_in: float) -> Brain:
    """The brain with the closed-form weight, seen through the running mean of its rate."""
    if brain.model != BALANCED:
        raise ConfigError(
            f"{brain.model.name} has no inhibitory weight that follows from a target rate: use "
            f"{BALANCED.name}"
        )
    of_monitors = {p.name for monitor in brain.monitors for p in monitor.params}
    gone = {WEIGHT, *of_monitors}
    values = {name: value for name, value in brain.values.items() if name not in gone}
    if target is not None:
        if TARGET in brain.space.names:
            raise ConfigError("target_rate is drawn and given: leave out one of the two")
        values[TARGET] = target
    step = brain.dt * brain.hold
    window = step * max(1, round(WINDOW / step))
    return replace(
        brain,
        model=RATED,
        space=Space(tuple(p for p in brain.space.params if p.name not in of_monitors)),
        values=values,
        duration=window * max(2, round(duration / window)),
        burn_in=step * round(burn_in / step),
        monitors=(Average(RATE, window, keep=False), Moments("average")),
    )


def _solve(excess, weight: np.ndarray, tolerance: float, iterations: int, brain: Brain):
    """Root of `excess` by Broyden's method, from the closed form."""
    error = excess(weight)
    inverse = None
    for _ in range(iterations - 1):
        _check_finite(error, brain)
        if (np.abs(error) < tolerance).all():
            return np.array(weight)
        if inverse is None:
            step = np.copysign(FIRST_STEP, error.mean()) * weight
        else:
            longest = LONGEST_STEP * np.abs(weight)
            step = np.clip(-inverse @ error, -longest, longest)
        after = excess(weight + step)
        change = after - error
        if inverse is None:
            # More inhibition lowers the rate; the steepest region bounds what noise makes flat.
            slope = change / step
            inverse = np.diag(1.0 / np.minimum(slope, -0.1 * np.abs(slope).max()))
        else:
            moved = inverse @ change
            inverse += np.outer(step - moved, step @ inverse) / (step @ moved)
        weight, error = weight + step, after
    _check_finite(error, brain)
    if (np.abs(error) < tolerance).all():
        return np.array(weight)
    worst = int(np.abs(error).argmax())
    raise ConfigError(
        f"inhibition is not balanced after {iterations} simulations: the mean rate of region "
        f"{brain.connectome.labels[worst]} is {1000.0 * error[worst]:+.3f} Hz off its target, "
        f"{(np.abs(error) >= tolerance).sum()} of {len(error)} regions by more than "
        f"{1000.0 * tolerance:g} Hz: lower G or sigma, take a longer duration, or allow a larger "
        f"tolerance or more iterations"
    )


def _check_finite(error: np.ndarray, brain: Brain) -> None:
    if not np.isfinite(error).all():
        region = brain.connectome.labels[int(np.argmin(np.isfinite(error)))]
        raise ConfigError(
            f"the simulation of region {region} diverged while inhibition was balanced: take a "
            f"smaller dt or sigma"
        )
