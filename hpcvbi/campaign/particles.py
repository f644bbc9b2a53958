"""The particles of a choice between models, read from its store: each model's posterior, and all
generations. Nothing is simulated or written.

posteriors("results/choice")["anna"]["linear"].draws        # (draw, param)

In the last generation the particles of model m, with their weights, are a sample of

    p(theta | m, d(x, x_o) <= epsilon),

so that a model that the recording speaks against has few of them. Toni & Stumpf (2010), DOI
10.1093/bioinformatics/btp619.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.campaign.chain import POSTERIOR_DRAWS
from hpcvbi.campaign.wishes import TRAINING
from hpcvbi.config import studies_of
from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.core.wave import round_of, wave_of
from hpcvbi.infer.choice_state import ChoiceState
from hpcvbi.infer.choice_steps import generation
from hpcvbi.infer.history import Run, Weighted
from hpcvbi.infer.metric import Measure
from hpcvbi.infer.table import effective_size, resampled
from hpcvbi.report.verdict import RESULT, chosen, store_of
from hpcvbi.store import Store
from hpcvbi.store.arrays import read_rows

FEW = 20.0
"""Effective particles below which a model's posterior is not to be relied on."""
INTERVAL = (0.05, 0.95)
"""Quantiles between which nine tenths of a posterior lie."""


@dataclass(frozen=True, eq=False)
class ModelPosterior:
    """A person's posterior of one model's parameters: equally weighted `draws` (draw, param) in
    natural units, from so many `particles` that count as `effective` equal ones; without particles
    no draws.
    """

    person: str
    model: str
    params: tuple[str, ...]
    units: tuple[str, ...]
    draws: np.ndarray
    particles: int
    effective: float

    @property
    def warning(self) -> str:
        """What to mind; empty where there are particles enough."""
        if self.effective >= FEW:
            return ""
        return (
            f"the posterior of {self.model} rests on {self.effective:.0f} effective particles, and "
            f"{FEW:.0f} are few: run its own study, or choose with more draws in a wave"
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per parameter, ready for a table or JSON; `low` to `high` are nine tenths of
        the posterior. Numbers are none where there is no particle.
        """
        return [
            {
                "person": self.person,
                "model": self.model,
                "parameter": name,
                "unit": unit,
                **_summary(self.draws[:, column]),
                "particles": self.particles,
                "effective": self.effective,
                "warning": self.warning,
            }
            for column, (name, unit) in enumerate(zip(self.params, self.units, strict=True))
        ]


def _summary(draws: np.ndarray) -> dict[str, float | None]:
    if not len(draws):
        return dict.fromkeys(("median", "low", "high", "mean", "sd"))
    low, median, high = np.quantile(draws, [INTERVAL[0], 0.5, INTERVAL[1]]).tolist()
    spread = {"mean": float(draws.mean()), "sd": float(draws.std())}
    return {"median": median, "low": low, "high": high, **spread}


def posteriors(
    folder: Path | str, draws: int = POSTERIOR_DRAWS
) -> dict[str, dict[str, ModelPosterior]]:
    """Return so many posterior draws of each person whose choice is done and of each model, by
    their names; the same store gives the same bits.

    Raises
    ------
    StoreError : there is no store of a choice, or it is damaged.
    StoreMismatch : a stored state is not what was learned from the draws that are there.
    """
    store = store_of(folder)
    studies = studies_of(store.study)
    seed = derive_seed("choice", *(study.seed for study in studies.values()))
    models = tuple(studies)
    return {person: _posteriors(store, person, models, draws, seed) for person in chosen(store)}


def _posteriors(
    store: Store, person: str, models: Sequence[str], draws: int, seed: int
) -> dict[str, ModelPosterior]:
    *_, last = _generations(store, person)
    found = _population(store, person, models, *last)
    posterior = {}
    for number, model in enumerate(models):
        names, units = _params(store, person, model)
        of = found.model == number
        theta, weights = found.theta[of, : len(names)], found.weights[of]
        rows = np.zeros(0, np.int64)
        if len(theta):
            rows = resampled(weights, draws, generator("resampled", seed, person, model))
        effective = effective_size(weights) if len(theta) else 0.0
        posterior[model] = ModelPosterior(
            person, model, names, units, theta[rows], len(theta), effective
        )
    return posterior


def history_of(store: Store, person: str) -> Run:
    """Return all generations of a person, as they go into pyABC's history."""
    observed, models = store.get(person, "observed_data")[0], tuple(studies_of(store.study))
    generations = _generations(store, person)
    return Run(
        method="abc_smc",
        models=models,
        params=tuple(_params(store, person, model)[0] for model in models),
        features=tuple(str(name) for name in observed["feature"]),
        observed=observed["features"],
        populations=tuple(_population(store, person, models, *of) for of in generations),
    )


def _generations(store: Store, person: str) -> Iterator[tuple[ChoiceState, int]]:
    """Yield the state after each complete generation, and the wave that it began with."""
    began = 0
    for wave in range(store.get(person, RESULT)[1]["rounds"]):
        state = ChoiceState.from_arrays(store.get(person, f"inference_{wave:03d}")[0])
        if state.since == state.round:  # nothing of the next generation is there
            yield state, began
            began = state.round


def _population(
    store: Store, person: str, models: Sequence[str], state: ChoiceState, began: int
) -> Weighted:
    there, settings = set(store.rounds(person)), store.study["study"]["choice"]
    waves = [round_of(n, model) for n in range(began, state.round) for model in models]
    rounds = {name: store.read(person, name, TRAINING) for name in waves if name in there}
    measure = Measure(settings["distance"], "none", settings["p"])
    return generation(measure, models, state, rounds)


def _params(store: Store, person: str, model: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and units of a model's parameters; none of a model that never had a draw."""
    own = [name for name in store.rounds(person) if wave_of(name)[1] == model]
    if not own:
        return (), ()
    group = store.root / person / own[0]
    names, units = (tuple(map(str, read_rows(group / each))) for each in ("param", "param_unit"))
    return names, units
