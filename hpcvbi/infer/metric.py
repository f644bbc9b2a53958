"""How far features lie from the observed ones, learned from simulated draws by pyABC's distances.

With features z = (x - center) / scale, robustly scaled once and for all, so that no unit is too
small for pyABC to see, and statistics s = z, or s = P z + b or s = P max(0, H z + h) + b where they
are learned,

    d(x, x_o) = ( sum_k |w_k (s_k(x) - s_k(x_o))|^p )^(1/p).

All that is fitted is kept as arrays, so that distances, and with them epsilons, are the same after
a resume as before.

Prangle (2017), Adapting the ABC distance function, DOI 10.1214/16-BA1002. Fearnhead & Prangle
(2012), Constructing summary statistics for ABC, DOI 10.1111/j.1467-9868.2011.01010.x. Schaelte &
Hasenauer (2023), Informative and adaptive distances and summary statistics in sequential ABC, DOI
10.1371/journal.pone.0285836. Bernton, Jacob, Gerber & Robert (2019), ABC with the Wasserstein
distance, DOI 10.1111/rssb.12312.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer.isolation import numpy_seeded
from hpcvbi.infer.pyabc_parts import KEY, pyabc, quiet, sample_of
from hpcvbi.infer.table import NORMAL, inverse, norm, robust

ROWS = 4096
"""Draws that a distance is fitted to at most: it looks at them one by one."""
DECAY, EPOCHS = 1e-2, 500
"""Of the network of learned statistics: penalty of its weights, and steps of its fit."""
BOUND = 20.0
"""Robust standard deviations beyond which a feature is cut off before anything is regressed on it:
one wild draw would decide the fit.
"""


@dataclass(frozen=True, eq=False)
class Metric:
    """`center` and `scale` (feature,); of learned statistics `hidden` (unit, feature),
    `hidden_offset` (unit,), `projection` (learned, unit) and `offset` (learned,), without units
    where they are linear, and without any for the features themselves; `weights` (statistic,), p.
    """

    center: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_offset: np.ndarray
    projection: np.ndarray
    offset: np.ndarray
    weights: np.ndarray
    p: float
    ordered: bool

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Return scaled features (row, feature); in ascending order where only their distribution
        counts.
        """
        z = (x - self.center) * inverse(self.scale)
        return np.sort(z, axis=1) if self.ordered else z

    def statistics(self, x: np.ndarray) -> np.ndarray:
        """Return the statistics (row, statistic) of features (row, feature)."""
        z = self.scaled(x)
        if not len(self.offset):
            return z
        z = np.clip(z, -BOUND, BOUND)
        # the same bits for a row among any others, which a matrix product does not promise
        if len(self.hidden_offset):
            z = np.maximum(np.einsum("rf,uf->ru", z, self.hidden) + self.hidden_offset, 0.0)
        return np.einsum("rf,lf->rl", z, self.projection) + self.offset

    def __call__(self, x: np.ndarray, to: np.ndarray) -> np.ndarray:
        """Return the distances (row,) of features (row, feature) to `to` (feature,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            statistics, target = self.statistics(x), self.statistics(to[None])[0]
        return norm(self.weights, self.p)(statistics, target)


def _deviation(*, samples: np.ndarray, **_: Any) -> np.ndarray:
    """Return the median absolute deviation (statistic,) of rows (row, statistic), all finite; where
    more than half share a value, the standard deviation in its units: of a deviation of 0 pyABC
    makes a weight of 0, and the other rows would tell nothing.
    """
    found = np.median(np.abs(samples - np.median(samples, axis=0)), axis=0)
    spread = np.nan_to_num(samples.std(axis=0)) / NORMAL
    return np.where(np.isclose(found, 0.0), spread, found)


def _typical(*, samples: np.ndarray, **_: Any) -> float:
    """Return the median of distances (row,), and their mean where more than half are 0."""
    found = np.median(samples)
    return float(samples.mean() if np.isclose(found, 0.0) else found)


def _p_norm(package: Any, p: float, statistics: Any, n: int) -> Any:
    return package.AdaptivePNormDistance(
        p=p, sumstat=statistics, fit_scale_ixs={0}, scale_function=_deviation
    )


def _info_weighted(package: Any, p: float, statistics: Any, n: int) -> Any:
    from pyabc.predictor import LinearPredictor  # pyright: ignore[reportMissingImports]

    return package.InfoWeightedPNormDistance(
        predictor=LinearPredictor(log_pearson=False),
        p=p,
        sumstat=statistics,
        fit_scale_ixs={0},
        fit_info_ixs={0},
        scale_function=_deviation,
    )


def _aggregated(package: Any, p: float, statistics: Any, n: int) -> Any:
    def apart(number: int) -> Callable[[Any, Any], float]:
        return lambda x, x_0: abs(x[KEY][number] - x_0[KEY][number])

    each = [apart(number) for number in range(n)]
    return package.AdaptiveAggregatedDistance(each, scale_function=_typical)


DISTANCES: dict[str, Callable[[Any, float, Any, int], Any]] = {
    "p_norm": _p_norm,
    "info_weighted": _info_weighted,
    "aggregated": _aggregated,
    "wasserstein": _p_norm,
}
"""pyABC's distances. `aggregated` adds up the distances in every feature, each in units of its
median, or mean; `wasserstein` compares how features are distributed among themselves, and so needs
features of one kind, such as all correlations of a matrix.
"""


Layers = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""`hidden`, `hidden_offset`, `projection` and `offset` of a metric."""


def _features(package: Any) -> Any:
    return package.sumstat.IdentitySumstat()


def _linear(package: Any) -> Any:
    from pyabc.predictor import LinearPredictor  # pyright: ignore[reportMissingImports]

    return package.sumstat.PredictorSumstat(LinearPredictor(log_pearson=False), fit_ixs={0})


