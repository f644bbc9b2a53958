"""The task: simulate one block of draws, measure its features, write them, report.

Everything a task needs lies in the store's folder and in the cohort's files; a worker reads them
once per person.
"""

import contextlib
import resource
import socket
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
from distributed import get_worker

from hpcvbi.brain.brain import Brain
from hpcvbi.cluster.versions import versions
from hpcvbi.config import Study, brain_of, cohort_of, context_of, rival_of, studies_of
from hpcvbi.core.block import Block, BlockReport, Status
from hpcvbi.core.errors import ClusterError, StoreMismatch
from hpcvbi.core.seeds import derive_seed
from hpcvbi.features import CURVES, Context, measure
from hpcvbi.sim.simulate import simulate
from hpcvbi.store import Store, fingerprint

BEGUN = "hpcvbi block begun"
"""Topic under which a worker says which block it has begun, where, and what its clock says."""
_longest = [0.0]


@lru_cache(maxsize=1)
def _store(folder: str) -> tuple[Store, dict[str, Study]]:
    store = Store.open(folder)
    return store, studies_of(store.study)


@lru_cache(maxsize=64)
def _person(folder: str, name: str, rival: str) -> tuple[Brain, Context]:
    store, studies = _store(folder)
    study = studies[rival]
    (person,) = cohort_of(study, (name,))
    if fingerprint(store.folder, person.sha256) != store.study["people"][name]:
        raise StoreMismatch(f"the data of {name} have changed since {folder} was started")
    return brain_of(study, person), context_of(study, person)


def simulate_block(folder: str, block: Block, expected: str | None = None) -> BlockReport:
    """Simulate the draws of `block`, write what its round asks for, and report it.

    Raises
    ------
    ClusterError : this node does not see `folder`, or its versions are not the `expected` ones.
    """
    start, host = time.perf_counter(), socket.gethostname()
    with contextlib.suppress(ValueError):  # outside a worker there is nobody to tell
        worker = get_worker()
        worker.log_event(BEGUN, [*block.key, worker.address, host, time.time()])
    _check(folder, host, expected)
    store, studies = _store(folder)
    rival = rival_of(studies, block.round)
    study, (brain, context) = studies[rival], _person(folder, block.chain, rival)
    simulated = simulate(
        brain,
        store.theta(block.chain, block.round, block.start, block.stop),
        seed=derive_seed("noise", study.seed, block.chain, block.round),
        draws=np.arange(block.start, block.stop),
        backend=study.simulation.backend,
        dtype=study.simulation.dtype,
    )
    outputs = store.outputs(block.chain, block.round)
    curves = tuple(name for name in outputs if name in CURVES)
    products = _products(study, brain, context, simulated.signals, simulated.status, curves)
    digests = store.write_block(block, {name: products[name] for name in outputs})
    counted = Counter(simulated.status.tolist())
    return BlockReport(
        block=block,
        diverged=counted[Status.DIVERGED],
        halved=counted[Status.HALVED],
        quartered=counted[Status.QUARTERED],
        seconds=_noted(time.perf_counter() - start),
        host=host,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        digests=digests,
    )


def longest_block() -> float:
    """Return how long the longest block took in this process [s]."""
    return _longest[0]


def _noted(seconds: float) -> float:
    _longest[0] = max(_longest[0], seconds)
    return seconds


def _check(folder: str, host: str, expected: str | None) -> None:
    if expected not in (None, versions()):
        raise ClusterError(
            f"{host} runs {versions()}, the driver {expected}: results would differ. Have all "
            "nodes use the driver's environment (cluster.python, cluster.setup), or the same there"
        )
    if not Path(folder).is_dir():
        raise ClusterError(
            f"{host} does not see {folder}: write the study's `output` on a file system that all "
            "nodes share. If only this node lacks it, leave it out: directives: "
            f"['--exclude={host}']"
        )


def _products(
    study: Study,
    brain: Brain,
    context: Context,
    signals: dict[str, np.ndarray],
    status: np.ndarray,
    curves: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """All that a round may keep of each draw, and of the curves these; `fc_model` is without
    measurement noise.
    """
    seen = brain.monitors[-1].name
    measured = measure(study.features.names, signals[seen], context, curves)
    clean = measured.fc if seen == "bold" else measure((), signals["bold"], context).fc
    return {
        "status": status,
        "features": measured.features,
        "fc": measured.fc.astype(np.float32),
        "fc_model": clean.astype(np.float32),
        "bold": signals[seen],
        **{name: curve.astype(np.float32) for name, curve in measured.curves.items()},
    }
