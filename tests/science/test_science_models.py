"""What the other models are known to do at their default working points and around them."""

import numpy as np
import pytest
from fields import eigenvalues, field_of, follow, frequency

from hpcvbi import MODELS


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