def _network(package: Any) -> Any:
    from pyabc.predictor import MLPPredictor  # pyright: ignore[reportMissingImports]

    predictor = MLPPredictor(log_pearson=False, alpha=DECAY, max_iter=EPOCHS)
    return package.sumstat.PredictorSumstat(predictor, fit_ixs={0})


def _no_layers(statistics: Any, n: int) -> Layers:
    return np.zeros((0, n)), np.zeros(0), np.zeros((0, n)), np.zeros(0)


def _affine(statistics: Any, n: int) -> Layers:
    """Return what affine statistics do to unit vectors."""
    offset = np.asarray(statistics({KEY: np.zeros(n)}), float).ravel()
    columns = [np.asarray(statistics({KEY: row}), float).ravel() - offset for row in np.eye(n)]
    return np.zeros((0, n)), np.zeros(0), np.stack(columns, axis=1), offset


def _of_network(statistics: Any, n: int) -> Layers:
    """Return the layers of a network, the first with pyABC's scaling in it."""
    fitted = statistics.predictor
    (into, out), (first, last) = fitted.predictor.coefs_, fitted.predictor.intercepts_
    hidden = np.zeros((len(first), n))
    hidden[:, fitted.use_ixs] = into.T / fitted.std_x
    shift = first - (into.T / fitted.std_x) @ fitted.mean_x
    return hidden, np.array(shift, float), np.array(out.T, float), np.array(last, float)


STATISTICS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, int], Layers]]] = {
    "none": (_features, _no_layers),
    "linear": (_linear, _affine),
    "network": (_network, _of_network),
}
"""Summary statistics: the features, or what predicts each parameter best from them."""


def _scale_weights(distance: Any, width: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(distance.get_weights(0), float), (width,)).copy()


def _sum_weights(distance: Any, width: int) -> np.ndarray:
    return np.asarray(distance.weights[0], float)


def _rank_weights(distance: Any, width: int) -> np.ndarray:
    return np.full(width, width ** (-1.0 / distance.p))  # a rank is no feature: all count alike


WEIGHTS: dict[str, Callable[[Any, int], np.ndarray]] = {
    "p_norm": _scale_weights,
    "info_weighted": _scale_weights,
    "aggregated": _sum_weights,
    "wasserstein": _rank_weights,
}
"""The weights of so many statistics, from a distance that is fitted."""
LEARN = ("p_norm",)
"""Distances that take learned statistics."""


def rows_to_fit(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows that a distance is fitted to, at most `ROWS` of those given, in order."""
    if len(rows) <= ROWS:
        return rows
    return np.sort(generator("metric rows", seed).choice(rows, ROWS, replace=False))


@dataclass(frozen=True)
class Measure:
    """Names of a distance and of summary statistics, and p."""

    distance: str
    statistics: str
    p: float

    def __post_init__(self) -> None:
        for name, known in (("distance", DISTANCES), ("statistics", STATISTICS)):
            if (given := getattr(self, name)) not in known:
                raise ConfigError(f"there is no {name} {given!r}. Known: {', '.join(known)}")
        if self.statistics != "none" and self.distance not in LEARN:
            raise ConfigError(
                f"distance {self.distance!r} takes the features as they are: write statistics: none"
            )
        if self.distance == "aggregated" and self.p != 1:
            raise ConfigError(f"an aggregated distance is a sum: write p: 1, got {self.p!r}")

    @property
    def regresses(self) -> bool:
        """Whether anything is regressed on features, for statistics or for weights."""
        return self.statistics != "none" or self.distance == "info_weighted"

    def scaling(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return centre and scale (feature,) of rows (row, feature), all finite."""
        center, scale = robust(x)
        if self.distance == "wasserstein":
            return np.zeros(len(center)), np.full(len(scale), np.median(scale))
        return center, scale

    def metric(
        self, center: np.ndarray, scale: np.ndarray, layers: Layers, weights: np.ndarray
    ) -> Metric:
        """Return the metric that these arrays make."""
        ordered = self.distance == "wasserstein"
        return Metric(center, scale, *layers, weights, self.p, ordered)

    def plain(self, center: np.ndarray, scale: np.ndarray, weights: np.ndarray) -> Metric:
        """Return the metric of the features themselves."""
        return self.metric(center, scale, _no_layers(None, len(center)), weights)

    def fit(
        self,
        center: np.ndarray,
        scale: np.ndarray,
        u: np.ndarray,
        x: np.ndarray,
        accepted: np.ndarray,
        x_observed: np.ndarray,
        seed: int,
    ) -> Metric:
        """Fit to draws `u` (row, param) with finite features `x` (row, feature)."""
        package, n = pyabc(), x.shape[1]
        plain = self.plain(center, scale, np.ones(n))
        bound = BOUND if self.regresses else np.inf
        z = np.clip(plain.scaled(x), -bound, bound)
        target = {KEY: np.clip(plain.scaled(x_observed[None])[0], -bound, bound)}
        if not (z != z[0]).any():  # nothing to learn from
            return plain
        build, layers_of = STATISTICS[self.statistics]
        statistics = build(package)
        distance = DISTANCES[self.distance](package, self.p, statistics, n)
        sample = sample_of(u, z, accepted)
        seeded = numpy_seeded(derive_seed("metric", seed))
        alone = threadpool_limits(1, "blas")  # last bits depend on the number
        with seeded, alone, np.errstate(all="ignore"), warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")  # of fits that go on improving
            distance.initialize(t=0, get_sample=lambda: sample, x_0=target, total_sims=len(u))
        layers = layers_of(statistics, n)
        weights = WEIGHTS[self.distance](distance, len(layers[-1]) or n)
        return self.metric(center, scale, layers, weights)
