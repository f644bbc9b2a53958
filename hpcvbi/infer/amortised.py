"""Amortised over a cohort: one network for the posteriors of many people, told of each what
distinguishes their simulations. A further person costs no simulations.

    q(u | x, c)  minimises  sum over people i, draws u ~ U([0, 1]^p), x ~ p(x | u, i)  of
    -log q(u | x, c_i)

with covariates c_i (covariate,), numbers that summarise the person's connectome and whatever else
of them enters the simulation. They stand beside the features as further conditions, so that any
`Neural` method that learns from draws of the prior in one round serves. For a person who was
learned from, q is as good as the flow; for another one it interpolates between people: it is right
where the covariates tell what matters, and where people like them were learned from.

How far a person lies from those learned from is the distance to the nearest of the others, by
standardised covariates, ranked among the same distance of all of them: p is the share, the person
included, whose nearest neighbour is as far. For a person drawn like the others P(p <= a) <= a,
whatever the distribution (conformal prediction). p is never below 1 / (people + 1), so that few
people say little.

Radev, Mertens, Voss, Ardizzone & Koethe (2022), BayesFlow: learning complex stochastic models with
invertible neural networks, DOI 10.1109/TNNLS.2020.3042395; Vovk, Gammerman & Shafer (2005),
Algorithmic learning in a random world, DOI 10.1007/b106715.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from hpcvbi.core.errors import ConfigError, StoreMismatch
from hpcvbi.infer.draws import CHUNK, Draws, Rows
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.neural_state import NeuralInfo, NeuralState

PEOPLE = "people"
"""Name of the people's covariates (person, covariate) among the arrays of a state."""
UNLIKELY = 0.05


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
    x, covariates = np.asarray(x, float), _vector(covariates)
    return np.concatenate([x, np.broadcast_to(covariates, (*x.shape[:-1], len(covariates)))], -1)


def _vector(covariates: np.ndarray) -> np.ndarray:
    covariates = np.asarray(covariates, float)
    if covariates.ndim != 1 or not np.isfinite(covariates).all():
        raise ConfigError(f"covariates must be a vector of finite numbers, got {covariates!r}")
    return covariates


@dataclass(frozen=True, eq=False)
class AmortisedState:
    """The network, and the covariates (person, covariate) of the people it was learned from."""

    network: NeuralState
    people: np.ndarray


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


@dataclass(frozen=True, eq=False)
class Place:
    """Where a person lies among those learned from.

    `distance` to the nearest of them, in standard deviations of covariates; its `p`; the covariates
    that lie `beyond` all of theirs (covariate,), and those that `differ` from the one value that
    all of them share; and the features, then covariates, that the network sees `clipped` (feature +
    covariate,), for they lie outside all it has seen.
    """

    distance: float
    p: float
    people: int
    beyond: np.ndarray
    differ: np.ndarray
    clipped: np.ndarray

    @property
    def unlike(self) -> bool:
        """Whether the posterior is an extrapolation as far as one can tell: the distance is rarer
        than 5 %, or where there are too few people to say so, the largest of all; or something
        differs here of which the network knows one value only.
        """
        return bool(self.differ.any()) or self.p <= max(UNLIKELY, 1.0 / (self.people + 1))

    def warning(self) -> str:
        """Say so in words; empty where there is nothing to warn of."""
        if not self.unlike:
            return ""
        why = (
            f"{int(self.differ.sum())} of the person's covariates differ from the one value that "
            f"all {self.people} people have that the network learned from"
            if self.differ.any()
            else f"the person's covariates lie {self.distance:.2g} standard deviations from the "
            f"nearest of the {self.people} people that the network learned from (by chance as far: "
            f"{self.p:.2g} of people like these)"
        )
        return (
            f"{why}: the posterior extrapolates. Simulate draws of this person, and learn again "
            "with them"
        )


