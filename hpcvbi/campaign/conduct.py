"""Opens the store of a study, stamps the run, and drives it to its end."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hpcvbi.campaign.loop import Outcome, Progress, run
from hpcvbi.campaign.stamp import stamp
from hpcvbi.cluster import Executor, local_executor
from hpcvbi.cohort import Person
from hpcvbi.config import Study, check, identity
from hpcvbi.store import Driver, KeySource, begin, fingerprint


def conduct(study: Study, people: tuple[Person, ...], progress: Progress) -> Outcome:
    """Run or resume a study.

    Raises
    ------
    ConfigError, DataError : what cannot run, before anything is spent.
    StoreMismatch : the output folder holds another study.
    StoreBusy : another driver is at work there.
    """
    check(study, people)
    folder = str(Path(study.output).resolve())
    begin_keys(study)
    manifest, sha256 = identity(study, people, partial(fingerprint, Path(folder)))
    with Driver.create(folder, manifest, sha256) as store:
        store.append(
            "run started",
            name=study.name,
            seed=study.seed,
            purpose=study.purpose,
            terms=sorted({person.terms for person in people if person.terms}),
            **stamp(),
        )
        outcome = run(study, people, store, starter(study, folder), progress)
        failed = sorted(outcome.failed)
        store.append("run finished", blocks=outcome.blocks, failed=failed, time=stamp()["time"])
        return outcome


def begin_keys(study: Study) -> None:
    """Open the keys of an encrypted study's store, or make them before there is a store."""
    section = study.encryption
    if section is not None:
        with study.at("encryption"):
            begin(Path(study.output), KeySource(section.key_file, section.key_variable))


def starter(study: Study, folder: str) -> Callable[[], Executor]:
    """Return what starts the study's workers."""
    return partial(local_executor, folder, study.cluster.workers)
