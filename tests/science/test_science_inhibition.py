"""Feedback inhibition control holds the rate of every region, noise or not.

Deco et al. (2014) doi:10.1523/JNEUROSCI.5068-13.2014: about 3 Hz in every region.
"""

from dataclasses import replace

import numpy as np
import pytest
from networks import brainlike

from hpcvbi import (
    LINEAR,
    MODELS,
    Brain,
    Sample,
    Space,
    Uniform,
    WhiteNoise,
    balance_inhibition,
    simulate,
)
from hpcvbi.core.errors import ConfigError
from hpcvbi.models.firing_rate import firing_rate

N = 10
EXCITATORY = ("a_e", "b_e", "d_e")
OPTIONS = {"width": 16}


def brain_of(sigma, monitors=(), **values):
    network = brainlike(N).normalised("spectral_radius")
    return Brain(
        network,
        MODELS["wong_wang_ei"],
        LINEAR,
        WhiteNoise(("S_E",)) if sigma else None,
        dt=1.0,
        duration=100.0,
        monitors=monitors,
        values={"G": 0.8, **({"sigma": sigma} if sigma else {}), **values},
    )


def mean_rate(brain, weight, seed):
    """Mean of the rate itself [kHz], from the currents at samples 10 ms apart."""
    watched = replace(
        brain,
        duration=60_000.0,
        burn_in=5000.0,
        monitors=(Sample("S_E", 10.0, name="E"), Sample("S_I", 10.0, name="I")),
        values={**brain.values, "J_i": weight},
    )
    seen = simulate(watched, np.zeros((16, 0)), seed=seed, **OPTIONS).signals
    p = {name: value[0] for name, value in watched.parameters(np.zeros((1, 0))).items()}
    E, inhibition = seen["E"].astype(float), seen["I"].astype(float)
    network = p["G"] * E @ brain.connectome.weights.T
    x = p["W_e"] * p["I_o"] + p["J_N"] * (p["w_plus"] * E + network) - weight * inhibition
    return firing_rate(x, *(p[name] for name in EXCITATORY)).mean(axis=(0, 1))


def test_with_noise_the_closed_form_misses_3_hz_and_the_fit_holds_it():
    """On noise that the fit has not seen, by the rate itself.

    Tolerance: .1 Hz of the fit, and as much for two samples of the noise.
    """
    brain = brain_of(0.02)
    closed = brain.parameters(np.zeros((1, 0)))["J_i"][0]
    missed = mean_rate(brain, closed, seed=2) - 0.003
    assert np.abs(missed).max() > 2e-3
    fitted = balance_inhibition(brain, seed=1, **OPTIONS)
    assert fitted.shape == (N,)
    held = mean_rate(brain, fitted, seed=2) - 0.003
    assert np.abs(held).max() < 2e-4


def test_without_noise_the_closed_form_is_the_fit():
    """At another target too, and at a drawn point."""
    brain = brain_of(0.0)
    closed = brain.parameters(np.zeros((1, 0)))["J_i"][0]
    fitted = balance_inhibition(brain, seed=1, duration=2000.0, **OPTIONS)
    np.testing.assert_array_equal(fitted, closed)
    G = brain.params[[p.name for p in brain.params].index("G")]
    values = {name: value for name, value in brain.values.items() if name != "G"}
    drawn = replace(brain, values=values, space=Space((G.with_prior(Uniform(0.0, 1.0)),)))
    at = np.array([[0.3]])
    fitted = balance_inhibition(drawn, at, seed=1, target_rate=0.004, duration=2000.0, **OPTIONS)
    other = replace(drawn, values={**values, "target_rate": 0.004}).parameters(at)["J_i"][0]
    np.testing.assert_array_equal(fitted, other)


def test_what_cannot_be_balanced_is_refused():
    with pytest.raises(ConfigError, match=r"not balanced after 2 .* region r\d+ .* lower G"):
        balance_inhibition(
            brain_of(0.02), seed=1, tolerance=1e-6, duration=1000.0, iterations=2, **OPTIONS
        )
    with pytest.raises(ConfigError, match="one point: theta has 2 rows"):
        balance_inhibition(brain_of(0.02), np.zeros((2, 0)), seed=1)
    brain = brain_of(0.02)
    rest = replace(
        brain, model=MODELS["reduced_wong_wang"], values={}, noise=WhiteNoise(("S",)), sends=()
    )
    with pytest.raises(ConfigError, match="use wong_wang_ei"):
        balance_inhibition(rest, seed=1)
