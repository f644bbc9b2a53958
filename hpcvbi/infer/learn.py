"""An inference from its first draw to its last, in one process, with any simulator.

learned = learn(Tsnpe(draws=500), simulate, n_params=2, x_observed=x, seed=1)
u = learned.posterior(x, 1000, seed=2)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.core.seeds import derive_seed
from hpcvbi.infer.algorithm import Algorithm
from hpcvbi.infer.draws import Draws

Simulator = Callable[[np.ndarray, int], np.ndarray]
"""Features (draw, feature) of draws (draw, param) of the unit cube, and a seed."""


@dataclass(frozen=True, eq=False)
class Learned:
    """The last state, all draws it was learned from, and what is to be said of each round."""

    algorithm: Algorithm[Any]
    state: Any
    draws: Draws
    infos: tuple[dict[str, Any], ...]

    def posterior(self, x: np.ndarray, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) of the unit cube given features `x` (feature,)."""
        return self.algorithm.posterior(self.state, x, n, seed, self.draws)


def learn(
    algorithm: Algorithm[Any],
    simulate: Simulator,
    n_params: int,
    x_observed: np.ndarray,
    seed: int,
    earlier: Draws | None = None,
) -> Learned:
    """Run all rounds of an algorithm; `earlier` draws of the prior are learned from as well."""
    state, infos = algorithm.init(n_params, x_observed), []
    parts = [] if earlier is None else [earlier]
    for number in range(algorithm.rounds):
        u = algorithm.propose(state, algorithm.draws, derive_seed("propose", seed, number))
        x = simulate(u, derive_seed("simulate", seed, number))
        parts.append(Draws.of(u, x, number))
        draws = Draws.join(parts)
        state, info = algorithm.update(state, draws, derive_seed("update", seed, number))
        infos.append(info.as_dict())
        if algorithm.done(state):
            break
    return Learned(algorithm, state, Draws.join(parts), tuple(infos))
