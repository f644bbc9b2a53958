"""Amortised over a cohort: one network for the posteriors of many people, told of each what
distinguishes their simulations. A further person costs no simulations.

    q(u | x, c)  minimises  sum over people i, draws u ~ U([0, 1]^p), x ~ p(x | u, i)  of
    -log q(u | x, c_i)

with c_i (component,) the principal components of numbers that summarise the person's connectome and
whatever else of them enters the simulation (`people.py`). They stand beside the features as further
conditions, so that any `Neural` method that learns from draws of the prior in one round serves. For
a person who was learned from, q is as good as the flow; for another one it interpolates between
people: it is right where the covariates tell what matters, and where people like them were learned
from.

Radev, Mertens, Voss, Ardizzone & Koethe (2022), BayesFlow: learning complex stochastic models with
invertible neural networks, DOI 10.1109/TNNLS.2020.3042395.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError, StoreMismatch
from hpcvbi.infer.draws import CHUNK, Draws, Rows
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.neural_state import NeuralInfo, NeuralState
from hpcvbi.infer.nle import Nle
from hpcvbi.infer.people import People, Place, vector

PEOPLE, AXES = "people", "people_axes"
"""Names of the people's covariates and their principal axes among the arrays of a state."""


@dataclass(frozen=True, eq=False)
class Member:
    """A person to learn from: draws of the prior with their features, the covariates (covariate,)
    and, where there is a recording, its features `x_observed` (feature,).
    """

    draws: Draws
    covariates: np.ndarray
    x_observed: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Beside:
    """Features (draw, feature) with the same covariates (covariate,) at the end of every row."""

    x: Rows
    covariates: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.x.shape[0], self.x.shape[1] + len(self.covariates)

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Return some rows."""
        return condition(self.x[rows], self.covariates)


def condition(x: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return features (..., feature) with the covariates (covariate,) of their person behind."""
    x, covariates = np.asarray(x, float), vector(covariates)
    return np.concatenate([x, np.broadcast_to(covariates, (*x.shape[:-1], len(covariates)))], -1)


@dataclass(frozen=True, eq=False)
class AmortisedState:
    """The network, and the people it was learned from."""

    network: NeuralState
    people: People


@dataclass(frozen=True)
class AmortisedInfo:
    """What a person may want to know: the network's own info, how many draws of each person were
    learned from, and the p of each person's distance to the others.
    """

    network: NeuralInfo
    rows: list[int]
    likeness: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        own = {"rows_per_person": self.rows, "likeness": self.likeness}
        return {**self.network.as_dict(), **own}


@dataclass(frozen=True)
class Amortised:
    """One posterior for a cohort, by a neural `algorithm` of one round that is told the first
    principal `components` of the people's covariates.
    """

    algorithm: Neural
    components: int = 4

    def __post_init__(self) -> None:
        if self.algorithm.rounds != 1:
            raise ConfigError(
                "people share a network only while all draws are of the prior: write rounds: 1, or "
                "infer each person alone"
            )
        if isinstance(self.algorithm, Nle):
            raise ConfigError(
                "nle learns how features are distributed, and what it is told of people is "
                "not: choose npe, nre, fmpe or npse"
            )
        if self.components < 1:
            raise ConfigError(f"components must be at least 1, got {self.components!r}")

    def propose(self, n_params: int, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) of the prior to simulate for one person."""
        return self.algorithm.propose(self.algorithm.init(n_params, np.zeros(1)), n, seed)

    def update(self, people: Sequence[Member], seed: int) -> tuple[AmortisedState, AmortisedInfo]:
        """Learn from all people's draws; the same people in another order give another fit.

        Raises
        ------
        ConfigError
            Draws are not of the prior, or people differ in parameters, features or covariates.
        TooFewSurvivors
            Too few draws of all people have finite features.
        """
        _check(people)
        known = People.of(np.stack([vector(p.covariates) for p in people]), self.components)
        draws = Draws.join([_told(person, known) for person in people])
        state = self.algorithm.init(people[0].draws.u.shape[1], _reference(people, known))
        network, info = self.algorithm.update(state, draws, seed)
        rows = [int(person.draws.whole.sum()) for person in people]
        return AmortisedState(network, known), AmortisedInfo(info, rows, known.likeness())

    def posterior(
        self, state: AmortisedState, x: np.ndarray, covariates: np.ndarray, n: int, seed: int
    ) -> np.ndarray:
        """Return `n` draws (draw, param) for a person with these covariates (covariate,) and
        features `x` (feature,), or (case, draw, param) given (case, feature).
        """
        return self.algorithm.posterior(
            state.network, condition(x, state.people.told(covariates)), n, seed
        )

    def place(self, state: AmortisedState, x: np.ndarray, covariates: np.ndarray) -> Place:
        """Say where a person with features `x` (feature,) lies among those learned from; of one of
        them the distance is 0.
        """
        people, told = state.people, state.people.told(covariates)
        distance, p = people.distance(covariates)
        return Place(
            distance=distance,
            p=p,
            people=len(people.covariates),
            beyond=people.beyond(covariates),
            differ=people.differ(covariates),
            clipped=state.network.scaling.beyond(condition(x, told)),
        )

    def to_arrays(self, state: AmortisedState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        people = {PEOPLE: state.people.covariates, AXES: state.people.axes}
        return {**self.algorithm.to_arrays(state.network), **people}

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> AmortisedState:
        """Inverse of `to_arrays`, bit for bit; StoreMismatch where they do not fit together."""
        people, axes = (np.array(arrays.get(name, np.empty(0))) for name in (PEOPLE, AXES))
        own = {name: array for name, array in arrays.items() if name not in (PEOPLE, AXES)}
        network = self.algorithm.from_arrays(own)
        if not _is_matrix(people) or not _is_matrix(axes) or people.shape[1] != axes.shape[1]:
            raise StoreMismatch(
                "the stored state of a cohort has no covariates (person, covariate) of its people: "
                "restore the store from a copy, or infer again into a new output folder"
            )
        return AmortisedState(network, People(people, axes))


def _is_matrix(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and array.ndim == 2 and bool(np.isfinite(array).all())


def _check(people: Sequence[Member]) -> None:
    if not people:
        raise ConfigError("there is nobody to learn from")
    first = people[0]
    for person in people:
        shapes = [
            (p.draws.u.shape[1], p.draws.x.shape[1], np.shape(p.covariates))
            for p in (first, person)
        ]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                "people who share a network need the same parameters, features and covariates, got "
                f"{shapes[0]} and {shapes[1]} of them"
            )
        if (person.draws.round > 0).any():
            raise ConfigError(
                "people share a network only while all draws are of the prior: leave out draws of "
                "later rounds"
            )


def _told(person: Member, people: People) -> Draws:
    """The draws, all of the prior, with what the network is told of the person beside features."""
    x = Beside(person.draws.x, people.told(person.covariates))
    return replace(person.draws, x=x[:] if isinstance(person.draws.x, np.ndarray) else x)


def _reference(people: Sequence[Member], known: People) -> np.ndarray:
    """The first recording, or without any the mean of some draws, at which the network's info
    looks.
    """
    for person in people:
        if person.x_observed is not None:
            return condition(person.x_observed, known.told(person.covariates))
    first = people[0]
    some = first.draws.x[0:CHUNK]
    finite = some[np.isfinite(some).all(axis=1)]
    center = finite.mean(axis=0) if len(finite) else np.zeros(some.shape[1])
    return condition(center, known.told(first.covariates))
