"""Truncated sequential neural posterior estimation (TSNPE).

Round 0 simulates draws of the prior. Every later round simulates draws of the prior cut to the
region that holds all but `truncation` of the current posterior mass at the observed features,

    u ~ U([0, 1]^p)  cut to  {u : q(u | x_observed) > t},    P_q(q(u | x_observed) <= t) =
    truncation,

and a network is fitted from scratch to the draws of all rounds by plain maximum likelihood.
Inside the region the draws have the shape of the prior, so that no correction is needed for any x
whose posterior lies inside it; for other x the posterior is valid after round 0 only.

Deistler, Goncalves & Macke (2022), Truncated proposals for scalable and hassle-free
simulation-based inference, DOI 10.48550/arXiv.2210.04815.
"""

from dataclasses import dataclass, replace

import numpy as np

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer.flow import Architecture, Mixture, Training, fit, isolated
from hpcvbi.infer.scaling import fit_scaling
from hpcvbi.infer.truncation import in_cube, in_unit_cube, sobol, uniform_in_region
from hpcvbi.infer.tsnpe_state import TsnpeInfo, TsnpeState

SAMPLES = 8192  # posterior draws that place the threshold, and cube points that measure the region


@dataclass(frozen=True)
class Tsnpe:
    """Settings of TSNPE.

    rounds, draws: how many rounds of how many simulated draws. hidden, transforms: width and
    number of the flow's steps. members: networks in the equal-weight mixture, each with its own
    start and its own held-out rows; training costs that many times more. batch, learning_rate,
    weight_decay, validation, max_epochs, stop_after: the fit; `weight_decay` holds for 256 rows
    and is scaled by 256 / rows; it stops when the held-out loss has not improved for `stop_after`
    epochs. truncation: posterior mass given up at each truncation. clip_margin: see `scaling.py`.
    min_survivors: fewest rows with finite features to learn from. candidates: Sobol points tried
    before a proposal is filled by resampling.
    """

    rounds: int = 2
    draws: int = 256
    hidden: int = 64
    transforms: int = 4
    members: int = 1
    batch: int = 50
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
        at_least = {"min_survivors": 20, "hidden": 2}
        for name in ("rounds", "draws", "hidden", "transforms", "members", "batch", "max_epochs",
                     "stop_after", "min_survivors", "candidates"):  # fmt: skip
            _require(name, getattr(self, name), at_least.get(name, 1), np.inf)
        for name in ("truncation", "validation"):
            _require(name, getattr(self, name), 0.0, 0.5)
        _require("learning_rate", self.learning_rate, 1e-6, 1.0)
        for name in ("weight_decay", "clip_margin"):
            _require(name, getattr(self, name), 0.0, 1e6)

    def init(self, n_params: int, x_observed: np.ndarray) -> TsnpeState:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        x_observed = np.asarray(x_observed, float)
        if x_observed.ndim != 1 or not len(x_observed) or not np.isfinite(x_observed).all():
            raise ConfigError(
                "the observed features must be a vector of finite numbers; leave out features that "
                f"the recording does not have, got {x_observed!r}"
            )
        if n_params < 1:
            raise ConfigError("nothing to infer: give at least one parameter a prior")
        features, params = np.zeros(len(x_observed)), np.zeros(n_params)
        return TsnpeState(
            0, n_params, x_observed, np.empty((0, n_params)), np.empty((0, len(x_observed))),
            features, features, features, features + 1, params, params + 1,
            np.empty((0, 0), np.float32), np.empty(0, np.uint8), -np.inf,
        )  # fmt: skip

    def propose(self, state: TsnpeState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) of the prior, truncated to the posterior's region after
        the first round.
        """
        rng = generator("propose", seed)
        if state.round == 0:
            return sobol(state.n_params, rng)(n)
        with isolated(derive_seed("propose", seed)):
            at_observed = _Conditioned(self._mixture(state), state, state.x_observed)
            return uniform_in_region(
                at_observed.log_density,
                state.threshold,
                lambda k: at_observed.sample(k, rng)[0],
                state.n_params,
                n,
                self.candidates,
                rng,
            )

    def update(
        self, state: TsnpeState, u: np.ndarray, x: np.ndarray, seed: int
    ) -> tuple[TsnpeState, TsnpeInfo]:
        """Fit to the draws `u` (draw, param) with features `x` (draw, feature), NaN where a draw
        failed, and all before.
        """
        u, x = self._checked(state, u, x)
        finite = np.isfinite(x).all(axis=1)
        rows_u = np.concatenate([state.u, u[finite]])
        rows_x = np.concatenate([state.x, x[finite]])
        if len(rows_u) < self.min_survivors:
            raise TooFewSurvivors(
                f"round {state.round}: {len(rows_u)} draws with finite features in all rounds, "
                f"at least {self.min_survivors} are needed; {int((~finite).sum())} of this round's "
                f"{len(u)} draws failed. Narrow the priors to where the model is stable, leave out "
                "features that are not defined there, or simulate more draws a round"
            )
        scaling = fit_scaling(rows_x, self.clip_margin)
        u_center, u_scale = rows_u.mean(axis=0), np.maximum(rows_u.std(axis=0), 1e-6)
        z, scaled = (rows_u - u_center) / u_scale, scaling.apply(rows_x)
        fits = [
            fit(self._architecture(state), self._training(), z, scaled, derive_seed("fit", seed, m))
            for m in range(self.members)
        ]
        state = replace(
            state, round=state.round + 1, u=rows_u, x=rows_x,
            low=scaling.low, high=scaling.high, center=scaling.center, scale=scaling.scale,
            u_center=u_center, u_scale=u_scale,
            weights=np.stack([f.weights for f in fits]),
            layout=np.frombuffer(fits[0].layout.encode(), np.uint8),
        )  # fmt: skip
        threshold, volume, leakage = self._region(state, seed)
        observed = state.x_observed
        info = TsnpeInfo(
            round=state.round - 1,
            draws=len(u),
            masked=int((~finite).sum()),
            rows=len(rows_u),
            epochs=[f.epochs for f in fits],
            loss=[f.loss for f in fits],
            validation_loss=[f.validation_loss for f in fits],
            leakage=leakage,
            volume=volume,
            observed_z=scaling.unclipped(observed).tolist(),
            observed_clipped=scaling.beyond(observed).tolist(),
            clipped=scaling.beyond(rows_x).mean(axis=0).tolist(),
        )
        return replace(state, threshold=threshold), info

    def done(self, state: TsnpeState) -> bool:
        """Whether all rounds are learned."""
        return state.round >= self.rounds

    def posterior(self, state: TsnpeState, x: np.ndarray, n: int, seed: int) -> np.ndarray:
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
            mixture = self._mixture(state)
            drawn = [
                _Conditioned(mixture, state, case).sample(n, generator("posterior", own))[0]
                for case, own in zip(cases, seeds, strict=True)
            ]
        return np.stack(drawn)[0] if x.ndim == 1 else np.stack(drawn)

    def log_density(self, state: TsnpeState, u: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Log density (row,) of the network at `u` (row, param) given `x` (feature,); not
        corrected for leakage.
        """
        self._check_fitted(state)
        with isolated(0):
            density = _Conditioned(self._mixture(state), state, x).log_density(u)
        return density - np.log(state.u_scale).sum()

    def inside(self, state: TsnpeState, u: np.ndarray) -> np.ndarray:
        """Which rows of `u` (row, param) the next round's proposal may visit."""
        if state.round == 0:
            return in_cube(u)
        with isolated(0):
            density = _Conditioned(self._mixture(state), state, state.x_observed).log_density(u)
        return in_cube(u) & (density > state.threshold)

    def to_arrays(self, state: TsnpeState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers; their dimensions are in
        `tsnpe_state.STATE_DIMS`.
        """
        return state.to_arrays()

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> TsnpeState:
        """Inverse of `to_arrays`, bit for bit."""
        return TsnpeState.from_arrays(arrays)

    def _checked(
        self, state: TsnpeState, u: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        u, x = np.asarray(u, float), np.asarray(x, float)
        wanted = (len(u), state.n_params), (len(u), len(state.x_observed))
        if (u.shape, x.shape) != wanted:
            raise ConfigError(
                f"u must have shape (draw, param) {wanted[0]} and x (draw, feature) {wanted[1]}, "
                f"got {u.shape} and {x.shape}"
            )
        if not ((u >= 0) & (u <= 1)).all():
            raise ConfigError("u must lie in the unit cube: map draws with Space.to_unit")
        return u, x

    def _check_fitted(self, state: TsnpeState) -> None:
        if state.round == 0:
            raise ConfigError("there is no posterior before the first update")

    def _architecture(self, state: TsnpeState) -> Architecture:
        return Architecture(state.n_params, len(state.x_observed), self.hidden, self.transforms)

    def _training(self) -> Training:
        return Training(
            batch=self.batch,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            validation=self.validation,
            max_epochs=self.max_epochs,
            stop_after=self.stop_after,
        )

    def _mixture(self, state: TsnpeState) -> Mixture:
        return Mixture(self._architecture(state), state.weights, state.layout.tobytes().decode())

    def _region(self, state: TsnpeState, seed: int) -> tuple[float, float, float]:
        """Threshold of the truncated prior, the share of the prior it keeps, and the leakage."""
        rng = generator("region", seed)
        with isolated(derive_seed("region", seed)):
            at_observed = _Conditioned(self._mixture(state), state, state.x_observed)
            drawn, share = at_observed.sample(SAMPLES, rng)
            threshold = float(np.quantile(at_observed.log_density(drawn), self.truncation))
            points = sobol(state.n_params, rng)(SAMPLES)
            volume = float((at_observed.log_density(points) > threshold).mean())
        return threshold, volume, 1.0 - share


class _Conditioned:
    """A fitted mixture given one vector of features; densities are those of scaled parameters."""

    def __init__(self, mixture: Mixture, state: TsnpeState, x: np.ndarray) -> None:
        self.mixture, self.state = mixture, state
        self.x = state.scaling.apply(np.asarray(x, float))

    def log_density(self, u: np.ndarray) -> np.ndarray:
        return self.mixture.log_density((u - self.state.u_center) / self.state.u_scale, self.x)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draw `n` rows inside the unit cube, and the share of the mass that lies there."""

        def unbounded(k: int) -> np.ndarray:
            z = self.mixture.sample(k, self.x, rng)
            return self.state.u_center + self.state.u_scale * z

        return in_unit_cube(unbounded, self.log_density, self.state.n_params, n, rng)


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
