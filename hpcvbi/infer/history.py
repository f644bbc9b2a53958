"""A finished inference as pyABC keeps its own: a SQLite history, for pyABC's visualisers.

A run is a person, who is named in its options. Its populations are what the algorithm says
(`populations.py`): the generations of ABC, or the rounds of a neural method. Then the last one
holds the posterior's own samples that were simulated again, with equal weights; its epsilon is the
largest of its distances. Of a choice between models they are its generations, with particles of all
models. Draws without finite features are counted as simulated, and are no particles.

Schaelte, Klinger, Alamoudi & Hasenauer (2022), "pyABC: Efficient and robust easy-to-use approximate
Bayesian computation", Journal of Open Source Software 7, 4304, doi:10.21105/joss.04304.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.core.errors import ExportError
from hpcvbi.infer.populations import Population
from hpcvbi.infer.pyabc_parts import quiet

Measure = Callable[[np.ndarray], np.ndarray]
"""Distances (row,) of features (row, feature) to the observed ones."""


@dataclass(frozen=True, eq=False)
class Weighted:
    """Some draws; `simulated` counts those that are no particles too.

    A particle's parameters are those of its `model`, by number; what follows them in `theta` says
    nothing.
    """

    model: np.ndarray  # (particle,)
    theta: np.ndarray  # (particle, param) in natural units
    x: np.ndarray  # (particle, feature)
    weights: np.ndarray  # (particle,) sum 1
    distances: np.ndarray  # (particle,)
    epsilon: float
    simulated: int


@dataclass(frozen=True, eq=False)
class Run:
    """One person: names, those of parameters per model, what was observed (feature,), and the
    populations in their order.
    """

    method: str
    models: tuple[str, ...]
    params: tuple[tuple[str, ...], ...]
    features: tuple[str, ...]
    observed: np.ndarray
    populations: tuple[Weighted, ...]


def weighted(population: Population, theta: np.ndarray, x: np.ndarray) -> Weighted:
    """Return a population of the draws `theta` (draw, param), simulated to `x` (draw, feature)."""
    rows, drawn = population.rows, (population.weights, population.distances)
    only = np.zeros(len(rows), np.int64)
    return Weighted(only, theta[rows], x[rows], *drawn, population.epsilon, population.simulated)


def equally_weighted(theta: np.ndarray, x: np.ndarray, measure: Measure) -> Weighted:
    """Give samples `theta` (draw, param) of the posterior, simulated to `x`, equal weights;
    `measure` gives distances (row,) of features (row, feature).
    """
    finite = np.isfinite(x).all(axis=1)
    if not finite.any():
        raise ExportError("a round without any draw of finite features is no population")
    n = int(finite.sum())
    only, weights, apart = np.zeros(n, np.int64), np.full(n, 1.0 / n), measure(x[finite])
    return Weighted(only, theta[finite], x[finite], weights, apart, float(apart.max()), len(theta))


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

    with quiet():
        history = History(f"sqlite:///{path.resolve()}")
        for person, run in runs.items():
            _write_run(history, person, run, about)


def _write_run(history: Any, person: str, run: Run, about: Mapping[str, Any]) -> None:
    history.store_initial_data(
        ground_truth_model=None,
        options={**about, "person": person},
        observed_summary_statistics=_named(run.features, run.observed),
        ground_truth_parameter={},
        model_names=list(run.models),
        distance_function_json_str=json.dumps({"name": run.method}),
        eps_function_json_str=json.dumps({"name": run.method}),
        population_strategy_json_str=json.dumps({"name": run.method}),
    )
    for t, population in enumerate(run.populations):
        history.append_population(
            t,
            population.epsilon,
            _population(run, population),
            population.simulated,
            list(run.models),
        )
    history.done()


def _population(run: Run, weighted: Weighted) -> Any:
    from pyabc import Parameter  # pyright: ignore[reportMissingImports]
    from pyabc.population import (  # pyright: ignore[reportMissingImports]
        Particle,
        Population,
    )

    rows = zip(
        weighted.model.tolist(),
        weighted.theta,
        weighted.x,
        weighted.weights,
        weighted.distances,
        strict=True,
    )
    particles = [
        Particle(
            m=model,
            parameter=Parameter(_named(run.params[model], theta[: len(run.params[model])])),
            weight=float(weight),
            sum_stat=_named(run.features, x),
            distance=float(distance),
        )
        for model, theta, x, weight, distance in rows
    ]
    return Population(particles)


def _named(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
