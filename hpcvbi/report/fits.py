"""How well FC is met, beside what one would get without a posterior, or without a model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcvbi.report.read import Evidence, GridScan, Judged
from hpcvbi.report.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    bare,
    blank,
    place,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CORRELATION = "correlation with the recorded FC, r"

YARDSTICKS: dict[str, tuple[str, str | None, str, str]] = {
    "model, posterior": ("model_r", "model_r_sd", BLUE, "o"),
    "model, best of the grid": ("grid_model_r", "grid_model_r_sd", ORANGE, "s"),
    "linear network": ("linear_r", None, GREEN, "^"),
    "connectome (SC)": ("structure_r", None, GREY, "v"),
    "other people's mean FC": ("others_r", None, PURPLE, "P"),
    "posterior + noise": ("recorded_r", "recorded_r_sd", BLUE, "o"),
    "grid + noise": ("grid_recorded_r", "grid_recorded_r_sd", ORANGE, "s"),
    "noise pattern alone": ("noise_pattern_r", None, VERMILION, "X"),
}
"""Row -> value and standard deviation in EVALUATION, colour, marker; `noise` is of measurement."""
WITHOUT_NOISE = 5
"""So many rows compare the model's own FC; the others are under measurement noise."""


@styled
def yardsticks(result: Judged) -> "Figure":
    """Draw one person's FC fit beside every yardstick; bars are one standard deviation of draws."""
    figure = blank(5.0, 2.9)
    axes = figure.subplots()
    known = [k for k, (name, *_) in YARDSTICKS.items() if np.isfinite(result.number(name))]
    places = [row + (0.6 if row >= WITHOUT_NOISE else 0.0) for row in range(len(YARDSTICKS))]
    names = list(YARDSTICKS)
    for label in known:
        name, sd, colour, marker = YARDSTICKS[label]
        y, value = places[names.index(label)], result.number(name)
        hollow: dict[str, Any] = {"markerfacecolor": "white"} if y >= WITHOUT_NOISE else {}
        error = result.number(sd) if sd else None
        axes.errorbar(value, y, xerr=error, fmt=marker, color=colour, capsize=2, **hollow)
        reach = max(value, value + (error or 0.0))
        axes.annotate(
            f"{value:.2f}", (reach, y), (6, 0), textcoords="offset points", va="center", color=INK
        )
    axes.axvline(result.number("model_r"), color=BLUE, linewidth=0.8, alpha=0.4, zorder=0)
    axes.axhline(WITHOUT_NOISE - 0.2, color=GREY, linewidth=0.6, alpha=0.6)
    lowest = min(result.number(YARDSTICKS[label][0]) for label in known)
    axes.set(yticks=places, ylim=(places[-1] + 0.6, -0.6), xlim=(min(0.0, lowest - 0.05), 1.08))
    axes.set_yticklabels(names)
    bare(axes)
    axes.set_xticks(np.arange(np.ceil(5 * min(0.0, lowest)) / 5, 1.01, 0.2))
    axes.set_xlabel(CORRELATION)
    return figure


@styled
def overview(results: Sequence[Judged]) -> "Figure":
    """Draw everybody's model FC fit and its yardsticks, a row per person."""
    figure = blank(7.2, 1.3 + 0.36 * len(results))
    axes = figure.subplots()
    for label in list(YARDSTICKS)[:WITHOUT_NOISE]:
        name, sd, colour, marker = YARDSTICKS[label]
        values = np.array([result.number(name) for result in results])
        errors = np.array([result.number(sd) for result in results]) if sd else None
        # the two fits that are compared stand one above the other
        shift = {"model_r": -0.1, "grid_model_r": 0.1}.get(name, 0.0)
        rows = np.arange(len(results)) + shift
        if np.isfinite(values).any():
            axes.errorbar(
                values, rows, xerr=errors, fmt=marker, color=colour, capsize=2, label=label
            )
    axes.hlines(range(len(results)), 0, 1, color=GREY, linewidth=0.4, alpha=0.5, zorder=0)
    axes.set(yticks=range(len(results)), ylim=(len(results) - 0.5, -0.5), xlabel=CORRELATION)
    axes.set_yticklabels([result.person for result in results])
    bare(axes)
    axes.set_xlim(min(0.0, axes.get_xlim()[0]), 1.0)
    figure.legend(loc="outside upper center", ncols=5, columnspacing=1.2, handletextpad=0.2)
    return figure


@styled
def grid_scan(result: Judged, evidence: Evidence, scan: GridScan) -> "Figure":
    """Draw the fit over the grid, and under it where the posterior lies."""
    column = result.column(scan.parameter)
    p = result.params[column]
    figure = blank(5.0, 3.3)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    values = np.unique(scan.values)
    means = [_mean(scan.r[scan.values == value]) for value in values]
    above.scatter(scan.values, scan.r, s=9, color=GREY, alpha=0.6, linewidths=0)
    above.plot(values, means, color=INK, label="grid, and its mean")
    theta = evidence.predicted_theta[:, column]
    above.scatter(
        theta,
        evidence.predicted_r,
        s=8,
        color=SKY,
        alpha=0.7,
        linewidths=0,
        label="posterior draws",
    )
    if np.isfinite(result.number("grid_model_r")):
        best, fit = result.number("grid_best"), result.number("grid_model_r")
        above.errorbar(
            best,
            fit,
            yerr=result.number("grid_model_r_sd"),
            fmt="s",
            color=ORANGE,
            capsize=2,
            label="best point, fresh seeds",
        )
    above.set_ylabel("r with recorded FC")
    figure.legend(loc="outside upper center", ncols=3, columnspacing=1.2, handletextpad=0.4)
    share, edges = np.histogram(p.prior.cdf(evidence.samples[:, column]), 96, (0.0, 1.0))
    below.stairs(share, p.prior.quantile(edges), fill=True, color=BLUE)
    below.set(yticks=[], ylabel="posterior", xlabel=p.label)
    bare(below)
    place(below.xaxis, p.kind, p.low, p.high)
    return figure


def _mean(r: np.ndarray) -> float:
    return float(r[np.isfinite(r)].mean()) if np.isfinite(r).any() else np.nan
