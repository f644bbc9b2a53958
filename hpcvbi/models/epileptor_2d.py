"""Two-dimensional Epileptor of the Virtual Epileptic Patient.

    ẋ = 1 − x³ − 2x² − z + I_ext             x  fast discharges           [1]
    ż = (4 (x − η) − z − c) / τ              z  permittivity, slow        [1]

Proix et al. (2014) doi:10.1523/JNEUROSCI.1027-14.2014; Jirsa et al. (2017)
doi:10.1016/j.neuroimage.2016.04.049. With difference coupling c is G Σ_j w_ij (x_j − x_i). A region
seizes by itself where η is above about −2.06 (τ 2857, as in Jirsa et al. 2014) or −2.04 (τ 10, the
default, as in the Bayesian patient models): there the fixed point loses its stability.
"""

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param


def dfun(x, z, c, eta, tau, Iext):
    """Time derivatives of both variables [1/ms]."""
    return (
        1.0 + Iext - z - (x * x) * (x + 2.0),
        (4.0 * (x - eta) - z - c) * (1.0 / tau),
    )


epileptor_2d = Model(
    name="epileptor_2d",
    dfun=dfun,
    state=(
        State("x", "1", init=-2.0, start=(-2.5, 1.0)),
        State("z", "1", init=3.5, start=(2.0, 5.0)),
    ),
    inputs=("c",),
    sends=("x",),
    time_constant=1.0,
    params=(
        Param("eta", -1.6, "1", -10.0, 10.0, Uniform(-4.0, -1.0), "excitability"),
        Param("tau", 10.0, "ms", 0.1, 1e5, LogUniform(5.0, 3000.0), "time constant of z"),
        Param("Iext", 3.1, "1", -100.0, 100.0, Uniform(2.5, 3.5), "external current"),
    ),
)
