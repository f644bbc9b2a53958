"""What the models are known to do at their default working points and around them."""

import numpy as np
import pytest
from engine_brains import connectome
from scipy.integrate import solve_ivp

from hpcvbi import DIFFERENCE, MODELS, Brain, Sample, simulate

NETWORK = connectome()


def field_of(name, **values):
    """Right-hand side of an uncoupled node as a function of its state."""
    model = MODELS[name]
    assert not model.derived
    table = {p.name: p.default for p in model.params} | values
    assert len(table) == len(model.params)
    silence = [0.0] * len(model.inputs)

    def field(x):
        return np.array(model.dfun(*x, *silence, *table.values()))

    return field


def follow(name, duration, dt, start=None, **values):
    """Trajectory (time, state) of an uncoupled node, every `dt` ms."""
    field = field_of(name, **values)
    if start is None:
        start = [s.init for s in MODELS[name].state]
    times = np.arange(0.0, duration, dt)
    solved = solve_ivp(
        lambda t, x: field(x), (0.0, duration), start, "LSODA", times, rtol=1e-8, atol=1e-10
    )
    assert solved.success
    return solved.y.T


def frequency(signal, dt):
    """Mean frequency [Hz] by the upward crossings of the mean, times [ms] interpolated."""
    z = signal - signal.mean()
    up = np.flatnonzero((z[:-1] < 0) & (z[1:] >= 0))
    times = (up + z[up] / (z[up] - z[up + 1])) * dt
    return 1000.0 * (len(times) - 1) / (times[-1] - times[0])


