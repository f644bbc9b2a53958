"""The inhibitory weight that holds a target rate, in closed form.

Deco et al. (2014) doi:10.1523/JNEUROSCI.5068-13.2014 tune the inhibitory weight J_i of each region
by iteration until the excitatory rate is about 3 Hz. The fixed point of the noise-free equations
gives it directly. At the target rate H* in every region the excitatory gating, the excitatory input
and the inhibitory gating are

    S* = τ_E γ_E H* / (1 + τ_E γ_E H*),    H_E(x*) = H*,    S_I* = τ_I γ_I H_I(x_I* − S_I*),

with x_I* = W_I I0 + J S* + λ G J S* Σ_j C_ij, and the balance of currents says

    J_i = (W_E I0 + I_ext + w+ J S* + G J S* Σ_j C_ij − x*) / S_I*.
"""

from collections.abc import Callable

import numpy as np

from hpcvbi.models.firing_rate import ALMOST_ZERO

MOST_STEPS = 200
CLOSE = 1e-9
"""Relative size of a Newton step after which the next would be below rounding."""


def feedback_inhibition(
    G,
    strength,
    target_rate,
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
):
    """Inhibitory weight [nA] that holds `target_rate` [kHz] in a region of summed incoming weight
    `strength`; all arguments broadcast.
    """
    S_E = excitatory_gating(target_rate, gamma_e, tau_e)
    network = G * J_N * S_E * strength
    forward = lamda * network if np.any(lamda) else 0.0
    S_I = inhibitory_gating(W_i * I_o + J_N * S_E + forward, a_i, b_i, d_i, gamma_i, tau_i)
    x_E = input_at_rate(target_rate, a_e, b_e, d_e)
    return (W_e * I_o + I_ext + w_plus * J_N * S_E + network - x_E) / S_I


def excitatory_gating(rate, gamma, tau):
    """Excitatory gating in balance with a firing rate [kHz]."""
    return tau * gamma * rate / (1.0 + tau * gamma * rate)


def inhibitory_gating(x, a, b, d, gamma, tau):
    """Inhibitory gating in balance with its own rate, where `x` [nA] is all other input."""

    def excess(S):
        rate, slope = _rate(d * (a * (x - S) - b))
        return S - tau * gamma / d * rate, 1.0 + tau * gamma * a * slope

    # Concave and increasing: from the left Newton's steps never pass the root.
    return _newton(excess, 0.0)


def input_at_rate(rate, a, b, d):
    """Input current [nA] at which the population fires at `rate` [kHz]."""

    def excess(v):
        above, slope = _rate(v)
        return above - d * rate, slope

    # Convex and increasing: from the right Newton's steps never pass the root.
    return (b + _newton(excess, d * rate) / d) / a


def _rate(v):
    """v / (1 - exp(-v)), the rate in units of 1/d, and its derivative."""
    v = v + ALMOST_ZERO
    with np.errstate(over="ignore"):  # far below threshold the rate is one over infinity
        rate = v / -np.expm1(-v)
    return rate, rate / v * (1.0 - rate + v)


def _newton(f: Callable, x):
    """Root of the first value of `f`, elementwise; the second is its slope."""
    for _ in range(MOST_STEPS):
        value, slope = f(x)
        step = value / slope
        x = x - step
        if np.all(np.abs(step) <= CLOSE * np.abs(x)):
            break
    return x
