"""pyABC's own single-core ABC-SMC at a budget: adaptive distance, median epsilons, and what its
last whole population says.

Every simulation counts, those of the calibration and of the population that the budget cuts short
as well. pyABC draws from NumPy's global generator, which is seeded here.

Schaelte et al. (2022), DOI 10.21105/joss.04304.
"""

import contextlib
import logging
from typing import Any

import numpy as np

from hpcvbi.core.errors import HpcvbiError
from hpcvbi.core.seeds import derive_seed


class _Spent(Exception):
    """The budget is used up."""


def population_size(budget: int) -> int:
    """Particles of a population: few, so that a budget reaches small epsilons. With a tenth of it,
    as Lueckmann et al. (2021) chose, 10,000 draws are farther from two moons than by rejection.
    """
    return int(np.clip(budget // 50, 100, 500))


def pyabc_posterior(
    simulate: Any, n_params: int, x_observed: np.ndarray, n: int, seed: int
) -> np.ndarray:
    """Return particles of the last whole population, resampled by weight to (n, param)."""
    import pyabc  # imported here: it takes seconds

    logging.getLogger("ABC").setLevel(logging.ERROR)
    names = [f"u{i}" for i in range(n_params)]

    def model(parameters: dict[str, float]) -> dict[str, np.ndarray]:
        if simulate.used >= simulate.budget:
            raise _Spent
        u = np.array([[parameters[name] for name in names]])
        return {"x": simulate(u, derive_seed("pyabc", seed, simulate.used))[0]}

    np.random.seed(seed % 2**32)
    prior = pyabc.Distribution(**{name: pyabc.RV("uniform", 0.0, 1.0) for name in names})
    inference = pyabc.ABCSMC(
        model,
        prior,
        distance_function=pyabc.AdaptivePNormDistance(p=2),
        population_size=population_size(simulate.budget),
        sampler=pyabc.SingleCoreSampler(),
    )
    history = inference.new("sqlite://", {"x": x_observed})
    history.stores_sum_stats = False
    with contextlib.suppress(_Spent):
        inference.run()
    if history.max_t < 0:
        raise HpcvbiError("pyABC has no whole population within the budget")
    frame, weights = history.get_distribution(m=0, t=history.max_t)
    particles = frame[names].to_numpy()
    rng = np.random.default_rng(seed)
    return particles[rng.choice(len(particles), n, p=weights / weights.sum())]