def eigenvalues(field, x, step=1e-6):
    """Eigenvalues of the Jacobian at `x` by central differences."""
    columns = [(field(x + step * e) - field(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    return np.linalg.eigvals(np.stack(columns, axis=1))


def bisect(f, low, high):
    """Where `f` changes from negative to positive."""
    assert f(low) < 0 < f(high)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return low


@pytest.mark.parametrize(("mu", "expected"), [(0.12, 10.5), (0.22, 11.0), (0.32, 11.1)])
def test_jansen_rit_has_alpha_rhythm(mu, expected):
    """At 120, 220 and 320 pulses per second (Jansen & Rit 1995)."""
    seen = follow("jansen_rit", 8000.0, 1.0, mu=mu)
    psp = (seen[:, 1] - seen[:, 2])[2000:]
    assert frequency(psp, 1.0) == pytest.approx(expected, abs=0.2)
    if mu < 0.3:
        assert np.ptp(psp[-1000:]) > 2.0  # mV


def jansen_rit_equilibrium(y0, A=3.25, B=22.0, a=0.1, b=0.05, J=135.0):
    """State and input at which the pyramidal cells rest at y0."""

    def S(v):
        return 0.005 / (1 + np.exp(0.56 * (6.0 - v)))

    v = 6.0 - np.log(0.005 * A / (a * y0) - 1) / 0.56
    y2 = B / b * 0.25 * J * S(0.25 * J * y0)
    mu = (v + y2) * a / A - 0.8 * J * S(J * y0)
    return np.array([y0, v + y2, y2, 0.0, 0.0, 0.0]), mu


@pytest.mark.parametrize(
    ("low", "high", "sign", "expected"), [(0.09, 0.105, 1, 89.83), (0.11, 0.14, -1, 315.70)]
)
def test_the_alpha_rhythm_of_jansen_rit_begins_and_ends_in_hopf_bifurcations(
    low, high, sign, expected
):
    """At 89.83 and 315.70 pulses per second (Grimbert & Faugeras 2006)."""

    def growth(y0):
        state, mu = jansen_rit_equilibrium(y0)
        field = field_of("jansen_rit", mu=mu)
        assert np.abs(field(state)).max() < 1e-12
        values = eigenvalues(field, state)
        return sign * values.real[np.abs(values.imag) > 0.01].max()

    _, mu = jansen_rit_equilibrium(bisect(growth, low, high))
    assert 1000.0 * mu == pytest.approx(expected, abs=0.01)


def test_montbrio_pazo_roxin_is_bistable():
    """A node at rest, a saddle, and a focus that rings with 3.32 rad per time constant."""
    field = field_of("montbrio_pazo_roxin")
    points = [(0.081134, -1.961620), (0.472980, -0.336494), (1.030597, -0.154430)]
    for point in points:
        assert np.abs(field(np.array(point))).max() < 2e-5
    node, saddle, focus = (eigenvalues(field, np.array(point)) for point in points)
    assert (node.real < 0).all() and (node.imag == 0).all()
    assert sorted(np.sign(saddle.real)) == [-1, 1]
    np.testing.assert_allclose(focus.real, -0.30886, atol=1e-4)
    np.testing.assert_allclose(np.sort(focus.imag), [-3.31863, 3.31863], atol=1e-4)
    for start, point in (((0.1, -1.9), points[0]), ((0.9, -0.1), points[2])):
        end = follow("montbrio_pazo_roxin", 40.0, 1.0, start)[-1]
        np.testing.assert_allclose(end, point, atol=1e-4)


def test_heterogeneous_weights_widen_the_currents_of_montbrio_pazo_roxin():
    """Γ acts as Δ does at the rate of one over the time constant."""
    x, tau = np.array([0.5, -1.0]), 2.0
    weights = field_of("montbrio_pazo_roxin", Gamma=0.3, tau=tau)(x)
    currents = field_of("montbrio_pazo_roxin", Delta=1.0 + 0.3 * tau * 0.5, tau=tau)(x)
    np.testing.assert_allclose(weights, currents, rtol=1e-14)


@pytest.mark.parametrize(("tau", "expected"), [(10.0, -2.03687), (2857.0, -2.06195)])
def test_the_two_dimensional_epileptor_becomes_unstable_at_its_threshold(tau, expected):
    """Hopf bifurcation close to the fold at −2.06204 (Jirsa et al. 2014)."""

    def rest(x):
        z = 4.1 - x**3 - 2 * x**2
        return np.array([x, z]), x - z / 4

    def growth(x):
        state, eta = rest(x)
        field = field_of("epileptor_2d", eta=eta, tau=tau)
        assert np.abs(field(state)).max() < 1e-12
        return eigenvalues(field, state).real.max()

    _, eta = rest(bisect(growth, -1.5, -1.2))
    assert eta == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("excitability", "seizes"), [(-2.1, False), (-2.0, True), (-1.6, True)])
def test_the_epileptors_seize_above_their_threshold_and_only_there(excitability, seizes):
    x = follow("epileptor_2d", 600.0, 1.0, eta=excitability)[300:, 0]
    assert (x.max() > 0.0) == seizes and (x.max() < -1.3) == (not seizes)
    # Ten times faster permittivity than the default, to see several seizures in .8 s.
    seen = follow("epileptor", 800.0, 1.0, x0=excitability, r=0.0035)
    x1 = seen[300:, 0]
    assert (x1.max() > 0.0) == seizes and (x1.max() < -1.3) == (not seizes)
    assert np.abs(seen).max() < 25
    if seizes:
        assert 0.1 < (x1 > -1.0).mean() < 0.9


def test_the_two_forms_of_the_reduced_epileptor_agree_between_seizures():
    """For x < 0 and z > 0 they are the same, with r = 1/τ and Ks = −1."""
    rng = np.random.default_rng(0)
    x, z, c = rng.uniform(-2.5, 0, 50), rng.uniform(0, 5, 50), rng.normal(size=50)
    table = {p.name: p.default for p in MODELS["epileptor_2d_tvb"].params}
    table |= {"r": 1 / 10.0, "x0": -1.7}
    written = MODELS["epileptor_2d_tvb"].dfun(x, z, c, *table.values())
    plain = MODELS["epileptor_2d"].dfun(x, z, c, -1.7, 10.0, 3.1)
    np.testing.assert_allclose(written, plain, rtol=0, atol=1e-13)
    x = np.array([1.0])
    assert MODELS["epileptor_2d_tvb"].dfun(x, 3.5, 0.0, *table.values())[0] != pytest.approx(
        MODELS["epileptor_2d"].dfun(x, 3.5, 0.0, -1.7, 10.0, 3.1)[0], abs=0.1
    )


def test_wilson_cowan_rests_without_input_and_oscillates_with_some():
    """Rest at exactly zero; a limit cycle of 20 Hz at the default input P 1.25, none at 1 and 2."""
    rest = field_of("wilson_cowan", P=0.0)
    assert np.abs(rest(np.zeros(2))).max() < 1e-17
    for P, oscillates in ((0.0, False), (1.0, False), (1.25, True), (2.0, False)):
        seen = follow("wilson_cowan", 4000.0, 1.0, P=P)
        assert (np.ptp(seen[3000:, 0]) > 0.1) == oscillates
        assert oscillates or np.ptp(seen[3000:, 0]) < 0.002
        assert seen.min() > -1e-3 and seen.max() < 0.5
        if oscillates:
            assert frequency(seen[1000:, 0], 1.0) == pytest.approx(20.0, abs=0.5)


def test_kuramoto_oscillators_synchronise_above_the_critical_coupling():
    """Frequencies of a Lorentzian of half-width 1, all to all: K_c = 2, r(K) = √(1 − 2/K)."""
    n, dt = 1000, 0.05
    omega = np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))
    dfun = MODELS["kuramoto"].dfun
    for K, expected, tolerance in ((4.0, np.sqrt(0.5), 0.03), (1.0, 0.0, 0.1)):
        theta, seen = np.random.default_rng(0).uniform(0, 2 * np.pi, n), []
        for _ in range(1200):
            z = np.exp(1j * theta).mean()
            (pace,) = dfun(theta, K * np.imag(z * np.exp(-1j * theta)), omega)
            theta = theta + dt * pace
            seen.append(abs(z))
        assert np.mean(seen[600:]) == pytest.approx(expected, abs=tolerance)


