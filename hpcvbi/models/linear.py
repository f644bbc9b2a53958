"""Linear node: with noise, an Ornstein-Uhlenbeck process.

    ẋ = γ x + c                              γ < 0: decay time −1/γ

Uhlenbeck & Ornstein (1930) doi:10.1103/PhysRev.36.823. A network of such nodes has the stationary
covariance that solves a Lyapunov equation. It is stable while γ plus the largest real part of the
coupling's eigenvalues is negative.
"""

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param


def dfun(x, c, gamma):
    """Time derivative of x [1/ms]."""
    return (gamma * x + c,)


linear = Model(
    name="linear",
    dfun=dfun,
    state=(State("x", "1", init=0.0, start=(-1.0, 1.0)),),
    inputs=("c",),
    sends=("x",),
    time_constant=10.0,
    params=(Param("gamma", -0.1, "1/ms", -100.0, 0.0, Uniform(-1.0, -0.01), "decay rate"),),
)
