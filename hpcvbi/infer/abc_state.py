"""State and info of ABC-SMC: what the next wave needs, and what only a person needs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from hpcvbi.infer.generations import GenerationState
from hpcvbi.infer.stored import Dims, Types, refused


@dataclass(frozen=True, eq=False)
class AbcState(GenerationState):
    """What the next wave needs.

    Of the metric: see `metric.py`. `threshold` is the epsilon of the generation in progress, which
    began with round `since` and of which `pending_accepted` of `pending_simulated` draws have
    reached it. Per generation that is complete: its `epsilon`, how many draws were `accepted` of
    those `simulated`, its `first_round`, and the mass `inside` the cube of the transition that is
    fitted to it. Per particle of all these: its generation, its row among the draws, where it lies,
    its weight, and its distance when it was accepted.
    """

    DIMS: ClassVar[Dims] = {
        "round": (),
        "n_params": (),
        "x_observed": ("feature",),
        "center": ("feature",),
        "scale": ("feature",),
        "hidden": ("unit", "feature"),
        "hidden_offset": ("unit",),
        "projection": ("learned", "input"),
        "offset": ("learned",),
        "weights": ("statistic",),
        "threshold": (),
        "since": (),
        "pending_accepted": (),
        "pending_simulated": (),
        "epsilon": ("generation",),
        "accepted": ("generation",),
        "simulated": ("generation",),
        "first_round": ("generation",),
        "inside": ("generation",),
        "particle_generation": ("particle",),
        "particle_row": ("particle",),
        "particle_u": ("particle", "param"),
        "particle_weight": ("particle",),
        "particle_distance": ("particle",),
    }
    TYPES: ClassVar[Types] = dict.fromkeys(
        (
            "round", "n_params", "since", "pending_accepted", "pending_simulated", "accepted",
            "simulated", "first_round", "particle_generation", "particle_row",
        ),
        np.int64,
    )  # fmt: skip
    INFINITE: ClassVar[tuple[str, ...]] = ("threshold", "epsilon", "particle_distance")

    round: int
    n_params: int
    x_observed: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_offset: np.ndarray
    projection: np.ndarray
    offset: np.ndarray
    weights: np.ndarray
    threshold: float
    since: int
    pending_accepted: int
    pending_simulated: int
    epsilon: np.ndarray
    accepted: np.ndarray
    simulated: np.ndarray
    first_round: np.ndarray
    inside: np.ndarray
    particle_generation: np.ndarray
    particle_row: np.ndarray
    particle_u: np.ndarray
    particle_weight: np.ndarray
    particle_distance: np.ndarray

    @classmethod
    def empty(cls, n_params: int, x_observed: np.ndarray) -> "AbcState":
        """Return the state before any simulation."""
        zeros, n = np.zeros(len(x_observed)), len(x_observed)
        none, whole = np.zeros(0), np.zeros(0, np.int64)
        return cls(
            0, n_params, x_observed, zeros, zeros,
            np.zeros((0, n)), none, np.zeros((0, n)), none, zeros, np.inf, 0, 0, 0,
            none, whole, whole, whole, none, whole, whole, np.zeros((0, n_params)), none, none,
        )  # fmt: skip

    def population(self, generation: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the particles (particle, param) of a generation, and their weights."""
        of = self.particle_generation == generation
        return self.particle_u[of], self.particle_weight[of]

    def generation_of(self, rounds: np.ndarray) -> np.ndarray:
        """Return in which generation draws of these rounds (draw,) were proposed; those of the
        prior from elsewhere belong to the first.
        """
        first = np.append(self.first_round, self.since)
        return np.maximum(np.searchsorted(first, rounds, side="right") - 1, 0)

    @classmethod
    def check(cls, found: Mapping[str, np.ndarray]) -> None:
        """Raise StoreMismatch unless the arrays fit together."""
        generations = len(found["epsilon"])
        if found["particle_u"].shape[1] != found["n_params"]:
            raise refused(f"its particles are not of {found['n_params']} parameters")
        statistics = len(found["offset"]) or len(found["x_observed"])
        if len(found["weights"]) != statistics:
            raise refused(f"weights are not of {statistics} statistics")
        inputs = len(found["hidden_offset"]) or len(found["x_observed"])
        if found["projection"].shape[1] != inputs:
            raise refused(f"its learned statistics do not take {inputs} numbers")
        if (found["scale"] < 0).any() or (found["particle_weight"] < 0).any():
            raise refused("scale and particle_weight must not be negative")
        u, inside = found["particle_u"], found["inside"]
        if not (((u >= 0) & (u <= 1)).all() and ((inside > 0) & (inside <= 1)).all()):
            raise refused("particle_u must lie in the unit cube, and inside in (0, 1]")
        counted = np.bincount(found["particle_generation"], minlength=generations)
        if len(counted) != generations or (counted != found["accepted"]).any():
            raise refused("its particles are not those that its generations accepted")


@dataclass(frozen=True)
class AbcInfo:
    """What a person may want to know about a wave.

    `masked` draws of this round had features that are not finite; `rows` of all rounds were learned
    from. The wave belongs to `generation`, which it makes `complete` or not: `accepted` of its
    `simulated` draws reached `epsilon`, and have the weight of `effective` equal ones.
    `next_epsilon` is none where the schedule has ended. `observed_z`, `observed_clipped` and
    `constant` as in other methods.
    """

    round: int
    draws: int
    masked: int
    rows: int
    generation: int
    complete: bool
    epsilon: float
    accepted: int
    simulated: int
    effective: float | None
    next_epsilon: float | None
    observed_z: list[float]
    observed_clipped: list[bool]
    constant: list[bool]

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        return asdict(self)
