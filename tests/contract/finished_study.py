"""A small finished study: a made-up model, but stored and judged as a campaign does it."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from hpcvbi.brain.connectome import Connectome
from hpcvbi.campaign import record
from hpcvbi.core.block import Block, BlockReport, Status, blocks_of
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.evaluate.calibration_check import Cases, calibration_check
from hpcvbi.evaluate.judge import Evidence, best_grid_point, judge
from hpcvbi.evaluate.recording_check import recording_check
from hpcvbi.features import Measured
from hpcvbi.features.curves import FCD_VALUES, frequencies
from hpcvbi.store import Driver

SHA = "5" * 64
REGIONS = tuple(f"Region{k // 2}_{'LR'[k % 2]}" for k in range(10))
PAIRS = len(REGIONS) * (len(REGIONS) - 1) // 2
BLOCK = 16
CASES = 40
TIMES_S = 0.72 * np.arange(1, 301)
TERMS = "Open for teaching & tests; do not <redistribute>."


@dataclass(frozen=True)
class Fate:
    """How one person's inference is to end."""

    fits: bool = True
    sigma_sd: float = 0.04
    unseen: bool = False
    calibrated: bool = True
    moves_alike: bool = True
    short: bool = False
    r_hat: float = 1.0


@dataclass(frozen=True)
class Cohort:
    """Who is in the study; `features` and `stamp` may be hostile, the `unjudged` have no end."""

    fates: dict[str, Fate] = field(default_factory=lambda: {"101": Fate(), "102": Fate()})
    features: tuple[str, str, str] = ("fc_mean", "fc_sd", "lag1_autocorrelation")
    stamp: dict[str, Any] = field(default_factory=dict)
    unjudged: tuple[str, ...] = ()


def space() -> Space:
    """G and sigma with their priors, as `configs/` writes them."""
    return Space(
        (
            Param("G", 1.0, "1", prior=Uniform(0.4, 1.4), doc="global coupling"),
            Param("sigma", 2e-4, "1/sqrt(ms)", prior=LogUniform(1e-4, 1e-3), doc="noise"),
        )
    )


def write(folder: Path, cohort: Cohort) -> Path:
    """Write the study into `folder` through the Driver, and return `folder`."""
    people = (*cohort.fates, *cohort.unjudged)
    grid = {"over": "G", "points": 5, "draws": 2, "fresh": 4}
    parameters = {
        "G": {"prior": "uniform", "low": 0.4, "high": 1.4},
        "sigma": {"prior": None, "low": None, "high": None},  # `{}`: the prior of its declaration
    }
    study = {
        "seed": 1,
        "parameters": parameters,
        "yardsticks": {"predictive": 24, "calibration": CASES, "grid": grid},
    }
    manifest = {"study": study, "people": dict.fromkeys(people, "0" * 64)}
    with Driver.create(folder, manifest, SHA) as store:
        stamp = {"time": "x", "commit": None, "versions": {"numpy": "2.4.6"}, "host": "node-1"}
        store.append("run started", **{**stamp, "terms": [TERMS], **cohort.stamp})
        rng = np.random.default_rng(7)
        recorded = {p: _recording(rng) for p in people}
        for person, fate in cohort.fates.items():
            own = np.random.default_rng(int(person.removeprefix("sub")))
            _person(store, person, fate, cohort, recorded, own)
        store.append("run finished", blocks=3)
        store.finish()
    return folder


def _recording(rng: np.random.Generator) -> np.ndarray:
    return np.clip(0.35 + 0.2 * rng.standard_normal(PAIRS), -0.95, 0.95)


