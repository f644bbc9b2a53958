"""Wilson-Cowan: an excitatory and an inhibitory population.

    τ_e Ė = −E + (k_e − r_e E) S_e(α_e (c_ee E − c_ei I + P − θ_e + c))      E  share firing  [1]
    τ_i İ = −I + (k_i − r_i I) S_i(α_i (c_ie E − c_ii I + Q − θ_i))          I  share firing  [1]
    S(x) = c (1 / (1 + exp(−a (x − b))) − s / (1 + exp(a b)))                response

Wilson & Cowan (1972) doi:10.1016/S0006-3495(72)86068-5; s = `shift_sigmoid` is 1 there, so that
rest at E = I = 0 needs no input, and 0 gives the plain logistic function. The default is the limit
cycle of their figure 11. The network acts on the excitatory population.
"""

from numpy import exp

from hpcvbi.brain.model import Model, State
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param


def response(x, height, steepness, threshold, shift):
    """Share of a population that its input `x` makes fire."""
    at_rest = shift / (1.0 + exp(steepness * threshold))
    return height * (1.0 / (1.0 + exp(steepness * threshold - steepness * x)) - at_rest)


def dfun(
    E,
    I,  # noqa: E741
    c,
    c_ee,
    c_ei,
    c_ie,
    c_ii,
    tau_e,
    tau_i,
    a_e,
    b_e,
    c_e,
    theta_e,
    a_i,
    b_i,
    c_i,
    theta_i,
    r_e,
    r_i,
    k_e,
    k_i,
    P,
    Q,
    alpha_e,
    alpha_i,
    shift_sigmoid,
):
    """Time derivatives of both shares [1/ms]."""
    x_e = alpha_e * (c_ee * E - c_ei * I + (P - theta_e) + c)
    x_i = alpha_i * (c_ie * E - c_ii * I + (Q - theta_i))
    s_e = response(x_e, c_e, a_e, b_e, shift_sigmoid)
    s_i = response(x_i, c_i, a_i, b_i, shift_sigmoid)
    return (
        ((k_e - r_e * E) * s_e - E) * (1.0 / tau_e),
        ((k_i - r_i * I) * s_i - I) * (1.0 / tau_i),
    )


wilson_cowan = Model(
    name="wilson_cowan",
    dfun=dfun,
    state=(
        State("E", "1", init=0.1, start=(0.0, 0.5)),
        State("I", "1", init=0.05, start=(0.0, 0.5)),
    ),
    inputs=("c",),
    sends=("E",),
    time_constant=5.0,
    params=(
        Param("c_ee", 16.0, "1", 0.0, 100.0, Uniform(10.0, 20.0), "excitation of excitation"),
        Param("c_ei", 12.0, "1", 0.0, 100.0, Uniform(2.0, 15.0), "inhibition of excitation"),
        Param("c_ie", 15.0, "1", 0.0, 100.0, Uniform(2.0, 22.0), "excitation of inhibition"),
        Param("c_ii", 3.0, "1", 0.0, 100.0, Uniform(0.0, 15.0), "inhibition of inhibition"),
        Param("tau_e", 10.0, "ms", 0.1, 1000.0, Uniform(5.0, 50.0), "excitatory time constant"),
        Param("tau_i", 10.0, "ms", 0.1, 1000.0, Uniform(5.0, 50.0), "inhibitory time constant"),
        Param("a_e", 1.3, "1", 0.0, 100.0, Uniform(0.5, 2.0), "steepness of S_e"),
        Param("b_e", 4.0, "1", -100.0, 100.0, Uniform(1.4, 6.0), "threshold of S_e"),
        Param("c_e", 1.0, "1", 0.0, 100.0, Uniform(0.5, 2.0), "height of S_e"),
        Param("theta_e", 0.0, "1", -100.0, 100.0, Uniform(0.0, 5.0), "excitatory bias"),
        Param("a_i", 2.0, "1", 0.0, 100.0, Uniform(0.5, 3.0), "steepness of S_i"),
        Param("b_i", 3.7, "1", -100.0, 100.0, Uniform(2.0, 6.0), "threshold of S_i"),
        Param("c_i", 1.0, "1", 0.0, 100.0, Uniform(0.5, 2.0), "height of S_i"),
        Param("theta_i", 0.0, "1", -100.0, 100.0, Uniform(0.0, 5.0), "inhibitory bias"),
        Param("r_e", 1.0, "1", 0.0, 100.0, Uniform(0.5, 2.0), "excitatory refractoriness"),
        Param("r_i", 1.0, "1", 0.0, 100.0, Uniform(0.5, 2.0), "inhibitory refractoriness"),
        Param("k_e", 0.9945, "1", 0.0, 100.0, Uniform(0.5, 1.5), "largest excitatory response"),
        Param("k_i", 0.9994, "1", 0.0, 100.0, Uniform(0.5, 1.5), "largest inhibitory response"),
        Param("P", 1.25, "1", -100.0, 100.0, Uniform(0.0, 3.0), "input to excitation"),
        Param("Q", 0.0, "1", -100.0, 100.0, Uniform(0.0, 3.0), "input to inhibition"),
        Param("alpha_e", 1.0, "1", 0.0, 100.0, Uniform(0.5, 2.0), "gain of excitatory input"),
        Param("alpha_i", 1.0, "1", 0.0, 100.0, Uniform(0.5, 2.0), "gain of inhibitory input"),
        Param("shift_sigmoid", 1.0, "1", 0.0, 1.0, Uniform(0.0, 1.0), "shift of S to S(0) = 0"),
    ),
)
