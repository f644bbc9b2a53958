"""A model of one's own: Hindmarsh-Rose neurons, which burst.

    ẋ = ρ (y + b x² − a x³ − z + I + c)            x  membrane potential
    ẏ = ρ (1 − d x² − y)                           y  fast recovery
    ż = ρ r (s (x − x_rest) − z)                   z  slow adaptation

Hindmarsh & Rose (1984) doi:10.1098/rspb.1984.0024. Time is dimensionless there; ρ is the number of
such units per ms. This file is all that is needed: `model: {name: my_model.py:hindmarsh_rose}`.
"""

from hpcvbi import Model, Output, Param, State, Uniform


def dfun(x, y, z, c, a, b, d, current, r, s, x_rest, rho):
    """Time derivatives [1/ms]: the state, the coupling input, then the parameters."""
    dx = rho * (y + (b - a * x) * x * x - z + current + c)
    dy = rho * (1.0 - d * x * x - y)
    dz = (rho * r) * (s * (x - x_rest) - z)
    return dx, dy, dz


def field_potential(x, z):
    """What a monitor may watch besides the state."""
    return x - z


hindmarsh_rose = Model(
    name="hindmarsh_rose",
    dfun=dfun,
    state=(
        State("x", "1", init=-1.6, start=(-2.0, 1.0)),
        State("y", "1", init=-12.0, start=(-13.0, 0.0)),
        State("z", "1", init=2.0, start=(1.5, 2.5)),
    ),
    inputs=("c",),
    sends=("x",),
    time_constant=1.0,
    outputs=(Output("field_potential", "1", field_potential, "potential less adaptation"),),
    params=(
        Param("a", 1.0, "1", 0.1, 10.0, Uniform(0.5, 1.5), "cubic term of the potential"),
        Param("b", 3.0, "1", 0.0, 10.0, Uniform(2.5, 3.5), "quadratic term of the potential"),
        Param("d", 5.0, "1", 0.0, 20.0, Uniform(4.0, 6.0), "quadratic term of the recovery"),
        Param("current", 2.0, "1", -10.0, 10.0, Uniform(0.0, 4.0), "constant input"),
        Param("r", 0.006, "1", 0.0, 1.0, Uniform(0.001, 0.02), "rate of adaptation"),
        Param("s", 4.0, "1", 0.0, 20.0, Uniform(1.0, 5.0), "strength of adaptation"),
        Param("x_rest", -1.6, "1", -5.0, 5.0, Uniform(-2.0, -1.0), "potential at rest"),
        Param("rho", 1.0, "1/ms", 1e-3, 10.0, Uniform(0.1, 1.0), "time scale"),
    ),
)
