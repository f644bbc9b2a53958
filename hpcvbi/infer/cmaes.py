"""CMA-ES: a Gaussian that searches for the lowest loss, one generation per round.

    u_k ~ N(m, sigma^2 C) in the unit cube;  m, sigma, C follow the better half of u_1 ... u_lambda

Round 0 is a design over the prior, and m starts at its best point. A proposal outside the cube is
drawn again, a hundred times at most, and then clipped. Points that failed rank last.

The strategy itself is the package cmaes. What a generation teaches has no randomness: m, sigma, C
and the evolution paths are a pure function of the points and losses told so far, which are the
state; they are told again to a strategy made anew wherever one is needed.

Hansen (2016), The CMA evolution strategy: a tutorial, DOI 10.48550/arXiv.1604.00772. Nomura &
Shibata (2024), cmaes: a simple yet practical Python library for CMA-ES, DOI
10.48550/arXiv.2402.01373.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.infer.optimum import Optimiser, OptimumState


@dataclass(frozen=True)
class CmaEs(Optimiser):
    """Settings of CMA-ES; see `Optimiser`.

    rounds: the design over the prior, and generations. step: sigma at the start, in units of the
    prior mass. tolerance: the search ends when the points of a generation spread less than this in
    every parameter (standard deviation, in units of the prior mass); 0 for never.
    """

    kind: ClassVar[str] = "search distribution"
    fewest_points: ClassVar[int] = 4

    rounds: int = 20
    draws: int = 16
    step: float = 0.2
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if find_spec("cmaes") is None:
            raise ConfigError("cmaes needs a package: pip install 'hpcvbi[optimisers]'")
        for name, low in (("step", 1e-6), ("tolerance", 0.0)):
            if not low <= getattr(self, name) <= 1.0:
                value = getattr(self, name)
                raise ConfigError(f"{name} must lie between {low:g} and 1, got {value!r}")

    def done(self, state: OptimumState) -> bool:
        """Whether all rounds are learned, or the search stands still."""
        last = state.u[-self.points :]
        still = state.round > 1 and bool((last.std(axis=0) < self.tolerance).all())
        return super().done(state) or still

    def search(self, state: OptimumState, seed: int) -> np.ndarray:
        """Return the points (point, param) of the next generation."""
        return self.around(state, self.points, seed)

    def optimum(self, state: OptimumState, seed: int) -> np.ndarray:
        """Return the optimum (param,): the mean of the search distribution."""
        return np.clip(self._strategy(state, seed).mean, 0.0, 1.0)

    def around(self, state: OptimumState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) of the search distribution inside the cube."""
        strategy = self._strategy(state, seed)
        return np.stack([strategy.ask() for _ in range(n)])

    def _strategy(self, state: OptimumState, seed: int) -> Any:
        from cmaes import CMA

        generations = [
            (state.u[start : start + self.points], state.loss[start : start + self.points])
            for start in range(0, len(state.u), self.points)
        ]
        u, loss = generations[0]
        strategy = CMA(
            mean=u[np.argmin(loss)],
            sigma=self.step,
            bounds=np.tile([0.0, 1.0], (u.shape[1], 1)),
            population_size=self.points,
            seed=derive_seed("cmaes", seed) % 2**32,
        )
        for u, loss in generations[1:]:
            strategy.tell(list(zip(u, loss.tolist(), strict=True)))
        return strategy
