"""State and info of model selection: what the next wave needs, and what only a person needs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from hpcvbi.infer.generations import GenerationState
from hpcvbi.infer.stored import Dims, Types, refused


@dataclass(frozen=True, eq=False)
class ChoiceState(GenerationState):
    """What the next wave needs.

    Of each model its number of parameters and its `prior`, sum 1. Of the metric: see `metric.py`.
    `threshold` is the epsilon of the generation in progress, which began with round `since` and of
    which `pending_accepted` of `pending_simulated` draws have reached it. Per generation that is
    complete: its `epsilon`, how many draws were `accepted` of those `simulated`, the models'
    `probabilities` and their standard `errors`. Of the last generation: the mass `inside` the cube
    of each model's transition, 0 for a model that has too few particles for one; and per particle
    its model, where it lies (its model's parameters first, then 0), its weight, and its distance.
    """

    DIMS: ClassVar[Dims] = {
        "round": (),
        "n_params": ("model",),
        "prior": ("model",),
        "x_observed": ("feature",),
        "center": ("feature",),
        "scale": ("feature",),
        "weights": ("feature",),
        "threshold": (),
        "since": (),
        "pending_accepted": (),
        "pending_simulated": (),
        "epsilon": ("generation",),
        "accepted": ("generation",),
        "simulated": ("generation",),
        "probabilities": ("generation", "model"),
        "errors": ("generation", "model"),
        "inside": ("model",),
        "particle_model": ("particle",),
        "particle_u": ("particle", "widest"),
        "particle_weight": ("particle",),
        "particle_distance": ("particle",),
    }
    TYPES: ClassVar[Types] = dict.fromkeys(
        (
            "round", "n_params", "since", "pending_accepted", "pending_simulated", "accepted",
            "simulated", "particle_model",
        ),
        np.int64,
    )  # fmt: skip
    INFINITE: ClassVar[tuple[str, ...]] = ("threshold", "epsilon")

    round: int
    n_params: np.ndarray
    prior: np.ndarray
    x_observed: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    threshold: float
    since: int
    pending_accepted: int
    pending_simulated: int
    epsilon: np.ndarray
    accepted: np.ndarray
    simulated: np.ndarray
    probabilities: np.ndarray
    errors: np.ndarray
    inside: np.ndarray
    particle_model: np.ndarray
    particle_u: np.ndarray
    particle_weight: np.ndarray
    particle_distance: np.ndarray

    @classmethod
    def empty(
        cls, n_params: np.ndarray, prior: np.ndarray, x_observed: np.ndarray
    ) -> "ChoiceState":
        """Return the state before any simulation."""
        zeros, none, whole = np.zeros(len(x_observed)), np.zeros(0), np.zeros(0, np.int64)
        per_model = np.zeros((0, len(prior)))
        return cls(
            0, n_params, prior, x_observed, zeros, zeros, zeros, np.inf, 0, 0, 0, none, whole,
            whole, per_model, per_model, np.zeros(len(prior)), whole,
            np.zeros((0, int(n_params.max()))), none, none,
        )  # fmt: skip

    @property
    def models(self) -> int:
        """How many there are to choose from."""
        return len(self.prior)

    def population(self, model: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a model's particles (particle, param) in the last generation, and weights."""
        of = self.particle_model == model
        return self.particle_u[of, : self.n_params[model]], self.particle_weight[of]

    @classmethod
    def check(cls, found: Mapping[str, np.ndarray]) -> None:
        """Raise StoreMismatch unless the arrays fit together."""
        models, last = len(found["prior"]), found["accepted"][-1:]
        if len(found["particle_weight"]) != last.sum():
            raise refused("its particles are not those that its last generation accepted")
        if (found["particle_model"] >= models).any() or found["n_params"].max(initial=0) > (
            found["particle_u"].shape[1]
        ):
            raise refused(f"its particles are not of {models} models with so many parameters")
        if any((found[name] < 0).any() for name in ("scale", "prior", "particle_weight")):
            raise refused("scale, prior and particle_weight must not be negative")
        u, inside = found["particle_u"], found["inside"]
        if not (((u >= 0) & (u <= 1)).all() and ((inside >= 0) & (inside <= 1)).all()):
            raise refused("particle_u must lie in the unit cube, and inside between 0 and 1")


@dataclass(frozen=True)
class ChoiceInfo:
    """What a person may want to know about a wave.

    `masked` of its `draws` had features that are not finite; `rows` of all in its generation have.
    The wave belongs to `generation`, which it makes `complete` or not: `accepted` of its
    `simulated` draws reached `epsilon`, and have the weight of `effective` equal ones.
    `next_epsilon` is none where the schedule has ended. `probabilities` of the models, and their
    standard `errors`, where the generation is complete.
    """

    round: int
    draws: list[int]
    masked: int
    rows: int
    generation: int
    complete: bool
    epsilon: float
    accepted: int
    simulated: int
    next_epsilon: float | None
    effective: float | None = None
    probabilities: list[float] | None = None
    errors: list[float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        return asdict(self)
