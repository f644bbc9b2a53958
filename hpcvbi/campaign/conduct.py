"""Opens the store of a study, stamps the run, and drives it to its end."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hpcvbi.campaign.extension import extension_of
from hpcvbi.campaign.loop import Outcome, Progress, run
from hpcvbi.campaign.stamp import stamp
from hpcvbi.cluster import Executor, local_executor
from hpcvbi.cohort import Person
from hpcvbi.config import Study, check, identity
from hpcvbi.core.errors import HpcvbiError, StoreMismatch
from hpcvbi.store import Driver, Store


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
    manifest, sha256 = identity(study, people)
    with _driver(folder, manifest, sha256) as store:
        store.append(
            "run started",
            name=study.name,
            seed=study.seed,
            terms=sorted({person.terms for person in people if person.terms}),
            **stamp(),
        )
        outcome = run(study, people, store, starter(study, folder), progress)
        failed = sorted(outcome.failed)
        store.append("run finished", blocks=outcome.blocks, failed=failed, time=stamp()["time"])
        return outcome


def _driver(folder: str, manifest: Mapping[str, Any], sha256: str) -> Driver:
    try:
        return Driver.create(folder, manifest, sha256)
    except StoreMismatch as error:
        if not _only_adds(folder, manifest):
            raise
        raise StoreMismatch(
            f"{error}\nYour study only adds to it: `hpcvbi extend STUDY` says what that would keep "
            "and what it would supersede, and does it"
        ) from None


def _only_adds(folder: str, manifest: Mapping[str, Any]) -> bool:
    try:
        extension_of(Store.open(folder), manifest)
    except HpcvbiError:
        return False
    return True


def starter(study: Study, folder: str) -> Callable[[], Executor]:
    """Return what starts the study's workers."""
    return partial(local_executor, folder, study.cluster.workers)
