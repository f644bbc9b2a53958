"""Opens the store of a study, stamps the run, and drives it to its end."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hpcvbi.campaign.again import try_again
from hpcvbi.campaign.extension import extension_of
from hpcvbi.campaign.follower import Outcome, Progress
from hpcvbi.campaign.forecast import check_walltime
from hpcvbi.campaign.identity import manifest_of
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.parts import check_merged
from hpcvbi.campaign.stamp import stamp
from hpcvbi.campaign.stop import Stop, listening
from hpcvbi.cluster import Executor, check_chain, check_offer, requeue, seconds_to_work, start
from hpcvbi.cohort import Person
from hpcvbi.config import Study, check
from hpcvbi.core.errors import HpcvbiError, OutOfTime, Stopped, StoreMismatch
from hpcvbi.store import Driver, Store


def conduct(
    study: Study,
    people: tuple[Person, ...],
    progress: Progress,
    retry_failed: bool = False,
    chain: bool = False,
) -> Outcome:
    """Run or resume a study; with `retry_failed`, failed draws are tried again. With `chain`, a
    driver whose job nears its wall time goes back into the queue.

    Raises
    ------
    ConfigError, DataError : what cannot run, or was run in parts, before anything is spent.
    StoreMismatch : the output folder holds another study.
    StoreBusy : another driver is at work there.
    StoreError : the store cannot be read or written.
    Stopped : SIGTERM, SIGINT, SIGHUP or the job's wall time; what is finished is marked.
    """
    check(study, people)
    check_offer(study)
    check_merged(Path(study.output))
    check_walltime(study, people)
    return in_turns(chain, progress, partial(_conduct, study, people, progress, retry_failed))


def _conduct(
    study: Study, people: tuple[Person, ...], progress: Progress, retry_failed: bool
) -> Outcome:
    folder = str(Path(study.output).resolve())
    manifest, sha256 = manifest_of(study, people)
    with _driver(folder, manifest, sha256) as store, listening(seconds_to_work()) as stop:
        started(store, study, people)
        if retry_failed:
            try_again(store)
        work = partial(run, study, people, store, starter(study, folder), progress, stop)
        return noted(store, stop, work)


def in_turns(chain: bool, progress: Progress, work: Callable[[], Outcome]) -> Outcome:
    """Do the work; with `chain`, a driver whose job nears its wall time goes back into the queue.

    ConfigError where it could not.
    """
    if chain:
        check_chain()
    try:
        return work()
    except OutOfTime:
        if chain:
            progress.notice("the driver's job goes back into the queue")
            requeue()
        raise


def started(store: Driver, study: Study, people: tuple[Person, ...]) -> None:
    """Note in the ledger what is run, for what, on whose terms, and with what."""
    store.append(
        "run started",
        name=study.name,
        seed=study.seed,
        purpose=study.purpose,
        terms=sorted({person.terms for person in people if person.terms}),
        **stamp(),
    )


def noted(store: Driver, stop: Stop, work: Callable[[], Outcome]) -> Outcome:
    """Do the work, and note its end in the ledger."""
    try:
        outcome = work()
    except Stopped:
        store.append("run stopped", signal=stop.signal, time=stamp()["time"])
        raise
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
    return partial(start, study, folder)
