"""Two-dimensional Epileptor as The Virtual Brain writes it.

    ẋ1 = t (c − z + I_ext + Kvf c_x − f(x1, z) x1)       x1  fast discharges      [1]
    ż  = t r (h(x1, z) − z + Ks c_x)                     z   permittivity, slow   [1]
    f  = a x1² + (d − b) x1                  for x1 < 0
         −slope − .6 (z − 4)² + d x1         for x1 ≥ 0

h: see `hpcvbi.models.permittivity`. Proix et al. (2014) doi:10.1523/JNEUROSCI.1027-14.2014; Proix
et al. (2017) doi:10.1093/brain/awx004. `epileptor_2d` continues the cubic of x1 < 0 for all x1, so
that neither is a special case of the other. The Virtual Brain leaves Ks at 0, which couples
nothing; the default −1 is the permittivity coupling of the papers, with difference coupling.
"""

from numpy import where

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param
from hpcvbi.models.permittivity import permittivity_drive


def dfun(x1, z, c_x, a, b, c, d, r, x0, Iext, slope, Kvf, Ks, tt, modification):
    """Time derivatives of both variables [1/ms]."""
    far = z - 4.0
    f = where(x1 < 0.0, a * x1 * x1 - b * x1, -slope - 0.6 * far * far) + d * x1
    return (
        tt * (c - z + Iext + Kvf * c_x - f * x1),
        (tt * r) * (permittivity_drive(x1, z, x0, modification) - z + Ks * c_x),
    )


epileptor_2d_tvb = Model(
    name="epileptor_2d_tvb",
    dfun=dfun,
    state=(
        State("x1", "1", init=-1.8, start=(-2.0, 1.0)),
        State("z", "1", init=3.5, start=(2.0, 5.0)),
    ),
    inputs=("c_x",),
    sends=("x1",),
    time_constant=1.0,
    params=(
        Param("a", 1.0, "1", -100.0, 100.0, Uniform(0.5, 1.5), "cubic coefficient of x1"),
        Param("b", 3.0, "1", -100.0, 100.0, Uniform(2.0, 4.0), "quadratic coefficient of x1"),
        Param("c", 1.0, "1", -100.0, 100.0, Uniform(0.5, 1.5), "constant of x1"),
        Param("d", 5.0, "1", -100.0, 100.0, Uniform(4.0, 6.0), "coefficient of the fast recovery"),
        Param("r", 0.00035, "1/ms", 0.0, 1.0, LogUniform(5e-5, 1e-3), "rate of z"),
        Param("x0", -1.6, "1", -10.0, 10.0, Uniform(-3.0, -1.0), "excitability"),
        Param("Iext", 3.1, "1", -100.0, 100.0, Uniform(1.5, 5.0), "external current"),
        Param("slope", 0.0, "1", -100.0, 100.0, Uniform(-16.0, 6.0), "slope of x1 in the seizure"),
        Param("Kvf", 0.0, "1", -100.0, 100.0, Uniform(0.0, 4.0), "very fast coupling, into x1"),
        Param("Ks", -1.0, "1", -100.0, 100.0, Uniform(-4.0, 0.0), "slow coupling, into z"),
        Param("tt", 1.0, "1", 0.0, 100.0, LogUniform(0.05, 2.0), "speed of the whole system"),
        Param(
            "modification", 0.0, "1", 0.0, 1.0, Uniform(0.0, 1.0), "share of the sigmoidal drive"
        ),
    ),
)
