"""A linear stochastic whole-brain model whose posterior is exact.

    dx = (-x + g W x) / τ dt + σ dB                       coupling G = g / τ
    y_t = x(t TR) + η_t,  η_t ~ N(0, r² I),  t = 1 .. T,  x(0) in its stationary distribution

W is a symmetric connectome of spectral radius 1, W = V diag(λ) Vᵀ. The modes z = Vᵀ y are
independent, each a first-order autoregression seen in noise:

    a_k = (1 - g λ_k) / τ,  s_k = σ² / (2 a_k),  φ_k = exp(-a_k TR)
    autocovariance of z_k:  γ_k(h) = s_k φ_k^|h| + r² [h = 0]

Exact: simulation (no time step), likelihood of the whole recording (a scalar Kalman filter a mode;
its gains do not depend on the recording), and its posterior on a grid, up to the grid's spacing.
The means and covariances of the features are exact too; that the features are Gaussian is an
approximation, good because each adds up some hundred frames of some modes. Tests rank prior draws
in both posteriors.

Uhlenbeck & Ornstein (1930), DOI 10.1103/PhysRev.36.823; Kalman (1960), DOI 10.1115/1.3662552.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.prior import Uniform

from hpcvbi.core.seeds import generator

TAU, TR = 1000.0, 1000.0  # [ms]
CHUNK = 2**23  # numbers held at once while simulating
G, SIGMA, DECAY = 0, 1, 2  # columns of theta: g, σ [1/√ms], τ [ms]
LOW = (0.0, 0.02, 400.0)
HIGH = (0.95, 0.08, 2500.0)


def made_up_connectome(regions: int, seed: int = 1) -> np.ndarray:
    """Return symmetric weights (region, region) of spectral radius 1, zero on the diagonal: many
    weak and few strong, as tractography finds them.
    """
    rng = generator("made-up connectome", seed, regions)
    strength = rng.lognormal(0.0, 1.0, (regions, regions))
    strength *= rng.random((regions, regions)) < 0.5
    weights = np.triu(strength, 1)
    weights = weights + weights.T
    return weights / np.abs(np.linalg.eigvalsh(weights)).max()


@dataclass(frozen=True, eq=False)
class LinearBrain:
    """The model on a connectome; g and σ are inferred, and τ where `free_decay`."""

    weights: np.ndarray  # (region, region)
    frames: int = 200
    noise: float = 0.3  # r, beside a standard deviation of x of about 1
    bands: int = 5  # groups of modes by eigenvalue
    free_decay: bool = False
    low: tuple[float, ...] = LOW
    high: tuple[float, ...] = HIGH

    @property
    def n_params(self) -> int:
        return 3 if self.free_decay else 2

    @property
    def n_features(self) -> int:
        return 3 * self.bands

    @cached_property
    def modes(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (mode,) ascending, and eigenvectors (region, mode)."""
        values, vectors = np.linalg.eigh(self.weights)
        return values, vectors

    @property
    def prior(self) -> Uniform:
        return Uniform(self.low[: self.n_params], self.high[: self.n_params])

    def process(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stationary variance s and coefficient φ of each mode, both (draw, mode)."""
        tau = theta[:, DECAY, None] if self.free_decay else TAU
        rate = (1 - theta[:, G, None] * self.modes[0]) / tau
        return theta[:, SIGMA, None] ** 2 / (2 * rate), np.exp(-rate * TR)

    def recordings(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return recordings (draw, frame, mode), in modes; times Vᵀ they are those of regions."""
        variance, keep = self.process(theta)
        kick = np.sqrt(variance * (1 - keep**2))
        z = rng.standard_normal((len(theta), self.frames, len(self.weights)))
        z[:, 0] *= np.sqrt(variance)
        for t in range(1, self.frames):
            z[:, t] = keep * z[:, t - 1] + kick * z[:, t]
        z += self.noise * rng.standard_normal(z.shape)
        return z

    def features(self, z: np.ndarray) -> np.ndarray:
        """Return, of recordings in modes, the means over frames and a band's modes of the squared
        signal, and of its products with itself one and two frames later: (draw, feature).
        """
        products = [(z[:, lag:] * z[:, : self.frames - lag]).mean(axis=1) for lag in range(3)]
        banded = [self._banded(p) for p in products]
        return np.concatenate(banded, axis=1)

    def draw(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return features (draw, feature) of exactly simulated recordings."""
        rows = max(1, CHUNK // (self.frames * len(self.weights)))
        parts = [theta[i : i + rows] for i in range(0, len(theta), rows)]
        return np.concatenate([self.features(self.recordings(part, rng)) for part in parts])

    def log_likelihood(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Log likelihood (case, draw) of whole recordings z (case, frame, mode)."""
        variance, keep = self.process(theta)
        drive = variance * (1 - keep**2)
        spread, mean = variance, np.zeros((len(z), *variance.shape))
        total = np.zeros((len(z), len(theta)))
        for t in range(self.frames):
            seen = spread + self.noise**2
            surprise = z[:, t, None, :] - mean
            total -= 0.5 * ((surprise**2 / seen).sum(axis=2) + np.log(2 * np.pi * seen).sum(axis=1))
            gain = spread / seen
            mean = keep * (mean + gain * surprise)
            spread = keep**2 * spread * (1 - gain) + drive
        return total

    def feature_moments(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return exact means (draw, feature) and covariances (draw, feature, feature)."""
        variance, keep = self.process(theta)
        frames = self.frames
        lags = np.abs(np.arange(-frames - 2, frames + 3))
        # γ by lag from -frames - 2 on: (draw, mode, lag)
        gamma = variance[..., None] * keep[..., None] ** lags + self.noise**2 * (lags == 0)
        zero = frames + 2
        mean = np.concatenate([self._banded(gamma[..., zero + lag]) for lag in range(3)], axis=1)
        sizes = np.bincount(self._band)
        covariance = np.zeros((len(theta), 3, self.bands, 3, self.bands))
        own = np.arange(self.bands)
        for i in range(3):
            for j in range(i, 3):
                # cov(z_t z_{t+i}, z_s z_{s+j}) = γ(d) γ(d + j - i) + γ(d + j) γ(d - i),  d = s - t
                d = np.arange(-(frames - i - 1), frames - j)
                pairs = np.minimum(frames - i, frames - j - d) - np.maximum(0, -d)
                at = zero + d
                terms = gamma[..., at] * gamma[..., at + j - i]
                terms = terms + gamma[..., at + j] * gamma[..., at - i]
                whole = (terms * pairs).sum(axis=-1) / ((frames - i) * (frames - j))
                covariance[:, i, own, j, own] = self._banded(whole) / sizes
                covariance[:, j, own, i, own] = self._banded(whole) / sizes
        return mean, covariance.reshape(len(theta), self.n_features, self.n_features)

    @cached_property
    def _band(self) -> np.ndarray:
        """Band of each mode (mode,)."""
        modes = len(self.weights)
        return np.arange(modes) * self.bands // modes

    def _banded(self, values: np.ndarray) -> np.ndarray:
        """Mean of (draw, mode) over each band's modes."""
        member = self._band[:, None] == np.arange(self.bands)
        return values @ (member / member.sum(axis=0))
