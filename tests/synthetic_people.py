"""Simulated people with known parameters, as a folder of tables, and a study of them."""

from pathlib import Path

import numpy as np

from hpcvbi import (
    LINEAR,
    MODELS,
    Bold,
    Brain,
    Connectome,
    Param,
    Recorded,
    Space,
    Uniform,
    WhiteNoise,
    simulate,
)

REGIONS, VOLUMES, TR_S = 12, 300, 0.72
STUDY = """\
name: small
output: {output}
seed: {seed}
cohort: {{kind: tables, folder: {folder}, tr: 0.72}}
connectome: {{normalise: spectral_radius}}
model: {{name: wong_wang_ei}}
noise: {{on: [S_E]}}
parameters:
  G: {{prior: uniform, low: 0.4, high: 1.3}}
  sigma: {{prior: log_uniform, low: 5e-5, high: 4e-4}}
simulation: {{dt: 2.0, burn_in: 10080}}
bold: {{of: S_E, step: 20.0}}
features: {{names: [fc_mean, fc_sd, fc_sc_r]}}
inference:
  draws: {draws}
  settings: {{hidden: 16, transforms: 2, min_survivors: 20, max_epochs: {epochs}}}
yardsticks:
  predictive: 32
  calibration: 24
  grid: {{over: G, points: 3, draws: 2, fresh: 4}}
block: 16
keep: [bold]
"""


def synthetic_connectome(seed: int, n: int = REGIONS) -> Connectome:
    """Return a symmetric random network with log-normal weights."""
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.lognormal(0.0, 1.0, (n, n)) * (rng.random((n, n)) < 0.6), 1)
    weights += weights.T
    labels = tuple(f"{side}{k}" for k in range(n // 2) for side in "LR")
    return Connectome(weights, np.zeros((n, n)), labels)


def recorded_bold(
    connectome: Connectome,
    G: float,
    seed: int,
    volumes: int,
    model: str = "wong_wang_ei",
    of: str = "S_E",
    sigma: float = 1.5e-4,
) -> np.ndarray:
    """Return the BOLD (time, region) of a person with this G, measurement noise included."""
    period = 1000.0 * TR_S
    brain = Brain(
        connectome.normalised("spectral_radius"),
        MODELS[model],
        LINEAR,
        WhiteNoise((of,)),
        dt=2.0,
        duration=period * volumes,
        burn_in=10080.0,
        monitors=(Bold(of, period, step=20.0), Recorded(np.zeros(connectome.n_regions))),
        space=Space((Param("G", 1.0, prior=Uniform(0.0, 2.0)),)),
        values={"sigma": sigma},
    )
    return simulate(brain, np.array([[G]]), seed=seed).signals["bold"][0]


def write_people(folder: Path, truths: dict[str, float], volumes: int = VOLUMES) -> None:
    """Write a cohort of tables: one folder per person, recorded at its own G."""
    for number, (name, G) in enumerate(truths.items()):
        connectome = synthetic_connectome(number)
        person = folder / name
        person.mkdir(parents=True)
        np.savetxt(person / "weights.csv", connectome.weights, delimiter=",")
        np.savetxt(person / "lengths.csv", connectome.lengths, delimiter=",")
        np.savetxt(
            person / "bold.csv", recorded_bold(connectome, G, number, volumes), delimiter=","
        )
        (person / "labels.txt").write_text("\n".join(connectome.labels) + "\n")


def write_study(
    path: Path, folder: Path, output: Path, draws: int = 48, epochs: int = 15, seed: int = 1
) -> Path:
    """Write a study file of such a cohort."""
    text = STUDY.format(folder=folder, output=output, draws=draws, epochs=epochs, seed=seed)
    path.write_text(text)
    return path
