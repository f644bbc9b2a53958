"""FCD and power spectrum of the recording beside those of simulated posterior draws."""

from typing import TYPE_CHECKING

import numpy as np

from hpcvbi.report.findings import DISTANCES, JOINT
from hpcvbi.report.read import CurveSeen, Evidence, Judged
from hpcvbi.report.style import BLUE, GREY, INK, PALE, VERMILION, blank, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND = 0.05, 0.5, 0.95
"""Quantiles over draws that are drawn: a band, and the line within it."""
BIN = 5
"""Hundredths of FCD that one bar of its histogram spans."""


@styled
def curves(result: Judged, evidence: Evidence) -> "Figure":
    """Draw the histogram of FCD values and the power spectrum, each in the band of the draws."""
    figure = blank(5.0, 2.5)
    left, right = figure.subplots(1, 2)
    _beside(left, _histogram(evidence.curves["fcd"]), result.number("fcd_p"))
    left.set(xlabel="FCD: correlation of two windows' FC", ylabel="density", ylim=(0, None))
    _beside(right, _decibel(evidence.curves["psd"]), result.number("psd_p"))
    right.set(xlabel="frequency [Hz]", ylabel="power / variance [dB/Hz]")
    return figure


def _beside(axes: "Axes", seen: CurveSeen, p: float) -> None:
    if not len(seen.at):
        axes.text(0.5, 0.5, "too short a recording", transform=axes.transAxes, ha="center")
        return
    if len(seen.predicted):
        lower, middle, upper = np.quantile(seen.predicted, BAND, axis=0)
        axes.fill_between(seen.at, lower, upper, color=PALE, linewidth=0)
        axes.plot(seen.at, middle, color=BLUE, label="simulated")
    colour = VERMILION if p <= JOINT else INK
    axes.plot(seen.at, seen.recorded, color=colour, label="recorded")
    axes.set_title(f"p = {p:.2g}" if np.isfinite(p) else "not compared", color=GREY)
    axes.legend()


def _histogram(seen: CurveSeen) -> CurveSeen:
    """Density of the values whose distribution function is given."""
    if not len(seen.at):
        return seen
    edges = np.unique([*range(0, len(seen.at), BIN), len(seen.at) - 1])
    at = seen.at[edges]

    def density(share: np.ndarray) -> np.ndarray:
        return np.diff(share[..., edges], axis=-1) / np.diff(at)

    middle = (at[1:] + at[:-1]) / 2
    recorded, predicted = density(seen.recorded), density(seen.predicted)
    # only where there is anything at all
    there = np.flatnonzero((recorded > 0) | (predicted > 0).any(0))
    some = slice(there[0], there[-1] + 1) if len(there) else slice(0)
    return CurveSeen(middle[some], recorded[some], predicted[:, some])


def _decibel(seen: CurveSeen) -> CurveSeen:
    return CurveSeen(seen.at, 10 * np.log10(seen.recorded), 10 * np.log10(seen.predicted))


def distances_line(result: Judged) -> str:
    """Say in a line how far the recording is from predictive draws, and what was not compared."""
    said = []
    for about, name, distance in DISTANCES:
        if np.isfinite(p := result.number(f"{name}_p")):
            far = distance.format(result.number(f"{name}_distance"))
            said.append(f"{about} {far}, p = {p:.2g}")
    lacking = result.words["distances"]
    return f"{'; '.join([*said, lacking] if lacking else said)}."
