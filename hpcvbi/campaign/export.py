"""A study's results in other programs' formats: which format, whose, and what it is made from."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from hpcvbi.campaign import particles, record
from hpcvbi.campaign.method import algorithm_of
from hpcvbi.campaign.whole import JUDGEMENT, learned_rounds
from hpcvbi.campaign.wishes import TRAINING
from hpcvbi.config import Study, is_choice
from hpcvbi.core.errors import ExportError
from hpcvbi.infer import steps
from hpcvbi.infer.history import Run, check_pyabc, equally_weighted, weighted, write_history
from hpcvbi.infer.populations import Weighing
from hpcvbi.report.verdict import RESULT
from hpcvbi.store import Store
from hpcvbi.store.export import export_arviz, export_csv, export_netcdf
from hpcvbi.store.publish import check_target, published
from hpcvbi.store.reading import folder_of

People = Sequence[str] | None


def export_pyabc(store: Path, target: Path, people: People, about: dict[str, str]) -> None:
    """Write a history of pyABC with one run per person; of a choice, with all of its models."""
    check_pyabc()
    opened = Store.open(folder_of(store))
    kind, last = ("choice", RESULT) if is_choice(opened.study) else ("study", JUDGEMENT)
    run_of = particles.history_of if last == RESULT else _run
    finished = sorted(person for person, group in opened.done_puts() if group == last)
    wanted = list(opened.study["people"]) if people is None else list(people)
    if unfinished := [person for person in wanted if person not in finished]:
        raise ExportError(
            f"{', '.join(unfinished)}: not judged yet. Finish the {kind}, or name the people to "
            f"export: {', '.join(finished) or 'nobody is finished'}"
        )
    runs = {person: run_of(opened, person) for person in wanted}
    with published(target) as draft:
        write_history(draft, runs, about)


EXPORTS: dict[str, Callable[[Path, Path, People, dict[str, str]], None]] = {
    "netcdf": export_netcdf,
    "arviz": export_arviz,
    "pyabc": export_pyabc,
    "csv": export_csv,
}
SUFFIXES = {".nc": "netcdf", ".zarr": "arviz", ".db": "pyabc", ".csv": "csv"}
"""The format of a target by its name, where it is not said."""
OF_CHOICES = ("netcdf", "pyabc")
"""Formats that have a place for several models, each with parameters of its own."""


def export(store: Path, target: Path, format: str | None = None, people: People = None) -> str:
    """Write the results in `store` to `target`, which must be free; return the format.

    Raises
    ------
    ExportError
        The target is there already, the format is not known or has no place for a choice between
        models, what it needs is not installed, somebody is not finished, or a posterior was built
        on somebody who has withdrawn.
    StoreError
        There is no store, it is damaged, or the target cannot be written.
    """
    name = format or SUFFIXES.get(target.suffix)
    if name not in EXPORTS:
        raise ExportError(
            f"which format is {target}? Write --format {' | '.join(EXPORTS)}, or end the target "
            f"with {', '.join(SUFFIXES)}"
        )
    check_target(target)
    from hpcvbi import __version__

    opened = Store.open(folder_of(store))
    stale = [one for one in people or opened.study["people"] if opened.is_stale(one, "posterior")]
    if stale:
        raise ExportError(
            f"posteriors of {', '.join(stale)} were built on somebody who has withdrawn: run the "
            "study again"
        )
    if is_choice(opened.study) and name not in OF_CHOICES:
        raise ExportError(
            f"{store} holds a choice between models, each with parameters of its own, for which "
            f"{name} has no place: export it as {' or '.join(OF_CHOICES)}; `hpcvbi choose --table "
            "FILE` writes its tables as CSV or JSON"
        )
    about = {"source": f"hpcvbi {__version__}", "study_sha256": opened.sha256}
    EXPORTS[name](store, target, people, about)
    return name


def _run(store: Store, person: str) -> Run:
    study = Study.from_dict(dict(store.study["study"]))
    algorithm = algorithm_of(study)
    if study.inference.cohort or not isinstance(algorithm, Weighing):
        raise ExportError(f"{study.inference.algorithm} has no weighted draws to write for pyABC")
    observed, _ = store.get(person, "observed_data")
    space = record.space_of(store.get(person, "posterior")[1])
    numbers = range(learned_rounds(study, store, person))
    groups = [store.get(person, f"inference_{number:03d}")[0] for number in numbers]
    states = [algorithm.from_arrays(arrays) for arrays in groups]
    names = [f"round_{number:03d}" for number in numbers]
    drawn = {name: store.read(person, name, TRAINING) for name in names}
    theta = np.concatenate([drawn[name]["theta"] for name in names])
    x = np.concatenate([steps.learnable(drawn[name])[:] for name in names])
    found = algorithm.populations(states, steps.draws_of(space, drawn))
    again = store.read(person, "predictive", TRAINING)
    measure = partial(algorithm.distances, states[-1])
    return Run(
        method=study.inference.algorithm,
        models=(person,),
        params=(space.names,),
        features=tuple(str(name) for name in observed["feature"]),
        observed=observed["features"],
        populations=(
            *(weighted(population, theta, x) for population in found),
            equally_weighted(again["theta"], steps.learnable(again)[:], measure),
        ),
    )
