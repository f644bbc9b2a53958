"""Jansen-Rit: its equilibria and bifurcations in the input, and its alpha rhythm.

Jansen & Rit (1995) doi:10.1007/BF00199471; Grimbert & Faugeras (2006)
doi:10.1162/neco.2006.18.12.3052, whose numbers these are.
"""

import numpy as np
import pytest
from fields import bisect, eigenvalues, field_of
from networks import isolated
from scipy.optimize import minimize_scalar

from hpcvbi import LINEAR, MODELS, Brain, Sample, Spectrum, simulate


def equilibrium(y0, A=3.25, B=22.0, a=0.1, b=0.05, J=135.0):
    """State and input [1/s] at which the pyramidal cells rest at y0."""

    def S(v):
        return 0.005 / (1 + np.exp(0.56 * (6.0 - v)))

    v = 6.0 - np.log(0.005 * A / (a * y0) - 1) / 0.56
    y2 = B / b * 0.25 * J * S(0.25 * J * y0)
    mu = (v + y2) * a / A - 0.8 * J * S(J * y0)
    return np.array([y0, v + y2, y2, 0.0, 0.0, 0.0]), 1000.0 * mu


def oscillating(y0):
    """The complex eigenvalue with the largest real part at the equilibrium y0 [1/ms]."""
    state, p = equilibrium(y0)
    field = field_of("jansen_rit", mu=p / 1000.0)
    assert np.abs(field(state)).max() < 1e-12
    values = eigenvalues(field, state)
    values = values[np.abs(values.imag) > 0.01]
    return values[np.argmax(values.real)]


@pytest.mark.parametrize(
    ("low", "high", "sign", "expected"), [(0.015, 0.03, -1, 113.586), (0.05, 0.07, 1, -41.301)]
)
def test_equilibria_appear_and_vanish_in_saddle_nodes(low, high, sign, expected):
    """Extrema of the input along the curve of equilibria; there an eigenvalue is zero.

    Tolerance: the published digits.
    """
    found = minimize_scalar(
        lambda y0: sign * equilibrium(y0)[1], bounds=(low, high), options={"xatol": 1e-9}
    )
    state, p = equilibrium(found.x)
    assert p == pytest.approx(expected, abs=0.01)
    values = eigenvalues(field_of("jansen_rit", mu=p / 1000.0), state)
    assert np.abs(values).min() < 1e-4


@pytest.mark.parametrize(
    ("low", "high", "sign", "expected", "hertz"),
    [
        (0.075, 0.085, -1, -12.15, 7.23),
        (0.09, 0.105, 1, 89.83, 10.38),
        (0.11, 0.14, -1, 315.70, 11.17),
    ],
)
def test_rhythms_begin_and_end_in_hopf_bifurcations(low, high, sign, expected, hertz):
    """Alpha rhythm lives between 89.83 and 315.70 pulses per second.

    Tolerance: the published digits; frequencies from the imaginary part.
    """
    y0 = bisect(lambda y0: sign * oscillating(y0).real, low, high)
    assert equilibrium(y0)[1] == pytest.approx(expected, abs=0.01)
    assert 500.0 * abs(oscillating(y0).imag) / np.pi == pytest.approx(hertz, abs=0.01)


def test_the_spectrum_peaks_in_the_alpha_band():
    """At 10.5, 11.0 and 11.1 Hz for 120, 220 and 320 pulses per second (Jansen & Rit 1995).

    Tolerance: .25 Hz, two bins of 1/8 Hz. The third input lies beyond the last Hopf bifurcation,
    where the rhythm dies out: its spectrum is taken before it has.
    """
    inputs = np.array([0.12, 0.22, 0.32])
    brain = Brain(
        isolated(3),
        MODELS["jansen_rit"],
        LINEAR,
        None,
        dt=0.5,
        duration=16_000.0,
        burn_in=500.0,
        monitors=(
            Sample("psp", 2.0, keep=False),
            Spectrum("sample", 8000.0, (2.0, 30.0)),
        ),
        values={"G": 0.0, "mu": inputs},
        scheme="heun",
    )
    density = simulate(brain, seed=0, dtype="float64", width=8).signals["spectrum"][0]
    (spectrum,) = (m for m in brain.monitors if isinstance(m, Spectrum))
    peaks = spectrum.frequencies[density.argmax(axis=0)]
    np.testing.assert_allclose(peaks, [10.5, 11.0, 11.1], atol=0.25)
    power = density.sum(axis=0) / 8.0  # [mV²]
    assert (power[:2] > 0.4).all() and power[2] < 0.5 * power[1]
