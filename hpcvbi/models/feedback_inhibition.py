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

from hpcvbi.models.firing_rate import firing_rate

HALVINGS = 64
"""Bisections that leave of an interval less than its rounding."""


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
    S_I = inhibitory_gating(W_i * I_o + J_N * S_E + lamda * network, a_i, b_i, d_i, gamma_i, tau_i)
    x_E = input_at_rate(target_rate, a_e, b_e, d_e)
    return (W_e * I_o + I_ext + w_plus * J_N * S_E + network - x_E) / S_I


def excitatory_gating(rate, gamma, tau):
    """Excitatory gating in balance with a firing rate [kHz]."""
    return tau * gamma * rate / (1.0 + tau * gamma * rate)


def inhibitory_gating(x, a, b, d, gamma, tau):
    """Inhibitory gating in balance with its own rate, where `x` [nA] is all other input."""

    def excess(S):
        return S - tau * gamma * firing_rate(x - S, a, b, d)

    most = tau * gamma * firing_rate(x, a, b, d)
    return increasing_root(excess, np.zeros_like(most), most)


def input_at_rate(rate, a, b, d):
    """Input current [nA] at which the population fires at `rate` [kHz]."""
    # Above threshold by u the rate is at least u; 700/d below it is e^-700 of anything.
    low, high = (b - 700.0 / d) / a, (b + rate) / a
    return increasing_root(lambda x: firing_rate(x, a, b, d) - rate, low, high)


def increasing_root(f: Callable, low, high) -> np.ndarray:
    """Root of an increasing function of arrays between `low` and `high`, elementwise."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        below = f(middle) < 0.0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)