def _simulated(
    rng: np.random.Generator, recorded: np.ndarray, theta: np.ndarray
) -> dict[str, np.ndarray]:
    """Made-up FC that meets the recording best at G = 1, and features that follow G."""
    off = 0.1 + np.abs(theta[:, :1] - 1.0)
    clean = np.clip(recorded + off * rng.standard_normal((len(theta), PAIRS)), -1, 1)
    noisy = np.clip(0.8 * clean + 0.02 * rng.standard_normal(clean.shape), -1, 1)
    base = [0.4 * theta[:, 0], 0.1 + 0.1 * theta[:, 0], 0.7 - 200 * theta[:, 1]]
    features = np.column_stack(base) + 0.01 * rng.standard_normal((len(theta), 3))
    status = np.full(len(theta), Status.OK, np.uint8)
    return {"fc_model": clean, "fc": noisy, "features": features, "status": status}


def _curves(draws: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Made-up FCD and spectra about one pattern, with `shift` far from it."""
    rng = np.random.default_rng(draws)
    middle = 0.3 + shift + 0.05 * rng.standard_normal((draws, 1))
    at = frequencies(len(TIMES_S), TIMES_S[0])
    turn = (0.05 + shift) * np.exp(0.1 * rng.standard_normal((draws, 1)))
    noise = np.exp(0.1 * rng.standard_normal((draws, len(at))))
    return {"fcd": ndtr((FCD_VALUES - middle) / 0.15), "psd": noise / (1 + (at / turn) ** 2)}


def _round(
    store: Driver,
    person: str,
    name: str,
    theta: np.ndarray,
    arrays: dict[str, np.ndarray],
    features: tuple[str, ...],
) -> dict[str, np.ndarray]:
    keep = {"predictive": record.PREDICTED, "round_000": ()}.get(name, record.COMPARED)
    outputs = record.outputs(keep, features, REGIONS, TIMES_S)
    theta = store.prepare(person, name, theta, space().params, outputs, BLOCK)
    written = ("status", *(output.name for output in outputs))
    for block in blocks_of(person, name, len(theta), BLOCK):
        rows = slice(block.start, block.stop)
        digests = store.write_block(block, {k: arrays[k][rows] for k in written})
        store.mark(_report(block, arrays["status"][rows], digests))
    return store.read(person, name)


def _report(block: Block, status: np.ndarray, digests: dict[str, list[int | str]]) -> BlockReport:
    diverged = int((status == Status.DIVERGED).sum())
    return BlockReport(block, diverged, 2.0 + block.index, "node-1", digests)


def _person(
    store: Driver,
    person: str,
    fate: Fate,
    cohort: Cohort,
    recorded: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> None:
    names, fc = cohort.features, recorded[person]
    simulate = partial(_simulated, rng, fc)
    truth = np.array([[1.0, 3e-4]])
    seen = _simulated(np.random.default_rng(0), fc, truth)["features"][0]
    seen = seen if fate.fits else seen + np.array([0.5, 0.0, 0.0])
    weights = np.abs(rng.standard_normal((10, 10)))
    np.fill_diagonal(weights, 0)
    connectome = Connectome(weights, 40.0 * np.ones((10, 10)), REGIONS)
    store.put(person, "connectome", *record.connectome(connectome))
    curves = _curves(1, 0.0 if fate.moves_alike else 0.3)
    if fate.short:
        curves["fcd"][:] = np.nan
    measured = Measured(seen[None], fc[None], curves)
    store.put(person, "observed_data", *record.observed(measured, names, REGIONS, TIMES_S))

    theta = space().sample(rng, 40)
    first = simulate(theta)
    first["status"][:2], first["features"][:2] = Status.DIVERGED, np.nan
    _round(store, person, "round_000", theta, first, names)
    info = {
        "round": 0,
        "draws": 40,
        "masked": 2,
        "rows": 38,
        "volume": 0.3,
        "leakage": 0.01,
        "curve": [[0.9, 0.4, 0.3], [1.0, 0.5]],
        "observed_clipped": [fate.unseen, False, False],
        "r_hat": fate.r_hat,
    }
    store.put(person, "inference_000", *record.inference({"weights": np.zeros((1, 4))}), info)
    store.append("learned", chain=person, label="inference_000", seconds=1.5)

    u = space().to_unit(truth) + rng.standard_normal((200, 2)) * [0.05, fate.sigma_sd]
    u = np.abs(u) - 2 * np.maximum(np.abs(u) - 1, 0)
    samples = space().from_unit(u)
    about = record.learned_from(40, 38, space(), 1)
    store.put(person, "posterior", *record.posterior(samples, space()), about)
    put = partial(_round, store, person)
    simulated = {**simulate(samples[:24]), **_curves(24)}
    predicted = put("predictive", samples[:24], simulated, names)
    drawn = record.posterior_predictive(predicted, names, REGIONS, TIMES_S)
    store.put(person, "posterior_predictive", *drawn)
    values = np.repeat(np.linspace(0.4, 1.4, 5), 2)
    grid_theta = np.column_stack([values, np.full(10, 3e-4)])
    grid = put("grid", grid_theta, simulate(grid_theta), names)
    best = best_grid_point(values, grid["fc_model"], fc)
    fresh_theta = np.tile([[best, 3e-4]], (4, 1))
    fresh = put("grid_fresh", fresh_theta, simulate(fresh_theta), names)
    twins_truth = space().to_unit(predicted["theta"])
    numbers, words = judge(
        Evidence(
            u=u,
            theta=samples,
            twins_u=twins_truth[:, None] + 0.05 * rng.standard_normal((24, 50, 2)),
            twins_truth=twins_truth + 0.05 * rng.standard_normal((24, 2)),
            feature_names=names,
            recorded_features=seen,
            predicted_features=predicted["features"],
            cohort_fc=np.array(list(recorded.values())),
            person=list(recorded).index(person),
            weights=weights,
            reliability=np.linspace(0.6, 0.9, 10),
            predicted_model_fc=predicted["fc_model"],
            predicted_fc=predicted["fc"],
            recorded_curves={name: curve[0] for name, curve in curves.items()},
            predicted_curves={name: predicted[name] for name in curves},
            grid_best=best,
            fresh_model_fc=fresh["fc_model"],
            fresh_fc=fresh["fc"],
            status=np.concatenate(
                [store.read(person, r, ["status"])["status"] for r in store.rounds(person)]
            ),
            proposed=40,
            learned=38,
            info=info,
            calibration=_calibration(store, person, fate, fc, seen, names),
            recording=recording_check(seen, _prior_predictive(fc, names), names, 1),
            parameter_names=space().names,
        )
    )
    store.put(person, "evaluation", *record.evaluation(numbers, space(), names), words)


def _prior_predictive(fc: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Features of more draws of the prior than the round has."""
    rng = np.random.default_rng(5)
    return _simulated(rng, fc, space().sample(rng, 400))["features"]


def _calibration(
    store: Driver,
    person: str,
    fate: Fate,
    fc: np.ndarray,
    seen: np.ndarray,
    names: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """Simulate cases, and judge made-up posteriors of them, too narrow where so fated."""
    rng = np.random.default_rng(6)
    truth = rng.random((CASES, 2))
    theta = space().from_unit(truth)
    _round(store, person, "calibration", theta, _simulated(rng, fc, theta), names)
    seen_of = truth + 0.1 * rng.standard_normal((CASES, 2))
    ends = [ndtr((end - seen_of) / 0.1)[:, None] for end in (0.0, 1.0)]
    share = ends[0] + (ends[1] - ends[0]) * rng.random((CASES, 99, 2))
    samples = seen_of[:, None] + 0.1 * ndtri(share)
    if not fate.calibrated:
        middle = samples.mean(1, keepdims=True)
        samples = middle + 0.2 * (samples - middle)
    # posteriors given what they are made of: the features would tell more of the truths
    x_observed = np.resize(seen, 2)
    points = np.concatenate([truth[:, None], samples], axis=1)
    density = -((points - seen_of[:, None]) ** 2).sum(-1)
    kept = np.ones(CASES, bool)
    cases = Cases(kept, truth, seen_of, samples, density, x_observed, samples[0])
    return calibration_check(cases, 1)
