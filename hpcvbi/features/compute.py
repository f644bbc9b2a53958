"""The entry point: the same few lines for every simulated draw and for the recording.

Draws are treated one by one: a draw's numbers then cannot depend on which block it travels in, its
400 kB stay in the cache, and whole-batch transforms were measured to cost the same per draw. BLAS
has one thread: the last bits of its sums depend on their number. CPU ms per draw of 1200 x 80
float32, on a shared 2-core AMD EPYC (Zen 5), fastest run to median under load: the 11 FC summaries
1.6-2.7, with band-pass 2.4-3.3; the FCD family adds 4-7.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
from threadpoolctl import threadpool_limits

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.features.curves import CURVES
from hpcvbi.features.dynamics import DYNAMICS
from hpcvbi.features.fc_summaries import FC_SUMMARIES
from hpcvbi.features.view import Context, Feature, View

GROUPS: dict[str, dict[str, Feature]] = {"fc": FC_SUMMARIES, "dynamics": DYNAMICS}
FEATURES: dict[str, Feature] = {
    name: feature for group in GROUPS.values() for name, feature in group.items()
}


@dataclass(frozen=True, eq=False)
class Measured:
    """Features (draw, feature) in the order of the names, functional connectivity (draw, pair), and
    the curves (draw, point) that were asked for; float64.

    A draw whose signal is not finite, or has a region that does not vary, has NaN in all its
    features.
    """

    features: np.ndarray
    fc: np.ndarray
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)


def check(names: Sequence[str], context: Context) -> None:
    """Raise ConfigError where a name is unknown or repeated, or needs what the context lacks."""
    for name in names:
        if name not in FEATURES:
            near = get_close_matches(name, FEATURES, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"features: there is no {name!r}; did you mean {near!r}? "
                f"Known: {', '.join(FEATURES)}"
            )
        for need in FEATURES[name].needs:
            if getattr(context, need) is None:
                able = [n for n, f in FEATURES.items() if need not in f.needs]
                raise ConfigError(
                    f"features: {name!r} needs {need}, which this person's data do not have: "
                    f"provide {need}, or use only features without it: {', '.join(able)}"
                )
    if len(set(names)) != len(names):
        raise ConfigError(
            f"features: named twice: {sorted({n for n in names if names.count(n) > 1})}"
        )


def groups_of(names: Sequence[str]) -> dict[str, str]:
    """Return the group of each feature, in their order."""
    return {name: group for name in names for group, known in GROUPS.items() if name in known}


def measure(
    names: Sequence[str], signals: np.ndarray, context: Context, curves: Sequence[str] = ()
) -> Measured:
    """Features, FC and `curves` of `signals` (draw, time, region); a recording is a batch of one.

    Raises
    ------
    ConfigError
        Unknown feature, or one that needs what the context lacks.
    DataError
        Signals whose shape does not fit the context.
    """
    check(names, context)
    signals = np.asarray(signals)
    _check_shape(signals, context)
    n_draws, n_frames, n_regions = signals.shape
    features = np.full((n_draws, len(names)), np.nan)
    fc = np.full((n_draws, n_regions * (n_regions - 1) // 2), np.nan)
    points = {name: len(CURVES[name].points(n_frames, context.tr_s)) for name in curves}
    drawn = {name: np.full((n_draws, size), np.nan) for name, size in points.items()}
    with threadpool_limits(1, "blas"):
        for draw, signal in enumerate(signals):
            if not np.isfinite(signal).all():
                continue
            view = View(signal, context)
            fc[draw] = view.fc
            if np.isfinite(view.fc).all():
                features[draw] = [FEATURES[name].function(view) for name in names]
                for name, curve in drawn.items():
                    curve[draw] = CURVES[name].function(view)
    return Measured(features, fc, drawn)


def compute(names: Sequence[str], signal: np.ndarray, context: Context) -> np.ndarray:
    """Features (feature,) of a signal (time, region), (draw, feature) of (draw, time, region)."""
    signal = np.asarray(signal)
    if signal.ndim == 2:
        return measure(names, signal[None], context).features[0]
    return measure(names, signal, context).features


def _check_shape(signals: np.ndarray, context: Context) -> None:
    if signals.ndim != 3 or signals.shape[1] < 2 or signals.shape[2] < 2:
        raise DataError(
            f"signals must have shape (draw, time, region) with 2 frames and 2 regions at least, "
            f"got {signals.shape}"
        )
    n_regions = signals.shape[2]
    if context.weights is not None and len(context.weights) != n_regions:
        raise DataError(
            f"signals have {n_regions} regions, weights {len(context.weights)}: "
            f"take the same regions of both"
        )
    if context.homotopic is not None and np.max(context.homotopic) >= n_regions:
        raise DataError(
            f"signals have {n_regions} regions, homotopic names region {np.max(context.homotopic)}"
        )