@dataclass(frozen=True)
class Amortised:
    """One posterior for a cohort, by a neural `algorithm` of one round."""

    algorithm: Neural

    def __post_init__(self) -> None:
        if self.algorithm.rounds != 1:
            raise ConfigError(
                "people share a network only while all draws are of the prior: write rounds: 1, or "
                "infer each person alone"
            )

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
        covariates = np.stack([_vector(person.covariates) for person in people])
        draws = Draws.join([_conditioned(person) for person in people])
        state = self.algorithm.init(people[0].draws.u.shape[1], _reference(people))
        network, info = self.algorithm.update(state, draws, seed)
        rows = [int(person.draws.whole.sum()) for person in people]
        likeness = [1.0] if len(people) == 1 else _shares(_nearest(covariates)).tolist()
        return AmortisedState(network, covariates), AmortisedInfo(info, rows, likeness)

    def posterior(
        self, state: AmortisedState, x: np.ndarray, covariates: np.ndarray, n: int, seed: int
    ) -> np.ndarray:
        """Return `n` draws (draw, param) for a person with these covariates (covariate,) and
        features `x` (feature,), or (case, draw, param) given (case, feature).
        """
        return self.algorithm.posterior(state.network, condition(x, covariates), n, seed)

    def place(self, state: AmortisedState, x: np.ndarray, covariates: np.ndarray) -> Place:
        """Say where a person with features `x` (feature,) lies among those learned from; of one of
        them the distance is 0.
        """
        people, new = state.people, _vector(covariates)
        if len(new) != people.shape[1]:
            raise ConfigError(f"there are {people.shape[1]} covariates, got {len(new)}")
        distance = _nearest(np.vstack([people, new]))
        off = np.abs(new - people.mean(axis=0)) > _rounding(people)
        return Place(
            distance=float(distance[-1]),
            p=float(_shares(distance)[-1]),
            people=len(people),
            beyond=(new < people.min(axis=0)) | (new > people.max(axis=0)),
            differ=off & (np.ptp(people, axis=0) <= _rounding(people)),
            clipped=state.network.scaling.beyond(condition(x, covariates)),
        )

    def to_arrays(self, state: AmortisedState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        return {**self.algorithm.to_arrays(state.network), PEOPLE: state.people}

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> AmortisedState:
        """Inverse of `to_arrays`, bit for bit; StoreMismatch where they do not fit together."""
        people = np.array(arrays.get(PEOPLE, np.empty(0)))
        network = self.algorithm.from_arrays({k: v for k, v in arrays.items() if k != PEOPLE})
        if people.dtype.kind != "f" or people.ndim != 2 or not np.isfinite(people).all():
            raise StoreMismatch(
                "the stored state of a cohort has no covariates (person, covariate) of its people: "
                "restore the store from a copy, or infer again into a new output folder"
            )
        return AmortisedState(network, people)


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


def _conditioned(person: Member) -> Draws:
    """The draws, all of the prior, with the covariates beside their features."""
    x = Beside(person.draws.x, _vector(person.covariates))
    return replace(person.draws, x=x[:] if isinstance(person.draws.x, np.ndarray) else x)


def _reference(people: Sequence[Member]) -> np.ndarray:
    """The first recording, or without any the mean of some draws, at which the network's info
    looks.
    """
    for person in people:
        if person.x_observed is not None:
            return condition(person.x_observed, person.covariates)
    first = people[0]
    some = first.draws.x[0:CHUNK]
    finite = some[np.isfinite(some).all(axis=1)]
    center = finite.mean(axis=0) if len(finite) else np.zeros(some.shape[1])
    return condition(center, first.covariates)


def _nearest(covariates: np.ndarray) -> np.ndarray:
    """Distance (person,) to the nearest other person, by covariates (person, covariate) over their
    standard deviations; what differs by no more than rounding counts as equal.
    """
    center, sd = covariates.mean(axis=0), covariates.std(axis=0)
    varied = sd > _rounding(covariates)
    z = np.where(varied, covariates - center, 0.0) / np.where(varied, sd, 1.0)
    apart = cdist(z, z)
    np.fill_diagonal(apart, np.inf)
    return apart.min(axis=1)


def _rounding(covariates: np.ndarray) -> np.ndarray:
    """By how much values of each covariate (covariate,) may differ and count as equal."""
    return 1e-9 * np.maximum(np.abs(covariates).max(axis=0), np.finfo(float).tiny)


def _shares(distance: np.ndarray) -> np.ndarray:
    """Share of people (person,) whose distance is as large as each one's."""
    return (distance[None] >= distance[:, None]).mean(axis=1)
