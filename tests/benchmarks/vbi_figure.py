"""Draws build/bench/vbi.png: shrinkage, |z| and coverage against the budget of simulations, a
column for each parameter of each case, a line for each method.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from vbi_cases import CASES
from vbi_rows import Apart, Row, Zones

INK, FAINT = "#1f2933", "#8a94a0"
COLOURS = {
    "npe": "#0b6e6e",
    "tsnpe": "#5b6fb5",
    "nle": "#8e5aa8",
    "nre": "#c48ad0",
    "regression": "#c8553d",
    "knn": "#d9a441",
    "rejection": "#b08968",
}
SCORES = {
    "shrinkage": ("shrinkage", None),
    "mean_abs_z": ("mean |z|", float(np.sqrt(2 / np.pi))),
    "coverage80": ("coverage of 80 %", 0.8),
}


def _line(rows: Sequence[Row], score: str) -> tuple[list[int], list[float]]:
    budgets = sorted({row.budget for row in rows})
    return budgets, [
        float(np.mean([getattr(row, score) for row in rows if row.budget == budget]))
        for budget in budgets
    ]


def draw(
    rows: Sequence[Row], apart: Sequence[Apart], zones: Sequence[Zones], machine: str, path: Path
) -> None:
    """Draw all rows; the C2ST below the case's first parameter, zones in words."""
    columns = list(dict.fromkeys((row.case, row.param) for row in rows))
    if not columns:
        return
    size = (2.5 * len(columns) + 0.6, 9.2)
    figure, panels = plt.subplots(4, len(columns), figsize=size, squeeze=False, sharey="row")
    for column, (case, param) in enumerate(columns):
        here = [row for row in rows if (row.case, row.param) == (case, param)]
        panels[0][column].set_title(
            f"{CASES[case].title.split(':')[0]}\n{param}", fontsize=9, color=INK, weight="bold"
        )
        for axes, (score, (label, ideal)) in zip(panels[:, column], SCORES.items(), strict=False):
            if ideal is not None:
                axes.axhline(ideal, color=FAINT, linewidth=0.8, linestyle=":")
            for method in COLOURS:
                own = [row for row in here if row.method == method]
                few = bool(own) and own[0].tests < 50
                style = {"marker": "o", "markersize": 3, "linestyle": "--" if few else "-"}
                axes.plot(*_line(own, score), color=COLOURS[method], label=method, **style)
            if not column:
                axes.set_ylabel(label, fontsize=9)
        for method in COLOURS:
            own = [row for row in apart if (row.case, row.method) == (case, method)]
            found = _line(own, "c2st")  # type: ignore[arg-type]
            panels[3][column].plot(*found, color=COLOURS[method], marker="o", markersize=3)
        panels[3][column].set_xlabel("simulations", fontsize=9)
    panels[1][0].set(yscale="log", ylim=(0.3, 50.0))
    panels[3][0].set_ylabel("C2ST from NPE's best", fontsize=9)
    for axes in panels.flat:
        axes.set(xscale="log", xlim=(70, 14_000))
        axes.tick_params(labelsize=8, colors=FAINT)
        axes.grid(color="#e3e7eb", linewidth=0.6)
    measured = [name for name in COLOURS if any(row.method == name for row in rows)]
    lines = [Line2D([], [], color=COLOURS[name], marker="o", markersize=3) for name in measured]
    figure.legend(lines, measured, loc="upper center", ncols=len(measured), fontsize=9)
    words = "; ".join(
        f"{z.case} {z.method} {z.budget}: EZ {z.ez_precision:.2f}/{z.ez_recall:.2f}, "
        f"PZ {z.pz_precision:.2f}/{z.pz_recall:.2f}"
        for z in zones
        if z.budget == max(other.budget for other in zones)
    )
    note = f"dashed: few test cases. {machine}"
    figure.text(0.01, 0.025, f"zones, precision/recall: {words}" if words else "", fontsize=8)
    figure.text(0.01, 0.005, note, fontsize=8, color=FAINT)
    figure.tight_layout(rect=(0, 0.04, 1, 0.96))
    figure.savefig(path, dpi=130, facecolor="white")
    plt.close(figure)
