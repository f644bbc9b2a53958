"""Local classifier two-sample test (L-C2ST): is the posterior right at this one observation?

A classifier d(u, x) learns, over calibration cases, to tell the true (u, x) from (q, x), where q is
one draw of the estimated posterior at x. At the observation,

    t = mean over posterior draws u at x_observed of (d(u, x_observed) - 1/2)^2

is 0 where the estimate is exact. Under the null hypothesis true and drawn parameters of a case may
be exchanged: classifiers learned with random exchanges give the distribution of t, and

    p = (1 + number of t_null >= t) / (1 + trials).

Calibration cases must come from the prior, or from the truncated prior the posterior is for.

Linhart, Gramfort & Rodrigues (2023), NeurIPS, arXiv:2306.03580.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.evaluate.two_samples import classifier, standardised

MIN_CASES = 40
# More units cost more than they tell, where features are many.
MOST_UNITS = 64
# Weights are penalised, as by a normal prior of that precision: a network that is only stopped
# early by held-out points learns chance under the null, and hides what is wrong behind it. At 6,
# chance still hides errors in 5 parameters and 20 features of 1000 cases; at 30, weights go to
# zero, right or wrong. The p-value holds for any.
PENALTY = 10.0
STEPS = 100


@dataclass(frozen=True, eq=False)
class LocalTest:
    """Statistic at the observation, its p-value, and the statistics under the null (trial,).

    `probability` (draw,) is the classifier's that a posterior draw is a true one: below 1/2 where
    the posterior puts too much, above where too little.
    """

    statistic: float
    p_value: float
    null: np.ndarray
    probability: np.ndarray
    cases: int

    def right(self, alpha: float = 0.05) -> bool:
        """Whether the posterior is not found wrong at the observation."""
        return self.p_value > alpha


def local_c2st(
    u: np.ndarray,
    x: np.ndarray,
    q: np.ndarray,
    posterior: np.ndarray,
    x_observed: np.ndarray,
    seed: int,
    trials: int = 99,
) -> LocalTest:
    """Test the `posterior` draws (draw, param) at `x_observed` (feature,), from calibration cases:
    truths `u` (case, param), data `x` (case, feature), and one posterior draw `q` (case, param)
    each.

    Cases whose data are not finite are left out. It trains `trials` + 1 small networks.

    Raises
    ------
    DataError
        Where shapes do not fit, or fewer than 40 cases are finite.
    ConfigError
        Where there are fewer than 19 trials: no p-value could be below .05.
    """
    from threadpoolctl import threadpool_limits

    u, x, q, posterior, x_observed = (
        np.asarray(a, float) for a in (u, x, q, posterior, x_observed)
    )
    _check(u, x, q, posterior, x_observed)
    if trials < 19:
        raise ConfigError(f"{trials} trials cannot give p <= .05: use 19 at least, 99 by default")
    whole = np.all(np.isfinite(np.hstack([u, x, q])), axis=1)
    u, x, q = u[whole], x[whole], q[whole]
    if len(u) < MIN_CASES:
        raise DataError(
            f"L-C2ST needs {MIN_CASES} finite calibration cases, got {len(u)} of {len(whole)}: "
            f"simulate more"
        )
    # A scale of both alike: an exchange must not change it.
    both = np.vstack([u, q])
    true, drawn = standardised(u, both), standardised(q, both)
    data = standardised(x, x)
    at = np.hstack(
        [
            standardised(posterior, both),
            np.repeat(standardised(x_observed[None], x), len(posterior), axis=0),
        ]
    )
    with threadpool_limits(1):
        probability = _learned(true, drawn, data, at, derive_seed("local c2st", seed))
        null = np.empty(trials)
        for trial in range(trials):
            swap = generator("local c2st exchange", seed, trial).random(len(u)) < 0.5
            a, b = (np.where(swap[:, None], *pair) for pair in ((drawn, true), (true, drawn)))
            own = derive_seed("local c2st null", seed, trial)
            null[trial] = _statistic(_learned(a, b, data, at, own))
    statistic = _statistic(probability)
    p_value = (1 + (null >= statistic).sum()) / (1 + trials)
    return LocalTest(statistic, float(p_value), null, probability, len(u))


def _learned(
    true: np.ndarray, drawn: np.ndarray, data: np.ndarray, at: np.ndarray, seed: int
) -> np.ndarray:
    """Probability (draw,) of being true, at the points `at`, of a classifier of true from drawn."""
    from sklearn.exceptions import ConvergenceWarning

    points = np.vstack([np.hstack([drawn, data]), np.hstack([true, data])])
    width = min(MOST_UNITS, 10 * points.shape[1])
    network = classifier(width, seed, solver="lbfgs", alpha=PENALTY, max_iter=STEPS)
    with warnings.catch_warnings():
        # Stopping before convergence is one more way to keep the network smooth.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(points, np.repeat([0, 1], len(true)))
    return np.asarray(network.predict_proba(at))[:, 1]


def _statistic(probability: np.ndarray) -> float:
    return float(((probability - 0.5) ** 2).mean())


def _check(
    u: np.ndarray, x: np.ndarray, q: np.ndarray, posterior: np.ndarray, x_observed: np.ndarray
) -> None:
    if (
        u.ndim != 2
        or q.shape != u.shape
        or x.ndim != 2
        or len(x) != len(u)
        or posterior.ndim != 2
        or not len(posterior)
        or posterior.shape[1] != u.shape[1]
        or x_observed.shape != x.shape[1:]
    ):
        raise DataError(
            f"L-C2ST needs u and q (case, param), x (case, feature), a posterior (draw, param) and "
            f"x_observed (feature,), got {u.shape}, {q.shape}, {x.shape}, {posterior.shape} and "
            f"{x_observed.shape}"
        )
    if not (np.isfinite(posterior).all() and np.isfinite(x_observed).all()):
        raise DataError("the posterior draws and x_observed must be finite")
