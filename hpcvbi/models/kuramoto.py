"""Kuramoto: a phase that turns at its own pace and is pulled by others.

    θ̇ = ω + c                                c = G Σ_j w_ij sin(θ_j − θ_i) with Kuramoto coupling

Kuramoto (1975) doi:10.1007/BFb0013365; Cabral et al. (2011) doi:10.1016/j.neuroimage.2011.04.010.
The phase is not wrapped; its sine and cosine are outputs. The coupling is not divided by the number
of regions.
"""

from numpy import cos, pi, sin

from hpcvbi.brain.model import Model, Output, State
from hpcvbi.core.prior import LogUniform
from hpcvbi.core.space import Param


def dfun(theta, c, omega):
    """Time derivative of the phase [rad/ms]."""
    return (omega + c,)


def sine(theta):
    """Sine of the phase."""
    return sin(theta)


def cosine(theta):
    """Cosine of the phase."""
    return cos(theta)


kuramoto = Model(
    name="kuramoto",
    dfun=dfun,
    state=(State("theta", "rad", init=0.0, start=(0.0, 2.0 * pi)),),
    inputs=("c",),
    sends=("theta",),
    time_constant=10.0,
    outputs=(
        Output("sine", "1", sine, "what a signal proportional to the oscillation shows"),
        Output("cosine", "1", cosine, "the same a quarter of a turn ahead"),
    ),
    params=(
        Param(
            "omega",
            0.06283185307179587,
            "rad/ms",
            -1000.0,
            1000.0,
            LogUniform(0.006, 0.5),
            "natural angular frequency (10 Hz)",
        ),
    ),
)
