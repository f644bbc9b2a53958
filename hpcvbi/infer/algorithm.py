"""The seam between the round loop and an inference algorithm: pure functions on a state made of
arrays, and on the draws of all rounds so far.

    state = algorithm.init(n_params, x_observed)
    while not algorithm.done(state):
        u = algorithm.propose(state, algorithm.draws, seed)     # draws to simulate x = ...
        draws = draws and Draws.of(u, x)                        # NaN where there are no features
        state, info = algorithm.update(state, draws, seed)
    u = algorithm.posterior(state, x_observed, n, seed, draws)

Parameters live in the unit cube, where the prior is uniform; the caller maps them to natural
units and back. A state is what the next step needs; an info is what only a person needs. Nothing
depends on anything but the arguments: the same arrays and the same seed give the same bits, in
any process.
"""

from typing import Any, Protocol, TypeVar

import numpy as np

from hpcvbi.infer.draws import Draws

State = TypeVar("State")


class Info(Protocol):
    """What a person may want to know about an update."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, ready for JSON; among them `rows`, how many
        draws were learned from.
        """
        ...


class Algorithm(Protocol[State]):
    """One sequential inference over draws of the unit cube; implementations are frozen settings."""

    @property
    def rounds(self) -> int:
        """Most propose-update rounds."""
        ...

    @property
    def draws(self) -> int:
        """Draws to simulate in a round."""
        ...

    @property
    def fits(self) -> int:
        """Networks that an update fits; what it costs grows with them."""
        ...

    @property
    def by_draws(self) -> bool:
        """Whether `posterior` looks up the draws, not the state alone."""
        ...

    def init(self, n_params: int, x_observed: np.ndarray) -> State:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        ...

    def propose(self, state: State, n: int, seed: int) -> np.ndarray:
        """Return `n` draws to simulate, shape (draw, param), inside the unit cube."""
        ...

    def update(self, state: State, draws: Draws, seed: int) -> tuple[State, Info]:
        """Learn from the draws of all rounds so far."""
        ...

    def done(self, state: State) -> bool:
        """Whether no round is to follow."""
        ...

    def posterior(
        self, state: State, x: np.ndarray, n: int, seed: int, draws: Draws | None = None
    ) -> np.ndarray:
        """Return `n` posterior draws (draw, param) given features `x` (feature,), or (case, draw,
        param) given (case, feature).
        """
        ...

    def to_arrays(self, state: State) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers, to be stored."""
        ...

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> State:
        """Inverse of `to_arrays`, bit for bit."""
        ...
