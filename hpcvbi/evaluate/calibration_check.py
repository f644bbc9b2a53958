"""Is the method calibrated? All that is asked of its posteriors over cases with known truth.

Each case is a truth u, data x that the model made with it, and independent posterior draws given x.
Ranks of the truths (`rank_bands`) see each parameter by itself; TARP and, where the method gives
densities, highest-density regions (`expected_coverage`) see all of them together; L-C2ST
(`local_two_samples`) sees the posterior at the recording. The method counts as calibrated while
none of these looks has a p-value up to 0.05 / looks, that of the ranks being the smallest of all
parameters times their number (Bonferroni): an exact one is blamed in at most 5 % of the studies.
That nothing was found does not say that nothing is there: 100 cases see errors of the coverage from
about 10 % on; those of all people together (`pooled`) see smaller ones that they share.

Cases come from what the posterior is for: the prior, or the part of it that later rounds were cut
to. There posteriors are cut to that part too, and shrinkage and coverage are those within it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import DataError
from hpcvbi.evaluate.expected_coverage import (
    density_coverage,
    references_near,
    tarp,
    uniform_p,
)
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
AT_ONCE = {
    "tarp_p": "all parameters together (TARP",
    "hpd_p": "the regions of highest density (coverage",
    "local_p": "the posterior at the recording (L-C2ST",
}
"""Looks at all parameters at once, in words."""
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
    "hpd_p": ((), "p-value of the expected coverage of highest-density regions; NaN without any"),
    "hpd_width": ((), "positive where posteriors are too wide, negative where too narrow"),
    "local_p": ((), "p-value of the posterior being right at the recording (L-C2ST)"),
    "calibration_rank": (("case", "param"), "rank of the truth among the posterior draws"),
    "calibration_credibility": (("case",), "credibility of the TARP region that holds the truth"),
    "calibration_hpd": (("case",), "credibility of the highest-density region that holds it"),
}


@dataclass(frozen=True, eq=False)
class Cases:
    """What calibration is checked on; `kept` (case,) says which cases the other arrays have."""

    kept: np.ndarray
    truth: np.ndarray  # (kept, param) in the unit cube
    x: np.ndarray  # (kept, feature)
    samples: np.ndarray  # (kept, draw, param)
    log_density: np.ndarray  # (kept, 1 + draw) at truth and samples, or (kept, 0)
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
    if cases.log_density.shape[1] and not np.isnan(cases.log_density).any():
        dense = density_coverage(cases.log_density[:, 1:], cases.log_density[:, 0], seed)
        numbers["hpd_p"], numbers["hpd_width"] = np.array(dense.p_value), np.array(dense.width)
        numbers["calibration_hpd"][cases.kept] = dense.credibility
    numbers["calibration_rank"][cases.kept] = ranks
    numbers["calibration_credibility"][cases.kept] = together.credibility
    z = recovery_z(cases.samples, cases.truth)
    numbers |= {
        "calibration_cases": np.array(count),
        "calibration_left_out": np.array(len(cases.kept) - count),
        "calibration_draws": np.array(draws),
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
    return numbers | {"calibrated": _calibrated(numbers)}


def pooled(people: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray] | None:
    """Return those numbers of `CALIBRATION` that all people's cases together tell, from each
    person's; None where fewer than two people were checked, or not in one way.

    Ranks and credibilities of exact posteriors are uniform for everybody, so that they are one
    sample: a sharper look at what the people have in common.
    """
    people = [numbers for numbers in people if np.isfinite(numbers["calibrated"])]
    if len(people) < 2 or len({float(numbers["calibration_draws"]) for numbers in people}) > 1:
        return None
    ranks, tarp_levels, hpd_levels = (
        np.concatenate([numbers[name] for numbers in people])
        for name in ("calibration_rank", "calibration_credibility", "calibration_hpd")
    )
    ranks = ranks[np.isfinite(ranks).all(1)].astype(int)
    cases = np.array([numbers["calibration_cases"] for numbers in people])
    covered = np.array([numbers["coverage"] for numbers in people])
    numbers = {
        "calibration_cases": cases.sum(),
        "calibration_draws": people[0]["calibration_draws"],
        "calibration_rank": ranks.astype(float),
        "sbc_p": rank_bands(ranks, int(people[0]["calibration_draws"])).p_value,
        "coverage": np.average(covered, axis=0, weights=cases),
        "coverage_tolerance": coverage_tolerance(LEVELS, int(cases.sum())),
        "tarp_p": np.array(uniform_p(tarp_levels[np.isfinite(tarp_levels)])),
        "hpd_p": np.array(uniform_p(hpd_levels[np.isfinite(hpd_levels)])),
        "local_p": np.array(np.nan),
    }
    return numbers | {"calibrated": _calibrated(numbers)}


def _calibrated(numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whether no look at all has a p-value that is too small for so many looks."""
    ranks = min(1.0, numbers["sbc_p"].min() * len(numbers["sbc_p"]))
    looks = [ranks, *_at_once(numbers).values()]
    return np.array(float(min(looks) > ALPHA / len(looks)))


def _at_once(numbers: Mapping[str, np.ndarray]) -> dict[str, float]:
    """p-values of the looks at all parameters at once that were had."""
    return {name: float(numbers[name]) for name in AT_ONCE if np.isfinite(numbers[name])}


def calibration_words(numbers: Mapping[str, np.ndarray], names: Sequence[str]) -> str:
    """Say what is wrong with the calibration, in plain words; empty where nothing was found."""
    if not np.equal(numbers["calibrated"], 0):
        return ""
    at_once = _at_once(numbers)
    alpha, said = ALPHA / (1 + len(at_once)), []
    for column, name in enumerate(names):
        p = numbers["sbc_p"][column]
        if p * len(names) <= alpha:
            said.append(f"{name} ({_how(numbers, column)}, {p_text(p)})")
    said += [f"{AT_ONCE[name]} {p_text(p)})" for name, p in at_once.items() if p <= alpha]
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


def p_text(p: float) -> str:
    """Say a p-value, however small."""
    return f"p = {p:.2g}" if p >= 1e-6 else "p < 1e-6"
