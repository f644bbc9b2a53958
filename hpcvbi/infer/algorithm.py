"""The seam between the round loop and an inference algorithm: pure functions on a state made of
arrays.

    state = algorithm.init(n_params, x_observed)
    while not algorithm.done(state):
        u = algorithm.propose(state, algorithm.draws, seed)     # draws to simulate x = ...
        # their features, NaN where there are none state, info = algorithm.update(state, u, x,
        seed)
    u = algorithm.posterior(state, x_observed, n, seed)

Parameters live in the unit cube, where the prior is uniform; the caller maps them to natural
units and back. A state is what the next step needs; an info is what only a person needs. Nothing
depends on anything but the arguments: the same arrays and the same seed give the same bits, in
any process.
"""

from typing import Any, Protocol, TypeVar

import numpy as np

State = TypeVar("State")


class Info(Protocol):
    """What a person may want to know about an update."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, ready for JSON."""
        ...


class Algorithm(Protocol[State]):
    """One sequential inference over draws of the unit cube; implementations are frozen settings."""

    @property
    def rounds(self) -> int:
        """Number of propose-update rounds."""
        ...

    @property
    def draws(self) -> int:
        """Draws to simulate in a round."""
        ...

    def init(self, n_params: int, x_observed: np.ndarray) -> State:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        ...

    def propose(self, state: State, n: int, seed: int) -> np.ndarray:
        """Return `n` draws to simulate, shape (draw, param), inside the unit cube."""
        ...

    def update(self, state: State, u: np.ndarray, x: np.ndarray, seed: int) -> tuple[State, Info]:
        """Learn from simulated draws: `u` (draw, param), `x` (draw, feature) with NaN where a
        draw failed.
        """
        ...

    def done(self, state: State) -> bool:
        """Whether all rounds are learned."""
        ...

    def posterior(self, state: State, x: np.ndarray, n: int, seed: int) -> np.ndarray:
        """Return `n` posterior draws (draw, param) given features `x` (feature,)."""
        ...

    def to_arrays(self, state: State) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers, to be stored."""
        ...

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> State:
        """Inverse of `to_arrays`, bit for bit."""
        ...
