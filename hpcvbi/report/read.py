"""A finished study as the report reads it: each person's judgement, and what figures show."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.core.errors import StoreError
from hpcvbi.core.pairs import correlation
from hpcvbi.core.prior import PRIORS, Prior
from hpcvbi.evaluate.judge import EVALUATION
from hpcvbi.features import CURVES
from hpcvbi.store import Store
from hpcvbi.store.arrays import attributes

SAID = ("distances", "identifiability", "recording", "calibration", "place")
"""Attributes of an evaluation, in words, besides the verdict."""


@dataclass(frozen=True)
class Parameter:
    """An inferred parameter: name, unit, meaning, and its prior's kind and extent in that unit."""

    name: str
    unit: str
    doc: str
    kind: str
    low: float
    high: float

    @property
    def label(self) -> str:
        """Name with its unit, where it has one."""
        return self.name if self.unit in ("", "1") else f"{self.name} in {self.unit}"

    @property
    def prior(self) -> Prior:
        """Its prior distribution."""
        return PRIORS[self.kind](self.low, self.high)


@dataclass(frozen=True, eq=False)
class Judged:
    """One person's result: `numbers` holds every name of EVALUATION.

    `unseen` names the features whose recorded value lies outside everything that was simulated to
    learn from; `learning` is what each update reported, in the order of the rounds; `words` what
    `evaluate.judge` said of all that `SAID` names. `consent` and
    `terms` are what the person's data may be used for. A `stale` result was built on data of
    somebody who has withdrawn since.
    """

    person: str
    params: tuple[Parameter, ...]
    features: tuple[str, ...]
    numbers: Mapping[str, np.ndarray]
    verdict: str
    unseen: tuple[str, ...]
    learning: tuple[Mapping[str, Any], ...]
    words: Mapping[str, str]
    consent: str = ""
    terms: str = ""
    stale: bool = False

    def number(self, name: str) -> float:
        """Return a scalar of EVALUATION."""
        return float(self.numbers[name])

    @property
    def point(self) -> str | None:
        """What the samples are where they are no posterior."""
        kind = self.learning[-1].get("kind", "posterior") if self.learning else "posterior"
        return None if kind == "posterior" else str(kind)

    def column(self, name: str) -> int:
        """Return the place of a parameter."""
        return [p.name for p in self.params].index(name)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a person's figures are drawn from; correlations are with the recorded FC, over pairs."""

    samples: np.ndarray  # (sample, param) of the posterior, natural units
    regions: tuple[str, ...]
    recorded_fc: np.ndarray  # (pair,)
    model_fc: np.ndarray  # (pair,) mean over the finite predictive draws
    noisy_fc: np.ndarray  # (pair,) the same with measurement noise
    curves: Mapping[str, "CurveSeen"]
    predicted_features: np.ndarray  # (draw, feature)
    predicted_theta: np.ndarray  # (draw, param)
    predicted_r: np.ndarray  # (draw,) of model FC
    grid: "GridScan | None"


@dataclass(frozen=True, eq=False)
class CurveSeen:
    """A curve of the recording (point,) and of the finite predictive draws (draw, point), where it
    is given: `at` (point,). No points where the recording has none.
    """

    at: np.ndarray
    recorded: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True, eq=False)
class GridScan:
    """Correlation of model FC with the recorded FC over a grid of one parameter."""

    parameter: str
    values: np.ndarray  # (draw,)
    r: np.ndarray  # (draw,)


def people_of(store: Store) -> list[str]:
    """Everybody of the study, judged or not."""
    return list(store.study.get("people") or sorted({chain for chain, _ in store.done_puts()}))


def settings_of(store: Store) -> Mapping[str, Any]:
    """The study file as it was run, defaults filled in."""
    return store.study["study"]


def judged(folder: Path | str) -> tuple[Judged, ...]:
    """Read the judgement of every person of the study in `folder` who has one."""
    store = Store.open(folder)
    done = store.done_puts()
    return tuple(_judged(store, p, done) for p in people_of(store) if (p, "evaluation") in done)


