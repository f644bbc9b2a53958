"""What all neural methods have in common: rounds of proposing, fitting networks from scratch to the
draws of all rounds, and drawing from what they say.

Round 0 simulates draws of the prior. Later rounds simulate where the current posterior at the
observed features is, most methods by the prior cut to the region that holds all but `truncation` of
its mass (`proposals.py`),

    u ~ U([0, 1]^p)  cut to  {u : q(u | x_observed) > t},    P_q(q(u | x_observed) <= t) =
    truncation.

Inside the region the draws have the shape of the prior, so that no correction is needed for any x
whose posterior lies inside it; for other x the posterior is valid after round 0 only.

Deistler, Goncalves & Macke (2022), Truncated proposals for scalable and hassle-free
simulation-based inference, DOI 10.48550/arXiv.2210.04815.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer.batches import Table, sample_of, table_of
from hpcvbi.infer.bend import choose_bend, straight
from hpcvbi.infer.conditioned import Conditioned
from hpcvbi.infer.coordinates import to_real
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.embedding import FEATURE_BY_FEATURE, check_embedding, embedded
from hpcvbi.infer.ensemble import Ensemble
from hpcvbi.infer.estimator import Architecture, Estimator
from hpcvbi.infer.fitting import Fitted, Training, fit
from hpcvbi.infer.isolation import isolated
from hpcvbi.infer.neural_state import NeuralInfo, NeuralState
from hpcvbi.infer.populations import Population, reweighted
from hpcvbi.infer.problem import check_problem
from hpcvbi.infer.proposals import BY_DENSITY, BY_POSTERIOR, Cut, Proposals
from hpcvbi.infer.scaling import fit_scaling
from hpcvbi.infer.settings import NEURAL, require_all
from hpcvbi.infer.table import at, norm
from hpcvbi.infer.truncation import in_cube, share_resampled, sobol


@dataclass(frozen=True)
class Neural:
    """Settings of a neural method; a method names its `estimator` and its own defaults.

    rounds, draws: how many rounds of how many simulated draws. network: see the estimator. hidden,
    transforms: width and number of the network's steps. embedding, embedding_size, channels: what
    compresses the features first, see `embedding.py`. members: networks in the equal-weight
    mixture, each with its own start and its own held-out rows; training costs that many times more.
    batch, learning_rate, weight_decay, validation, max_epochs, stop_after: the fit; `batch` 0 takes
    a fiftieth of the rows, 50 to 2000; `weight_decay` holds for 256 rows and is scaled by 256 /
    rows; steps grow shorter when the held-out loss stops improving, and it stops when that has not
    improved for `stop_after` epochs. truncation: posterior mass given up at each truncation.
    clip_margin: see `scaling.py`. min_survivors: fewest rows with finite features to learn from.
    candidates: Sobol points tried before a proposal is filled by resampling.
    """

    estimator: ClassVar[Estimator]
    proposals: ClassVar[Proposals] = BY_DENSITY
    by_draws: ClassVar[bool] = False

    rounds: int = 2
    draws: int = 256
    network: str = ""
    hidden: int = 64
    transforms: int = 4
    embedding: str = "none"
    embedding_size: int = 20
    channels: int = 1
    members: int = 1
    batch: int = 0
    learning_rate: float = 2e-3
    weight_decay: float = 1.0
    validation: float = 0.1
    max_epochs: int = 300
    stop_after: int = 20
    truncation: float = 1e-3
    clip_margin: float = 0.5
    min_survivors: int = 64
    candidates: int = 2**17

    def __post_init__(self) -> None:
        require_all(self, NEURAL)
        if self.network not in self.estimator.networks:
            raise ConfigError(
                f"there is no network {self.network!r}. Known: {', '.join(self.estimator.networks)}"
            )

    @property
    def fits(self) -> int:
        """Networks that an update fits."""
        return self.members

    def init(self, n_params: int, x_observed: np.ndarray) -> NeuralState:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        x_observed = check_problem(n_params, x_observed)
        features, params = np.zeros(len(x_observed)), np.zeros(n_params)
        state = NeuralState(
            0, n_params, x_observed,
            features, features, features, features + 1, features, features, params, params + 1,
            np.empty((0, 0), np.float32), np.empty(0, np.uint8), -np.inf,
        )  # fmt: skip
        check_embedding(self._architecture(state))
        return state

    def propose(self, state: NeuralState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) of the prior, truncated to the posterior's region after
        the first round.
        """
        rng = generator("propose", seed)
        if state.round == 0:
            return sobol(state.n_params, rng)(n)
        with isolated(derive_seed("propose", seed)):
            at_observed = Conditioned(self._ensemble(state), state, state.x_observed)
            return self.proposals.draw(at_observed, self._cut(state), n, rng)

    def update(self, state: NeuralState, draws: Draws, seed: int) -> tuple[NeuralState, NeuralInfo]:
        """Fit networks to the draws of all rounds so far; TooFewSurvivors where few are whole."""
        if (draws.u.shape[1], draws.x.shape[1]) != (state.n_params, len(state.x_observed)):
            raise ConfigError(
                f"u must have shape (draw, {state.n_params}) and x (draw, {len(state.x_observed)}),"
                f" got {draws.u.shape} and {draws.x.shape}"
            )
        whole = draws.whole
        rows, last = int(whole.sum()), draws.round == state.round
        if rows < self.min_survivors:
            raise TooFewSurvivors(
                f"round {state.round}: {rows} draws with finite features in all rounds, at least "
                f"{self.min_survivors} are needed; {int((last & ~whole).sum())} of this round's "
                f"{int(last.sum())} draws failed. Narrow the priors to where the model is stable, "
                "leave out features that are not defined there, or simulate more draws a round"
            )
        u, some = sample_of(draws, whole, rng := generator("scaling", seed))
        bends = self.embedding in FEATURE_BY_FEATURE
        bend = choose_bend(u, some, rng) if bends else straight(some.shape[1])
        scaling = fit_scaling(some, self.clip_margin, bend)
        kept = to_real(draws.u[whole])
        center, scale = kept.mean(axis=0), np.maximum(kept.std(axis=0), 1e-6)
        table = table_of(draws, whole, center, scale, scaling, self._marks(state, draws))
        state = state.scaled(scaling, center, scale)
        fits = self._fit(state, table, seed)
        state = replace(
            state, round=state.round + 1,
            weights=np.stack([f.weights for f in fits]),
            layout=np.frombuffer(fits[0].layout.encode(), np.uint8),
        )  # fmt: skip
        with isolated(derive_seed("region", seed)):
            at_observed = Conditioned(self._ensemble(state), state, state.x_observed)
            region = self.proposals.measure(at_observed, self.truncation, generator("region", seed))
        observed, cut = state.x_observed, self.proposals is BY_DENSITY
        info = NeuralInfo(
            round=state.round - 1,
            draws=int(last.sum()),
            masked=int((last & ~whole).sum()),
            rows=rows,
            epochs=[f.epochs for f in fits],
            loss=[f.loss for f in fits],
            validation_loss=[f.validation_loss for f in fits],
            curve=[f.curve for f in fits],
            leakage=region.leakage,
            volume=region.volume,
            resampled=cut * share_resampled(region.volume, self.draws, self.candidates),
            r_hat=region.r_hat,
            observed_z=scaling.unclipped(observed).tolist(),
            observed_clipped=scaling.beyond(observed).tolist(),
            clipped=scaling.beyond(some).mean(axis=0).tolist(),
        )
        return replace(state, threshold=region.threshold), info

    def done(self, state: NeuralState) -> bool:
        """Whether all rounds are learned."""
        return state.round >= self.rounds

    def posterior(
        self, state: NeuralState, x: np.ndarray, n: int, seed: int, draws: Draws | None = None
    ) -> np.ndarray:
        """Return `n` posterior draws (draw, param) given `x` (feature,), or (case, draw, param)
        given (case, feature).
        """
        self._check_fitted(state)
        x = np.asarray(x, float)
        if x.shape[-1:] != state.x_observed.shape or not np.isfinite(x).all():
            raise ConfigError(
                f"x must hold {len(state.x_observed)} finite features, got shape {x.shape}"
            )
        cases = np.atleast_2d(x)
        seeds = [seed] if x.ndim == 1 else [derive_seed("case", seed, i) for i in range(len(x))]
        with isolated(derive_seed("posterior", seed)):
            ensemble = self._ensemble(state)
            drawn = [
                Conditioned(ensemble, state, case).sample(n, generator("posterior", own)).u
                for case, own in zip(cases, seeds, strict=True)
            ]
        return np.stack(drawn)[0] if x.ndim == 1 else np.stack(drawn)

    def log_density(self, state: NeuralState, u: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Log density (row,) of the networks at `u` (row, param) given `x` (feature,), or (case,
        row) at (case, row, param) given (case, feature); up to a constant of the case where the
        method's densities are.
        """
        self._check_fitted(state)
        with isolated(0):
            ensemble = self._ensemble(state)
            found = [
                Conditioned(ensemble, state, case).log_density(rows)
                for case, rows in zip(np.atleast_2d(x), u[None] if x.ndim == 1 else u, strict=True)
            ]
        density = np.stack(found) - np.log(state.u_scale).sum()
        return density[0] if x.ndim == 1 else density

    def populations(self, states: Sequence[NeuralState], draws: Draws) -> list[Population]:
        """Return the whole draws of each round, weighted by what was learned up to it over the
        density that proposed them: uniform, or what was learned before.
        """
        found = []
        for number, state in enumerate(states):
            of = draws.round == number
            rows = np.flatnonzero(of & draws.whole)
            u, observed = draws.u[rows], state.x_observed
            weight = self.log_density(state, u, observed)
            if number and self.proposals is BY_POSTERIOR:
                weight -= self.log_density(states[number - 1], u, observed)
            apart = self.distances(state, at(draws.x, rows))
            found.append(reweighted(rows, weight, apart, int(of.sum())))
        return found

    def distances(self, state: NeuralState, x: np.ndarray) -> np.ndarray:
        """Return the distances (row,) of features (row, feature) to the observed ones."""
        scaled = state.scaling.unclipped
        return norm(np.ones_like(state.scale))(scaled(x), scaled(state.x_observed))

    def inside(self, state: NeuralState, u: np.ndarray) -> np.ndarray:
        """Which rows of `u` (row, param) the next round's proposal may visit."""
        if state.round == 0:
            return in_cube(u)
        with isolated(0):
            at_observed = Conditioned(self._ensemble(state), state, state.x_observed)
            return self.proposals.inside(at_observed, self._cut(state), u)

    def to_arrays(self, state: NeuralState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        return state.to_arrays()

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> NeuralState:
        """Inverse of `to_arrays`, bit for bit."""
        return NeuralState.from_arrays(arrays)

    def _check_fitted(self, state: NeuralState) -> None:
        if state.round == 0:
            raise ConfigError("there is no posterior before the first update")

    def _architecture(self, state: NeuralState) -> Architecture:
        features = len(state.x_observed)
        varying = tuple(int(i) for i in np.flatnonzero(state.high > state.low))
        return Architecture(
            state.n_params, features, self.network, self.hidden, self.transforms,
            self.embedding, self.embedding_size, self.channels, varying,
        )  # fmt: skip

    def _estimator(self, state: NeuralState) -> Estimator:
        """What the update after `state` fits."""
        return self.estimator

    def _marks(self, state: NeuralState, draws: Draws) -> np.ndarray:
        """What the losses are told of each draw beside its parameters: (draw, mark)."""
        return np.empty((len(draws), 0))

    def _fit(self, state: NeuralState, table: Table, seed: int) -> list[Fitted]:
        training = Training(
            batch=self.batch or min(max(table.rows // 50, 50), 2000),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            validation=self.validation,
            max_epochs=self.max_epochs,
            stop_after=self.stop_after,
        )
        estimator, architecture = embedded(self._estimator(state)), self._architecture(state)
        return [
            fit(estimator, architecture, training, table, derive_seed("fit", seed, member))
            for member in range(self.members)
        ]

    def _ensemble(self, state: NeuralState) -> Ensemble:
        layout = state.layout.tobytes().decode()
        return Ensemble(embedded(self.estimator), self._architecture(state), state.weights, layout)

    def _cut(self, state: NeuralState) -> Cut:
        return Cut(self.truncation, state.threshold, self.candidates)
