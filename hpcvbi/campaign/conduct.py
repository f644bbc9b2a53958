"""Opens the store of a study, stamps the run, and drives it to its end."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hpcvbi.campaign.again import try_again
from hpcvbi.campaign.loop import Outcome, Progress, run
from hpcvbi.campaign.stamp import stamp
from hpcvbi.campaign.stop import listening
from hpcvbi.cluster import Executor, local_executor
from hpcvbi.cohort import Person
from hpcvbi.config import Study, check, identity
from hpcvbi.core.errors import Stopped
from hpcvbi.store import Driver


def conduct(
    study: Study, people: tuple[Person, ...], progress: Progress, retry_failed: bool = False
) -> Outcome:
    """Run or resume a study; with `retry_failed`, failed draws are tried again.

    Raises
    ------
    ConfigError, DataError : what cannot run, before anything is spent.
    StoreMismatch : the output folder holds another study.
    StoreBusy : another driver is at work there.
    StoreError : the store cannot be read or written.
    Stopped : SIGTERM, SIGINT or SIGHUP; what is finished is marked.
    """
    check(study, people)
    folder = str(Path(study.output).resolve())
    manifest, sha256 = identity(study, people)
    with Driver.create(folder, manifest, sha256) as store, listening() as stop:
        store.append(
            "run started",
            name=study.name,
            seed=study.seed,
            terms=sorted({person.terms for person in people if person.terms}),
            **stamp(),
        )
        if retry_failed:
            store.append("failed draws tried again", blocks=try_again(store))
        try:
            outcome = run(study, people, store, starter(study, folder), progress, stop)
        except Stopped:
            store.append("run stopped", signal=stop.signal, time=stamp()["time"])
            raise
        failed = sorted(outcome.failed)
        store.append("run finished", blocks=outcome.blocks, failed=failed, time=stamp()["time"])
        return outcome


def starter(study: Study, folder: str) -> Callable[[], Executor]:
    """Return what starts the study's workers."""
    return partial(local_executor, folder, study.cluster.workers, study.limits.seconds)
