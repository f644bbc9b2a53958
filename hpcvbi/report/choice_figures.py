"""What a choice between models found: probabilities, how they came about, and parameters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hpcvbi.report.figures import marginal
from hpcvbi.report.read import Parameter
from hpcvbi.report.style import COLOURS, INK, bare, blank, place, styled
from hpcvbi.report.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DARK = 0.6
"""Share of recognised simulations from which on white letters are read better."""


@styled
def probabilities(found: Sequence[Verdict]) -> "Figure":
    """Draw a bar per person, split by the models' probabilities."""
    figure = blank(7.2, 1.1 + 0.34 * len(found))
    axes = figure.subplots()
    left = np.zeros(len(found))
    for number, model in enumerate(found[0].models):
        width = np.array([each.probability[number] for each in found])
        colour = COLOURS[number % len(COLOURS)]
        axes.barh(range(len(found)), width, left=left, height=0.62, color=colour, label=model,
                  edgecolor="white", linewidth=0.8)  # fmt: skip
        left += width
    axes.set(yticks=range(len(found)), ylim=(len(found) - 0.4, -0.6), xlim=(0, 1))
    axes.set_yticklabels([each.person for each in found])
    axes.set_xlabel("posterior probability")
    bare(axes)
    figure.legend(loc="outside upper center", ncols=min(5, len(found[0].models)))
    return figure


@styled
def generations(found: Verdict) -> "Figure":
    """Draw the probabilities with their standard errors, and epsilon, against the generation."""
    figure = blank(6.4, 2.7)
    above, beside = figure.subplots(1, 2)
    number = np.arange(1, len(found.epsilon) + 1)
    for model, name in enumerate(found.models):
        above.errorbar(
            number + 0.06 * (model - 0.5 * (len(found.models) - 1)),
            found.probabilities[:, model], found.errors[:, model], label=name,
            color=COLOURS[model % len(COLOURS)], marker="o", markersize=3.5, capsize=2,
        )  # fmt: skip
    above.set(ylim=(-0.03, 1.03), xticks=number, xlabel="generation", ylabel="probability")
    beside.plot(number, found.epsilon, color=INK, marker="o", markersize=3.5)
    beside.set(ylim=(0, None), xticks=number, xlabel="generation", ylabel="epsilon")
    figure.legend(loc="outside upper center", ncols=min(5, len(found.models)))
    return figure


@styled
def recognition(found: Verdict) -> "Figure":
    """Draw how many simulations of each model are taken for one of each model."""
    n = len(found.models)
    figure = blank(1.7 + 0.6 * n, 1.4 + 0.5 * n)
    axes = figure.subplots()
    axes.imshow(found.told_apart, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(n, n):
        share = found.told_apart[row, column]
        text = f"{share:.0%}" if np.isfinite(share) else "–"
        colour = "white" if share > DARK else INK
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set(xticks=range(n), yticks=range(n), xlabel="taken for", ylabel="simulated with")
    axes.set_xticklabels(found.models, rotation=30, ha="right")
    axes.set_yticklabels(found.models)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


@styled
def parameters(params: Sequence[Parameter], draws: np.ndarray) -> "Figure":
    """Draw the posterior `draws` (draw, param) of a model, each over the extent of its prior."""
    columns = min(3, len(params))
    rows = -(-len(params) // columns)
    figure = blank(2.1 * columns + 0.3, 1.5 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, axes in enumerate(grid.flat):
        if number >= len(params):
            axes.set_axis_off()
            continue
        p = params[number]
        place(axes.xaxis, p.kind, p.low, p.high)
        marginal(axes, p, draws[:, number])
        axes.set_xlabel(p.label)
        axes.tick_params(labelleft=False)
    return figure
