"""What must be said of a person beside the numbers, in plain words: warnings first, then plain
statements.

A warning is loud: with it, the posterior must not be read as it stands. A statement says how good
the model is, also where that is not flattering.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.evaluate.calibration_check import LEVELS
from hpcvbi.evaluate.reference import MIN_DRAWS
from hpcvbi.infer.cube_sampler import MIXED
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
DISTANCES = (
    ("FC", "fc_correlation", "1 - r: {:.2f}"),
    ("FCD", "fcd", "Kolmogorov-Smirnov distance {:.2f}"),
    ("power spectrum", "psd", "{:.1f} dB"),
)
"""What is compared, the name of its numbers, and its distance in words."""


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


def identified(result: Judged, name: str) -> bool:
    """Whether the recording says enough of a parameter."""
    return bool(result.numbers["shrinkage"][result.column(name)] >= IDENTIFIED)


def _warnings(r: Judged) -> Iterator[tuple[str, str]]:
    if not r.numbers["inside"]:
        yield "outside", _outside(r)
    if r.unseen:
        yield (
            "extrapolated",
            f"the recorded {listed(r.unseen)} lies outside everything that was simulated: the "
            "posterior is an extrapolation. Widen the priors, or leave the feature out.",
        )
    if r.words["place"]:
        yield "extrapolates to a person", f"{r.words['place']}."
    if r.words["recording"]:
        yield "unlike", r.words["recording"]
    if constant := [r.features[i] for i in np.flatnonzero(r.numbers["feature_constant"] == 1)]:
        yield (
            "constant",
            f"all simulations of the prior have the same {listed(constant)}: it tells nothing "
            "about any parameter. Leave it out.",
        )
    if r.words["calibration"] and _covers_too_little(r):
        yield "miscalibrated", _miscalibrated(r)
    if r.number("r_hat") > MIXED:
        yield (
            "not mixed",
            f"draws of the posterior come by Markov chains, and these do not agree with each other "
            f"(R-hat {r.number('r_hat'):.2f}, above {MIXED:g}): the posterior may miss a mode, or "
            "weigh it wrongly. Learn from more draws, or choose a method that draws directly.",
        )
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


def _alone(r: Judged) -> list[str]:
    """Say which features lie outside the range of predictive draws, each by itself."""
    ranges = zip(
        r.features,
        *(r.numbers[f"feature_{what}"] for what in ("inside", "recorded", "lower", "upper")),
        strict=True,
    )
    return [
        f"{name} (recorded {recorded:.3g}, predicted {lower:.3g} to {upper:.3g})"
        for name, inside, recorded, lower, upper in ranges
        if not inside
    ]


def _outside(r: Judged) -> str:
    alone, p = _alone(r), r.number("joint_p")
    if p > JOINT:
        return (
            f"the recording lies OUTSIDE the posterior predictive range of {listed(alone)}, though "
            f"all features together look like one of the model's own draws (p = {p:.2g}). Read the "
            "parameters with reserve."
        )
    together = f"all features together (distance {r.number('joint_distance'):.1f}, p = {p:.2g})"
    return (
        "the recording lies OUTSIDE what the model with this posterior makes: "
        f"{listed([together, *alone])}. Do not read the parameters as this person's."
    )


def _statements(r: Judged) -> Iterator[tuple[str, str]]:
    if r.numbers["inside"] and (alone := _alone(r)):
        yield (
            "feature",
            f"the recorded {listed(alone)} lies outside the predictive range by itself, as chance "
            "makes it; all features together look like one of the model's own draws "
            f"(p = {r.number('joint_p'):.2g}).",
        )
    if np.isnan(r.number("mmd_p")):
        yield (
            "unlike",
            f"whether the recording is unlike what the prior predicts was not checked: that takes "
            f"{MIN_DRAWS} finite draws of the prior.",
        )
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
    for about, name, distance in DISTANCES:
        if (p := r.number(f"{name}_p")) <= JOINT:
            far = distance.format(r.number(f"{name}_distance"))
            yield (
                about,
                f"the recorded {about} is farther from the {about} of simulated recordings than "
                f"these are from each other ({far}, p = {p:.2g}).",
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
            if there and identified(r, p.name):
                yield (
                    "edge",
                    f"the posterior of {p.name} leans on the {end} end of its prior ({p.low:g} to "
                    f"{p.high:g}): the best value may lie beyond.",
                )


def listed(parts: Sequence[str]) -> str:
    """Name several in a sentence."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
