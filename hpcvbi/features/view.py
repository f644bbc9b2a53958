"""What a feature sees: one signal, filtered once, its FC computed once, and the brain's context."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.pairs import upper
from hpcvbi.features.fc import functional_connectivity
from hpcvbi.features.fcd import fcd_stream, functional_connectivity_dynamics
from hpcvbi.features.preprocess import bandpass, check_band

FCD_WINDOW_S = 60.0
# A window moves on by a quarter of its length: 20 frames at a TR of .72 s.
FCD_OVERLAP = 4
# log(0) is avoided by this share of the largest weight; it is about where tractography stops
# counting.
LOG_FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class Context:
    """What features may need besides the signal; the same for a person's recording and all the
    simulations.

    `tr_s` [s] between frames; `weights` (to, from) of the connectome [1]; `homotopic` (pair, 2),
    the left and the right region of every homotopic pair, 0-based (AAL2: region 2k and 2k+1);
    `band_hz` [Hz], edges of the band-pass, or None for none. Regions in no homotopic pair belong to
    no hemisphere.
    """

    tr_s: float
    weights: np.ndarray | None = None
    homotopic: np.ndarray | None = None
    band_hz: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.tr_s) and self.tr_s > 0):
            raise ConfigError(f"tr_s must be a positive number of seconds, got {self.tr_s!r}")
        if self.band_hz is not None:
            check_band(self.tr_s, *self.band_hz)
        if self.weights is not None:
            self._check_weights(np.asarray(self.weights))
        if self.homotopic is not None:
            self._check_homotopic(np.asarray(self.homotopic))

    @staticmethod
    def _check_weights(weights: np.ndarray) -> None:
        if (
            weights.ndim != 2
            or weights.shape[0] != weights.shape[1]
            or not np.isfinite(weights).all()
        ):
            raise ConfigError(
                f"weights must be a finite square matrix (to, from), got {weights.shape}"
            )
        if (weights < 0).any():
            raise ConfigError("weights must not be negative: features take the logarithm of them")

    def _check_homotopic(self, pairs: np.ndarray) -> None:
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.issubdtype(pairs.dtype, np.integer):
            raise ConfigError(
                f"homotopic must be integers of shape (pair, 2), left and right region, got "
                f"{pairs.dtype} of shape {pairs.shape}"
            )
        n_regions = np.inf if self.weights is None else len(self.weights)
        if pairs.size == 0 or pairs.min() < 0 or pairs.max() >= n_regions:
            raise ConfigError(f"homotopic names regions outside 0 ... {n_regions - 1:g}, or none")
        if len(np.unique(pairs)) != pairs.size:
            raise ConfigError("homotopic names a region twice: a region has one partner")

    @cached_property
    def _symmetric(self) -> np.ndarray:
        weights = np.asarray(self.weights, float)
        symmetric = (weights + weights.T) / 2
        np.fill_diagonal(symmetric, 0.0)
        return symmetric

    @cached_property
    def sc(self) -> np.ndarray:
        """Weights of the pairs, both directions averaged, shape (pair,)."""
        return upper(self._symmetric)

    @cached_property
    def log_sc(self) -> np.ndarray:
        """Logarithm of `sc` plus a thousandth of its largest value, shape (pair,)."""
        return np.log(self.sc + LOG_FLOOR * (self.sc.max() or 1.0))

    @cached_property
    def strength(self) -> np.ndarray:
        """Sum of each region's weights, both directions averaged, without the diagonal, shape
        (region,).
        """
        return self._symmetric.sum(1)


@dataclass(frozen=True, eq=False)
class View:
    """One signal (time, region) and its context; what features share is computed when first asked
    for.
    """

    raw: np.ndarray
    context: Context

    @cached_property
    def centred(self) -> np.ndarray:
        """Unfiltered signal without its mean, in units of each region's largest excursion, float32.

        float32 halves the cost of filter and FC; with mean and scale taken off before, features
        move by less than 1e-5 and no finite signal overflows. A region that does not vary is NaN:
        a filter would turn its rounding into a signal.
        """
        raw = self.raw if self.raw.dtype == np.float32 else self.raw.astype(np.float64)
        mean = raw.mean(0, dtype=np.float64).astype(raw.dtype)
        highest, lowest = raw.max(0), raw.min(0)
        largest = np.maximum(highest - mean, mean - lowest)
        flat = largest <= 4 * np.finfo(raw.dtype).eps * np.maximum(np.abs(highest), np.abs(lowest))
        return ((raw - mean) / np.where(flat, np.nan, largest)).astype(np.float32, copy=False)

    @cached_property
    def signal(self) -> np.ndarray:
        """The centred signal, band-passed where the context says so, (time, region), float32."""
        band = self.context.band_hz
        return self.centred if band is None else bandpass(self.centred, self.context.tr_s, *band)

    @cached_property
    def matrix(self) -> np.ndarray:
        """Functional connectivity, shape (region, region), float64."""
        return functional_connectivity(self.signal).astype(np.float64)

    @cached_property
    def fc(self) -> np.ndarray:
        """Functional connectivity of the pairs, shape (pair,)."""
        return upper(self.matrix)

    @cached_property
    def outer_deciles(self) -> np.ndarray:
        """The 10 % and the 90 % quantile of FC over pairs."""
        return np.quantile(self.fc, (0.1, 0.9))

    @cached_property
    def global_connectivity(self) -> np.ndarray:
        """Mean FC of each region with all the others, shape (region,)."""
        return (self.matrix.sum(1) - 1.0) / (len(self.matrix) - 1)

    @cached_property
    def window(self) -> tuple[int, int]:
        """Length and step of the FCD windows, in frames."""
        length = round(FCD_WINDOW_S / self.context.tr_s)
        return length, max(1, length // FCD_OVERLAP)

    @cached_property
    def fcd(self) -> np.ndarray:
        """Functional connectivity dynamics, shape (window, window)."""
        return functional_connectivity_dynamics(fcd_stream(self.signal, *self.window))


@dataclass(frozen=True)
class Feature:
    """One named number of a View; `needs` are the fields of the context without which it has no
    meaning.
    """

    function: Callable[[View], float]
    doc: str
    needs: tuple[str, ...] = ()
    unit: str = "1"
