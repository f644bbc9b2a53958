"""Which of several models, by one ABC-SMC over all of them: the model is one more coordinate.

    P(m | x_o) ~ sum of the weights of the particles of model m,

with models proposed by pyABC's jumps K(m | m') from the last populations' probabilities P, and
parameters by the transition of the model's own population, cut to its unit cube,

    w_i ~ prior(m_i) / ( sum_m' P(m') K(m_i | m') q_{m_i}(u_i) ).

A model with too few particles for a transition is proposed from its prior, so that none is lost for
ever by chance. Features must be the same for all models, and say what tells them apart: model
probabilities from features that are not sufficient for the choice can be wrong (Robert, Cornuet,
Marin & Pillai 2011, DOI 10.1073/pnas.1102900108).

Toni & Stumpf (2010), Simulation-based model selection for dynamical systems in systems and
population biology, DOI 10.1093/bioinformatics/btp619.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer.isolation import numpy_seeded
from hpcvbi.infer.learn import Simulator
from hpcvbi.infer.metric import ROWS, Measure, Metric
from hpcvbi.infer.problem import check_problem
from hpcvbi.infer.proposal import Perturbation, Proposal
from hpcvbi.infer.pyabc_parts import check_pyabc, pyabc
from hpcvbi.infer.schedule import EXHAUSTED, Schedule, numbers
from hpcvbi.infer.settings import require
from hpcvbi.infer.table import distance_of
from hpcvbi.infer.truncation import sobol


@dataclass(frozen=True)
class Candidate:
    """A model: how many parameters it has, how it is simulated, and its prior, up to a factor."""

    n_params: int
    simulate: Simulator
    prior: float = 1.0


@dataclass(frozen=True)
class Choice:
    """Settings of model selection; those that `AbcSmc` has too mean the same. stay: probability to
    stay with a model when a draw is proposed; 0 for one over the number of models.
    """

    rounds: int = 20
    draws: int = 1000
    particles: int = 0
    distance: str = "p_norm"
    p: float = 2.0
    epsilon: str = "quantile"
    quantile: float = 0.5
    epsilons: str | tuple[float, ...] = ""
    transition: str = "multivariate_normal"
    scaling: float = 1.0
    neighbours: float = 0.25
    stay: float = 0.7
    min_epsilon: float = 0.0

    def __post_init__(self) -> None:
        check_pyabc()
        for name, low, high in (
            ("rounds", 1, np.inf), ("draws", 1, np.inf), ("particles", 0, np.inf),
            ("p", 1.0, np.inf), ("quantile", 1e-6, 1.0), ("stay", 0.0, 0.99),
            ("min_epsilon", 0.0, np.inf),
        ):  # fmt: skip
            require(name, getattr(self, name), low, high)
        _ = self.measure, self.schedule, self.perturbation

    @property
    def measure(self) -> Measure:
        """What distances are."""
        return Measure(self.distance, "none", self.p)

    @property
    def schedule(self) -> Schedule:
        """Which epsilons are to be reached."""
        return Schedule(self.epsilon, self.quantile, numbers(self.epsilons))

    @property
    def perturbation(self) -> Perturbation:
        """How parameters are proposed."""
        return Perturbation(self.transition, self.scaling, self.neighbours)


@dataclass(frozen=True, eq=False)
class Generation:
    """Accepted particles of all models: `model` (particle,), `u` per particle (as many parameters
    as its model has), `weights` (particle,) sum 1, and the model `probabilities` (model,).
    """

    epsilon: float
    simulated: int
    model: np.ndarray
    u: tuple[np.ndarray, ...]
    weights: np.ndarray
    probabilities: np.ndarray

    def of(self, model: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the particles (particle, param) of a model and their weights."""
        rows = np.flatnonzero(self.model == model)
        return np.array([self.u[row] for row in rows]), self.weights[rows]


@dataclass(frozen=True, eq=False)
class Chosen:
    """Posterior `probabilities` of the models by name, and all generations."""

    probabilities: dict[str, float]
    generations: tuple[Generation, ...]


@dataclass(frozen=True, eq=False)
class _Wave:
    model: np.ndarray
    u: tuple[np.ndarray, ...]
    x: np.ndarray


