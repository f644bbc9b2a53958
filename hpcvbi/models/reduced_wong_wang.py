"""Reduced Wong-Wang: mean NMDA gating of one excitatory population per region.

    Ṡ = −S/τ + (1 − S) γ H(x)                        S  synaptic gating        [1]
    H = (a x − b) / (1 − exp(−d (a x − b)))          H  firing rate            [kHz]
    x = w J S + I0 + J c                             x  input current          [nA]

Deco et al. (2013) doi:10.1523/JNEUROSCI.1091-13.2013; Wong & Wang (2006)
doi:10.1523/JNEUROSCI.3733-05.2006. The form with rates in Hz (a 270, b 108, d .154, γ .000641) is
the same equation.
"""

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param
from hpcvbi.models.firing_rate import firing_rate


def dfun(S, c, w, I0, J, tau, gamma, a, b, d):
    """Time derivative of the gating [1/ms]."""
    rate = firing_rate(w * J * S + I0 + J * c, a, b, d)
    return ((1.0 - S) * gamma * rate - (1.0 / tau) * S,)


reduced_wong_wang = Model(
    name="reduced_wong_wang",
    dfun=dfun,
    state=(State("S", "1", init=0.1, low=0.0, high=1.0, start=(0.0, 1.0)),),
    inputs=("c",),
    sends=("S",),
    time_constant=100.0,
    params=(
        Param("w", 0.9, "1", 0.0, 5.0, Uniform(0.0, 1.0), "local excitatory recurrence"),
        Param("I0", 0.3, "nA", 0.0, 1.0, Uniform(0.2, 0.4), "effective external input"),
        Param("J", 0.2609, "nA", 0.0, 1.0, Uniform(0.2, 0.5), "synaptic coupling"),
        Param("tau", 100.0, "ms", 1.0, 1000.0, Uniform(50.0, 150.0), "NMDA decay time constant"),
        Param("gamma", 0.641, "1", 0.0, 10.0, Uniform(0.3, 1.0), "kinetic parameter"),
        Param("a", 0.27, "1/(ms nA)", 0.0, 1000.0, Uniform(0.2, 0.35), "gain of the rate function"),
        Param("b", 0.108, "1/ms", 0.0, 1000.0, Uniform(0.08, 0.14), "threshold of the rate"),
        Param("d", 154.0, "ms", 1e-3, 1000.0, Uniform(100.0, 200.0), "curvature of the rate"),
    ),
)
