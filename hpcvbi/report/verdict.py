"""What a choice found, read from its store: nothing is simulated or written.

verdicts("results/choice")["anna"].probability      # (model,)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.config import is_choice
from hpcvbi.core.errors import StoreError
from hpcvbi.evaluate.bayes_factors import UNSEEN, evidence
from hpcvbi.store import Store

RESULT = "choice"
"""Group of a person that holds a choice; it is written last."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """A person's choice: per model its `probability`, the standard `error` of that, its `prior` and
    its `effective` particles (all (model,)), the `bayes_factor` (model, other) and which are lower
    bounds; how well simulations are `told_apart` (model, other), see there; the `epsilon`
    (generation,) reached, with the `probabilities` and their `errors` (generation, model) there;
    how many draws were simulated; and the `priors` of each model's parameters, see
    `Space.described`.
    """

    person: str
    models: tuple[str, ...]
    probability: np.ndarray
    error: np.ndarray
    prior: np.ndarray
    effective: np.ndarray
    bayes_factor: np.ndarray
    bound: np.ndarray
    told_apart: np.ndarray
    epsilon: np.ndarray
    probabilities: np.ndarray
    errors: np.ndarray
    simulated: int
    particles: float
    warnings: tuple[str, ...]
    priors: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @property
    def best(self) -> int:
        """Which model the recording speaks for most, its prior apart."""
        return int(np.argmax(self.probability / self.prior))

    def shown(self, model: int) -> tuple[str, str]:
        """Return a model's probability and its error as text; where no particle says otherwise, the
        bound of it.
        """
        probability, bound = self.probability[model], UNSEEN / self.particles
        if not 0 < probability < 1:
            return (f"< {bound:.2g}" if probability <= 0 else f"> {1 - bound:.2g}"), ""
        return f"{probability:.3f}", f"{self.error[model]:.3f}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per model, ready for a table or JSON; `factor` is the Bayes factor of the
        best model against it.
        """
        return [
            {
                "person": self.person,
                "model": name,
                "probability": float(self.probability[m]),
                "error": float(self.error[m]),
                "prior": float(self.prior[m]),
                "effective": float(self.effective[m]),
                "best": self.models[self.best],
                "factor": float(self.bayes_factor[self.best, m]),
                "factor_is_bound": bool(self.bound[self.best, m]),
                "recognised": _or_none(self.told_apart[m, m]),
                "evidence": "" if m == self.best else evidence(self.bayes_factor[self.best, m]),
                "epsilon": float(self.epsilon[-1]),
                "generations": len(self.epsilon),
                "draws": self.simulated,
                "warnings": "; ".join(self.warnings),
            }
            for m, name in enumerate(self.models)
        ]


def _or_none(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def verdicts(folder: Path | str) -> dict[str, Verdict]:
    """Return what was found of each person whose choice is done, by name.

    Raises
    ------
    StoreError : there is no store of a choice, or it is damaged.
    """
    store = store_of(folder)
    return {person: _verdict(store, person) for person in chosen(store)}


def store_of(folder: Path | str) -> Store:
    """Open the store of a choice; StoreError where there is none."""
    store = Store.open(folder)
    if not is_choice(store.study):
        raise StoreError(f"{folder} holds a study, not a choice between studies")
    return store


def chosen(store: Store) -> list[str]:
    """Return the people whose choice is done, sorted."""
    return sorted(person for person, group in store.done_puts() if group == RESULT)


def _verdict(store: Store, person: str) -> Verdict:
    found, about = store.get(person, RESULT)
    return Verdict(
        person=person,
        models=tuple(str(name) for name in found["model"]),
        probability=found["probability"],
        error=found["error"],
        prior=found["prior"],
        effective=found["effective"],
        bayes_factor=found["bayes_factor"],
        bound=found["bound"].astype(bool),
        told_apart=found["told_apart"],
        epsilon=found["epsilon"],
        probabilities=found["probabilities"],
        errors=found["errors"],
        simulated=int(found["simulated"].sum()),
        particles=float(about["effective"]),
        warnings=tuple(about["warnings"]),
        priors=json.loads(about["priors"]),
    )
