"""Montbrió-Pazó-Roxin: exact mean field of quadratic integrate-and-fire neurons, all to all.

    τ ṙ = (Δ + Γ τ r) / (π τ) + 2 r V                        r  firing rate          [1/ms]
    τ V̇ = V² − (π τ r)² + η + J τ r + I + cr c_r + cv c_V    V  membrane potential   [1]

Montbrió, Pazó & Roxin (2015) doi:10.1103/PhysRevX.5.021028. Lorentzian distributions of half-width
Δ of the currents and Γ of the synaptic weights. The default is bistable: r = .081 and V = −1.96 at
rest, r = 1.03 and V = −.154 when active.
"""

from math import pi

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param


def dfun(r, V, c_r, c_V, tau, I, Delta, J, eta, Gamma, cr, cv):  # noqa: E741
    """Time derivatives of rate [1/ms²] and potential [1/ms]."""
    turning = (pi * tau) * r
    dr = Delta / (pi * tau) + (Gamma * (1.0 / pi) + 2.0 * V) * r
    dV = V * V - turning * turning + (J * tau) * r + (eta + I) + cr * c_r + cv * c_V
    return dr * (1.0 / tau), dV * (1.0 / tau)


montbrio_pazo_roxin = Model(
    name="montbrio_pazo_roxin",
    dfun=dfun,
    state=(
        State("r", "1/ms", init=0.0811, low=0.0, start=(0.0, 2.0)),
        State("V", "1", init=-1.9616, start=(-2.0, 1.5)),
    ),
    inputs=("c_r", "c_V"),
    sends=("r", "V"),
    time_constant=1.0,
    params=(
        Param("tau", 1.0, "ms", 1e-3, 1000.0, Uniform(0.5, 20.0), "membrane time constant"),
        Param("I", 0.0, "1", -100.0, 100.0, Uniform(-1.0, 1.0), "external current"),
        Param("Delta", 1.0, "1", 0.0, 100.0, Uniform(0.1, 2.0), "half-width of the currents"),
        Param("J", 15.0, "1", -1000.0, 1000.0, Uniform(5.0, 25.0), "mean synaptic weight"),
        Param("eta", -5.0, "1", -1000.0, 1000.0, Uniform(-10.0, 0.0), "centre of the currents"),
        Param("Gamma", 0.0, "1", 0.0, 100.0, Uniform(0.0, 2.0), "half-width of the weights"),
        Param("cr", 1.0, "1", -100.0, 100.0, Uniform(0.0, 1.0), "coupling through the rate"),
        Param("cv", 0.0, "1", -100.0, 100.0, Uniform(0.0, 1.0), "coupling through the potential"),
    ),
)
