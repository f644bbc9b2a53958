"""Epileptor: two fast populations, a slow permittivity and a filter.

    ẋ1 = t (y1 − f1(x1, x2, z) x1 − z + I_ext + Kvf c_1)               fast discharges        [1]
    ẏ1 = t (c − d x1² − y1)
    ż  = t r (h(x1, z) − z + Ks c_1)                                   permittivity, slow     [1]
    ẋ2 = t (−y2 + x2 − x2³ + I_ext2 + bb g − .3 (z − 3.5) + Kf c_2)    spike-wave events      [1]
    ẏ2 = t (−y2 + [x2 ≥ −¼] aa (x2 + ¼)) / τ
    ġ  = −.01 t (g − .1 x1)                                            filter                 [1]
    f1 = a x1² − b x1  for x1 < 0,   x2 − slope − .6 (z − 4)²  for x1 ≥ 0

h: see `hpcvbi.models.permittivity`. Jirsa et al. (2014) doi:10.1093/brain/awu133, in the form and
with the names of The Virtual Brain, whose parameter s is the 4 in h. It leaves Ks at 0, which
couples nothing; the default −1 is the permittivity coupling of Proix et al. (2014)
doi:10.1523/JNEUROSCI.1027-14.2014, with difference coupling. Seizures recur where x0 is above about
−2.06.
"""

from numpy import where

from hpcvbi.brain.model import Model, Output, State
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param
from hpcvbi.models.permittivity import permittivity_drive


def dfun(
    x1,
    y1,
    z,
    x2,
    y2,
    g,
    c_1,
    c_2,
    a,
    b,
    c,
    d,
    r,
    x0,
    Iext,
    slope,
    Iext2,
    tau,
    aa,
    bb,
    Kvf,
    Kf,
    Ks,
    tt,
    modification,
):
    """Time derivatives of all variables [1/ms]."""
    far = z - 4.0
    square = x1 * x1
    f1 = where(x1 < 0.0, a * square - b * x1, x2 - slope - 0.6 * far * far)
    f2 = where(x2 < -0.25, 0.0, aa * (x2 + 0.25))
    h = permittivity_drive(x1, z, x0, modification)
    return (
        tt * (y1 - z + Iext + Kvf * c_1 - f1 * x1),
        tt * (c - d * square - y1),
        (tt * r) * (h - z + Ks * c_1),
        tt * (x2 * (1.0 - x2 * x2) - y2 + Iext2 + bb * g - 0.3 * (z - 3.5) + Kf * c_2),
        (tt * (1.0 / tau)) * (f2 - y2),
        (-0.01 * tt) * (g - 0.1 * x1),
    )


def lfp(x1, x2):
    """Local field potential."""
    return x2 - x1


epileptor = Model(
    name="epileptor",
    dfun=dfun,
    state=(
        State("x1", "1", init=-1.8, start=(-2.0, 1.0)),
        State("y1", "1", init=-15.0, start=(-20.0, 2.0)),
        State("z", "1", init=3.5, start=(2.0, 5.0)),
        State("x2", "1", init=-1.0, start=(-2.0, 0.0)),
        State("y2", "1", init=0.0, start=(0.0, 2.0)),
        State("g", "1", init=-0.18, start=(-1.0, 1.0)),
    ),
    inputs=("c_1", "c_2"),
    sends=("x1", "x2"),
    time_constant=1.0,
    outputs=(Output("lfp", "1", lfp, "what an electrode near the region sees"),),
    params=(
        Param("a", 1.0, "1", -100.0, 100.0, Uniform(0.5, 1.5), "cubic coefficient of x1"),
        Param("b", 3.0, "1", -100.0, 100.0, Uniform(2.0, 4.0), "quadratic coefficient of x1"),
        Param("c", 1.0, "1", -100.0, 100.0, Uniform(0.5, 1.5), "constant of y1"),
        Param("d", 5.0, "1", -100.0, 100.0, Uniform(4.0, 6.0), "quadratic coefficient of y1"),
        Param("r", 0.00035, "1/ms", 0.0, 1.0, LogUniform(5e-5, 1e-3), "rate of z"),
        Param("x0", -1.6, "1", -10.0, 10.0, Uniform(-3.0, -1.0), "excitability"),
        Param("Iext", 3.1, "1", -100.0, 100.0, Uniform(1.5, 5.0), "current into population 1"),
        Param("slope", 0.0, "1", -100.0, 100.0, Uniform(-16.0, 6.0), "slope of x1 in the seizure"),
        Param("Iext2", 0.45, "1", -100.0, 100.0, Uniform(0.0, 1.0), "current into population 2"),
        Param("tau", 10.0, "ms", 0.1, 1000.0, Uniform(5.0, 20.0), "time constant of y2"),
        Param("aa", 6.0, "1", -100.0, 100.0, Uniform(4.0, 8.0), "slope of y2"),
        Param("bb", 2.0, "1", -100.0, 100.0, Uniform(0.0, 4.0), "gain of the filter in x2"),
        Param("Kvf", 0.0, "1", -100.0, 100.0, Uniform(0.0, 4.0), "very fast coupling, into x1"),
        Param("Kf", 0.0, "1", -100.0, 100.0, Uniform(0.0, 4.0), "fast coupling, into x2"),
        Param("Ks", -1.0, "1", -100.0, 100.0, Uniform(-4.0, 0.0), "slow coupling, into z"),
        Param("tt", 1.0, "1", 0.0, 100.0, LogUniform(0.05, 2.0), "speed of the whole system"),
        Param(
            "modification", 0.0, "1", 0.0, 1.0, Uniform(0.0, 1.0), "share of the sigmoidal drive"
        ),
    ),
)
