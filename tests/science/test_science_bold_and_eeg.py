"""One loss over the BOLD and the EEG of a brain finds what BOLD alone does not tell.

    loss = alpha BOLD-FC + beta EEG-spectrum + gamma stability + rho prior

A Jansen-Rit network is watched for a minute by a scanner and by sensors, which see its potentials
through a made-up lead field. Slower inhibition (b) moves the peak of the spectrum and hardly
touches the correlations of BOLD, which know the coupling.
"""

from dataclasses import replace

import numpy as np
import pytest
from networks import brainlike
from scipy.signal import welch

from hpcvbi import MODELS, SIGMOIDAL, Bold, Brain, Sample, Space, Uniform, WhiteNoise, simulate
from hpcvbi.infer import CmaEs, learn, weights_of

REGIONS, SENSORS, PERIOD = 12, 6, 4.0  # of the sensors [ms]
LEAD_FIELD = np.random.default_rng(3).normal(size=(SENSORS, REGIONS))
BANDS = ((2, 6), (6, 9), (9, 12), (12, 16), (16, 30))  # [Hz]
MODEL = MODELS["jansen_rit"]
COUPLING = SIGMOIDAL.params[0]
INHIBITION = next(param for param in MODEL.params if param.name == "b")
SPACE = Space(
    (replace(COUPLING, prior=Uniform(0, 2)), replace(INHIBITION, prior=Uniform(0.03, 0.07)))
)
BRAIN = Brain(
    brainlike(REGIONS),
    MODEL,
    SIGMOIDAL,
    WhiteNoise(("y4",)),
    dt=1.0,
    duration=60_000.0,
    burn_in=2000.0,
    monitors=(Bold("psp", 1000.0), Sample("psp", PERIOD, name="potentials")),
    space=SPACE,
    values={"sigma": 0.02},
    scheme="heun",
)
UPPER = np.triu_indices(REGIONS, 1)
GROUPS = {f"fc_{i}": "bold_fc" for i in range(len(UPPER[0]))} | {
    f"power_{i}": "eeg_spectrum" for i in range(len(BANDS) * SENSORS)
}
TRUTH = np.array([0.4, 0.55])
ALL = {"bold_fc": 1.0, "eeg_spectrum": 1.0, "stability": 0.1, "prior": 0.01}


def both(u, seed):
    """FC of BOLD, and log power of each band at each sensor, (draw, feature)."""
    seen = simulate(BRAIN, SPACE.from_unit(u), seed=seed, width=16).signals
    fc = [np.corrcoef(bold.T)[UPPER] for bold in seen["bold"].astype(float)]
    eeg = seen["potentials"].astype(float) @ LEAD_FIELD.T
    hz, density = welch(eeg, 1000.0 / PERIOD, nperseg=500, axis=1)
    bands = [density[:, (low <= hz) & (hz < high)].mean(axis=1) for low, high in BANDS]
    return np.concatenate([fc, np.log10(np.stack(bands, axis=1)).reshape(len(u), -1)], axis=1)


@pytest.fixture(scope="module")
def observed():
    """What the brain of TRUTH shows."""
    return both(TRUTH[None], 99)[0]


def errors(observed, given):
    """Optima of a loss with the `given` weights, minus the truth, (seed, param)."""
    search = CmaEs(rounds=12, draws=32, replicates=2, weights=weights_of(given, GROUPS))
    optima = [learn(search, both, 2, observed, seed).state.best for seed in range(3)]
    return np.array(optima) - TRUTH


def test_bold_and_eeg_together_tell_coupling_and_inhibition(observed):
    coupling, inhibition = np.abs(errors(observed, ALL)).T
    assert coupling.max() < 0.15 and inhibition.max() < 0.01, (coupling, inhibition)


def test_bold_alone_does_not_tell_inhibition(observed):
    _, inhibition = np.abs(errors(observed, {"bold_fc": 1.0})).T
    assert np.median(inhibition) > 0.05, inhibition
