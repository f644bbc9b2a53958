"""Generic two-dimensional oscillator: a cubic and a quadratic nullcline.

    V̇ = d τ (α W − f V³ + e V² + g V + γ (I + c_V))          V  fast        [1]
    Ẇ = d/τ (a + b V + c V² − β W)                           W  recovery    [1]

After FitzHugh (1961) doi:10.1016/S0006-3495(61)86902-6 and Nagumo et al. (1962)
doi:10.1109/JRPROC.1962.288235; in this form Sanz-Leon et al. (2015)
doi:10.1016/j.neuroimage.2015.01.002. The default rings at 10 Hz around a stable focus.
"""

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param


def dfun(V, W, c_V, tau, I, a, b, c, d, e, f, g, alpha, beta, gamma):  # noqa: E741
    """Time derivatives of both variables [1/ms]."""
    cubic = V * (V * (e - f * V) + g)
    quadratic = V * (b + c * V) + a
    return (
        (d * tau) * (cubic + alpha * W + gamma * (I + c_V)),
        (d / tau) * (quadratic - beta * W),
    )


generic_2d_oscillator = Model(
    name="generic_2d_oscillator",
    dfun=dfun,
    state=(
        State("V", "1", init=0.5, start=(-2.0, 4.0)),
        State("W", "1", init=-1.0, start=(-6.0, 6.0)),
    ),
    inputs=("c_V",),
    sends=("V",),
    time_constant=5.0,
    params=(
        Param("tau", 1.0, "1", 1e-3, 1000.0, Uniform(0.5, 5.0), "separation of time scales"),
        Param("I", 0.0, "1", -100.0, 100.0, Uniform(-5.0, 5.0), "shift of the cubic nullcline"),
        Param("a", -2.0, "1", -100.0, 100.0, Uniform(-5.0, 5.0), "shift of the other nullcline"),
        Param("b", -10.0, "1", -100.0, 100.0, Uniform(-20.0, 15.0), "its slope"),
        Param("c", 0.0, "1", -100.0, 100.0, Uniform(-10.0, 10.0), "its quadratic coefficient"),
        Param("d", 0.02, "1/ms", 0.0, 100.0, LogUniform(0.001, 1.0), "rate of the whole system"),
        Param("e", 3.0, "1", -100.0, 100.0, Uniform(-5.0, 5.0), "quadratic coefficient of V"),
        Param("f", 1.0, "1", -100.0, 100.0, Uniform(0.0, 5.0), "cubic coefficient of V"),
        Param("g", 0.0, "1", -100.0, 100.0, Uniform(-5.0, 5.0), "linear coefficient of V"),
        Param("alpha", 1.0, "1", -100.0, 100.0, Uniform(-5.0, 5.0), "feedback from W to V"),
        Param("beta", 1.0, "1", -100.0, 100.0, Uniform(-5.0, 5.0), "feedback from W to itself"),
        Param("gamma", 1.0, "1", -100.0, 100.0, Uniform(-1.0, 1.0), "scale of all input"),
    ),
)