def _judged(store: Store, person: str, done: set[tuple[str, str]]) -> Judged:
    arrays, about = store.get(person, "evaluation")
    if absent := sorted(EVALUATION.keys() - arrays.keys()):
        raise StoreError(
            f"the judgement of {person} has no {', '.join(absent)}: another version of hpcvbi made "
            "it. Use that version, or run the study again under another `output:`."
        )
    features = tuple(str(name) for name in arrays["feature"])
    updates = sorted(group for chain, group in done if chain == person and "inference_" in group)
    priors = json.loads(store.get(person, "posterior")[1]["priors"])
    learning = tuple(store.get(person, group)[1] for group in updates)
    # rows of all rounds are learned from together, so that the last update knows them all
    clipped = learning[-1].get("observed_clipped", ()) if learning else ()
    return Judged(
        person=person,
        params=tuple(_parameter(store, person, str(name), priors) for name in arrays["param"]),
        features=features,
        numbers={name: arrays[name] for name in EVALUATION},
        verdict=str(about.get("verdict", "")),
        unseen=tuple(name for name, out in zip(features, clipped, strict=False) if out),
        learning=learning,
        words={what: str(about.get(what, "")) for what in SAID},
        consent=str(about.get("consent_scope", "")),
        terms=str(about.get("data_use_terms", "")),
        stale=store.is_stale(person, "evaluation"),
    )


def _parameter(store: Store, person: str, name: str, priors: Mapping[str, Any]) -> Parameter:
    doc = attributes(store.root / person / "posterior" / name).get("long_name", "")
    return parameter(name, priors, doc)


def parameter(name: str, priors: Mapping[str, Mapping[str, Any]], doc: str = "") -> Parameter:
    """Return a parameter of a space that describes itself as `priors`, see `Space.described`."""
    own = priors[name]
    return Parameter(name, own["unit"], doc, own["prior"], own["low"], own["high"])


def evidence(store: Store, result: Judged) -> Evidence:
    """Read what the figures of one person need."""
    person, names = result.person, [p.name for p in result.params]
    posterior, _ = store.get(person, "posterior")
    observed, _ = store.get(person, "observed_data")
    predicted, _ = store.get(person, "posterior_predictive")
    connectome, _ = store.get(person, "connectome")
    model_fc, noisy_fc = predicted["fc_model"][0], predicted["fc"][0]
    return Evidence(
        samples=np.column_stack([posterior[name].ravel() for name in names]),
        regions=tuple(str(label) for label in connectome["to"]),
        recorded_fc=observed["fc"],
        model_fc=_finite_mean(model_fc),
        noisy_fc=_finite_mean(noisy_fc),
        curves={
            name: _curve(observed[curve.over], observed[name], predicted[name][0])
            for name, curve in CURVES.items()
        },
        predicted_features=predicted["features"][0],
        predicted_theta=store.read(person, "predictive", ["theta"])["theta"],
        predicted_r=correlation(model_fc, observed["fc"]),
        grid=_grid(store, result, observed["fc"]),
    )


def _grid(store: Store, result: Judged, recorded_fc: np.ndarray) -> GridScan | None:
    if "grid" not in store.rounds(result.person):
        return None
    over = settings_of(store)["yardsticks"]["grid"]["over"]
    grid = store.read(result.person, "grid", ["theta", "fc_model"])
    values = grid["theta"][:, result.column(over)]
    return GridScan(over, values, correlation(grid["fc_model"], recorded_fc))


def _curve(at: np.ndarray, recorded: np.ndarray, predicted: np.ndarray) -> CurveSeen:
    there = np.isfinite(recorded)
    predicted = predicted[:, there]
    return CurveSeen(at[there], recorded[there], predicted[np.isfinite(predicted).all(1)])


def _finite_mean(fc: np.ndarray) -> np.ndarray:
    return fc[np.isfinite(fc).all(1)].mean(0, dtype=np.float64)