def choose(
    models: Mapping[str, Candidate], x_observed: np.ndarray, seed: int, choice: Choice | None = None
) -> Chosen:
    """Run model selection in this process; TooFewSurvivors where no generation is complete."""
    if not models:
        raise ConfigError("there is no model to choose: give at least one")
    choice, candidates = choice or Choice(), list(models.values())
    for candidate in candidates:
        x_observed = check_problem(candidate.n_params, x_observed)
        require("prior", candidate.prior, 1e-12, np.inf)
    prior = np.array([candidate.prior for candidate in candidates])
    prior, wanted = prior / prior.sum(), choice.particles or -(-choice.draws // 2)
    jumps = _jumps(len(candidates), choice.stay)
    metric: Metric | None = None
    done: list[Generation] = []
    waves: list[_Wave] = []
    threshold, shares, proposals = np.inf, prior, [None] * len(candidates)
    for number in range(choice.rounds):
        waves.append(_wave(candidates, shares, proposals, choice.draws, x_observed, seed, number))
        metric = metric or _fitted(choice.measure, waves[0], x_observed, seed)
        x = np.concatenate([wave.x for wave in waves])
        apart = distance_of(x, x_observed, metric)
        if not done:
            finite = apart[np.isfinite(apart)]
            equal = np.full(len(finite), 1.0 / max(1, len(finite)))
            threshold = choice.schedule.epsilon(0, finite, equal) if len(finite) else 0.0
        near = np.flatnonzero(apart <= threshold)
        if len(near) < wanted:
            continue
        model = np.concatenate([wave.model for wave in waves])[near]
        every = [u for wave in waves for u in wave.u]
        u = tuple(every[row] for row in near)
        weights = _weights(model, u, prior, shares, proposals)
        found = np.bincount(model, weights=weights, minlength=len(candidates))
        done.append(Generation(threshold, len(x), model, u, weights, found))
        following = choice.schedule.epsilon(len(done), apart[near], weights)
        if threshold <= choice.min_epsilon or following == EXHAUSTED:
            break
        threshold, waves, shares = following, [], found @ jumps
        proposals = [
            _proposal(choice, done[-1], number, derive_seed("cut", seed, len(done), number))
            for number in range(len(candidates))
        ]
    if not done:
        raise TooFewSurvivors(
            f"no {wanted} draws of {choice.rounds * choice.draws} came within epsilon "
            f"{threshold:g}: simulate more rounds, or write a larger epsilon"
        )
    return Chosen(dict(zip(models, done[-1].probabilities.tolist(), strict=True)), tuple(done))


def _jumps(models: int, stay: float) -> np.ndarray:
    """Return the probabilities (from, to) of pyABC's jumps between models."""
    kernel = pyabc().ModelPerturbationKernel(models, stay or None)
    each = range(models)
    return np.array([[float(kernel.pmf(to, start)) for to in each] for start in each])


def _wave(
    candidates: list[Candidate],
    shares: np.ndarray,
    proposals: list[Any],
    draws: int,
    x_observed: np.ndarray,
    seed: int,
    number: int,
) -> _Wave:
    """Propose and simulate so many draws, model by model."""
    rng = generator("models", seed, number)
    counts = rng.multinomial(draws, shares / shares.sum())
    model = np.repeat(np.arange(len(candidates)), counts)
    u, x = list[np.ndarray](), [np.empty((0, len(x_observed)))]
    for index, (candidate, count) in enumerate(zip(candidates, counts.tolist(), strict=True)):
        if not count:
            continue
        own, proposal = derive_seed("model", seed, number, index), proposals[index]
        if proposal is None:
            drawn = sobol(candidate.n_params, generator("propose", own))(count)
        else:
            drawn = proposal[0].draw(count, own)
        found = np.asarray(candidate.simulate(drawn, derive_seed("simulate", own)), float)
        if found.shape != (count, len(x_observed)):
            raise ConfigError(
                f"model {index} gave features of shape {found.shape}, not "
                f"{(count, len(x_observed))} as were observed"
            )
        u.extend(drawn)
        x.append(found)
    return _Wave(model, tuple(u), np.concatenate(x))


def _fitted(measure: Measure, wave: _Wave, x_observed: np.ndarray, seed: int) -> Metric:
    whole = np.flatnonzero(np.isfinite(wave.x).all(axis=1))[:ROWS]
    if len(whole) < 2:
        raise TooFewSurvivors(f"{len(whole)} draws of the first round have finite features")
    x = wave.x[whole]
    with numpy_seeded(derive_seed("metric", seed)):
        index = wave.model[whole, None].astype(float)
        every = np.ones(len(whole), bool)
        return measure.fit(*measure.scaling(x), index, x, every, x_observed)


def _proposal(
    choice: Choice, last: Generation, model: int, seed: int
) -> tuple[Proposal, float] | None:
    """Return the transition of a model's particles and its mass inside the cube, if there are
    enough.
    """
    u, weights = last.of(model)
    if len(u) < 2 * (u.shape[1] + 1 if u.ndim == 2 else 2):
        return None
    fitted = choice.perturbation.fit(u, weights / weights.sum())
    return fitted, fitted.inside(seed)


def _weights(
    model: np.ndarray,
    u: tuple[np.ndarray, ...],
    prior: np.ndarray,
    shares: np.ndarray,
    proposals: list[Any],
) -> np.ndarray:
    weights = (prior / np.maximum(shares, 1e-300))[model]
    for index, proposal in enumerate(proposals):
        rows = np.flatnonzero(model == index)
        if proposal is not None and len(rows):
            density = proposal[0].density(np.array([u[row] for row in rows])) / proposal[1]
            weights[rows] /= np.maximum(density, 1e-300)
    return weights / weights.sum()
