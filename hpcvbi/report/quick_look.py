"""A first look at a simulation: for each monitor some regions over time, functional connectivity
and the power spectrum. What no monitor has summarised is computed from the signal.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcvbi.report.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, VERMILION, blank, styled
from hpcvbi.store.durable import write_durably

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
SHOWN_VOLUMES = 1000
"""Volumes of a signal that are drawn, the last ones: more run into each other."""
FEWEST_VOLUMES = 16
"""Volumes from which FC and a spectrum are computed."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one monitor saw of one draw: `signal` (time, region), `fc` (region, region), `spectrum`
    the frequencies [Hz] and (frequency, region); each may be absent.
    """

    title: str
    unit: str
    period_s: float
    signal: np.ndarray | None
    fc: np.ndarray | None
    spectrum: tuple[np.ndarray, np.ndarray] | None


def quick_look(seen: list[Seen], labels: tuple[str, ...], path: Path) -> None:
    """Draw one row per monitor into a PNG file."""
    figure = _draw(seen, labels)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=130, metadata={"Software": None})
    write_durably(path, memory.getvalue())


@styled
def _draw(seen: list[Seen], labels: tuple[str, ...]) -> "Figure":
    figure = blank(11.0, 0.4 + 2.5 * len(seen))
    grid = figure.subplots(len(seen), 3, squeeze=False, width_ratios=(2.2, 1.1, 1.3))
    for (over_time, matrix, power), row in zip(grid, seen, strict=True):
        _series(over_time, row, labels)
        _connectivity(matrix, row)
        _spectrum(power, row)
    return figure


def _series(axes: "Axes", row: Seen, labels: tuple[str, ...]) -> None:
    axes.set_title(row.title, loc="left")
    if row.signal is None:
        return _empty(axes, "the signal is not kept")
    chosen = np.unique(np.linspace(0, len(labels) - 1, len(COLOURS)).astype(int))
    time = np.arange(1, len(row.signal) + 1) * row.period_s
    for colour, region in zip(COLOURS, chosen, strict=False):
        values = row.signal[-SHOWN_VOLUMES:, region]
        axes.plot(time[-SHOWN_VOLUMES:], values, color=colour, linewidth=0.8, label=labels[region])
    axes.set(xlabel="time [s]", ylabel=f"[{row.unit}]" if row.unit != "1" else "")
    axes.margins(x=0)
    # a legend of coloured words, above the lines and clear of them
    for place, (line, region) in enumerate(zip(axes.lines, chosen, strict=True)):
        axes.annotate(
            labels[region][:12],
            (1.0 - 0.09 * (len(chosen) - 1 - place), 1.02),
            xycoords="axes fraction",
            ha="right",
            color=line.get_color(),
        )
    return None


def _connectivity(axes: "Axes", row: Seen) -> None:
    axes.set_title("functional connectivity", loc="left")
    fc = row.fc
    if fc is None and row.signal is not None and len(row.signal) >= FEWEST_VOLUMES:
        with np.errstate(invalid="ignore", divide="ignore"):
            fc = np.atleast_2d(np.corrcoef(row.signal.T))
    if fc is None or not np.isfinite(fc).any():
        return _empty(axes, "too few volumes, or constant")
    shown = axes.imshow(fc, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[], xlabel=f"{len(fc)} regions")
    axes.spines[:].set_visible(False)
    axes.figure.colorbar(shown, ax=axes, shrink=0.85, ticks=[-1, 0, 1]).outline.set_visible(False)  # type: ignore[operator]
    return None


def _spectrum(axes: "Axes", row: Seen) -> None:
    axes.set_title("power spectrum", loc="left")
    found = row.spectrum
    if found is None and row.signal is not None and len(row.signal) >= FEWEST_VOLUMES:
        found = _welch(row.signal, row.period_s)
    if found is None or not (found[1] > 0).any():
        return _empty(axes, "too few volumes, or constant")
    frequency, power = found
    axes.loglog(frequency, power, color=GREY, linewidth=0.4, alpha=0.4)
    axes.loglog(frequency, power.mean(axis=1), color=INK, linewidth=1.4)
    axes.set(xlabel="frequency [Hz]", ylabel="power per Hz")
    return None


def _welch(signal: np.ndarray, period_s: float) -> tuple[np.ndarray, np.ndarray] | None:
    from scipy.signal import welch

    if not np.isfinite(signal).all():
        return None
    frequency, power = welch(signal, 1.0 / period_s, nperseg=min(len(signal), 512), axis=0)
    return frequency[1:], power[1:]


def _empty(axes: "Axes", why: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, why, ha="center", va="center", color=GREY, transform=axes.transAxes)
