"""What a finished person has in the store, and what of it is lacking.

An algorithm may be done before the study's rounds are; then what is there is judged by the rounds
that the person's posterior was learned from.
"""

from collections.abc import Iterable

from hpcvbi.campaign.chain import POSTERIOR_DRAWS
from hpcvbi.campaign.method import calibration_draws
from hpcvbi.campaign.record import COMPARED, PREDICTED
from hpcvbi.campaign.together import DRAWN, learners
from hpcvbi.config import Study
from hpcvbi.core.errors import StoreError
from hpcvbi.infer.steps import EARLIER
from hpcvbi.store import Store

JUDGEMENT = "evaluation"
"""The data set that is written last."""


def rounds_of(study: Study, learned: int | None = None) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Return the rounds of a person: how many draws, and what is kept of each besides features;
    at most, or where so many are `learned` from.
    """
    grid, inference = study.yardsticks.grid, study.inference
    numbers = range(inference.rounds if learned is None else learned)
    return {
        **{f"round_{n:03d}": (inference.draws, study.keep) for n in numbers},
        "predictive": (min(study.yardsticks.predictive, POSTERIOR_DRAWS), PREDICTED),
        "grid": (grid.points * grid.draws, COMPARED),
        "grid_fresh": (grid.fresh, COMPARED),
        **({"calibration": (cases, ())} if (cases := calibration_draws(study)) else {}),
    }


def data_sets_of(study: Study, learned: int | None = None) -> tuple[str, ...]:
    """Return the data sets of a person that are written whole; at most, or where so many rounds
    are `learned` from.
    """
    cohort = study.inference.cohort
    numbers = range(study.inference.rounds if learned is None or cohort else learned)
    about = ("connectome", "observed_data", "posterior", "posterior_predictive")
    earlier = () if study.inference.reuse is None else (EARLIER,)
    earlier = (DRAWN,) if cohort else earlier
    return (*about, *earlier, *(f"inference_{n:03d}" for n in numbers), JUDGEMENT)


def learned_rounds(study: Study, store: Store, person: str) -> int:
    """Return how many rounds of theirs a person's posterior was learned from: as it says itself,
    else as the ledger has them; those of the study where there is no posterior yet. None of whoever
    joins a cohort that has its network.
    """
    most = study.inference.rounds
    if study.inference.cohort:
        return int(person in learners(store))
    if not _known(store, person, "posterior"):
        return most
    try:
        return min(most, int(store.get(person, "posterior")[1]["rounds_learned_from"]))
    except (StoreError, KeyError):  # damaged, without the key, or written before it said so
        there = [n for n in range(most) if _known(store, person, f"inference_{n:03d}")]
        return max(there, default=most - 1) + 1


def lacking(study: Study, store: Store, people: Iterable[str]) -> dict[str, list[str]]:
    """Return the groups of each person that the store does not have whole, by presence and size, or
    that were built on data of somebody who has withdrawn.
    """
    rounds, puts = store.whole_rounds(), store.done_puts()
    puts = {key for key in puts if not store.is_stale(*key)}

    def of(name: str) -> list[str]:
        learned = learned_rounds(study, store, name)
        wanted = rounds_of(study, learned)
        return [
            *(group for group in data_sets_of(study, learned) if (name, group) not in puts),
            *(r for r, (draws, _) in wanted.items() if rounds.get((name, r)) != draws),
        ]

    return {name: of(name) for name in people}


def _known(store: Store, person: str, group: str) -> bool:
    return store.is_marked(person, group) or store.was_marked(person, group)
