"""Every right-hand side against the equations of its papers, written out once more: plainly, one
number at a time, with the branches as branches.
"""

import zlib
from math import cosh, exp, pi, sinh
from types import SimpleNamespace

import numpy as np
import pytest

from hpcvbi import MODELS, Space

POINTS = 60


def jansen_rit(x, c, p):
    def S(v):
        return 2 * p.nu_max / (1 + exp(p.r * (p.v0 - v)))

    y0, y1, y2, y3, y4, y5 = x
    return (
        y3,
        y4,
        y5,
        p.A * p.a * S(y1 - y2) - 2 * p.a * y3 - p.a**2 * y0,
        p.A * p.a * (p.mu + p.a_2 * p.J * S(p.a_1 * p.J * y0) + c[0]) - 2 * p.a * y4 - p.a**2 * y1,
        p.B * p.b * p.a_4 * p.J * S(p.a_3 * p.J * y0) - 2 * p.b * y5 - p.b**2 * y2,
    )


def rate(x, a, b, d):
    return (a * x - b) / (1 - exp(-d * (a * x - b)))


def reduced_wong_wang(x, c, p):
    (S,) = x
    current = p.w * p.J * S + p.I0 + p.J * c[0]
    return (-S / p.tau + (1 - S) * p.gamma * rate(current, p.a, p.b, p.d),)


def wong_wang_ei(x, c, p):
    S_E, S_I = x
    I_E = p.W_e * p.I_o + p.w_plus * p.J_N * S_E + p.J_N * c[0] - p.J_i * S_I + p.I_ext
    I_I = p.W_i * p.I_o + p.J_N * S_E - S_I + p.lamda * p.J_N * c[0]
    return (
        -S_E / p.tau_e + (1 - S_E) * p.gamma_e * rate(I_E, p.a_e, p.b_e, p.d_e),
        -S_I / p.tau_i + p.gamma_i * rate(I_I, p.a_i, p.b_i, p.d_i),
    )


def stuart_landau(x, c, p):
    """The complex normal form ż = (a + iω − |z|²) z + c."""
    z = complex(*x)
    dz = (p.a + 1j * p.omega - abs(z) ** 2) * z + complex(*c)
    return dz.real, dz.imag


def permittivity(x1, z, p):
    slow = 4 * (x1 - p.x0) + (-0.1 * z**7 if z < 0 else 0.0)
    unequal = p.x0 + 3 / (1 + exp(-(x1 + 0.5) / 0.1))
    return slow + p.modification * (unequal - slow)


def epileptor(x, c, p):
    x1, y1, z, x2, y2, g = x
    f1 = p.a * x1**3 - p.b * x1**2 if x1 < 0 else (x2 - p.slope - 0.6 * (z - 4) ** 2) * x1
    f2 = 0.0 if x2 < -0.25 else p.aa * (x2 + 0.25)
    flow = (
        y1 - f1 - z + p.Iext + p.Kvf * c[0],
        p.c - p.d * x1**2 - y1,
        p.r * (permittivity(x1, z, p) - z + p.Ks * c[0]),
        -y2 + x2 - x2**3 + p.Iext2 + p.bb * g - 0.3 * (z - 3.5) + p.Kf * c[1],
        (-y2 + f2) / p.tau,
        -0.01 * (g - 0.1 * x1),
    )
    return [p.tt * d for d in flow]


def epileptor_2d(x, c, p):
    x1, z = x
    return 1 - x1**3 - 2 * x1**2 - z + p.Iext, (4 * (x1 - p.eta) - z - c[0]) / p.tau


def epileptor_2d_tvb(x, c, p):
    """The six-dimensional one with y1 at its nullcline c − d x1² and without population 2."""
    x1, z = x
    f1 = p.a * x1**3 - p.b * x1**2 if x1 < 0 else -(p.slope + 0.6 * (z - 4) ** 2) * x1
    y1 = p.c - p.d * x1**2
    return (
        p.tt * (y1 - f1 - z + p.Iext + p.Kvf * c[0]),
        p.tt * p.r * (permittivity(x1, z, p) - z + p.Ks * c[0]),
    )


def montbrio_pazo_roxin(x, c, p):
    """The complex form, w = π τ r + i V:  τ ẇ = Δ + Γ τ r + i (η + J τ r + I + c) − i w²."""
    r, V = x
    w = complex(pi * p.tau * r, V)
    current = p.eta + p.J * p.tau * r + p.I + p.cr * c[0] + p.cv * c[1]
    dw = (p.Delta + p.Gamma * p.tau * r + 1j * current - 1j * w**2) / p.tau
    return dw.real / (pi * p.tau), dw.imag


def wilson_cowan(x, c, p):
    def S(u, height, a, theta):
        return height * (1 / (1 + exp(-a * (u - theta))) - p.shift_sigmoid / (1 + exp(a * theta)))

    E, I = x  # noqa: E741
    u_e = p.alpha_e * (p.c_ee * E - p.c_ei * I + p.P - p.theta_e + c[0])
    u_i = p.alpha_i * (p.c_ie * E - p.c_ii * I + p.Q - p.theta_i)
    return (
        (-E + (p.k_e - p.r_e * E) * S(u_e, p.c_e, p.a_e, p.b_e)) / p.tau_e,
        (-I + (p.k_i - p.r_i * I) * S(u_i, p.c_i, p.a_i, p.b_i)) / p.tau_i,
    )


