"""A person's posterior draws as a smooth density, and what a group says of it, in closed form.

On the logit scale z of the unit cube the flat prior is p0(z) = 1 / ∏_p (2 + e^z_p + e^-z_p), and
N draws z_n stand for

    q(z) = 1/N sum_n N(z | z_n', K),     z_n' = m + A (z_n - m),   K diagonal,   A C A' + K = C,

which has the draws' own mean m and covariance C (West 1993). The width of K is a share h of each
parameter's sd given the others, h = (4 / ((P + 2) N))^(1 / (P + 4)) (Silverman 1986), so that a
narrow ridge stays as narrow. Without a kernel, the likelihood of a group narrower than the distance
between draws would be noise alone. A group N(mu, diag tau²) gives the person the likelihood

    ∫ q(z) N(z | mu, tau²) / p0(z) dz = 1/N sum_n ∏_p N(z' | mu, t) (2 + 2 exp(s/2) cosh m),
    t = tau² + k,  m = (z' tau² + mu k) / t,  s = tau² k / t,

which is the importance re-weighting of Hogg, Myers & Bovy (2010), doi:10.1088/0004-637X/725/2/2166,
for k = 0.

West (1993), "Approximating posterior distributions by mixtures", J. R. Stat. Soc. B 55, 409,
doi:10.1111/j.2517-6161.1993.tb01911.x. Silverman (1986), "Density estimation for statistics and
data analysis", Chapman & Hall.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit, logit

from hpcvbi.infer.bandwidth import silverman

EDGE = 1e-9
"""Draws nearer than this to the edge of the unit cube are moved there; its logit is 20.7."""
LEAST = 1e-3
"""No sd on the logit scale is taken as smaller."""


@dataclass(frozen=True, eq=False)
class Kernels:
    """Smoothed draws of several people on the logit scale."""

    z: np.ndarray  # (param, person, draw): centres
    variance: np.ndarray  # (param, person): of the kernel
    bandwidth: float

    @classmethod
    def of(cls, u: np.ndarray) -> Self:
        """Smooth draws in the unit cube, (person, draw, param)."""
        z = logit(np.clip(u, EDGE, 1 - EDGE))
        _, draws, params = z.shape
        bandwidth = silverman(draws, params)
        smoothed = [_smoothed(one, bandwidth) for one in z]
        centres = np.array([one for one, _ in smoothed])
        variance = np.array([one for _, one in smoothed])
        return cls(np.ascontiguousarray(centres.transpose(2, 0, 1)), variance.T.copy(), bandwidth)

    def log_factor(self, param: int, mu: np.ndarray, tau: np.ndarray) -> np.ndarray:
        """Log of one parameter's factor of the likelihood, (group, person, draw), of groups with
        these means and spreads (group,), up to a constant.
        """
        at, within = self._given(param, mu, tau)
        z, mu = self.z[param], mu[:, None, None]
        total = (tau[:, None] ** 2 + self.variance[param])[..., None]
        tilt = np.exp(at)
        tilt += 1 / tilt
        tilt *= np.exp(within / 2)
        tilt += 2
        factor = np.log(tilt, out=tilt)
        factor -= np.square(z - mu) / (2 * total) + np.log(total) / 2
        return factor

    def log_factors(self, mu: np.ndarray, tau: np.ndarray) -> np.ndarray:
        """Log of the product of all parameters' factors, (group, person, draw), from (group,
        param).
        """
        params = range(len(self.z))
        first = self.log_factor(0, mu[:, 0], tau[:, 0])
        for p in params[1:]:
            first += self.log_factor(p, mu[:, p], tau[:, p])
        return first

    def sample(
        self, mu: np.ndarray, tau: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """One draw of each person given a group (param,): in the unit cube (person, param), and the
        weights (person, draw) of the stored draws, which sum to one.
        """
        log_w = self.log_factors(mu[None], tau[None])[0]
        weights = np.exp(log_w - log_w.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        people = len(weights)
        beyond = weights.cumsum(1) >= rng.random((people, 1)) * (1 - 1e-12)
        chosen = beyond.argmax(1)
        u = np.empty((people, len(self.z)))
        for p in range(len(self.z)):
            at, within = self._given(p, mu[[p]], tau[[p]])
            at, within = at[0, np.arange(people), chosen], within[0, :, 0]
            # N(at, within) (2 + e^z + e^-z) is a mixture of three Gaussians
            up, down = (np.exp(sign * at + within / 2) for sign in (1, -1))
            tilted = rng.random(people) * (2 + up + down) - 2
            shift = np.where(tilted < 0, 0.0, np.where(tilted < up, 1.0, -1.0))
            u[:, p] = expit(at + shift * within + np.sqrt(within) * rng.standard_normal(people))
        return u, weights

    def _given(self, param: int, mu: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (group, person, draw) and variance (group, person, 1) of kernel times group."""
        own, group = self.variance[param][None, :, None], (tau**2)[:, None, None]
        share = group / (group + own)
        mean = share * self.z[param] + (1 - share) * mu[:, None, None]
        return mean, share * own


def _smoothed(z: np.ndarray, bandwidth: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres (draw, param) and kernel variance (param,) of one person's draws (draw, param)."""
    draws, params = z.shape
    mean = z.mean(0)
    sd = np.maximum(z.std(0), LEAST)
    scaled = (z - mean) / sd
    # einsum rather than BLAS, whose bits depend on the number of threads
    found = np.einsum("np,nq->pq", scaled, scaled) / draws
    certain = draws / (draws + params)
    correlation = certain * found + (1 - certain) * np.eye(params)
    np.fill_diagonal(correlation, 1)
    conditional = 1 / np.diag(np.linalg.inv(correlation))
    # in units of the conditional sds, where the kernel is a ball
    scale = np.sqrt(conditional)
    values, vectors = np.linalg.eigh(correlation / np.outer(scale, scale))
    share = min(bandwidth**2, 0.5 * values.min())
    shrink = np.sqrt(1 - share / values)
    turned = np.einsum("np,pk->nk", scaled / scale, vectors) * shrink
    centres = mean + np.einsum("nk,pk->np", turned, vectors) * scale * sd
    return centres, share * conditional * sd**2
