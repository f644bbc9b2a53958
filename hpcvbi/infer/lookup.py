"""What the methods have in common that look up simulated draws of the prior: simulate, measure how
far each draw lies from the observation, keep the nearest.

    p(u | x) ~ p(u | d(x_i, x) <= epsilon)

where the distance d counts features in units of their noise near x (`feature_noise.py`).
Every round simulates further draws of the prior: two rounds of 500 draws are one of 1000. So the
posterior is right for any x, not only for what was observed.

Pritchard, Seielstad, Perez-Lezaun & Feldman (1999), DOI 10.1093/oxfordjournals.molbev.a026091.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer.batches import sample_of
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.feature_noise import noise_near
from hpcvbi.infer.populations import Population
from hpcvbi.infer.problem import check_problem, check_shapes
from hpcvbi.infer.settings import require_all
from hpcvbi.infer.stored import Dims, Stored, Types, refused
from hpcvbi.infer.table import at, effective_size, extent, inverse, nearest, norm, resampled, robust
from hpcvbi.infer.truncation import sobol


@dataclass(frozen=True, eq=False)
class LookupState(Stored):
    """The recording, and the noise of features near it, in which distances are measured; 0 says
    that all draws agree.
    """

    DIMS: ClassVar[Dims] = {
        "round": (),
        "n_params": (),
        "x_observed": ("feature",),
        "noise": ("feature",),
    }
    TYPES: ClassVar[Types] = dict.fromkeys(("round", "n_params"), np.int64)

    round: int
    n_params: int
    x_observed: np.ndarray
    noise: np.ndarray

    @classmethod
    def check(cls, found: Mapping[str, np.ndarray]) -> None:
        """Raise StoreMismatch unless the arrays fit together."""
        if found["n_params"] < 1 or (found["noise"] < 0).any():
            raise refused("n_params must be positive, noise not negative")


@dataclass(frozen=True)
class LookupInfo:
    """What a person may want to know about an update.

    `masked` draws of this round had features that are not finite. `epsilon` is the distance of the
    farthest of the `kept` draws from the observation, which weigh as much as `effective` equal
    ones, and `moved` says whether a regression moves them. `observed_z` is the observation in
    robust standard deviations of the simulated features, and `observed_clipped` where it lies
    outside everything simulated. `constant` features have told nothing.
    """

    round: int
    draws: int
    masked: int
    rows: int
    kept: int
    effective: float
    moved: bool
    epsilon: float
    observed_z: list[float]
    observed_clipped: list[bool]
    constant: list[bool]

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Near:
    """The draws that are kept, nearest first: rows (kept,), differences (kept, feature) of scaled
    features, distances (kept,), and whether to move them to the observation.
    """

    rows: np.ndarray
    z: np.ndarray
    apart: np.ndarray
    move: bool


@dataclass(frozen=True)
class Lookup:
    """Settings of a method that looks up draws; a method says what it makes of the nearest ones.

    rounds, draws: how many rounds of how many simulated draws. min_survivors: fewest rows with
    finite features to learn from; noise is what two differ by.
    """

    by_draws: ClassVar[bool] = True
    fits: ClassVar[int] = 0

    rounds: int = 1
    draws: int = 10_000
    min_survivors: int = 20

    def __post_init__(self) -> None:
        fewest = {"rounds": 1, "draws": 1, "min_survivors": 2}
        require_all(self, {name: (least, np.inf) for name, least in fewest.items()})

    def kept(self, rows: int, n_params: int, n_features: int) -> int:
        """Return how many of `rows` draws with finite features are kept."""
        raise NotImplementedError

    def weights(self, distances: np.ndarray) -> np.ndarray:
        """Return the weights (kept,) of the kept draws, which sum to 1."""
        return np.full(len(distances), 1.0 / len(distances))

    def chosen(self, u: np.ndarray, z: np.ndarray, distances: np.ndarray) -> tuple[int, bool]:
        """Return how many to keep of the draws `u` (kept, param), whose scaled features differ by
        `z` (kept, feature), of norms `distances` (kept,), from the observation, nearest first, and
        whether to move them.
        """
        return len(u), False

    def moved(self, u: np.ndarray, z: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the kept draws `u` (kept, param), whose scaled features differ by `z` (kept,
        feature) from the observation, moved to it.
        """
        raise NotImplementedError

    def sampled(
        self, u: np.ndarray, weights: np.ndarray, rng: np.random.Generator, n: int
    ) -> np.ndarray:
        """Return `n` posterior draws (draw, param): of the kept ones `u` (kept, param), by weight;
        where there are fewer, some come again.
        """
        return u[resampled(weights, n, rng)]

    def init(self, n_params: int, x_observed: np.ndarray) -> LookupState:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        x_observed = check_problem(n_params, x_observed)
        return LookupState(0, n_params, x_observed, np.zeros(len(x_observed)))

    def propose(self, state: LookupState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) of the prior."""
        return sobol(state.n_params, generator("propose", seed))(n)

    @threadpool_limits.wrap(limits=1, user_api="blas")  # last bits depend on the number
    def update(self, state: LookupState, draws: Draws, seed: int) -> tuple[LookupState, LookupInfo]:
        """Find how noisy features are; TooFewSurvivors where few draws are whole."""
        check_shapes(state.n_params, state.x_observed, draws)
        whole = survivors(draws, state.round, self.min_survivors)
        cases = state.x_observed[None]
        scaling, noise = _noise(draws, cases)
        state = replace(state, round=state.round + 1, noise=noise[0])
        near = next(self._near(cases, noise, draws))
        return state, LookupInfo(
            round=state.round - 1,
            rows=int(whole.sum()),
            kept=len(near.rows),
            effective=effective_size(self.weights(near.apart)),
            moved=near.move,
            epsilon=float(near.apart[-1]),
            **seen(draws, state.round - 1, whole, state.x_observed, *scaling),
        )

    def done(self, state: LookupState) -> bool:
        """Whether all rounds are simulated."""
        return state.round >= self.rounds

    @threadpool_limits.wrap(limits=1, user_api="blas")
    def posterior(
        self, state: LookupState, x: np.ndarray, n: int, seed: int, draws: Draws | None = None
    ) -> np.ndarray:
        """Return `n` posterior draws (draw, param) given `x` (feature,), or (case, draw, param)
        given (case, feature); `draws` are those of the last update.
        """
        cases, draws = check_asked(state.round, state.x_observed, x, draws)
        seeds = case_seeds(seed, x, len(cases))
        drawn = []
        found = self._near(cases, _noise(draws, cases)[1], draws)
        for near, own in zip(found, seeds, strict=True):
            u, weights = draws.u[near.rows], self.weights(near.apart)
            u = self.moved(u, near.z, weights) if near.move else u
            drawn.append(self.sampled(u, weights, generator("posterior", own), n))
        return np.stack(drawn)[0] if np.ndim(x) == 1 else np.stack(drawn)

    @threadpool_limits.wrap(limits=1, user_api="blas")
    def populations(self, states: Sequence[LookupState], draws: Draws) -> list[Population]:
        """Return the kept draws with their weights, as one population."""
        state = states[-1]
        near = next(self._near(state.x_observed[None], state.noise[None], draws))
        epsilon = float(near.apart[-1])
        return [Population(near.rows, self.weights(near.apart), near.apart, epsilon, len(draws))]

    def distances(self, state: LookupState, x: np.ndarray) -> np.ndarray:
        """Return the distances (row,) of features (row, feature) to the observed ones."""
        return norm(inverse(state.noise))(x, state.x_observed)

    def to_arrays(self, state: LookupState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        return state.to_arrays()

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> LookupState:
        """Inverse of `to_arrays`, bit for bit; StoreMismatch unless they fit together."""
        return LookupState.from_arrays(arrays)

    def _near(self, cases: np.ndarray, noise: np.ndarray, draws: Draws) -> Iterator[Near]:
        """Yield what each case (case, feature) keeps, given the noise (case, feature) near it, one
        at a time: together they may be large.
        """
        whole = int(draws.whole.sum())
        k = min(whole, self.kept(whole, draws.u.shape[1], cases.shape[1]))
        weights = [inverse(of_case) for of_case in noise]
        rows, apart = nearest(draws.x, cases, k, [norm(of_case) for of_case in weights])
        every = np.unique(rows)
        features = at(draws.x, every)
        for case, own, of, far in zip(cases, weights, rows, apart, strict=True):
            z = (features[np.searchsorted(every, of)] - case) * own
            kept, move = self.chosen(draws.u[of], z, far)
            yield Near(of[:kept], z[:kept], far[:kept], move)


def _noise(draws: Draws, cases: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return centre and scale (feature,) of the features of a sample of whole draws, and the noise
    (case, feature) near each of the `cases` (case, feature).
    """
    rng = generator("noise of features", len(draws))
    u, some = sample_of(draws, draws.whole, rng)
    center, scale = robust(some)
    return (center, scale), noise_near(cases, u, some, scale, rng)


