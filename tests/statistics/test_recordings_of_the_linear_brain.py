"""A network over whole recordings of a small linear brain against the exact posterior given the
recording, which a Kalman filter tells.

Three regions, all connected with each other: coupling shows in how much longer and stronger their
common mode swings than the others do, and noise in how strong all are.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from linear_cases import DRAWS, Cases, beyond, calibration, compared, narrowed
from tasks.linear_brain import LinearBrain
from tasks.linear_posterior import given_recording

from hpcvbi.core.seeds import generator
from hpcvbi.infer import Npe, learn

REGIONS, CASES = 3, 80
BRAIN = LinearBrain(
    (np.ones((REGIONS, REGIONS)) - np.eye(REGIONS)) / (REGIONS - 1),
    frames=100,
    bands=REGIONS,
    low=(0.0, 0.03),
    high=(0.8, 0.07),
)
NPE = Npe(
    draws=6000,
    embedding="cnn",
    channels=REGIONS,
    hidden=32,
    transforms=3,
    batch=300,
    max_epochs=40,
)
CHANCE = 1e-3
NARROW = 0.6


def recordings(u, rng):
    """Recordings (draw, frame, mode) of draws of the unit cube."""
    return BRAIN.recordings(BRAIN.prior.natural(u), rng)


def flat(z):
    """One mode after the other, as the embedding takes them."""
    return z.transpose(0, 2, 1).reshape(len(z), -1)


@pytest.fixture(scope="module")
def known():
    rng = generator("recordings", 1)
    u = rng.random((CASES, 2))
    z = recordings(u, rng)
    return Cases(BRAIN, u, flat(z), tuple(given_recording(BRAIN, one) for one in z))


@pytest.fixture(scope="module")
def drawn(known):
    def simulate(u, seed):
        return flat(recordings(u, generator("learned recordings", seed)))

    learned = learn(NPE, simulate, 2, known.x[0], seed=1)
    return learned.posterior(known.x, DRAWS, seed=2)


def near(drawn, known):
    """Whether means and widths are near the exact ones, in the median of the cases."""
    found = compared(drawn, known)
    error, width = np.median(np.abs(found.error), axis=0), np.median(found.width, axis=0)
    return (error < 0.7).all() and (width > 0.9).all() and (width < 1.4).all()


def test_the_network_finds_what_the_recording_says(drawn, known):
    found = compared(drawn, known)
    assert near(drawn, known), (found.error.round(2), found.width.round(2))
    assert not near(narrowed(drawn, NARROW), known)
    # the coupling is not known from the mean recording
    assert not near(np.roll(drawn, 1, axis=0), known)
    for i in range(2):
        assert np.corrcoef(drawn.mean(1)[:, i], known.mean[:, i])[0, 1] > 0.9


def test_what_it_finds_is_calibrated(drawn, known):
    assert (calibration(compared(drawn, known).rank).p > CHANCE).all()
    assert beyond(drawn, known) > CHANCE
    assert beyond(narrowed(drawn, NARROW), known) < CHANCE


def test_exact_posteriors_given_recordings_pass(known):
    rng = np.random.default_rng(3)
    exact = np.array([grid.samples(DRAWS, rng) for grid in known.exact])
    assert near(exact, known) and (calibration(compared(exact, known).rank).p > CHANCE).all()
    assert beyond(exact, known) > CHANCE
