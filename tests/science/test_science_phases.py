"""Phase oscillators: the onset of synchrony, and what delays do to a rhythm.

Kuramoto (1975) doi:10.1007/BFb0013365; Yeung & Strogatz (1999) doi:10.1103/PhysRevLett.82.648;
Cabral et al. (2014) doi:10.1016/j.neuroimage.2013.11.047.
"""

from dataclasses import replace

import numpy as np
import pytest
from networks import brainlike, isolated
from scipy.optimize import brentq

from hpcvbi import KURAMOTO, MODELS, Brain, Connectome, Sample, Space, Uniform, simulate

STRENGTH = next(p for p in KURAMOTO.params if p.name == "G").with_prior(Uniform(0.0, 10.0))


def test_synchrony_begins_at_the_critical_coupling():
    """1000 oscillators, all to all, frequencies at the quantiles of a Lorentzian of half-width γ:
    K_c = 2 γ, and r = √(1 − K_c/K) above it: .7071 at 2 K_c.

    Tolerance: .03 well above K_c. Below it r fluctuates by 1/√(N (1 − K/K_c)), .03 to .06, for
    which three times that is allowed. γ is .1/ms, steps of .5 ms are .05/γ.
    """
    n, gamma = 1000, 0.1
    omega = gamma * np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))
    everyone = Connectome(np.full((n, n), 1.0 / n), np.zeros((n, n)), isolated(n).labels)
    brain = Brain(
        everyone,
        MODELS["kuramoto"],
        KURAMOTO,
        None,
        dt=0.5,
        duration=300.0,
        burn_in=300.0,
        monitors=(Sample("cosine", 2.0, name="cosine"), Sample("sine", 2.0, name="sine")),
        space=Space((STRENGTH,)),
        values={"omega": omega},
    )
    K = gamma * np.array([0.5, 1.0, 1.4, 2.6, 3.0, 4.0, 6.0, 8.0])
    seen = simulate(brain, K[:, None], seed=3, width=8, initial="random").signals
    order = np.hypot(seen["cosine"].mean(axis=2), seen["sine"].mean(axis=2)).mean(axis=1)
    critical = 2 * gamma
    above = critical < K
    np.testing.assert_allclose(order[above], np.sqrt(1 - critical / K[above]), atol=0.03)
    assert (order[~above] < 3 / np.sqrt(n * (1 - K[~above] / critical))).all()


def rhythm(connectome, speed, K, start, duration=4000.0):
    """Collective angular frequency [rad/ms] of identical 40 Hz oscillators, and the phases."""
    brain = Brain(
        connectome,
        MODELS["kuramoto"],
        KURAMOTO,
        None,
        dt=0.1,
        duration=duration,
        monitors=(Sample("theta", 100.0),),
        space=Space((STRENGTH,)),
        values={"omega": OMEGA},
        speed=speed,
    )
    seen = simulate(
        brain, np.reshape(K, (-1, 1)), seed=0, dtype="float64", width=8, initial=start
    ).signals["sample"]
    return (seen[:, -1] - seen[:, -6]) / 500.0, seen[:, -1]


OMEGA = 2 * np.pi * 0.04


@pytest.mark.parametrize("delay", [1.0, 4.0])
def test_two_oscillators_with_a_delay_lock_to_the_slower_rhythm_of_the_theory(delay):
    """Ω = ω − K sin(Ω τ), in phase.

    Tolerance: 1e-9. Once locked the phases turn steadily, of which Euler's steps are exact.
    """
    pair = Connectome(np.eye(2)[::-1], np.full((2, 2), 5.0 * delay), ("left", "right"))
    K = np.array([0.02, 0.05, 0.1])
    pace, phases = rhythm(pair, 5.0, K, np.array([[0.0, 0.3]]))
    for got, apart, strength in zip(pace, np.ptp(phases, axis=1), K, strict=True):
        expected = brentq(lambda w, k=strength: w - OMEGA + k * np.sin(w * delay), 0.05, OMEGA)
        assert strength * np.cos(expected * delay) > 0  # in phase is stable
        np.testing.assert_allclose(got, expected, atol=1e-9)
        assert abs(apart) < 1e-6
        assert expected < 0.99 * OMEGA


def test_delays_slow_the_rhythm_of_a_network():
    """Stronger coupling and longer delays lower the collective frequency (Cabral 2014), here by a
    fifth in 30 regions with delays of 1 to 12 ms, and by less where signals are four times faster.
    """
    network = brainlike(30).normalised("spectral_radius")
    network = replace(network, lengths=network.lengths.clip(min=20.0))
    start = np.random.default_rng(1).uniform(0.0, 0.5, (1, 30))
    K = np.array([0.01, 0.05, 0.2])
    slow, fast = (rhythm(network, v, K, start)[0].mean(axis=1) / OMEGA for v in (15.0, 60.0))
    assert (np.diff(slow) < 0).all() and (np.diff(fast) < 0).all()
    assert (slow < fast - 0.003).all() and fast.max() < 1.0
    assert slow[-1] == pytest.approx(0.78, abs=0.05)
