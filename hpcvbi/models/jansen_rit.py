"""Jansen-Rit: pyramidal cells with an excitatory and an inhibitory feedback loop.

    ÿ0 = A a S(y1 − y2)                 − 2a ẏ0 − a² y0        y3 = ẏ0   pyramidal cells
    ÿ1 = A a (μ + α2 J S(α1 J y0) + c)  − 2a ẏ1 − a² y1        y4 = ẏ1   excitatory feedback
    ÿ2 = B b α4 J S(α3 J y0)            − 2b ẏ2 − b² y2        y5 = ẏ2   inhibitory feedback
    S(v) = 2 ν_max / (1 + exp(r (v0 − v)))                     firing rate [1/ms]

Jansen & Rit (1995) doi:10.1007/BF00199471. The potential of the pyramidal cells y1 − y2 (`psp`) is
what EEG sees and what a region sends, as a rate if the coupling is sigmoidal. The default input,
220 pulses per second, gives alpha rhythm. The Virtual Brain has v0 = 5.52.
"""

from numpy import exp

from hpcvbi.brain.model import Model, Output, State
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param


def dfun(y0, y1, y2, y3, y4, y5, c, A, B, a, b, v0, nu_max, r, J, a_1, a_2, a_3, a_4, mu):
    """Time derivatives of the potentials [mV/ms] and of their slopes [mV/ms²]."""
    # What stands in front of the quotients does not change over time.
    pyramidal = (2.0 * nu_max * A * a) / (1.0 + exp(r * v0 - r * (y1 - y2)))
    excitatory = (2.0 * nu_max * A * a * a_2 * J) / (1.0 + exp(r * v0 - (r * a_1 * J) * y0))
    inhibitory = (2.0 * nu_max * B * b * a_4 * J) / (1.0 + exp(r * v0 - (r * a_3 * J) * y0))
    return (
        y3,
        y4,
        y5,
        pyramidal - (2.0 * a) * y3 - (a * a) * y0,
        excitatory + (A * a) * (mu + c) - (2.0 * a) * y4 - (a * a) * y1,
        inhibitory - (2.0 * b) * y5 - (b * b) * y2,
    )


def psp(y1, y2):
    """Potential of the pyramidal cells [mV]."""
    return y1 - y2


jansen_rit = Model(
    name="jansen_rit",
    dfun=dfun,
    state=(
        State("y0", "mV", init=0.1, start=(0.0, 0.2)),
        State("y1", "mV", init=20.0, start=(10.0, 30.0)),
        State("y2", "mV", init=15.0, start=(5.0, 20.0)),
        State("y3", "mV/ms", init=0.0, start=(-0.002, 0.002)),
        State("y4", "mV/ms", init=0.0, start=(-0.5, 0.5)),
        State("y5", "mV/ms", init=0.0, start=(-0.5, 0.5)),
    ),
    inputs=("c",),
    sends=("psp",),
    time_constant=10.0,
    outputs=(Output("psp", "mV", psp, "potential of the pyramidal cells"),),
    params=(
        Param("A", 3.25, "mV", 0.0, 100.0, Uniform(2.6, 9.75), "excitatory synaptic gain"),
        Param("B", 22.0, "mV", 0.0, 500.0, Uniform(17.6, 110.0), "inhibitory synaptic gain"),
        Param("a", 0.1, "1/ms", 1e-3, 1.0, Uniform(0.05, 0.15), "excitatory rate constant"),
        Param("b", 0.05, "1/ms", 1e-3, 1.0, Uniform(0.025, 0.075), "inhibitory rate constant"),
        Param("v0", 6.0, "mV", 0.0, 20.0, Uniform(3.0, 8.0), "potential of half the largest rate"),
        Param("nu_max", 0.0025, "1/ms", 0.0, 1.0, Uniform(0.00125, 0.00375), "half largest rate"),
        Param("r", 0.56, "1/mV", 0.0, 10.0, Uniform(0.28, 0.84), "steepness of the sigmoid"),
        Param("J", 135.0, "1", 0.0, 5000.0, Uniform(65.0, 270.0), "mean number of synapses"),
        Param("a_1", 1.0, "1", 0.0, 5.0, Uniform(0.5, 1.5), "synapses to excitatory cells"),
        Param("a_2", 0.8, "1", 0.0, 5.0, Uniform(0.4, 1.2), "synapses from excitatory cells"),
        Param("a_3", 0.25, "1", 0.0, 5.0, Uniform(0.125, 0.375), "synapses to inhibitory cells"),
        Param("a_4", 0.25, "1", 0.0, 5.0, Uniform(0.125, 0.375), "synapses from inhibitory cells"),
        Param("mu", 0.22, "1/ms", -10.0, 10.0, Uniform(0.0, 0.4), "mean rate of external input"),
    ),
)
