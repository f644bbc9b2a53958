"""A problem of Virtual Brain Inference: a brain, what is unknown of it, and the features that stand
for its recording.

The brains are on the benchmark's made-up connectome of 84 regions (`synthetic.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from synthetic import connectome

from hpcvbi import Brain, Connectome, simulate

Features = dict[str, np.ndarray]
BLOCK = 32
"""Draws simulated together; two blocks of sixteen lanes."""


@dataclass(frozen=True, eq=False)
class Case:
    """A brain whose `space` is to be inferred from what `summarise` makes of its signals.

    `summarise` gives (draw,) for each feature; in a `regional` case (draw, region), and the
    parameters are one for each region. `setting` says what is unknown and what is seen.
    """

    name: str
    title: str
    setting: str
    brain: Brain
    summarise: Callable[[dict[str, np.ndarray]], Features]
    initial: np.ndarray | Literal["random"] | None = None
    regional: bool = False

    @property
    def params(self) -> tuple[str, ...]:
        """Names of what is inferred."""
        return ("eta",) if self.regional else self.brain.space.names

    def simulate(self, u: np.ndarray, seed: int, first: int = 0) -> np.ndarray:
        """Features (draw, feature), or (draw, region, feature), of draws `u` (draw, param) of the
        unit cube, numbered from `first`; NaN where the simulation diverged.
        """
        theta, rows = self.brain.space.from_unit(u), []
        for start in range(0, len(u), BLOCK):
            some = theta[start : start + BLOCK]
            numbers = first + start + np.arange(len(some))
            seen = simulate(
                self.brain, some, seed=seed, draws=numbers, initial=self.initial, threads=1
            )
            with np.errstate(all="ignore"):
                found = np.stack(list(self.summarise(seen.signals).values()), axis=-1)
            failed = ~np.isfinite(found).all(axis=tuple(range(1, found.ndim)))
            found[failed] = np.nan
            rows.append(found.astype(float))
        return np.concatenate(rows)


def network(normalised: Literal["spectral_radius", "max", "none"] = "max") -> Connectome:
    """The benchmark's connectome."""
    weights, lengths = connectome()
    labels = tuple(f"r{i}" for i in range(len(weights)))
    return Connectome(weights, lengths, labels).normalised(normalised)
