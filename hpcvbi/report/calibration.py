"""Calibration over cases with known truth, and how the networks learned: figures and a line."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hpcvbi.evaluate.calibration_check import LEVELS, LOCAL
from hpcvbi.evaluate.rank_bands import rank_bands
from hpcvbi.report.read import Judged
from hpcvbi.report.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    blank,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE)
NAMED = 8
"""Curves up to which each is named."""


@styled
def calibration_curves(result: Judged) -> "Figure":
    """Draw the ECDF of the truths' ranks in its band, and the coverage of credible regions."""
    ranks = result.numbers["calibration_rank"]
    ranks = ranks[np.isfinite(ranks).all(1)].astype(int)
    credibility = result.numbers["calibration_credibility"]
    figure = blank(6.4, 2.9)
    left, right = figure.subplots(1, 2)
    _ranks(left, result, ranks)
    _coverage(right, result, ranks, credibility[np.isfinite(credibility)])
    return figure


def _ranks(axes: "Axes", result: Judged, ranks: np.ndarray) -> None:
    bands = rank_bands(ranks, int(result.number("calibration_draws")))
    lower, upper = bands.lower - bands.points, bands.upper - bands.points
    axes.fill_between(bands.points, lower, upper, color=PALE, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.7)
    for column, p in enumerate(result.params):
        curve = bands.ecdf[:, column] - bands.points
        axes.plot(bands.points, curve, color=COLOURS[column % len(COLOURS)], label=p.name)
    axes.set(xlabel="rank of the truth / draws", ylabel="ECDF - rank", xlim=(0, 1))
    if len(result.params) <= NAMED:
        axes.legend()


def _coverage(axes: "Axes", result: Judged, ranks: np.ndarray, credibility: np.ndarray) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7)
    # the smallest central interval between draws that holds the truth
    draws = result.number("calibration_draws")
    central = np.abs(2 * ranks - draws) / draws
    share = np.arange(1, len(ranks) + 1) / len(ranks)
    for column in range(len(result.params)):
        colour = COLOURS[column % len(COLOURS)]
        axes.step(np.sort(central[:, column]), share, color=colour, where="post")
    axes.step(
        np.sort(credibility), share, color=INK, linestyle=(0, (3, 2)), where="post", label="TARP"
    )
    dense = np.sort(result.numbers["calibration_hpd"])
    dense = dense[np.isfinite(dense)]
    if len(dense):
        dots: Any = {"color": INK, "linestyle": (0, (1, 1)), "label": "highest density"}
        axes.step(dense, np.arange(1, len(dense) + 1) / len(dense), where="post", **dots)
    axes.set(xlabel="credibility", ylabel="share of truths inside", xlim=(0, 1), ylim=(0, 1))
    axes.legend()


@styled
def training_curves(result: Judged) -> "Figure":
    """Draw the held-out loss over epochs: a colour for each round, a line for each network."""
    from matplotlib.ticker import MaxNLocator

    figure = blank(5.0, 2.4)
    axes = figure.subplots()
    for number, info in enumerate(result.learning):
        colour = COLOURS[number % len(COLOURS)]
        for member, curve in enumerate(info.get("curve", ())):
            label = f"round {number}" if member == 0 and number < NAMED else None
            axes.plot(np.arange(1, len(curve) + 1), curve, color=colour, label=label, alpha=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="held-out loss")
    axes.legend()
    return figure


def calibration_line(result: Judged) -> str:
    """Say in a line what was found; empty where calibration was not checked."""
    if not np.isfinite(result.number("calibrated")):
        return ""
    held = [
        f"{p.name} {', '.join(f'{share:.0%}' for share in result.numbers['coverage'][:, column])}"
        for column, p in enumerate(result.params)
    ]
    levels = " / ".join(f"{level:.0%}" for level in LEVELS)
    tolerance = " / ".join(f"{100 * t:.0f}" for t in result.numbers["coverage_tolerance"])
    local, dense = result.number("local_p"), result.number("hpd_p")
    few = result.number("calibration_cases") < LOCAL[0]
    lacking = f"below {LOCAL[0]} cases" if few else "too few draws inside the region"
    return (
        f"{result.number('calibration_cases'):.0f} simulations with known truth; of these inside "
        f"{levels} intervals: {'; '.join(held)} (± {tolerance} points by chance). p-values: ranks "
        f"{result.numbers['sbc_p'].min():.2g} (the smallest of the parameters), TARP "
        f"{result.number('tarp_p'):.2g}, regions of highest density "
        f"{f'{dense:.2g}' if np.isfinite(dense) else 'left out (the method gives no densities)'}, "
        f"L-C2ST at the recording "
        f"{f'{local:.2g}' if np.isfinite(local) else f'not computed ({lacking})'}."
    )
