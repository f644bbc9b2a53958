"""ABC-SMC in waves of a fixed size, on pyABC's distances, epsilon schedules and transitions.

A round is a wave: `draws` proposals, made together and simulated together. A generation t consists
of whole waves, as many as it takes for `particles` draws to come within epsilon_t:

    u_i ~ q_{t-1},   x_i ~ p(x | u_i),   accepted where d_t(x_i, x_o) <= epsilon_t,
    w_i ~ prior(u_i) / q_{t-1}(u_i),     q_t = transition fitted to the accepted (u_i, w_i).

q_{-1} is the prior, uniform on the unit cube. All draws of a wave count, in the order in which they
were proposed, so that nothing depends on how many workers there are or which simulation is fast.

The posterior looks up the `particles` draws nearest to x among those of all waves, weighted as in
`recycled.py`, or more where these count as few. For x other than the observed one it is as good as
there are draws near it.

Toni, Welch, Strelkowa, Ipsen & Stumpf (2009), DOI 10.1098/rsif.2008.0172. Beaumont, Cornuet, Marin
& Robert (2009), DOI 10.1093/biomet/asp052.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hpcvbi.core.seeds import generator
from hpcvbi.infer.abc_state import AbcInfo, AbcState
from hpcvbi.infer.batches import sample_of
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.generations import Generations
from hpcvbi.infer.lookup import (
    case_seeds,
    check_asked,
    seen,
    survivors,
)
from hpcvbi.infer.metric import Measure, Metric, rows_to_fit
from hpcvbi.infer.populations import Population
from hpcvbi.infer.problem import check_problem, check_shapes
from hpcvbi.infer.recycled import recycled
from hpcvbi.infer.regression import PER_COEFFICIENT
from hpcvbi.infer.schedule import EXHAUSTED
from hpcvbi.infer.settings import require
from hpcvbi.infer.table import at, distances, effective_size
from hpcvbi.infer.truncation import sobol


@dataclass(frozen=True)
class AbcSmc(Generations):
    """Settings of ABC-SMC.

    rounds, draws: at most so many waves of so many simulated draws. particles: draws that a
    generation accepts at least, and that the posterior consists of; 0 for two fifths of a wave.
    distance, statistics (none, linear, network), p: see `metric.py`; adaptive: whether they are
    fitted again to each generation.
    epsilon: quantile (of the last distances), constant or list; `epsilons` are those that are
    given, such as "4, 2, 1", in robust standard deviations. transition: multivariate_normal, or
    local with the covariance of a share of `neighbours`, at most 1000; scaling: factor of the
    covariance. adjust: whether a regression moves the posterior's draws to the observation. It ends
    early with an epsilon of `min_epsilon`, an acceptance below `min_acceptance`, or when epsilon
    falls by less than `min_epsilon_diff`. min_survivors: fewest rows with finite features to learn
    from.
    """

    by_draws: ClassVar[bool] = True
    fits: ClassVar[int] = 0

    statistics: str = "none"
    adaptive: bool = True
    adjust: bool = False
    min_acceptance: float = 0.0
    min_epsilon_diff: float = 0.0
    min_survivors: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low, high in (
            ("min_survivors", 10, np.inf), ("min_acceptance", 0.0, 1.0),
            ("min_epsilon_diff", 0.0, np.inf),
        ):  # fmt: skip
            require(name, getattr(self, name), low, high)
        _ = self._measure

    def init(self, n_params: int, x_observed: np.ndarray) -> AbcState:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        return AbcState.empty(n_params, check_problem(n_params, x_observed))

    def propose(self, state: AbcState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param): of the prior, or of the last population, perturbed."""
        if not state.generations:
            return sobol(state.n_params, generator("propose", seed))(n)
        last = state.population(state.generations - 1)
        return self._perturbation.fit(*last).draw(n, seed)

    def update(self, state: AbcState, draws: Draws, seed: int) -> tuple[AbcState, AbcInfo]:
        """Accept what is near, and begin the next generation where that is enough;
        TooFewSurvivors where few draws are whole.
        """
        check_shapes(state.n_params, state.x_observed, draws)
        whole = survivors(draws, state.round, self.min_survivors)
        generation = state.generations
        if state.round == 0:
            _, some = sample_of(draws, whole, generator("scaling", seed))
            center, scale = self._measure.scaling(some)
            state = replace(state, center=center, scale=scale)
            state = self._fit(state, draws, np.flatnonzero(whole), whole, seed)
        current = np.flatnonzero(whole & (state.generation_of(draws.round) == generation))
        apart = distances(draws.x, state.x_observed, self._metric(state))
        if generation == 0:
            first = self._schedule.epsilon(0, apart[current], _equal(len(current)))
            state = replace(state, threshold=first)
        near = current[apart[current] <= state.threshold]
        simulated = int((state.generation_of(draws.round) == generation).sum())
        reached, effective = state.threshold, None
        state = replace(
            state,
            round=state.round + 1,
            pending_accepted=len(near),
            pending_simulated=simulated,
        )
        if complete := len(near) >= self._particles:
            state = self._completed(state, draws, current, near, apart[near], seed)
            effective = effective_size(state.population(generation)[1])
        return state, AbcInfo(
            round=state.round - 1,
            rows=int(whole.sum()),
            generation=generation,
            complete=complete,
            epsilon=reached,
            accepted=len(near),
            simulated=simulated,
            effective=effective,
            next_epsilon=state.next_epsilon,
            **seen(draws, state.round - 1, whole, state.x_observed, state.center, state.scale),
        )

    def done(self, state: AbcState) -> bool:
        """Whether all waves are simulated, or a rule to stop holds."""
        if state.round >= self.rounds:
            return True
        if state.pending_accepted < self.min_acceptance * state.pending_simulated:
            return True
        if not state.generations:
            return False
        share = state.accepted[-1] / state.simulated[-1]
        falls = -np.diff(state.epsilon[-2:])
        return bool(
            state.threshold == EXHAUSTED
            or state.epsilon[-1] <= self.min_epsilon
            or share < self.min_acceptance
            or (len(falls) and abs(falls[0]) < self.min_epsilon_diff)
        )

    def posterior(
        self, state: AbcState, x: np.ndarray, n: int, seed: int, draws: Draws | None = None
    ) -> np.ndarray:
        """Return `n` posterior draws (draw, param) given `x` (feature,), or (case, draw, param)
        given (case, feature); `draws` are those of the last update. TooFewSurvivors where no
        generation is complete.
        """
        cases, draws = check_asked(state.round, state.x_observed, x, draws)
        state.check_complete(self._particles)
        fewest = PER_COEFFICIENT * (len(state.weights) + 1) if self.adjust else 1
        k = min(int(draws.whole.sum()), max(self._particles, fewest))
        seeds = case_seeds(seed, x, len(cases))
        how = self._metric(state), self._perturbation
        drawn = recycled(state, draws, *how, cases, k, self.adjust, n, seeds)
        return drawn[0] if np.ndim(x) == 1 else drawn

    def populations(self, states: Sequence[AbcState], draws: Draws) -> list[Population]:
        """Return the generations as they were accepted."""
        state, found = states[-1], []
        for generation in range(state.generations):
            of = state.particle_generation == generation
            drawn = state.particle_row[of], state.particle_weight[of], state.particle_distance[of]
            epsilon, simulated = state.epsilon[generation], state.simulated[generation]
            found.append(Population(*drawn, float(epsilon), int(simulated)))
        return found

    def distances(self, state: AbcState, x: np.ndarray) -> np.ndarray:
        """Return the distances (row,) of features (row, feature) to the observed ones."""
        return self._metric(state)(x, state.x_observed)

    def to_arrays(self, state: AbcState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        return state.to_arrays()

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> AbcState:
        """Inverse of `to_arrays`, bit for bit."""
        return AbcState.from_arrays(arrays)

    @property
    def _particles(self) -> int:
        return self.particles or -(-2 * self.draws // 5)

    @property
    def _measure(self) -> Measure:
        return Measure(self.distance, self.statistics, self.p)

    def _metric(self, state: AbcState) -> Metric:
        layers = state.hidden, state.hidden_offset, state.projection, state.offset
        return self._measure.metric(state.center, state.scale, layers, state.weights)

    def _fit(
        self, state: AbcState, draws: Draws, rows: np.ndarray, accepted: np.ndarray, seed: int
    ) -> AbcState:
        """Fit the metric to the draws in `rows`, of which some are `accepted` (draw,)."""
        rows = rows_to_fit(rows, seed)
        metric = self._measure.fit(
            state.center, state.scale, draws.u[rows], at(draws.x, rows), accepted[rows],
            state.x_observed, seed,
        )  # fmt: skip
        return replace(
            state,
            hidden=metric.hidden,
            hidden_offset=metric.hidden_offset,
            projection=metric.projection,
            offset=metric.offset,
            weights=metric.weights,
        )

    def _completed(
        self,
        state: AbcState,
        draws: Draws,
        current: np.ndarray,
        near: np.ndarray,
        apart: np.ndarray,
        seed: int,
    ) -> AbcState:
        """Return the state with one more population, and what the next generation must reach."""
        generation, u = state.generations, draws.u[near]
        weights = _equal(len(near))
        if generation:
            proposal = self._perturbation.fit(*state.population(generation - 1))
            weights = 1.0 / np.maximum(proposal.density(u), 1e-300)
            weights = weights / weights.sum()
        state = replace(
            state,
            epsilon=np.append(state.epsilon, state.threshold),
            accepted=np.append(state.accepted, len(near)),
            simulated=np.append(state.simulated, state.pending_simulated),
            first_round=np.append(state.first_round, state.since),
            inside=np.append(state.inside, self._perturbation.fit(u, weights).inside(seed)),
            particle_generation=np.append(
                state.particle_generation, np.full(len(near), generation, np.int64)
            ),
            particle_row=np.append(state.particle_row, near),
            particle_u=np.concatenate([state.particle_u, u]),
            particle_weight=np.append(state.particle_weight, weights),
            particle_distance=np.append(state.particle_distance, apart),
            since=state.round,
            pending_accepted=0,
            pending_simulated=0,
        )
        if self.adaptive:
            accepted = np.zeros(len(draws), bool)
            accepted[near] = True
            state = self._fit(state, draws, current, accepted, seed)
            apart = self._metric(state)(at(draws.x, near), state.x_observed)
        following = self._schedule.epsilon(generation + 1, apart, weights)
        return replace(state, threshold=following)


def _equal(n: int) -> np.ndarray:
    return np.full(n, 1.0 / n)
