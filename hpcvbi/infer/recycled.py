"""The posterior of ABC-SMC from the draws of all its waves, each weighted by the mixture of all
proposals:

    w_i ~ 1 / sum_t n_t q_{t-1}(u_i),    n_t draws simulated in generation t,    q_{-1} = 1.

The prior is a part of the mixture, so that no weight can exceed the mean by more than the inverse
of its share. In many dimensions that is not enough: where the nearest draws count as fewer than
`EFFECTIVE` equal ones, farther ones are taken too.

Veach & Guibas (1995), Optimally combining sampling techniques for Monte Carlo rendering, DOI
10.1145/218380.218498. Cornuet, Marin, Mira & Robert (2012), Adaptive multiple importance sampling,
DOI 10.1111/j.1467-9469.2011.00756.x.
"""

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from hpcvbi.core.seeds import generator
from hpcvbi.infer.abc_state import AbcState
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.metric import Metric
from hpcvbi.infer.proposal import Perturbation
from hpcvbi.infer.regression import EFFECTIVE, epanechnikov, moved
from hpcvbi.infer.table import at, nearest, resampled


@threadpool_limits.wrap(limits=1, user_api="blas")  # last bits depend on the number
def recycled(
    state: AbcState,
    draws: Draws,
    metric: Metric,
    perturbation: Perturbation,
    cases: np.ndarray,
    k: int,
    adjust: bool,
    n: int,
    seeds: Sequence[int],
) -> np.ndarray:
    """Return `n` draws (case, draw, param) of the `k` nearest to each of the `cases` (case,
    feature), moved along a regression where they are to be adjusted; of more where a few weights
    outweigh all others.
    """
    fewest, every = k, int(draws.whole.sum())
    waiting, drawn = list(range(len(cases))), [np.empty((0, 0))] * len(cases)
    while waiting:
        rows, apart = nearest(draws.x, cases[waiting], k, [metric] * len(waiting))
        some = np.unique(rows)
        density, features = proposed(state, draws, perturbation, draws.u[some]), at(draws.x, some)
        for case, near, far in zip(waiting.copy(), rows, apart, strict=True):
            places = np.searchsorted(some, near)
            weights = 1.0 / density[places]
            worth = np.cumsum(weights) ** 2 / np.cumsum(weights**2)
            enough = np.flatnonzero(worth[fewest - 1 :] >= min(EFFECTIVE, fewest / 2))
            if not len(enough) and k < every:
                continue
            waiting.remove(case)
            kept = slice(fewest + enough[0] if len(enough) else every)
            u, weights = draws.u[near[kept]], weights[kept]
            if adjust:
                weights = weights * epanechnikov(far[kept])
                z = metric.statistics(features[places[kept]]) - metric.statistics(cases[[case]])
                u = moved(u, z * state.weights, weights / weights.sum())
            drawn[case] = u[resampled(weights, n, generator("posterior", seeds[case]))]
        k = min(every, 2 * k)
    return np.stack(drawn)


def proposed(
    state: AbcState, draws: Draws, perturbation: Perturbation, u: np.ndarray
) -> np.ndarray:
    """Return the density (row,) at `u` (row, param) of the mixture of all that was proposed."""
    made = np.bincount(state.generation_of(draws.round), minlength=state.generations + 1)
    density = np.full(len(u), float(made[0]))
    for generation in range(state.generations):
        if share := made[generation + 1]:
            proposal = perturbation.fit(*state.population(generation))
            density += share / state.inside[generation] * proposal.density(u)
    return density / made.sum()
