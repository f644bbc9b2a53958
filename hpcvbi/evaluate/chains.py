"""Have Markov chains mixed, and how many independent draws are they worth?

Each chain is cut in halves, draws are replaced by normal scores of their ranks (z = Phi^-1((r -
3/8) / (S + 1/4))), so that neither scale nor tails matter, and

    Rhat = sqrt((W (n - 1) / n + B / n) / W)          W, B: variance within, between the M halves
    ESS  = M n / tau,   tau = -1 + 2 sum of rho_t over pairs of lags, while pairs fall and are > 0

Bulk ESS is that of z; tail ESS the smaller one of the indicators of the 5 % and 95 % quantile; Rhat
the larger one of z and of the folded |draw - median|. Chains are fine with Rhat < 1.01 and an ESS
of 100 per chain.

Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Anal. 16, 667,
doi:10.1214/20-BA1221; pairs of lags: Geyer (1992), Stat. Sci. 7, 473, doi:10.1214/ss/1177011137.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from hpcvbi.core.errors import DataError


@dataclass(frozen=True, eq=False)
class Chains:
    """Potential scale reduction, effective number of draws in the bulk and in the tails: (param,);
    NaN where a parameter never moves.
    """

    rhat: np.ndarray
    bulk: np.ndarray
    tail: np.ndarray
    draws: int  # of all chains


def judge_chains(chains: np.ndarray) -> Chains:
    """Judge `chains` (chain, draw, param), 8 draws at least each.

    Raises
    ------
    DataError
        Where chains are too short, or not finite.
    """
    chains = np.asarray(chains, float)
    if chains.ndim != 3 or not chains.size or chains.shape[1] < 8 or not np.isfinite(chains).all():
        raise DataError(
            f"chains must be finite, (chain, draw, param), 8 draws at least: got {chains.shape}"
        )
    half = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :half], chains[:, -half:]])
    rows = [_judge(halves[..., p], chains[..., p]) for p in range(chains.shape[2])]
    rhat, bulk, tail = np.array(rows).T
    return Chains(rhat, bulk, tail, chains.shape[0] * chains.shape[1])


def _judge(halves: np.ndarray, whole: np.ndarray) -> tuple[float, float, float]:
    if np.ptp(halves) == 0:
        return np.nan, np.nan, np.nan
    scores = _scores(halves)
    folded = _scores(np.abs(halves - np.median(halves)))
    low, high = np.quantile(whole, [0.05, 0.95])
    tails = [_effective((halves <= q).astype(float)) for q in (low, high)]
    return max(_rhat(scores), _rhat(folded)), _effective(scores), min(tails)


def _scores(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata  # takes a second, which no command should wait for in vain

    ranks = rankdata(values, axis=None).reshape(values.shape)
    return ndtri((ranks - 0.375) / (values.size + 0.25))


def _rhat(values: np.ndarray) -> float:
    n = values.shape[1]
    within, between = values.var(1, ddof=1).mean(), values.mean(1).var(ddof=1)
    if within == 0:
        return np.inf if between > 0 else np.nan
    return float(np.sqrt((n - 1) / n + between / within))


def _effective(values: np.ndarray) -> float:
    n = values.shape[1]
    if np.ptp(values) == 0:
        return float(values.size)
    covariance = _autocovariance(values)
    within = covariance[:, 0].mean() * n / (n - 1)
    spread = within * (n - 1) / n + values.mean(1).var(ddof=1)
    rho = 1 - (within - covariance.mean(0) * n / (n - 1)) / spread
    rho[0] = 1.0
    pairs = rho[0 : 2 * (n // 2) : 2] + rho[1::2][: n // 2]
    # Beyond the first pair that is not positive there is noise only; noise never rises again.
    ends = np.flatnonzero(pairs <= 0)
    last = ends[0] if len(ends) else len(pairs)
    total = -1 + 2 * np.minimum.accumulate(pairs[:last]).sum()
    if last < len(pairs):
        total += max(rho[2 * last], 0.0)
    return float(values.size / max(total, 1 / np.log10(values.size)))


def _autocovariance(values: np.ndarray) -> np.ndarray:
    """Autocovariance (chain, lag), divided by the number of draws at every lag."""
    n = values.shape[1]
    centred = values - values.mean(1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * n, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=1)[:, :n] / n