def survivors(draws: Draws, round: int, fewest: int) -> np.ndarray:
    """Return which draws (draw,) are whole; TooFewSurvivors unless there are enough."""
    whole, last = draws.whole, draws.round == round
    if whole.sum() < fewest:
        raise TooFewSurvivors(
            f"round {round}: {int(whole.sum())} draws with finite features in all rounds, at least "
            f"{fewest} are needed; {int((last & ~whole).sum())} of this round's {int(last.sum())} "
            "draws failed. Narrow the priors to where the model is stable, leave out features that "
            "are not defined there, or simulate more draws a round"
        )
    return whole


def seen(
    draws: Draws,
    round: int,
    whole: np.ndarray,
    x_observed: np.ndarray,
    center: np.ndarray,
    scale: np.ndarray,
) -> dict[str, Any]:
    """Return what an info says of the draws, and of the observation among them."""
    last, constant = draws.round == round, scale == 0
    low, high = extent(draws.x)
    outside = (x_observed < low) | (x_observed > high)
    return {
        "draws": int(last.sum()),
        "masked": int((last & ~whole).sum()),
        "observed_z": ((x_observed - center) * inverse(scale)).tolist(),
        "observed_clipped": outside.tolist(),
        "constant": constant.tolist(),
    }


def check_asked(
    round: int, x_observed: np.ndarray, x: np.ndarray, draws: Draws | None
) -> tuple[np.ndarray, Draws]:
    """Return the cases (case, feature) and the draws to look up; ConfigError without either."""
    if round == 0:
        raise ConfigError("there is no posterior before the first update")
    if draws is None:
        raise ConfigError("this posterior is looked up among the draws: give those of all rounds")
    x = np.asarray(x, float)
    if x.ndim not in (1, 2) or x.shape[-1] != len(x_observed) or not np.isfinite(x).all():
        raise ConfigError(f"x must hold {len(x_observed)} finite features, got shape {x.shape}")
    return np.atleast_2d(x), draws


def case_seeds(seed: int, x: np.ndarray, cases: int) -> list[int]:
    """Return a seed per case; a single vector has the seed itself."""
    return [seed] if np.ndim(x) == 1 else [derive_seed("case", seed, i) for i in range(cases)]
