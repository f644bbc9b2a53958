"""The final table: one row per person, every number that the judgement rests on, as text.

The same words for the terminal and the page; `glossary` says what each column means.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hpcvbi.evaluate.judge import EVALUATION
from hpcvbi.report.read import Judged, Parameter, judged

Row = dict[str, str]
"""Column -> text, in the order of the columns; the first is `person`."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "inside": ("inside",),
    "joint p": ("joint_p",),
    "model r": ("model_r", "model_r_sd"),
    "grid r": ("grid_model_r", "grid_model_r_sd"),
    "reaches grid": ("reaches_grid",),
    "linear r": ("linear_r",),
    "SC r": ("structure_r",),
    "others' r": ("others_r",),
    "noise pattern r": ("noise_pattern_r",),
    "recorded r": ("recorded_r", "recorded_r_sd"),
    "grid recorded r": ("grid_recorded_r", "grid_recorded_r_sd"),
    "draws": ("draws",),
    "halved": ("halved",),
    "quartered": ("quartered",),
    "diverged": ("diverged",),
    "failed": ("failed",),
    "excluded": ("excluded",),
}
"""Column -> the names of EVALUATION that it shows; a second one is a standard deviation."""

COUNTS = ("draws", "halved", "quartered", "diverged", "failed")
ABSENT = "–"


def table(folder: Path | str) -> list[Row]:
    """Return the final table of the study in `folder`; no rows where nobody has been judged."""
    return [row(result) for result in judged(folder)]


def row(result: Judged) -> Row:
    """Return one person's row."""
    cells: Row = {"person": result.person}
    for column, p in enumerate(result.params):
        number = {name: float(result.numbers[name][column]) for name in PARAMETER_NUMBERS}
        shrinkage, recovery = f"{p.name} shrinkage", f"{p.name} recovery z"
        if result.point:
            cells[p.label] = f"{number['mean']:.3g} (best point)"
            cells[shrinkage] = cells[recovery] = ABSENT
            continue
        cells[p.label] = f"{number['mean']:.3g} ({number['lower']:.3g} to {number['upper']:.3g})"
        cells[shrinkage] = f"{number['shrinkage']:.2f}"
        cells[recovery] = f"{number['z_mean']:.2f} ± {number['z_sd']:.2f}"
    for label, names in COLUMNS.items():
        cells[label] = _text(names[0], [result.number(name) for name in names])
    cells["calibrated"] = _calibrated(result)
    cells["identifiability"] = _identified(result)
    return cells


def _calibrated(result: Judged) -> str:
    if not np.isfinite(result.number("calibrated")):
        return "unchecked"
    return f"NO: {result.words['calibration']}" if result.words["calibration"] else "yes"


def _identified(result: Judged) -> str:
    """What cannot be told apart or is not informed, without the reasons."""
    if result.point or not np.isfinite(result.numbers["correlation"]).all():
        return ABSENT
    said = [sentence.split(":")[0] for sentence in result.words["identifiability"].splitlines()]
    return "; ".join(said) or "none as wide as its prior, all told apart"


PARAMETER_NUMBERS = ("mean", "lower", "upper", "shrinkage", "z_mean", "z_sd")


def glossary(params: Sequence[Parameter]) -> list[tuple[str, str]]:
    """Say in a sentence what every column is."""
    said = {
        p.label: f"{p.doc + ': ' if p.doc else ''}posterior mean, and its 90 % interval: "
        f"{EVALUATION['lower'][1]} to {EVALUATION['upper'][1]}"
        for p in params
    }
    said["shrinkage"] = EVALUATION["shrinkage"][1] + "; 1: the data say everything, 0: nothing"
    said["recovery z"] = f"{EVALUATION['z_mean'][1]} ± {EVALUATION['z_sd'][1]}"
    for label, names in COLUMNS.items():
        said[label] = " ± ".join(EVALUATION[name][1] for name in names)
    said["calibrated"] = (
        f"{EVALUATION['calibrated'][1]}: ranks of the truths for each parameter, TARP and, where "
        "the method gives densities, regions of highest density for all together, and from 100 "
        "cases on L-C2ST at the recording"
    )
    said["identifiability"] = (
        "what the data leave open: parameters as wide as before, or bound to each other"
    )
    return [(label, f"{text[0].upper()}{text[1:]}.") for label, text in said.items()]


def _text(name: str, values: Sequence[float]) -> str:
    if not np.isfinite(values[0]):
        return ABSENT
    if name in ("inside", "reaches_grid"):
        return "yes" if values[0] else "NO"
    if name in COUNTS:
        return f"{values[0]:.0f}"
    if name == "excluded":
        return f"{100 * values[0]:.1f} %"
    if name == "joint_p":
        return f"{values[0]:.2g}"
    return " ± ".join(f"{value:.3f}" for value in values)
