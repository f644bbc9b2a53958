"""Is the method calibrated? All that is asked of its posteriors over cases with known truth.

Each case is a truth u, data x that the model made with it, and independent posterior draws given x.
Ranks of the truths (`rank_bands`) see each parameter by itself, TARP (`expected_coverage`) all of
them together, and L-C2ST (`local_two_samples`) the posterior at the recording. The method counts as
calibrated while none of these looks has a p-value up to 0.05 / looks, that of the ranks being the
smallest of all parameters times their number (Bonferroni): an exact one is blamed in at most 5 % of
the studies. That nothing was found does not say that nothing is there: 100 cases see errors of the
coverage from about 10 % on.

Cases come from what the posterior is for: the prior, or the part of it that later rounds were cut
to. There posteriors are cut to that part too, and shrinkage and coverage are those within it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import DataError
from hpcvbi.evaluate.expected_coverage import references_near, tarp
from hpcvbi.evaluate.local_two_samples import local_c2st
from hpcvbi.evaluate.posterior import (
    coverage,
    coverage_tolerance,
    recovery_z,
    sbc_ranks,
    shrinkage,
)
from hpcvbi.evaluate.rank_bands import rank_bands

LEVELS = np.array([0.5, 0.8, 0.9])
ALPHA = 0.05
SHIFTED = 2.5
"""Standard errors of the mean rank from which on posteriors count as off to one side."""
FEWEST = 20
"""Cases below which nothing is said."""
LOCAL = 100, 1000
"""Fewest cases for L-C2ST, and as many as it learns from at the most."""
CALIBRATION: dict[str, tuple[tuple[str, ...], str]] = {
    "calibration_cases": ((), "simulated cases with known truth that calibration was checked on"),
    "calibration_left_out": ((), "cases left out: failed, or hardly any draw inside the region"),
    "calibrated": ((), "whether no look found the method miscalibrated; NaN where none was had"),
    "calibration_draws": ((), "posterior draws of each case"),
    "sbc_p": (("param",), "p-value of the truths' ranks being uniform, of the whole ECDF"),
    "sbc_inside": (("param",), "whether their ECDF stays in its 95 % band"),
    "sbc_deviation": (("param",), "largest deviation of their ECDF from the diagonal, with sign"),
    "coverage": (("level", "param"), "share of truths inside central intervals of these levels"),
    "coverage_tolerance": (("level",), "three standard errors of such a share"),
    "calibration_z": (("param",), "mean |recovery z-score|; 0.8 for a calibrated normal posterior"),
    "calibration_shrinkage": (("param",), "mean shrinkage over cases"),
    "tarp_p": ((), "p-value of the expected coverage of all parameters together (TARP)"),
    "tarp_width": ((), "positive where posteriors are too wide, negative where too narrow"),
    "local_p": ((), "p-value of the posterior being right at the recording (L-C2ST)"),
    "calibration_rank": (("case", "param"), "rank of the truth among the posterior draws"),
    "calibration_credibility": (("case",), "credibility of the TARP region that holds the truth"),
}


@dataclass(frozen=True, eq=False)
class Cases:
    """What calibration is checked on; `kept` (case,) says which cases the other arrays have."""

    kept: np.ndarray
    truth: np.ndarray  # (kept, param) in the unit cube
    x: np.ndarray  # (kept, feature)
    samples: np.ndarray  # (kept, draw, param)
    x_observed: np.ndarray  # (feature,)
    at_observed: np.ndarray  # (draw, param) posterior at the recording, or none


def unchecked(cases: int, n_params: int) -> dict[str, np.ndarray]:
    """Return all numbers of `CALIBRATION` where nothing can be said of `cases` cases."""
    sizes = {"param": n_params, "level": len(LEVELS), "case": cases}
    numbers = {
        name: np.full([sizes[dim] for dim in dims], np.nan)
        for name, (dims, _) in CALIBRATION.items()
    }
    return {**numbers, "calibration_cases": np.array(0), "calibration_left_out": np.array(cases)}


def calibration_check(cases: Cases, seed: int) -> dict[str, np.ndarray]:
    """Return every number of `CALIBRATION`; NaN where there are fewer than 20 cases, and of L-C2ST
    fewer than 100.

    Raises
    ------
    DataError
        Where the arrays do not fit together.
    """
    count, n_params = len(cases.truth), cases.truth.shape[1]
    if cases.kept.sum() != count or len(cases.x) != count:
        raise DataError(f"{cases.kept.sum()} cases are kept, of {count} truths and {cases.x.shape}")
    numbers = unchecked(len(cases.kept), n_params)
    if count < FEWEST:
        return numbers
    draws = cases.samples.shape[1]
    ranks = sbc_ranks(cases.samples, cases.truth)
    bands = rank_bands(ranks, draws)
    together = tarp(cases.samples, cases.truth, seed, references_near(cases.truth, cases.x, seed))
    looks = [min(1.0, bands.p_value.min() * n_params), together.p_value]
    if count >= LOCAL[0] and len(cases.at_observed):
        some = slice(LOCAL[1])
        local = local_c2st(
            cases.truth[some],
            cases.x[some],
            cases.samples[some, 0],
            cases.at_observed,
            cases.x_observed,
            seed,
        )
        numbers["local_p"] = np.array(local.p_value)
        looks.append(local.p_value)
    numbers["calibration_rank"][cases.kept] = ranks
    numbers["calibration_credibility"][cases.kept] = together.credibility
    z = recovery_z(cases.samples, cases.truth)
    return numbers | {
        "calibration_cases": np.array(count),
        "calibration_left_out": np.array(len(cases.kept) - count),
        "calibration_draws": np.array(draws),
        "calibrated": np.array(float(min(looks) > ALPHA / len(looks))),
        "sbc_p": bands.p_value,
        "sbc_inside": bands.inside.astype(float),
        "sbc_deviation": bands.deviation,
        "coverage": coverage(cases.samples, cases.truth, LEVELS),
        "coverage_tolerance": coverage_tolerance(LEVELS, count),
        "calibration_z": np.abs(z).mean(0),
        "calibration_shrinkage": shrinkage(cases.samples).mean(0),
        "tarp_p": np.array(together.p_value),
        "tarp_width": np.array(together.width),
    }


def calibration_words(numbers: Mapping[str, np.ndarray], names: Sequence[str]) -> str:
    """Say what is wrong with the calibration, in plain words; empty where nothing was found."""
    if not np.equal(numbers["calibrated"], 0):
        return ""
    alpha = ALPHA / (2 + int(np.isfinite(numbers["local_p"])))
    said = []
    for column, name in enumerate(names):
        p = numbers["sbc_p"][column]
        if p * len(names) <= alpha:
            said.append(f"{name} ({_how(numbers, column)}, {_p(p)})")
    if (p := float(numbers["tarp_p"])) <= alpha:
        said.append(f"all parameters together (TARP {_p(p)})")
    if (p := float(numbers["local_p"])) <= alpha:
        said.append(f"the posterior at the recording (L-C2ST {_p(p)})")
    return ", ".join(said)


def _how(numbers: Mapping[str, np.ndarray], column: int) -> str:
    """Say in which way the posteriors of a parameter are wrong."""
    ranks = numbers["calibration_rank"][:, column]
    ranks = ranks[np.isfinite(ranks)]
    off = numbers["coverage"][:, column] - LEVELS
    worst = int(np.argmax(np.abs(off) / numbers["coverage_tolerance"]))
    held = f"{numbers['coverage'][worst, column]:.0%} of the truths inside {LEVELS[worst]:.0%}"
    # ranks of a calibrated posterior have mean 1/2 of the draws, and variance 1/12 of their square
    shift = (ranks.mean() / numbers["calibration_draws"] - 0.5) * np.sqrt(12 * len(ranks))
    if abs(shift) > SHIFTED:
        return f"on average too {'low' if shift > 0 else 'high'}: {held} intervals"
    return f"too {'narrow' if off[worst] < 0 else 'wide'}: {held} intervals"


def _p(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-6 else "p < 1e-6"
