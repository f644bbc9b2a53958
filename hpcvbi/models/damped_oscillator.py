"""Damped harmonic oscillator.

    ẋ = y                                    x  displacement    [1]
    ẏ = −2 ζ ω y − ω² x + c                  y  velocity        [1/ms]

For ζ < 1 it rings at ω √(1 − ζ²) and decays at the rate ζ ω; with noise it is the smallest model of
a spectral peak. Uhlenbeck & Ornstein (1930) doi:10.1103/PhysRev.36.823, section 3.
"""

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param


def dfun(x, y, c, omega, zeta):
    """Time derivatives of displacement [1/ms] and velocity [1/ms²]."""
    return y, c - (2.0 * zeta * omega) * y - (omega * omega) * x


damped_oscillator = Model(
    name="damped_oscillator",
    dfun=dfun,
    state=(
        State("x", "1", init=0.0, start=(-1.0, 1.0)),
        State("y", "1/ms", init=0.0, start=(-0.05, 0.05)),
    ),
    inputs=("c",),
    sends=("x",),
    time_constant=10.0,
    params=(
        Param(
            "omega",
            0.06283185307179587,
            "rad/ms",
            0.0,
            100.0,
            LogUniform(0.006, 0.5),
            "angular frequency without damping (10 Hz)",
        ),
        Param("zeta", 0.1, "1", 0.0, 100.0, Uniform(0.0, 1.0), "damping ratio"),
    ),
)
