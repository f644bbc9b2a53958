"""Draws build/bench/inference.png: C2ST against the budget of simulations, a panel for each task,
a line for each method.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("Agg")
from inference_rows import Row
from matplotlib import pyplot as plt

INK, FAINT = "#1f2933", "#8a94a0"
COLOURS = {
    "tsnpe": "#0b6e6e",
    "npe": "#7fc4bd",
    "apt": "#5b6fb5",
    "nle": "#8e5aa8",
    "nre": "#c48ad0",
    "fmpe": "#d9a441",
    "npse": "#b08968",
    "abc_smc": "#c8553d",
    "pyabc": "#e8a398",
    "regression": "#4a5561",
    "knn": "#6f7d8c",
    "rejection": "#97a1ac",
    "plain_rejection": "#b8bfc7",
}
COLUMNS = 4


def line(rows: Sequence[Row], task: str, method: str) -> tuple[list[int], list[float]]:
    """Budgets, and the median C2ST over observations and seeds at each."""
    here = [row for row in rows if (row.task, row.method) == (task, method)]
    budgets = sorted({row.budget for row in here})
    return budgets, [median(r.c2st for r in here if r.budget == budget) for budget in budgets]


def _spread(wanted: list[float], apart: float) -> list[float]:
    """Move heights up, lowest first, so that texts at them do not overlap."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    found, last = list(wanted), -1.0
    for i in order:
        found[i] = last = max(wanted[i], last + apart)
    return found


def _panel(axes, rows: Sequence[Row], task: str) -> None:
    axes.set_title(task.replace("_", " "), loc="left", color=INK, weight="bold", fontsize=10.5)
    methods = [name for name in COLOURS if line(rows, task, name)[0]]
    ends = []
    for name in methods:
        budgets, values = line(rows, task, name)
        ours = not name.startswith(("pyabc", "plain"))
        axes.plot(
            budgets,
            values,
            color=COLOURS[name],
            linewidth=1.8 if ours else 1.2,
            linestyle="-" if ours else (0, (4, 2)),
            marker="o",
            markersize=3.2,
        )
        ends.append(values[-1])
    right = max(row.budget for row in rows)
    for name, y in zip(methods, _spread(ends, 0.026), strict=True):
        axes.text(right * 1.25, y, name.replace("_", " "), va="center", fontsize=8,
                  color=COLOURS[name], weight="bold")  # fmt: skip
    axes.set(xscale="log", ylim=(0.485, 1.02), xlim=(250, right * 1.15))
    ticks = [t for t in (1e3, 1e4, 1e5) if t <= right * 1.1]
    labels = {1e3: "10³", 1e4: "10⁴", 1e5: "10⁵"}
    axes.set_xticks(ticks, [labels[t] for t in ticks], color=FAINT, fontsize=9)
    axes.set_yticks([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    axes.tick_params(length=0, labelcolor=FAINT, labelsize=9)
    axes.minorticks_off()
    axes.grid(axis="y", color="#e3e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw(rows: Sequence[Row], about: str, path: Path) -> None:
    """Draw all rows; `about` says where they were measured."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    if not tasks:
        return
    columns = min(COLUMNS, len(tasks))
    lines = -(-len(tasks) // columns)
    figure, panels = plt.subplots(
        lines, columns, figsize=(3.5 * columns + 0.4, 3.0 * lines + 1.1), squeeze=False
    )
    for axes in panels.flat[len(tasks) :]:
        axes.set_visible(False)
    for axes, task in zip(panels.flat, tasks, strict=False):
        _panel(axes, rows, task)
    inches, wide = figure.get_figheight(), figure.get_figwidth()
    figure.subplots_adjust(
        left=0.55 / wide, right=1 - 1.15 / wide, wspace=0.52, hspace=0.3,
        top=1 - 1.1 / inches, bottom=0.65 / inches,
    )  # fmt: skip
    figure.text(0.15 / wide, 1 - 0.35 / inches, "C2ST against the number of simulations",
                fontsize=13, weight="bold", color=INK)  # fmt: skip
    figure.text(
        0.15 / wide,
        1 - 0.62 / inches,
        "0.5: not told from the reference; 1: nothing in common. Median over observations, seeds.",
        fontsize=8.5,
        color="#4a5561",
    )
    figure.text(0.15 / wide, 0.16 / inches, about, fontsize=7.5, color=FAINT)
    figure.savefig(path, dpi=150, facecolor="white")
    plt.close(figure)
