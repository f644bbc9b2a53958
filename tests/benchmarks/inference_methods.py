"""The methods that are compared, each with what it does with a budget of simulations.

Every simulated draw counts, in all rounds, whoever simulates it; a method that simulates more than
the budget is an error. The table gives rounds and settings; a round simulates budget / rounds
draws. `pyabc` is pyABC's own sampler, the yardstick for ABC-SMC; `plain_rejection` the floor that
nothing may be worse than. Samples that repeat few particles are smoothed, whatever made them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from inference_pyabc import population_size, pyabc_posterior
from inference_smoothing import smoothed
from tasks import Task

from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer import ALGORITHMS, learn

BUDGETS = (316, 1000, 3162, 10_000, 31_623, 100_000)
NEAREST = 100  # draws that rejection keeps, as in Lueckmann et al. (2021)


class OverBudget(Exception):
    """A method simulated more draws than it was given."""


@dataclass
class Counted:
    """A task's simulator that counts its draws."""

    task: Task
    budget: int
    used: int = 0

    def __call__(self, u: np.ndarray, seed: int) -> np.ndarray:
        self.used += len(u)
        if self.used > self.budget:
            raise OverBudget(f"{self.used} draws simulated, {self.budget} are the budget")
        return self.task.simulate(u, seed)


def _network(budget: int) -> dict[str, Any]:
    """Settings of a fit: with more rows larger batches and fewer epochs, of more steps each."""
    batch = int(np.clip(budget // 40, 50, 500))
    wide = budget >= 10_000
    return {
        "batch": batch,
        "learning_rate": 2e-3 if batch < 200 else 1e-3,
        "hidden": 64,
        "transforms": 5 if wide else 4,
        "members": 1,
        "weight_decay": 1.0,
        "max_epochs": int(np.clip(4_000_000 // budget, 40, 300)),
        "stop_after": 20 if budget < 30_000 else 10,
    }


def _once(budget: int) -> dict[str, Any]:
    return {"rounds": 1, **_network(budget)}


def _sequential(budget: int) -> dict[str, Any]:
    return {"rounds": 2 if budget < 3000 else 4, **_network(budget)}


def _populations(budget: int) -> dict[str, Any]:
    """As many particles as pyABC's, which takes draws one by one, in waves of half as many draws: a
    whole wave is simulated even if its first draws would do. At least 20, or a twentieth of all.
    """
    particles = population_size(budget)
    wave = max(20, min(particles // 2, budget // 20))
    return {"rounds": budget // wave, "particles": particles}


def _nearest(budget: int) -> dict[str, Any]:
    return {"rounds": 1, "quantile": min(1.0, NEAREST / budget)}


def _draws_alone(budget: int) -> dict[str, Any]:
    return {"rounds": 1}


SETTINGS: dict[str, Callable[[int], dict[str, Any]]] = {
    "npe": _once,
    "tsnpe": _sequential,
    "apt": _sequential,
    "nle": _sequential,
    "nre": _sequential,
    "fmpe": _once,
    "npse": _once,
    "rejection": _nearest,
    "regression": _draws_alone,
    "knn": _draws_alone,
    "abc_smc": _populations,
}
"""For each algorithm, rounds and settings at a budget; of those, each takes what it has."""
POINTS = ("grid", "cmaes", "bayes_opt")
"""Algorithms that search for one best point, and claim no posterior to compare."""


def algorithm(name: str, budget: int) -> Any:
    """Return an algorithm of `hpcvbi.infer` with its settings at a budget."""
    kind = ALGORITHMS[name]
    known = {field.name for field in fields(kind)}
    wanted = SETTINGS[name](budget)
    wanted["draws"] = budget // wanted["rounds"]
    return kind(**{key: value for key, value in wanted.items() if key in known})


def plain_rejection(
    simulate: Counted, n_params: int, x_observed: np.ndarray, n: int, seed: int
) -> np.ndarray:
    """Return the draws of the prior nearest to the observation, resampled to (n, param)."""
    rng = generator("plain rejection", seed)
    u = rng.random((simulate.budget, n_params))
    x = simulate(u, seed)
    spread = np.nanstd(x, axis=0)
    distance = np.sqrt((((x - x_observed) / np.where(spread > 0, spread, 1.0)) ** 2).sum(axis=1))
    nearest = np.argsort(distance, kind="stable")[:NEAREST]  # NaN come last
    return u[rng.choice(nearest, n)]


def learned(name: str) -> Callable[..., np.ndarray]:
    """Return a function that infers with an algorithm of `hpcvbi.infer`."""

    def posterior(
        simulate: Counted, n_params: int, x_observed: np.ndarray, n: int, seed: int
    ) -> np.ndarray:
        chosen = algorithm(name, simulate.budget)
        found = learn(chosen, simulate, n_params, x_observed, seed)
        return found.posterior(x_observed, n, derive_seed("samples", seed))

    return posterior


METHODS: dict[str, Callable[..., np.ndarray]] = {
    **{name: learned(name) for name in SETTINGS if name in ALGORITHMS},
    "pyabc": pyabc_posterior,
    "plain_rejection": plain_rejection,
}
"""Each: (simulate, n_params, x_observed, n, seed) -> samples (n, param) of the unit cube."""


def run(
    method: str, task: Task, number: int, budget: int, seed: int, n: int
) -> tuple[np.ndarray, float]:
    """Return posterior samples (n, param) in natural units, and the CPU seconds they took."""
    x_observed = task.known.observation(number)
    simulate = Counted(task, budget)
    own = derive_seed("cell", task.name, number, method, budget, seed)
    before = time.process_time()
    u = METHODS[method](simulate, task.n_params, x_observed, n, own)
    took = time.process_time() - before
    return task.prior.natural(smoothed(u, generator("smoothing", own))), took