def kuramoto(x, c, p):
    return (p.omega + c[0],)


def generic_2d_oscillator(x, c, p):
    V, W = x
    cubic = -p.f * V**3 + p.e * V**2 + p.g * V + p.alpha * W + p.gamma * p.I + p.gamma * c[0]
    return p.d * p.tau * cubic, p.d / p.tau * (p.c * V**2 + p.b * V - p.beta * W + p.a)


def larter_breakspear(x, c, p):
    def m(v, threshold, width):
        u = (v - threshold) / width
        return 0.5 * (1 + sinh(u) / cosh(u))

    V, W, Z = x
    Q_V, Q_Z = p.QV_max * m(V, p.VT, p.d_V), p.QZ_max * m(Z, p.ZT, p.d_Z)
    synaptic = (1 - p.C) * p.aee * Q_V + p.C * p.aee * c[0]
    dV = (
        -(p.gCa + p.rNMDA * synaptic) * m(V, p.TCa, p.d_Ca) * (V - p.VCa)
        - p.gK * W * (V - p.VK)
        - p.gL * (V - p.VL)
        - (p.gNa * m(V, p.TNa, p.d_Na) + synaptic) * (V - p.VNa)
        - p.aie * Z * Q_Z
        + p.ane * p.Iext
    )
    dW = p.phi * (m(V, p.TK, p.d_K) - W) / p.tau_K
    return p.t_scale * dV, p.t_scale * dW, p.t_scale * p.b * (p.ani * p.Iext + p.aei * V * Q_V)


def linear(x, c, p):
    return (p.gamma * x[0] + c[0],)


def damped_oscillator(x, c, p):
    """A mass on a spring: the acceleration is the sum of input, friction and restoring force."""
    displacement, velocity = x
    return velocity, c[0] - p.omega * (2 * p.zeta * velocity + p.omega * displacement)


WRITTEN = {
    f.__name__: f
    for f in (
        jansen_rit,
        reduced_wong_wang,
        wong_wang_ei,
        stuart_landau,
        epileptor,
        epileptor_2d,
        epileptor_2d_tvb,
        montbrio_pazo_roxin,
        wilson_cowan,
        kuramoto,
        generic_2d_oscillator,
        larter_breakspear,
        linear,
        damped_oscillator,
    )
}


def random_points(name):
    """States around the ranges of random starts, inputs, and draws of all priors."""
    model = MODELS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    low, high = np.array([s.start for s in model.state], float).T
    bottom = np.array([s.low for s in model.state])
    state = rng.uniform(low - 0.2 * (high - low), high, (POINTS, len(low)))
    inputs = rng.normal(0.0, 0.3, (POINTS, len(model.inputs)))
    if name.endswith(("wong_wang", "wong_wang_ei")):
        inputs = np.abs(inputs)
    values = Space(model.params).sample(rng, POINTS)
    derived = rng.uniform(0.5, 2.0, (POINTS, len(model.derived)))
    return np.maximum(state, bottom), inputs, np.concatenate([values, derived], axis=1)


def test_every_model_is_written_out():
    assert WRITTEN.keys() == MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_the_right_hand_side_is_the_papers(name):
    model = MODELS[name]
    state, inputs, values = random_points(name)
    got = np.stack(np.broadcast_arrays(*model.dfun(*state.T, *inputs.T, *values.T)), axis=1)
    expected = np.array(
        [
            WRITTEN[name](x, c, SimpleNamespace(**dict(zip(model.param_names, v, strict=True))))
            for x, c, v in zip(state.tolist(), inputs.tolist(), values.tolist(), strict=True)
        ]
    )
    assert np.abs(expected).max(axis=0).min() > 0
    error = np.abs(got - expected).max(axis=0) / np.abs(expected).max(axis=0)
    assert error.max() < 1e-13


@pytest.mark.parametrize("name", MODELS)
def test_the_right_hand_side_keeps_single_precision(name):
    """A literal that widened float32 would show on the reference backend."""
    model = MODELS[name]
    state, inputs, values = (part.astype(np.float32) for part in random_points(name))
    with np.errstate(over="ignore"):  # far below threshold a rate is one over infinity
        derivatives = model.dfun(*state.T, *inputs.T, *values.T)
    for derivative in derivatives:
        assert derivative.dtype == np.float32 and np.isfinite(derivative).all()


def test_outputs_are_what_they_say():
    psp, lfp, QV, sine, cosine = (
        {o.name: o.formula for o in MODELS[model].outputs}[name]
        for model, name in (
            ("jansen_rit", "psp"),
            ("epileptor", "lfp"),
            ("larter_breakspear", "QV"),
            ("kuramoto", "sine"),
            ("kuramoto", "cosine"),
        )
    )
    assert psp(y1=21.0, y2=15.0) == 6.0
    assert lfp(x1=-1.5, x2=-1.0) == 0.5
    assert QV(V=0.25, VT=0.25, d_V=0.65, QV_max=0.8) == 0.4
    assert (sine(theta=0.0), cosine(theta=0.0)) == (0.0, 1.0)
