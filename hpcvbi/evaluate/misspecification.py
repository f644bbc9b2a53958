"""Could the model have made these recordings at all? Maximum mean discrepancy (MMD).

    MMD^2 = mean k(o, o') - 2 mean k(o, x) + mean k(x, x'),   k(a, b) = exp(-|a - b|^2 / (2 h^2))

of the recordings o and prior predictive draws x, with h the median distance of two draws. Under the
null hypothesis the recordings are draws: one recording is ranked among single held-out draws,
several among random groups of as many. A posterior learned for a recording that the model cannot
make answers for nothing, however well calibrated it is on the model's own data.

Schmitt, Bürkner, Köthe & Radev (2024), doi:10.1007/978-3-031-54605-1_35, arXiv:2112.08866;
Gretton, Borgwardt, Rasch, Schölkopf & Smola (2012), JMLR 13, 723.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist

from hpcvbi.core.errors import ConfigError, TooFewSurvivors
from hpcvbi.core.seeds import generator
from hpcvbi.evaluate.reference import beside


@dataclass(frozen=True, eq=False)
class Misspecification:
    """MMD of the recordings from the prior predictive, its p-value, and the null's (group,)."""

    mmd: float
    p_value: float
    null: np.ndarray
    bandwidth: float  # in robust standard deviations of the features
    recordings: int
    left_out: int

    def possible(self, alpha: float = 0.05) -> bool:
        """Whether the recordings are no farther from the model's than chance allows."""
        return self.p_value > alpha


def mmd_check(
    recorded: np.ndarray, draws: np.ndarray, seed: int, groups: int = 999
) -> Misspecification:
    """MMD of `recorded` (feature,) or (recording, feature) from prior predictive `draws` (draw,
    feature).

    Raises
    ------
    DataError
        Where a recording is not finite, or has other features than the draws.
    TooFewSurvivors
        Where fewer than 78 draws are finite, or fewer than 20 for each recording.
    """
    if groups < 19:
        raise ConfigError(f"{groups} groups cannot give p <= .05: use 19 at least, 999 by default")
    parts = beside(recorded, draws, seed)
    n = len(parts.recorded)
    if n > 1 and len(parts.held) < 10 * n:
        raise TooFewSurvivors(
            f"{n} recordings need {20 * n} finite draws, got {2 * len(parts.held)}: simulate more"
        )
    distances = pdist(parts.reference)
    bandwidth = float(np.median(distances)) or 1.0
    size = len(parts.reference)
    kernel = np.exp(-0.5 * (distances / bandwidth) ** 2)
    within = (2 * kernel.sum() + size) / size**2
    del distances, kernel

    towards = _kernel(parts.held, parts.reference, bandwidth).mean(1)
    towards_recorded = _kernel(parts.recorded, parts.reference, bandwidth).mean(1)
    own = _kernel(parts.recorded, parts.recorded, bandwidth).mean()
    squared = own - 2 * towards_recorded.mean() + within
    if n == 1:
        null = 1.0 - 2 * towards + within
    else:
        among = _kernel(parts.held, parts.held, bandwidth)
        rng = generator("mmd groups", seed)
        null = np.empty(groups)
        for group in range(groups):
            members = rng.choice(len(towards), n, replace=False)
            mutual = among[np.ix_(members, members)].mean()
            null[group] = mutual - 2 * towards[members].mean() + within
    # Equal up to rounding counts as equal: against claiming a misfit.
    as_far = (null >= squared * (1 - 1e-12)).sum()
    return Misspecification(
        mmd=float(np.sqrt(max(squared, 0.0))),
        p_value=float((1 + as_far) / (1 + len(null))),
        null=np.sqrt(np.maximum(null, 0.0)),
        bandwidth=bandwidth,
        recordings=n,
        left_out=parts.left_out,
    )


def _kernel(a: np.ndarray, b: np.ndarray, bandwidth: float) -> np.ndarray:
    return np.exp(-0.5 * (cdist(a, b) / bandwidth) ** 2)
