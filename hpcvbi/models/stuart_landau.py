"""Stuart-Landau: normal form of a supercritical Hopf bifurcation.

    ẋ = (a − x² − y²) x − ω y + c_x          a < 0 damped, a > 0 oscillating with amplitude √a
    ẏ = (a − x² − y²) y + ω x + c_y

Deco et al. (2017) doi:10.1038/s41598-017-03073-5. ω = 2π f with f in kHz when time is in ms.
"""

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param


def dfun(x, y, c_x, c_y, a, omega):
    """Time derivatives of x and y [1/ms]."""
    growth = a - x * x - y * y
    return growth * x - omega * y + c_x, growth * y + omega * x + c_y


stuart_landau = Model(
    name="stuart_landau",
    dfun=dfun,
    state=(
        State("x", "1", init=0.1, start=(-0.5, 0.5)),
        State("y", "1", init=0.0, start=(-0.5, 0.5)),
    ),
    inputs=("c_x", "c_y"),
    sends=("x", "y"),
    time_constant=10.0,
    params=(
        Param("a", -0.02, "1/ms", -10.0, 10.0, Uniform(-0.2, 0.2), "bifurcation parameter"),
        Param(
            "omega",
            0.0003141592653589793,
            "rad/ms",
            0.0,
            1000.0,
            LogUniform(0.0002, 0.5),
            "angular frequency (.05 Hz)",
        ),
    ),
)
