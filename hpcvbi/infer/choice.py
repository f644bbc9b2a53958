"""Which of several models, by one ABC-SMC over all of them: the model is one more coordinate.

    P(m | x_o) ~ sum of the weights of the particles of model m,

with models proposed by pyABC's jumps K(m | m') from the last populations' probabilities P, and
parameters by the transition T of the model's own population, cut to its unit cube, or by the prior,

    w_i ~ prior(m_i) / ( sum_m' P(m') K(m_i | m') q_{m_i}(u_i) ),    q = (1 - b) T + b.

The share b bounds the weights (Hesterberg 1995, DOI 10.1080/00401706.1995.10484303): without it one
particle from the tails of T can decide the choice. A model with too few particles for a transition
is proposed from its prior, so that none is lost for ever by chance. The standard error of P(m) is
that of a self-normalised importance sample,

    s_m^2 = sum_i w_i^2 (1[m_i = m] - P(m))^2,    sum_i w_i = 1.

Features must be the same for all models, and say what tells them apart: model probabilities from
features that are not sufficient for the choice can be wrong (Robert, Cornuet, Marin & Pillai 2011,
DOI 10.1073/pnas.1102900108).

Toni & Stumpf (2010), Simulation-based model selection for dynamical systems in systems and
population biology, DOI 10.1093/bioinformatics/btp619.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer.choice_state import ChoiceInfo, ChoiceState
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.generations import Generations
from hpcvbi.infer.metric import Measure, rows_to_fit
from hpcvbi.infer.problem import check_problem, check_shapes
from hpcvbi.infer.proposal import Proposal
from hpcvbi.infer.pyabc_parts import pyabc
from hpcvbi.infer.schedule import EXHAUSTED
from hpcvbi.infer.settings import require
from hpcvbi.infer.table import distance_of, effective_size
from hpcvbi.infer.truncation import sobol


@dataclass(frozen=True)
class Choice(Generations):
    """Settings of model selection; those that `AbcSmc` has too mean the same, `draws` are those of
    all models together. stay: probability to stay with a model when a draw is proposed; 0 for one
    over the number of models. broad: share of a model's draws that its prior proposes.
    """

    draws: int = 1000
    stay: float = 0.7
    broad: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require("stay", self.stay, 0.0, 0.99)
        require("broad", self.broad, 0.0, 1.0)
        _ = self._measure

    def init(
        self,
        n_params: Sequence[int],
        x_observed: np.ndarray,
        prior: Sequence[float] | None = None,
    ) -> ChoiceState:
        """Return the state before any simulation, given each model's number of parameters and its
        prior, up to a factor; all have the same if none is given.
        """
        if not len(n_params):
            raise ConfigError("there is no model to choose: give at least one")
        for n in n_params:
            x_observed = check_problem(n, x_observed)
        weights = np.array(prior if prior is not None else np.ones(len(n_params)), float)
        for weight in weights:
            require("prior", weight, 1e-12, 1e12)
        return ChoiceState.empty(np.array(n_params, np.int64), weights / weights.sum(), x_observed)

    def propose(self, state: ChoiceState, seed: int) -> list[np.ndarray]:
        """Return each model's draws (draw, param), some maybe without any: of the prior, or of the
        last population, perturbed.
        """
        # systematic: as many of each model as its share says, give or take one
        edges = np.cumsum(self._shares(state)) * self.draws + generator("models", seed).random()
        edges[-1] = self.draws
        drawn = []
        for model, n in enumerate(np.diff(np.floor(edges), prepend=0).astype(int).tolist()):
            proposal, own = self._proposal(state, model), derive_seed("model", seed, model)
            rng, width = generator("propose", own), int(state.n_params[model])
            broad = n if proposal is None else int(n * self.broad + rng.random())
            u = sobol(width, rng)(broad) if broad else np.empty((0, width))
            if proposal is not None and n > broad:
                u = np.concatenate([proposal.draw(n - broad, own), u])
            drawn.append(u)
        return drawn

    def update(
        self, state: ChoiceState, draws: Sequence[Draws], seed: int
    ) -> tuple[ChoiceState, ChoiceInfo]:
        """Accept what is near of each model's draws, and begin the next generation where that is
        enough; draws of earlier generations do not count. TooFewSurvivors where few draws are whole
        in the first wave.
        """
        for model, of in enumerate(draws):
            check_shapes(int(state.n_params[model]), state.x_observed, of)
        model, u, x, rounds = _pooled(state, draws)
        if state.round == 0:
            state = self._fitted(state, model, x, seed)
        metric = self._measure.plain(state.center, state.scale, state.weights)
        apart = distance_of(x, state.x_observed, metric)
        finite = apart[np.isfinite(apart)]
        if not state.generations:
            equal = np.full(len(finite), 1.0 / max(1, len(finite)))
            first = self._schedule.epsilon(0, finite, equal) if len(finite) else 0.0
            state = replace(state, threshold=first)
        near = np.flatnonzero(apart <= state.threshold)
        of_round = rounds == state.round
        told = ChoiceInfo(
            round=state.round,
            draws=np.bincount(model[of_round], minlength=state.models).tolist(),
            masked=int((~np.isfinite(x[of_round]).all(axis=1)).sum()),
            rows=len(finite),
            generation=state.generations,
            complete=len(near) >= self._particles,
            epsilon=state.threshold,
            accepted=len(near),
            simulated=len(x),
            next_epsilon=state.threshold,
        )
        counts = {"pending_accepted": len(near), "pending_simulated": len(x)}
        state = replace(state, round=state.round + 1, **counts)
        if not told.complete:
            return state, told
        state = self._completed(state, model[near], u[near], apart[near], seed)
        return state, replace(
            told,
            effective=effective_size(state.particle_weight),
            next_epsilon=state.next_epsilon,
            probabilities=state.probabilities[-1].tolist(),
            errors=state.errors[-1].tolist(),
        )

    def done(self, state: ChoiceState) -> bool:
        """Whether all waves are simulated, or a rule to stop holds."""
        return state.round >= self.rounds or self.reached(state)

    def reached(self, state: ChoiceState) -> bool:
        """Whether the smallest epsilon that was asked for is reached."""
        return bool(
            state.generations
            and (state.threshold == EXHAUSTED or state.epsilon[-1] <= self.min_epsilon)
        )

    def check(self, state: ChoiceState) -> None:
        """Raise TooFewSurvivors where no generation is complete."""
        state.check_complete(self._particles)

    def to_arrays(self, state: ChoiceState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        return state.to_arrays()

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> ChoiceState:
        """Inverse of `to_arrays`, bit for bit."""
        return ChoiceState.from_arrays(arrays)

    @property
    def _particles(self) -> int:
        return self.particles or -(-self.draws // 2)

    @property
    def _measure(self) -> Measure:
        return Measure(self.distance, "none", self.p)

    def _shares(self, state: ChoiceState) -> np.ndarray:
        """Return how often each model is proposed (model,), sum 1."""
        if not state.generations:
            return state.prior
        kernel = pyabc().ModelPerturbationKernel(state.models, self.stay or None)
        each = range(state.models)
        jumps = np.array([[float(kernel.pmf(to, start)) for to in each] for start in each])
        shares = state.probabilities[-1] @ jumps
        return shares / shares.sum()

    def _proposal(self, state: ChoiceState, model: int) -> Proposal | None:
        """Return the transition of a model's particles; None for its prior."""
        if not state.inside[model]:
            return None
        u, weights = state.population(model)
        return self._perturbation.fit(u, weights / weights.sum())

    def _fitted(
        self, state: ChoiceState, model: np.ndarray, x: np.ndarray, seed: int
    ) -> ChoiceState:
        """Return the state with a metric: one for all models, fitted to their draws together."""
        whole = np.flatnonzero(np.isfinite(x).all(axis=1))
        if len(whole) < 2:
            raise TooFewSurvivors(f"{len(whole)} draws of the first round have finite features")
        whole = rows_to_fit(whole, seed)
        center, scale = self._measure.scaling(x[whole])
        index, every = model[whole, None].astype(float), np.ones(len(whole), bool)
        found = self._measure.fit(center, scale, index, x[whole], every, state.x_observed, seed)
        return replace(state, center=center, scale=scale, weights=found.weights)

    def _completed(
        self, state: ChoiceState, model: np.ndarray, u: np.ndarray, apart: np.ndarray, seed: int
    ) -> ChoiceState:
        """Return the state with one more population, and what the next generation must reach."""
        weights = (state.prior / np.maximum(self._shares(state), 1e-300))[model]
        for index in range(state.models):
            rows, proposal = np.flatnonzero(model == index), self._proposal(state, index)
            if proposal is not None and len(rows):
                density = proposal.density(u[rows, : state.n_params[index]]) / state.inside[index]
                weights[rows] /= np.maximum((1.0 - self.broad) * density + self.broad, 1e-300)
        weights = weights / weights.sum()
        found = np.bincount(model, weights=weights, minlength=state.models)
        is_of = model[:, None] == np.arange(state.models)
        errors = np.sqrt((weights[:, None] ** 2 * (is_of - found) ** 2).sum(axis=0))
        state = replace(
            state,
            threshold=self._schedule.epsilon(state.generations + 1, apart, weights),
            epsilon=np.append(state.epsilon, state.threshold),
            accepted=np.append(state.accepted, len(model)),
            simulated=np.append(state.simulated, state.pending_simulated),
            probabilities=np.concatenate([state.probabilities, found[None]]),
            errors=np.concatenate([state.errors, errors[None]]),
            particle_model=model,
            particle_u=u,
            particle_weight=weights,
            particle_distance=apart,
            since=state.round,
            pending_accepted=0,
            pending_simulated=0,
        )
        return replace(
            state, inside=np.array([self._inside(state, m, seed) for m in range(state.models)])
        )

    def _inside(self, state: ChoiceState, model: int, seed: int) -> float:
        """Return the mass inside the cube of a model's transition; 0 if it has too few particles
        for one.
        """
        u, weights = state.population(model)
        if len(u) < 2 * (u.shape[1] + 1):
            return 0.0
        fitted = self._perturbation.fit(u, weights / weights.sum())
        return fitted.inside(derive_seed("cut", seed, model))


def _pooled(
    state: ChoiceState, draws: Sequence[Draws]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return model (draw,), u (draw, widest) with 0 behind a model's parameters, x (draw, feature)
    and round (draw,) of all draws of the generation in progress, model by model.
    """
    parts = []
    for index, of in enumerate(draws):
        current = of.round >= state.since
        n, width = int(current.sum()), state.particle_u.shape[1]
        wide = np.zeros((n, width))
        wide[:, : of.u.shape[1]] = of.u[current]
        x = np.asarray(of.x[0 : len(of)], float)[current]
        parts.append((np.full(n, index, np.int64), wide, x, of.round[current]))
    model, u, x, rounds = (np.concatenate(each) for each in zip(*parts, strict=True))
    return model, u, x, rounds
