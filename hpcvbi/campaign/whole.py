"""What a finished person has in the store, and what of it is lacking."""

from collections.abc import Iterable

from hpcvbi.campaign.chain import POSTERIOR_DRAWS
from hpcvbi.config import Study
from hpcvbi.infer.steps import EARLIER
from hpcvbi.store import Store

JUDGEMENT = "evaluation"
"""The data set that is written last."""


def rounds_of(study: Study) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Return the rounds of a person: how many draws, and what is kept of each besides features."""
    kept = ("fc", "fc_model")
    grid, inference = study.yardsticks.grid, study.inference
    rounds = {f"round_{n:03d}": (inference.draws, study.keep) for n in range(inference.rounds)}
    return {
        **rounds,
        "predictive": (min(study.yardsticks.predictive, POSTERIOR_DRAWS), kept),
        "grid": (grid.points * grid.draws, kept),
        "grid_fresh": (grid.fresh, kept),
    }


def data_sets_of(study: Study) -> tuple[str, ...]:
    """Return the data sets of a person that are written whole."""
    learned = (f"inference_{n:03d}" for n in range(study.inference.rounds))
    about = ("connectome", "observed_data", "posterior", "posterior_predictive")
    earlier = () if study.inference.reuse is None else (EARLIER,)
    return (*about, *earlier, *learned, JUDGEMENT)


def lacking(study: Study, store: Store, people: Iterable[str]) -> dict[str, list[str]]:
    """Return the groups of each person that the store does not have whole, by presence and size, or
    that were built on data of somebody who has withdrawn.
    """
    rounds, puts = store.whole_rounds(), store.done_puts()
    puts = {key for key in puts if not store.is_stale(*key)}
    return {
        name: [
            *(group for group in data_sets_of(study) if (name, group) not in puts),
            *(r for r, (draws, _) in rounds_of(study).items() if rounds.get((name, r)) != draws),
        ]
        for name in people
    }
