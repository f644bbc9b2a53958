"""Wong-Wang with an excitatory and an inhibitory population per region and closed-form feedback
inhibition.

    Ṡ_E = −S_E/τ_E + (1 − S_E) γ H_E(x_E)            x_E = I0 + w+ J S_E + J c − J_i S_I        [nA]
    Ṡ_I = −S_I/τ_I + H_I(x_I)                        x_I = W_I I0 + J S_E − S_I                 [nA]
    H(x) = (a x − b) / (1 − exp(−d (a x − b)))       firing rate [kHz]

Deco et al. (2014) doi:10.1523/JNEUROSCI.5068-13.2014. The paper tunes the inhibitory weight J_i of
each region by iteration until the excitatory rate is about 3 Hz. The fixed point of the noise-free
equations gives it in closed form: with the gating S*, inhibitory gating S_I* and input x* that
belong to the target rate in every region,

    J_i = (I0 + w+ J S* + G J S* Σ_j C_ij − x*) / S_I*.
"""

from hpcvbi.brain.model import Derived, Model, State
from hpcvbi.core.space import Param
from hpcvbi.models.firing_rate import firing_rate

TARGET_RATE = 0.003
"""Excitatory firing rate that inhibition holds in every region [kHz]."""
I0, J, W_I = 0.382, 0.15, 0.7
TAU_E, TAU_I, GAMMA = 100.0, 10.0, 0.641
A_E, B_E, D_E = 0.310, 0.125, 160.0
A_I, B_I, D_I = 0.615, 0.177, 87.0


def _solve(f, low: float, high: float) -> float:
    """Root of the increasing function `f` by bisection to machine precision."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return 0.5 * (low + high)


S_E_REST = TAU_E * GAMMA * TARGET_RATE / (1.0 + TAU_E * GAMMA * TARGET_RATE)
X_E_REST = _solve(lambda x: firing_rate(A_E * x - B_E, D_E) - TARGET_RATE, 0.3, 0.403)
S_I_REST = _solve(
    lambda s: s / TAU_I - firing_rate(A_I * (W_I * I0 + J * S_E_REST - s) - B_I, D_I), 0.001, 0.2
)


def feedback_inhibition(G, w_plus, strength):
    """Inhibitory weight [nA] that holds the target rate in a region of summed incoming weight
    `strength`.
    """
    return (I0 + w_plus * J * S_E_REST + G * J * S_E_REST * strength - X_E_REST) / S_I_REST


def dfun(S_E, S_I, c, w_plus, J_i):
    """Time derivatives of the gating variables [1/ms]."""
    H_E = firing_rate(A_E * (I0 + J * (w_plus * S_E + c) - J_i * S_I) - B_E, D_E)
    H_I = firing_rate(A_I * (W_I * I0 + J * S_E - S_I) - B_I, D_I)
    return GAMMA * (1.0 - S_E) * H_E - (1.0 / TAU_E) * S_E, H_I - (1.0 / TAU_I) * S_I


wong_wang_ei = Model(
    name="wong_wang_ei",
    dfun=dfun,
    state=(
        State("S_E", "1", init=S_E_REST, low=0.0, high=1.0),
        State("S_I", "1", init=S_I_REST, low=0.0, high=1.0),
    ),
    inputs=("c",),
    sends=("S_E",),
    time_constant=TAU_I,
    params=(Param("w_plus", 1.4, "1", 0.0, 5.0, doc="local excitatory recurrence"),),
    derived=(
        Derived("J_i", "nA", feedback_inhibition, doc="inhibitory weight that holds 3 Hz at rest"),
    ),
)
