"""What came out for the whole study, in a few sentences."""

from collections.abc import Mapping, Sequence

import numpy as np

from hpcvbi.evaluate.calibration_check import calibration_words, p_text, pooled
from hpcvbi.report.findings import DISTANCES, JOINT, identified, listed
from hpcvbi.report.read import Judged

FEW = 8
"""Up to so many people are named in a sentence."""
POINT = (
    "An optimiser found one best point for each person; what is called posterior here has no "
    "width that means anything, and says nothing about whether the recording identifies a "
    "parameter"
)


def summary(results: Sequence[Judged], people: Sequence[str]) -> list[str]:
    """Say in a few sentences what came out for the whole study."""
    lines = []
    if missing := [p for p in people if p not in {r.person for r in results}]:
        lines.append(f"Not finished: {', '.join(missing)}. Run the study again to go on with it.")
    if not results:
        return lines
    inside = {r.person: bool(r.numbers["inside"]) for r in results}
    lines.append(
        "The recording lies inside what the model with its posterior makes, all fitted features "
        f"together, and no more of them alone outside than by chance: {_count(inside)}."
    )
    for about, name, _ in DISTANCES:
        near = {r.person: r.number(f"{name}_p") > JOINT for r in results if _has(r, f"{name}_p")}
        if near:
            lines.append(
                f"The recorded {about} is as near to the {about} of simulated recordings as these "
                f"are to each other: {_count(near)}."
            )
    if (of_all := pooled([r.numbers for r in results])) is not None:
        lines.append(_of_all(of_all, [p.name for p in results[0].params]))
    reach = {r.person: bool(r.numbers["reaches_grid"]) for r in results if _has(r, "grid_model_r")}
    if reach:
        lines.append(
            "Under the posterior, the model's FC fits as well as at the best point of a plain grid "
            f"on fresh noise seeds, to within two standard errors: {_count(reach)}."
        )
    for name, than in (
        ("linear_r", "a linear network on the same connectome"),
        ("others_r", "the mean FC of the other people, which needs no model"),
    ):
        better = {r.person: r.number("model_r") > r.number(name) for r in results if _has(r, name)}
        if better:
            lines.append(f"It fits better than {than}: {_count(better)}.")
    if points := [r.person for r in results if r.point]:
        lines.append(f"{POINT} ({listed(points) if len(points) <= FEW else len(points)}).")
        return lines
    for p in results[0].params:
        held = {r.person: identified(r, p.name) for r in results}
        lines.append(f"The recording identifies {p.name}: {_count(held)}.")
    return lines


def _count(true_of: Mapping[str, bool]) -> str:
    """Count people, and name the others where they are few."""
    n, others = len(true_of), [person for person, true in true_of.items() if not true]
    counted = f"{n - len(others)} of {n} people"
    return f"{counted} (not {listed(others)})" if 0 < len(others) <= FEW else counted


def _has(result: Judged, name: str) -> bool:
    return bool(np.isfinite(result.number(name)))


def _of_all(numbers: Mapping[str, np.ndarray], names: Sequence[str]) -> str:
    """Say whether the cases of all people together are calibrated."""
    found = calibration_words(numbers, names) or "nothing found"
    hpd = float(numbers["hpd_p"])
    dense = f"; regions of highest density {p_text(hpd)}" if np.isfinite(hpd) else ""
    return (
        f"Calibration over all people's {int(numbers['calibration_cases'])} simulations with known "
        f"truth together: {found} (ranks {p_text(numbers['sbc_p'].min())}, the smallest of the "
        f"parameters; TARP {p_text(float(numbers['tarp_p']))}{dense})."
    )
