"""What ABC-SMC of one model and that over several have in common: settings of their generations,
and what a state says of them.
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import TooFewSurvivors
from hpcvbi.infer.proposal import Perturbation
from hpcvbi.infer.pyabc_parts import check_pyabc
from hpcvbi.infer.schedule import EXHAUSTED, Schedule, numbers
from hpcvbi.infer.settings import GENERATIONS, require_all
from hpcvbi.infer.stored import Stored


class GenerationState(Stored):
    """Base of a state with generations that are complete, each with its `epsilon`, and one in
    progress, of which `pending_accepted` of `pending_simulated` draws have come within `threshold`.
    """

    threshold: float
    pending_accepted: int
    pending_simulated: int
    epsilon: np.ndarray

    @property
    def generations(self) -> int:
        """How many are complete."""
        return len(self.epsilon)

    @property
    def next_epsilon(self) -> float | None:
        """The epsilon of the generation in progress; None where the schedule has ended."""
        return self.threshold if self.threshold > EXHAUSTED else None

    def check_complete(self, particles: int) -> None:
        """Raise TooFewSurvivors where no generation, of so many particles, is complete."""
        if not self.generations:
            raise TooFewSurvivors(
                f"{self.pending_accepted} of {self.pending_simulated} draws came within epsilon "
                f"{self.threshold:g} of the observation, and a generation takes {particles}. "
                "Simulate more rounds, or write a larger epsilon"
            )


@dataclass(frozen=True)
class Generations:
    """Settings of generations, see `AbcSmc`."""

    rounds: int = 20
    draws: int = 500
    particles: int = 0
    distance: str = "p_norm"
    p: float = 2.0
    epsilon: str = "quantile"
    quantile: float = 0.5
    epsilons: str | tuple[float, ...] = ""
    transition: str = "multivariate_normal"
    scaling: float = 1.0
    neighbours: float = 0.25
    min_epsilon: float = 0.0

    def __post_init__(self) -> None:
        check_pyabc()
        require_all(self, GENERATIONS)
        _ = self._schedule, self._perturbation

    @property
    def _schedule(self) -> Schedule:
        return Schedule(self.epsilon, self.quantile, numbers(self.epsilons))

    @property
    def _perturbation(self) -> Perturbation:
        return Perturbation(self.transition, self.scaling, self.neighbours)
