"""Every model computes on lanes what it computes in plain NumPy: noise on, coupling on, in
float64.
"""

import numpy as np
import pytest
from engine_brains import connectome

from hpcvbi import (
    DIFFERENCE,
    LINEAR,
    MODELS,
    Brain,
    Sample,
    Space,
    Status,
    Uniform,
    WhiteNoise,
    simulate,
)

STEPS = 50
NETWORK = connectome()
# dt [ms], noise [1/sqrt(ms)], and whether c is a sum or a sum of differences.
SETTINGS = {
    "jansen_rit": (0.5, 0.01, LINEAR),
    "wong_wang_ei": (1.0, 0.01, LINEAR),
    "reduced_wong_wang": (1.0, 0.01, LINEAR),
    "stuart_landau": (1.0, 0.02, DIFFERENCE),
    "epileptor": (0.02, 0.05, DIFFERENCE),
    "epileptor_2d": (0.05, 0.1, DIFFERENCE),
    "epileptor_2d_tvb": (0.05, 0.1, DIFFERENCE),
    "montbrio_pazo_roxin": (0.02, 0.1, LINEAR),
    "wilson_cowan": (0.5, 0.02, LINEAR),
    "kuramoto": (0.5, 0.1, DIFFERENCE),
    "generic_2d_oscillator": (0.5, 0.05, LINEAR),
    "larter_breakspear": (0.1, 0.02, LINEAR),
    "linear": (0.5, 0.1, LINEAR),
    "damped_oscillator": (0.5, 0.01, DIFFERENCE),
}


def brain_of(name: str) -> Brain:
    """All of the model's parameters drawn from their priors, watched in all its variables."""
    model = MODELS[name]
    dt, sigma, coupling = SETTINGS[name]
    G = coupling.params[0]
    return Brain(
        NETWORK,
        model,
        coupling,
        WhiteNoise(model.state_names[-1:]),
        dt=dt,
        duration=STEPS * dt,
        monitors=tuple(Sample(s, dt, name=s) for s in model.state_names),
        space=Space((G.with_prior(Uniform(0.0, 0.1)), *model.params)),
        values={"sigma": sigma},
    )


def draws_of(brain: Brain) -> np.ndarray:
    """Three draws, a third of the way from the defaults to random draws of the priors."""
    space = brain.space
    drawn = space.sample(np.random.default_rng(2), 3)
    default = np.array(
        [p.prior.quantile(0.5) if p.name == "G" else p.default for p in space.params]
    )
    return default + (drawn - default) / 3.0


def start_of(brain: Brain) -> np.ndarray:
    """A random state per region, on both sides of where right-hand sides have branches."""
    low, high = np.array([s.start for s in brain.model.state], float).T
    unit = np.random.default_rng(4).random((len(low), NETWORK.n_regions))
    return low[:, None] + unit * (high - low)[:, None]


@pytest.mark.parametrize("name", MODELS)
def test_lanes_agree_with_the_reference(name):
    brain = brain_of(name)
    theta, start = draws_of(brain), start_of(brain)
    lanes = simulate(brain, theta, seed=11, dtype="float64", width=8, initial=start)
    plain = simulate(brain, theta, seed=11, dtype="float64", backend="reference", initial=start)
    assert (lanes.status == Status.OK).all() and (plain.status == Status.OK).all()
    for variable, expected in plain.signals.items():
        error = np.abs(lanes.signals[variable] - expected).max()
        assert error <= 1e-11 * np.abs(expected).max(), variable
        assert np.ptp(expected, axis=1).min() > 0, variable
