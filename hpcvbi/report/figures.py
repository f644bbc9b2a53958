"""A person's posterior, FC matrices and predictive check, one small function each."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hpcvbi.core.pairs import correlation, from_upper
from hpcvbi.report.read import Evidence, Judged, Parameter
from hpcvbi.report.style import (
    BLUE,
    GREY,
    INK,
    PALE,
    VERMILION,
    bare,
    blank,
    place,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 48
SHADES = 40
"""Colours of a matrix; more cannot be told apart, and make the file larger."""
FAR = 2.0
"""Half ranges from the middle beyond which a recorded value is drawn at the margin."""


@styled
def pair_plot(result: Judged, evidence: Evidence) -> "Figure":
    """Draw the posterior over the whole extent of the prior: each parameter, and every two."""
    n = len(result.params)
    size = max(3.2, 1.5 * n + 0.7)
    figure = blank(size + 0.4, size if n > 1 else 2.4)
    grid = figure.subplots(n, n, squeeze=False)
    for row, p in enumerate(result.params):
        for column, q in enumerate(result.params):
            axes, x, y = grid[row, column], evidence.samples[:, column], evidence.samples[:, row]
            if column > row:
                axes.set_axis_off()
                r = round(float(correlation(x, y)), 2) + 0.0  # no minus zero
                axes.text(0.5, 0.5, f"r = {r:.2f}", ha="center", va="center", color=GREY)
                continue
            place(axes.xaxis, q.kind, q.low, q.high)
            if column == row:
                marginal(axes, q, x)
            else:
                place(axes.yaxis, p.kind, p.low, p.high)
                axes.scatter(x, y, s=5, color=BLUE, alpha=0.25, linewidths=0, rasterized=True)
            axes.set_xlabel(q.label if row == n - 1 else "")
            axes.set_ylabel(p.label if column == 0 and row > 0 else "")
            axes.tick_params(labelbottom=row == n - 1, labelleft=column == 0 and row > 0)
    return figure


def marginal(axes: "Axes", p: Parameter, samples: np.ndarray) -> None:
    """Draw the posterior of one parameter over the extent of its prior."""
    # bins of equal prior mass: the prior is flat at 1, whatever its scale
    share, edges = np.histogram(p.prior.cdf(samples), BINS, (0.0, 1.0))
    density = share * BINS / len(samples)
    axes.stairs(density, p.prior.quantile(edges), fill=True, color=BLUE, alpha=0.85)
    axes.plot([p.low, p.high], [1, 1], color=INK, linestyle=(0, (3, 2)), linewidth=1)
    bare(axes)
    axes.set(yticks=[], ylim=(0, 1.08 * max(1.5, density.max())))


@styled
def fc_matrices(result: Judged, evidence: Evidence) -> "Figure":
    """Draw recorded FC beside the mean predicted FC, without and with measurement noise."""
    from matplotlib import colormaps

    shown = [("recorded", evidence.recorded_fc), ("model", evidence.model_fc)]
    if not np.array_equal(evidence.model_fc, evidence.noisy_fc):
        shown.append(("model + measurement noise", evidence.noisy_fc))
    order, ticks = _by_hemisphere(evidence.regions)
    limit = max(float(np.quantile(np.abs(fc), 0.995)) for _, fc in shown)
    colours = colormaps["RdBu_r"].resampled(SHADES)
    figure = blank(2.45 * len(shown) + 0.7, 2.75)
    row = figure.subplots(1, len(shown))
    for axes, (title, fc) in zip(row, shown, strict=True):
        matrix = from_upper(fc)[np.ix_(order, order)]
        np.fill_diagonal(matrix, np.nan)
        axes.imshow(matrix, cmap=colours, vmin=-limit, vmax=limit, interpolation="nearest")
        axes.set(xticks=list(ticks), yticks=list(ticks))
        axes.set_xticklabels(ticks.values())
        axes.set_yticklabels(ticks.values(), rotation=90, va="center")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        r = correlation(fc, evidence.recorded_fc)
        axes.set_title(f"{title}\n" if title == "recorded" else f"{title}\nr = {r:.2f}")
    bar = figure.colorbar(
        row[0].images[0], ax=row, shrink=0.8, pad=0.015, label="FC: Pearson correlation"
    )
    bar.outline.set_visible(False)
    return figure


def _by_hemisphere(regions: tuple[str, ...]) -> tuple[np.ndarray, dict[float, str]]:
    """Order left before right where all names end in L or R; return the tick labels too."""
    side = np.array([label[-1:].upper() for label in regions])
    if not (np.isin(side, ["L", "R"]).all() and (side == "L").any() and (side == "R").any()):
        return np.arange(len(regions)), {(len(regions) - 1) / 2: f"{len(regions)} regions"}
    left = int((side == "L").sum())
    middles = (left - 1) / 2, left + (len(regions) - left - 1) / 2
    return np.argsort(side, kind="stable"), dict(zip(middles, ("left", "right"), strict=True))


@styled
def predictive_check(result: Judged, evidence: Evidence) -> "Figure":
    """Draw each fitted feature of the recording against the range that the posterior predicts."""
    n = len(result.features)
    figure = blank(5.0, 0.85 + 0.32 * n)
    axes = figure.subplots()
    axes.axvspan(-1, 1, color=PALE, linewidth=0, zorder=0)
    jitter = np.random.default_rng(0)
    numbers = [result.numbers[f"feature_{k}"] for k in ("recorded", "lower", "upper", "inside")]
    texts = []
    for row, (recorded, lower, upper, inside) in enumerate(zip(*numbers, strict=True)):
        half = (upper - lower) / 2 or 1.0
        draws = (evidence.predicted_features[:, row] - (lower + upper) / 2) / half
        draws = np.clip(draws[np.isfinite(draws)], -FAR, FAR)
        height = row + jitter.uniform(-0.22, 0.22, len(draws))
        axes.scatter(draws, height, s=5, color=BLUE, alpha=0.4, linewidths=0, rasterized=True)
        z = (recorded - (lower + upper) / 2) / half
        far = "<" if z < -FAR else ">" if z > FAR else "D"
        colour = INK if inside else VERMILION
        mark: dict[str, Any] = {
            "s": 34,
            "color": colour,
            "edgecolors": "white",
            "linewidths": 0.8,
            "zorder": 3,
        }
        axes.scatter([np.clip(z, -FAR, FAR)], [row], marker=far, **mark)
        word = "" if inside else "  OUTSIDE"
        texts.append(f"{recorded:.3g}   ({lower:.3g} to {upper:.3g}){word}")
    axes.set(yticks=range(n), ylim=(n - 0.5, -0.5), xlim=(-FAR * 1.08, FAR * 1.08))
    axes.set_yticklabels(result.features)
    bare(axes)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(n), texts)
    right.tick_params(right=False)
    right.spines["right"].set_visible(False)
    for label, inside in zip(right.get_yticklabels(), numbers[-1], strict=True):
        label.set_color(INK if inside else VERMILION)
        label.set_fontweight("normal" if inside else "bold")
    axes.set_xlabel("distance from the middle of the predictive range [half ranges]")
    return figure
