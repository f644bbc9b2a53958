"""Wong-Wang with an excitatory and an inhibitory population per region and closed-form feedback
inhibition.

    Ṡ_E = −S_E/τ_E + (1 − S_E) γ_E H_E(x_E)     x_E = W_E I0 + I_ext + w+ J S_E + J c − J_i S_I [nA]
    Ṡ_I = −S_I/τ_I + γ_I H_I(x_I)               x_I = W_I I0 + J S_E − S_I + λ J c              [nA]
    H(x) = (a x − b) / (1 − exp(−d (a x − b)))  firing rate [kHz]

Deco et al. (2014) doi:10.1523/JNEUROSCI.5068-13.2014. λ > 0 adds feed-forward inhibition. J_i
follows from the target rate, see `hpcvbi.models.feedback_inhibition`. The form with rates in Hz
(a 310, b 125, d .16, γ_E .000641, γ_I .001) is the same equation.
"""

from hpcvbi.brain.model import Derived, Model, State
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param
from hpcvbi.models.feedback_inhibition import (
    excitatory_gating,
    feedback_inhibition,
    inhibitory_gating,
)
from hpcvbi.models.firing_rate import firing_rate

PARAMS = (
    Param("w_plus", 1.4, "1", 0.0, 5.0, Uniform(0.5, 2.0), "local excitatory recurrence"),
    Param("J_N", 0.15, "nA", 0.0, 5.0, Uniform(0.1, 0.3), "excitatory synaptic coupling"),
    Param("I_o", 0.382, "nA", 0.0, 5.0, Uniform(0.3, 0.45), "effective external input"),
    Param("I_ext", 0.0, "nA", -5.0, 5.0, Uniform(0.0, 0.1), "input of a task or stimulus"),
    Param("W_e", 1.0, "1", 0.0, 5.0, Uniform(0.8, 1.2), "excitatory share of the input"),
    Param("a_e", 0.31, "1/(ms nA)", 1e-3, 1e3, Uniform(0.25, 0.37), "excitatory gain"),
    Param("b_e", 0.125, "1/ms", 0.0, 1e3, Uniform(0.1, 0.15), "excitatory threshold"),
    Param("d_e", 160.0, "ms", 1e-3, 1e3, Uniform(120.0, 200.0), "excitatory curvature"),
    Param("gamma_e", 0.641, "1", 1e-6, 10.0, Uniform(0.3, 1.0), "excitatory kinetic parameter"),
    Param("tau_e", 100.0, "ms", 1.0, 1e3, Uniform(50.0, 150.0), "NMDA decay time constant"),
    Param("W_i", 0.7, "1", 0.0, 5.0, Uniform(0.5, 0.9), "inhibitory share of the input"),
    Param("a_i", 0.615, "1/(ms nA)", 1e-3, 1e3, Uniform(0.5, 0.75), "inhibitory gain"),
    Param("b_i", 0.177, "1/ms", 0.0, 1e3, Uniform(0.14, 0.21), "inhibitory threshold"),
    Param("d_i", 87.0, "ms", 1e-3, 1e3, Uniform(60.0, 110.0), "inhibitory curvature"),
    Param("gamma_i", 1.0, "1", 1e-6, 10.0, Uniform(0.5, 2.0), "inhibitory kinetic parameter"),
    Param("tau_i", 10.0, "ms", 1.0, 1e3, Uniform(5.0, 20.0), "GABA decay time constant"),
    Param("lamda", 0.0, "1", 0.0, 1.0, Uniform(0.0, 1.0), "feed-forward inhibition"),
    Param("target_rate", 0.003, "kHz", 1e-5, 0.2, Uniform(0.001, 0.01), "rate that J_i holds"),
)
DEFAULT = {p.name: p.default for p in PARAMS}


def dfun(
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
):
    """Time derivatives of the gating variables [1/ms]."""
    x_E = W_e * I_o + I_ext + J_N * (w_plus * S_E + c) - J_i * S_I
    x_I = W_i * I_o + J_N * (S_E + lamda * c) - S_I
    H_E = firing_rate(x_E, a_e, b_e, d_e)
    H_I = firing_rate(x_I, a_i, b_i, d_i)
    return (
        gamma_e * (1.0 - S_E) * H_E - (1.0 / tau_e) * S_E,
        gamma_i * H_I - (1.0 / tau_i) * S_I,
    )


S_E_REST = float(excitatory_gating(*(DEFAULT[k] for k in ("target_rate", "gamma_e", "tau_e"))))
S_I_REST = float(
    inhibitory_gating(
        DEFAULT["W_i"] * DEFAULT["I_o"] + DEFAULT["J_N"] * S_E_REST,
        *(DEFAULT[k] for k in ("a_i", "b_i", "d_i", "gamma_i", "tau_i")),
    )
)

wong_wang_ei = Model(
    name="wong_wang_ei",
    dfun=dfun,
    state=(
        State("S_E", "1", init=S_E_REST, low=0.0, high=1.0, start=(0.0, 1.0)),
        State("S_I", "1", init=S_I_REST, low=0.0, high=1.0, start=(0.0, 1.0)),
    ),
    inputs=("c",),
    sends=("S_E",),
    time_constant=DEFAULT["tau_i"],
    params=PARAMS,
    derived=(
        Derived("J_i", "nA", feedback_inhibition, "inhibitory weight that holds the target rate"),
    ),
)
