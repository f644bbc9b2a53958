"""What all optimisers have in common: points of several replicates, their losses, one best point.

Round 0 is a design over the prior. It scales the features, and every optimiser starts from
it. A state holds all points so far and their losses; the optimiser proper is a pure function of
them, and is made again where it is needed.

An optimum is a point estimate: it says nothing about what else would explain the recording. What
`posterior` gives is therefore no posterior, and its info says so under `kind`. Given the recorded
features it repeats the optimum, for simulations of it on other noise seeds. Given other features,
which nobody searched for, it repeats the best among the points that were simulated.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.core.seeds import generator
from hpcvbi.infer.composite_loss import Weights, losses, points_of, prior_spread
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.problem import check_problem
from hpcvbi.infer.settings import require_kinds
from hpcvbi.infer.stored import Dims, Stored, Types, refused
from hpcvbi.infer.truncation import sobol

MOST_ROUNDS = 1000


@dataclass(frozen=True, eq=False)
class OptimumState(Stored):
    """All points (point, param) so far with their losses (point,), and the optimum (param,).

    `spread` (feature,) scales the features. A loss is infinite where all replicates failed.
    """

    DIMS: ClassVar[Dims] = {
        "round": (),
        "x_observed": ("feature",),
        "spread": ("feature",),
        "u": ("point", "param"),
        "loss": ("point",),
        "best": ("param",),
    }
    TYPES: ClassVar[Types] = {"round": np.int64}
    INFINITE: ClassVar[tuple[str, ...]] = ("loss",)

    round: int
    x_observed: np.ndarray
    spread: np.ndarray
    u: np.ndarray
    loss: np.ndarray
    best: np.ndarray

    @classmethod
    def check(cls, found: Mapping[str, np.ndarray]) -> None:
        """Raise StoreMismatch unless the arrays fit together."""
        if not (found["spread"] > 0).all():
            raise refused("spread must be positive")


@dataclass(frozen=True)
class OptimumInfo:
    """What a person may want to know about an update.

    `kind` is what `posterior` gives. `rows` draws of all rounds had finite features. `best` is the
    optimum in the unit cube; `best_loss` the lowest loss of a point, and `round_loss` the lowest of
    this round.
    """

    kind: str
    round: int
    draws: int
    masked: int
    rows: int
    points: int
    best: list[float]
    best_loss: float
    round_loss: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Optimiser:
    """Settings of all optimisers.

    rounds, draws: how many rounds of how many simulated draws. replicates: draws of each point, on
    noise seeds of their own; they count as draws. weights: of the terms of the loss.
    """

    by_draws: ClassVar[bool] = True
    fits: ClassVar[int] = 0
    kind: ClassVar[str] = "point estimate"
    fewest_points: ClassVar[int] = 2

    rounds: int = 1
    draws: int = 256
    replicates: int = 1
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        for name in ("rounds", "draws", "replicates"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be an integer from 1 on, got {value!r}")
        require_kinds(self)
        if self.rounds > MOST_ROUNDS:
            raise ConfigError(f"rounds must be {MOST_ROUNDS} at most, got {self.rounds}")
        if self.draws % self.replicates or self.points < self.fewest_points:
            raise ConfigError(
                f"draws = {self.draws} are no {self.fewest_points} points or more of replicates = "
                f"{self.replicates}: write a multiple of {self.replicates} from "
                f"{self.fewest_points * self.replicates} on"
            )
        if self.weights.stability and self.replicates < 2:
            raise ConfigError(
                "weights: stability compares noise seeds of the same point: write replicates: 2 or "
                "more, or leave stability out"
            )

    @property
    def points(self) -> int:
        """Points of a round."""
        return self.draws // self.replicates

    def init(self, n_params: int, x_observed: np.ndarray) -> OptimumState:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        x_observed = check_problem(n_params, x_observed)
        self.weights.of_columns(len(x_observed))
        none = np.empty((0, n_params))
        return OptimumState(
            0, x_observed, np.ones(len(x_observed)), none, np.empty(0), np.full(n_params, 0.5)
        )

    def propose(self, state: OptimumState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) to simulate, replicates of a point below each other."""
        if n != self.draws:
            raise ConfigError(f"a round has {self.draws} draws, {n} were asked for")
        u = self.search(state, seed) if state.round else self.start(state.u.shape[1], seed)
        return np.repeat(u, self.replicates, axis=0)

    def update(self, state: OptimumState, draws: Draws, seed: int) -> tuple[OptimumState, Any]:
        """Score the points of all rounds so far; TooFewSurvivors where a round has none left."""
        if (draws.u.shape[1], draws.x.shape[1]) != (state.u.shape[1], len(state.x_observed)):
            raise ConfigError(
                f"u must have shape (draw, {state.u.shape[1]}) and x (draw, "
                f"{len(state.x_observed)}), got {draws.u.shape} and {draws.x.shape}"
            )
        points, spread = points_of(draws, self.replicates), prior_spread(draws)
        loss = losses(self.weights, points, state.x_observed, spread)
        last = points.round == state.round
        if not np.isfinite(loss[last]).any():
            raise TooFewSurvivors(
                f"round {state.round}: all {int(last.sum()) * self.replicates} draws failed or "
                "have features that are not finite. Narrow the priors to where the model is "
                "stable, or leave out features that are not defined there"
            )
        after = replace(state, round=state.round + 1, spread=spread, u=points.u, loss=loss)
        after = replace(after, best=self.optimum(after, seed))
        kept = np.rint((1.0 - points.failed) * self.replicates).astype(int)
        info = OptimumInfo(
            kind=self.kind,
            round=state.round,
            draws=int(last.sum()) * self.replicates,
            masked=int((self.replicates - kept[last]).sum()),
            rows=int(kept.sum()),
            points=int(np.isfinite(loss).sum()),
            best=after.best.tolist(),
            best_loss=float(loss.min()),
            round_loss=float(loss[last].min()),
        )
        return after, info

    def done(self, state: OptimumState) -> bool:
        """Whether all rounds are learned."""
        return state.round >= self.rounds

    def start(self, n_params: int, seed: int) -> np.ndarray:
        """Return the points (point, param) of round 0, spread over the prior."""
        return sobol(n_params, generator("propose", seed))(self.points)

    def search(self, state: OptimumState, seed: int) -> np.ndarray:
        """Return the points (point, param) of the next round."""
        raise NotImplementedError

    def optimum(self, state: OptimumState, seed: int) -> np.ndarray:
        """Return the optimum (param,): the point of the lowest loss."""
        return state.u[np.argmin(state.loss)]

    def around(self, state: OptimumState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) that stand for the optimum: the optimum itself."""
        return np.repeat(state.best[None], n, axis=0)

    def posterior(
        self, state: OptimumState, x: np.ndarray, n: int, seed: int, draws: Draws | None = None
    ) -> np.ndarray:
        """Return `n` draws (draw, param) that stand for the optimum given `x` (feature,), or (case,
        draw, param) given (case, feature); they are no posterior.

        For other than the observed features it is the best of the simulated points.
        """
        if state.round == 0:
            raise ConfigError("there is no optimum before the first update")
        x = np.asarray(x, float)
        if x.shape[-1:] != state.x_observed.shape or not np.isfinite(x).all():
            raise ConfigError(
                f"x must hold {len(state.x_observed)} finite features, got shape {x.shape}"
            )
        if x.ndim == 1 and np.array_equal(x, state.x_observed):
            return self.around(state, n, seed)
        if draws is None:
            raise ConfigError("the optimum of other features is looked up among the draws")
        points, found = points_of(draws, self.replicates), []
        for case in np.atleast_2d(x):
            loss = losses(self.weights, points, case, state.spread)
            found.append(np.repeat(points.u[np.argmin(loss)][None], n, axis=0))
        return found[0] if x.ndim == 1 else np.stack(found)

    def to_arrays(self, state: OptimumState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        return state.to_arrays()

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> OptimumState:
        """Inverse of `to_arrays`, bit for bit; StoreMismatch unless they fit together."""
        state = OptimumState.from_arrays(arrays)
        if state.round * self.points != len(state.u):
            raise refused(f"it holds {len(state.u)} points after {state.round} rounds")
        return state
