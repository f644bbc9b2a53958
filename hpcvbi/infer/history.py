"""A finished inference as pyABC keeps its own: a SQLite history, for pyABC's visualisers.

A run is a person. A population is a round: its draws with what they simulated, weighted by the
posterior that was learned from them and all before,

    w_i = q(theta_i | x_observed) / sum_j q(theta_j | x_observed),

for the draws of a round are uniform over the region they were proposed from. The last population
holds the posterior's own samples that were simulated again, with equal weights. Distances are
Euclidean over features in units of their spread among the simulated ones, and epsilon is the
largest of a population. Draws without finite features are counted as simulated, and are no
particles.

Schaelte, Klinger, Alamoudi & Hasenauer (2022), "pyABC: Efficient and robust easy-to-use approximate
Bayesian computation", Journal of Open Source Software 7, 4304, doi:10.21105/joss.04304.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.core.errors import ExportError
from hpcvbi.core.space import Space
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.neural_state import NeuralState


@dataclass(frozen=True, eq=False)
class Weighted:
    """Draws of one round; `simulated` counts those that are no particles too."""

    theta: np.ndarray  # (particle, param) in natural units
    x: np.ndarray  # (particle, feature)
    weights: np.ndarray  # (particle,) sum 1
    distances: np.ndarray  # (particle,)
    simulated: int


@dataclass(frozen=True, eq=False)
class Run:
    """One person: names, what was observed (feature,), and the populations in their order."""

    params: tuple[str, ...]
    features: tuple[str, ...]
    observed: np.ndarray
    populations: tuple[Weighted, ...]


def weighted_round(
    algorithm: Neural, state: NeuralState, space: Space, theta: np.ndarray, x: np.ndarray
) -> Weighted:
    """Weight the draws `theta` (draw, param) of a round by the `state` that was learned with them.

    `x` (draw, feature) is NaN where a draw was left out of learning.
    """
    finite = np.isfinite(x).all(axis=1)
    if not finite.any():
        raise ExportError("a round without any draw of finite features is no population")
    log_density = algorithm.log_density(state, space.to_unit(theta[finite]), state.x_observed)
    weights = np.exp(log_density - log_density.max())
    distances = _distances(state, x[finite])
    return Weighted(theta[finite], x[finite], weights / weights.sum(), distances, len(theta))


def equally_weighted(state: NeuralState, theta: np.ndarray, x: np.ndarray) -> Weighted:
    """Give samples `theta` (draw, param) of the posterior, simulated to `x`, equal weights."""
    finite = np.isfinite(x).all(axis=1)
    weights = np.full(int(finite.sum()), 1.0 / max(1, finite.sum()))
    distances = _distances(state, x[finite])
    return Weighted(theta[finite], x[finite], weights, distances, len(theta))


def check_pyabc() -> None:
    """Raise ExportError where pyABC is not installed."""
    if find_spec("pyabc") is None:
        raise ExportError("pyABC's history needs pyABC: pip install 'hpcvbi[pyabc]'")


def write_history(path: Path, runs: Mapping[str, Run], about: Mapping[str, Any]) -> None:
    """Write a history with one run per person, in their order, by pyABC's own class."""
    check_pyabc()
    if "?" in str(path):
        raise ExportError(f"pyABC cannot name {path}: choose a target without a question mark")
    from pyabc.storage import History  # pyright: ignore[reportMissingImports]

    talk = logging.getLogger("ABC")
    level = talk.level
    talk.setLevel(logging.WARNING)
    try:
        history = History(f"sqlite:///{path.resolve()}")
        for person, run in runs.items():
            _write_run(history, person, run, about)
    finally:
        talk.setLevel(level)


def _write_run(history: Any, person: str, run: Run, about: Mapping[str, Any]) -> None:
    history.store_initial_data(
        ground_truth_model=None,
        options=dict(about),
        observed_summary_statistics=_named(run.features, run.observed),
        ground_truth_parameter={},
        model_names=[person],
        distance_function_json_str=json.dumps({"name": "PNorm", "p": 2}),
        eps_function_json_str=json.dumps({"name": "largest distance of a population"}),
        population_strategy_json_str=json.dumps({"name": "draws of a round"}),
    )
    for t, population in enumerate(run.populations):
        history.append_population(
            t,
            float(population.distances.max()),
            _population(run, population),
            population.simulated,
            [person],
        )
    history.done()


def _population(run: Run, weighted: Weighted) -> Any:
    from pyabc import Parameter  # pyright: ignore[reportMissingImports]
    from pyabc.population import (  # pyright: ignore[reportMissingImports]
        Particle,
        Population,
    )

    rows = zip(weighted.theta, weighted.x, weighted.weights, weighted.distances, strict=True)
    particles = [
        Particle(
            m=0,
            parameter=Parameter(_named(run.params, theta)),
            weight=float(weight),
            sum_stat=_named(run.features, x),
            distance=float(distance),
        )
        for theta, x, weight, distance in rows
    ]
    return Population(particles)


def _distances(state: NeuralState, x: np.ndarray) -> np.ndarray:
    return np.sqrt((((x - state.x_observed) / state.scale) ** 2).sum(axis=1))


def _named(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
