"""What must be said beside the numbers, in plain words: warnings first, then plain statements.

A warning is loud: with it, the posterior must not be read as it stands. A statement says how good
the model is, also where that is not flattering.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.evaluate.calibration_check import LEVELS
from hpcvbi.report.read import Judged

IDENTIFIED = 0.5
"""Shrinkage from which on a parameter counts as identified."""
OVERCONFIDENT, BIASED = 1.5, 0.5
"""Recovery z-scores: standard deviation, and distance of the mean from 0, worth a remark."""
JOINT = 0.05
"""Joint p-value up to which the recording counts as outside, as in `evaluate.predictive`."""
EDGE = 0.02
"""Share of the prior at each end that counts as its edge."""
EXCLUDED = 0.1
"""Share of draws left out of learning from which on the posterior must not be read as it stands."""
FEW = 8
"""Up to so many people are named in a sentence."""
POINT = (
    "An optimiser found one best point for each person; what is called posterior here has no "
    "width that means anything, and says nothing about whether the recording identifies a "
    "parameter"
)


@dataclass(frozen=True)
class Finding:
    """One remark about one person; `about` names what it concerns."""

    person: str
    loud: bool
    about: str
    text: str


def findings(result: Judged) -> tuple[Finding, ...]:
    """Return all remarks about a person, the loud ones first."""
    loud = [
        Finding(result.person, True, *said) for said in (*_outdated(result), *_warnings(result))
    ]
    plain = [Finding(result.person, False, *said) for said in _statements(result)]
    return (*loud, *plain)


def _outdated(result: Judged) -> Iterator[tuple[str, str]]:
    if result.stale:
        yield (
            "stale",
            "compared with, or learned from, a cohort of which somebody has withdrawn; run the "
            "study again",
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
        "The recording lies inside what the model with its posterior makes, on each fitted feature "
        f"and jointly: {_count(inside)}."
    )
    reach = {
        r.person: bool(r.numbers["reaches_grid"])
        for r in results
        if np.isfinite(r.number("grid_model_r"))
    }
    if reach:
        lines.append(
            "Under the posterior, the model's FC fits as well as at the best point of a plain grid "
            f"on fresh noise seeds, to within two standard errors: {_count(reach)}."
        )
    for name, than in (
        ("linear_r", "a linear network on the same connectome"),
        ("others_r", "the mean FC of the other people, which needs no model"),
    ):
        better = {
            r.person: r.number("model_r") > r.number(name)
            for r in results
            if np.isfinite(r.number(name))
        }
        if better:
            lines.append(f"It fits better than {than}: {_count(better)}.")
    if points := [r.person for r in results if r.point]:
        lines.append(f"{POINT} ({_names(points) if len(points) <= FEW else len(points)}).")
        return lines
    for p in results[0].params:
        held = {r.person: _identified(r, p.name) for r in results}
        lines.append(f"The recording identifies {p.name}: {_count(held)}.")
    return lines


def _count(true_of: Mapping[str, bool]) -> str:
    """Count people, and name the others where they are few."""
    n, others = len(true_of), [person for person, true in true_of.items() if not true]
    counted = f"{n - len(others)} of {n} people"
    return f"{counted} (not {_names(others)})" if 0 < len(others) <= FEW else counted


def _identified(result: Judged, name: str) -> bool:
    return bool(result.numbers["shrinkage"][result.column(name)] >= IDENTIFIED)


def _warnings(r: Judged) -> Iterator[tuple[str, str]]:
    if not r.numbers["inside"]:
        yield "outside", _outside(r)
    if r.unseen:
        yield (
            "extrapolated",
            f"the recorded {_names(r.unseen)} lies outside everything that was simulated: the "
            "posterior is an extrapolation. Widen the priors, or leave the feature out.",
        )
    if r.words["place"]:
        yield "extrapolates to a person", f"{r.words['place']}."
    if r.words["recording"]:
        yield "unlike", r.words["recording"]
    if constant := [r.features[i] for i in np.flatnonzero(r.numbers["feature_constant"] == 1)]:
        yield (
            "constant",
            f"all simulations of the prior have the same {_names(constant)}: it tells nothing "
            "about any parameter. Leave it out.",
        )
    if r.words["calibration"] and _covers_too_little(r):
        yield "miscalibrated", _miscalibrated(r)
    if r.number("excluded") >= EXCLUDED:
        yield (
            "excluded",
            f"{_excluded(r)}. The posterior knows only the parameters whose simulations succeed. "
            "Narrow the priors, or lower dt.",
        )
    if r.point:
        yield (
            "point estimate",
            f"the samples are no posterior but the {r.point} of an optimiser: their width, the "
            "interval and the shrinkage say nothing about uncertainty, and twins have no z-score. "
            "Read their middle as the best point, and choose another algorithm for a posterior.",
        )
        return
    for p, shrinkage in zip(r.params, r.numbers["shrinkage"], strict=True):
        if not shrinkage >= IDENTIFIED:
            yield (
                "not identified",
                f"the recording does not identify {p.name}: its posterior is too wide beside its "
                f"prior (shrinkage {shrinkage:.2f}, below {IDENTIFIED:g}). "
                "Do not interpret its value.",
            )


def _covers_too_little(r: Judged) -> bool:
    """Whether wide intervals hold fewer truths than chance allows."""
    held, tolerance = r.numbers["coverage"][-1], r.numbers["coverage_tolerance"][-1]
    return bool((held < LEVELS[-1] - tolerance).any())


def _miscalibrated(r: Judged) -> str:
    return (
        f"the inference is not calibrated on {r.number('calibration_cases'):.0f} simulations with "
        f"known truth: {r.words['calibration']}. Read intervals with that reserve; more draws a "
        "round, or more members, may help."
    )


def _excluded(r: Judged) -> str:
    return (
        f"{r.number('excluded'):.1%} of the draws to learn from were left out, "
        f"{r.number('proposed') - r.number('learned'):.0f} of {r.number('proposed'):.0f}: they "
        "diverged, failed, or a feature was undefined"
    )


def _outside(r: Judged) -> str:
    ranges = zip(
        r.features,
        *(r.numbers[f"feature_{what}"] for what in ("inside", "recorded", "lower", "upper")),
        strict=True,
    )
    alone = [
        f"{name} (recorded {recorded:.3g}, predicted {lower:.3g} to {upper:.3g})"
        for name, inside, recorded, lower, upper in ranges
        if not inside
    ]
    p = r.number("joint_p")
    if p > JOINT:
        return (
            f"the recording lies OUTSIDE the posterior predictive range of {_names(alone)}, though "
            f"all features together look like one of the model's own draws (p = {p:.2g}). Read the "
            "parameters with reserve."
        )
    together = f"all features together (distance {r.number('joint_distance'):.1f}, p = {p:.2g})"
    return (
        "the recording lies OUTSIDE what the model with this posterior makes: "
        f"{_names([together, *alone])}. Do not read the parameters as this person's."
    )


def _statements(r: Judged) -> Iterator[tuple[str, str]]:
    fit, grid = r.number("model_r"), r.number("grid_model_r")
    if np.isfinite(grid) and not r.numbers["reaches_grid"]:
        yield (
            "grid",
            f"the fit does not reach the plain grid: r {fit:.2f} against {grid:.2f} (difference "
            f"{r.number('difference'):+.3f}, standard error {r.number('difference_se'):.3f}).",
        )
    for about, name, what in (
        (
            "others",
            "others_r",
            "other people's mean FC is closer to this person's than the model",
        ),
        ("linear", "linear_r", "a linear network on the same connectome fits as well or better"),
        ("structure", "structure_r", "the connectome itself fits as well or better"),
        (
            "noise",
            "noise_pattern_r",
            "the pattern of measurement noise alone fits as well",
        ),
    ):
        if r.number(name) >= fit:
            yield about, f"{what}: r {r.number(name):.2f} against the model's {fit:.2f}."
    if r.words["calibration"] and not _covers_too_little(r):
        yield "miscalibrated", _miscalibrated(r)
    for sentence in [] if r.point else r.words["identifiability"].splitlines():
        yield "identifiability", sentence
    if (p := r.number("fc_correlation_p")) <= JOINT:
        yield (
            "FC",
            "the recorded FC is farther from the FC of simulated recordings (measurement noise "
            f"included) than these are from each other (1 - r: "
            f"{r.number('fc_correlation_distance'):.2f}, p = {p:.2g}).",
        )
    for number, info in enumerate(r.learning[:-1]):
        if info.get("message"):
            yield "resampled", f"after round {number}: {info['message']}."
    z = zip(r.params, r.numbers["z_mean"], r.numbers["z_sd"], strict=True)
    for p, mean, sd in z:
        if sd > OVERCONFIDENT or abs(mean) > BIASED:
            yield (
                "calibration",
                f"twins simulated with known {p.name} are recovered with z {mean:+.2f} ± {sd:.2f} "
                "instead of 0 ± 1: the interval is "
                + ("too narrow." if sd > OVERCONFIDENT else "off to one side."),
            )
    yield from _at_edge(r)
    for what in ("diverged", "failed"):
        if count := int(r.number(what)):
            share = count / r.number("draws")
            yield what, f"{count} draws {what} ({share:.1%}); learning leaves them out."
    if 0 < r.number("excluded") < EXCLUDED:
        yield "excluded", f"{_excluded(r)}."


def _at_edge(r: Judged) -> Iterator[tuple[str, str]]:
    for p, lower, upper in zip(r.params, r.numbers["lower"], r.numbers["upper"], strict=True):
        ends = {"lower": p.prior.cdf(lower) < EDGE, "upper": p.prior.cdf(upper) > 1 - EDGE}
        for end, there in ends.items():
            # a posterior as wide as its prior touches both ends and has its own warning
            if there and _identified(r, p.name):
                yield (
                    "edge",
                    f"the posterior of {p.name} leans on the {end} end of its prior ({p.low:g} to "
                    f"{p.high:g}): the best value may lie beyond.",
                )


def _names(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