def test_generic_oscillator_rings_at_10_hz_and_oscillates_with_input():
    end = follow("generic_2d_oscillator", 1000.0, 10.0)[-1]
    values = eigenvalues(field_of("generic_2d_oscillator"), end)
    assert (values.real < -0.01).all()
    assert 1000.0 * values.imag.max() / (2 * np.pi) == pytest.approx(10.06, abs=0.01)
    driven = follow("generic_2d_oscillator", 3000.0, 1.0, I=4.0)[1000:, 0]
    assert np.ptp(driven) > 1.0 and frequency(driven, 1.0) == pytest.approx(9.2, abs=0.1)


def test_larter_breakspear_is_chaotic_and_bounded():
    """Two starts 1e-7 apart end in different places of the same attractor; with a narrow spread of
    thresholds a column rests.
    """
    init = np.array([s.init for s in MODELS["larter_breakspear"].state])
    one = follow("larter_breakspear", 4000.0, 1.0, init)
    other = follow("larter_breakspear", 4000.0, 1.0, init + np.array([1e-7, 0.0, 0.0]))
    apart = np.abs(one - other).max(axis=1)
    assert apart[:100].max() < 1e-3 and apart[-1000:].max() > 0.1
    assert np.abs(one).max() < 1.0 and np.ptp(one[-1000:, 0]) > 0.5
    assert np.ptp(follow("larter_breakspear", 2000.0, 1.0, d_V=0.5)[-500:, 0]) < 1e-4


def test_linear_decays_exponentially():
    seen = follow("linear", 21.0, 1.0, [1.0], gamma=-0.25)[:, 0]
    np.testing.assert_allclose(seen[[4, 20]], np.exp([-1.0, -5.0]), rtol=1e-6)


def test_damped_oscillator_rings_and_decays_as_it_should():
    """x = exp(−ζ ω t) (cos(ν t) + ζ ω/ν sin(ν t)) with ν = ω √(1 − ζ²)."""
    omega, zeta, t = 2 * np.pi * 0.01, 0.1, np.arange(1000.0)
    seen = follow("damped_oscillator", 1000.0, 1.0, [1.0, 0.0])[:, 0]
    ringing = omega * np.sqrt(1 - zeta**2)
    shape = np.cos(ringing * t) + zeta * omega / ringing * np.sin(ringing * t)
    np.testing.assert_allclose(seen, np.exp(-zeta * omega * t) * shape, atol=1e-6)


def test_stuart_landau_circles_with_the_radius_of_each_region():
    """Amplitude √a, angular frequency ω, region by region; decay where a < 0."""
    a, omega = np.linspace(0.05, 0.5, 10), np.linspace(0.05, 0.2, 10)
    a[3] = -0.1
    brain = Brain(
        NETWORK,
        MODELS["stuart_landau"],
        DIFFERENCE,
        None,
        dt=0.05,
        duration=200.0,
        monitors=(Sample("x", 0.5, name="x"), Sample("y", 0.5, name="y")),
        values={"G": 0.0, "a": a, "omega": omega},
        scheme="heun",
    )
    start = np.repeat([[0.1], [0.0]], 10, axis=1)
    seen = simulate(
        brain, np.zeros((1, 0)), seed=0, backend="reference", dtype="float64", initial=start
    ).signals
    x, y = seen["x"][0], seen["y"][0]
    radius = np.hypot(x[-1], y[-1])
    np.testing.assert_allclose(radius[a > 0], np.sqrt(a[a > 0]), rtol=1e-3)
    assert radius[3] < 1e-6
    turned = np.unwrap(np.arctan2(y, x), axis=0)
    np.testing.assert_allclose(turned[-1] / 200.0, omega, rtol=1e-3)
