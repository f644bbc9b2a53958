"""The task: simulate one block of draws, measure its features, write them, report.

Everything a task needs lies in the store's folder and in the cohort's files; a worker reads them
once per person.
"""

import contextlib
import socket
import time
from collections import Counter
from functools import lru_cache

import numpy as np
from distributed import get_worker

from hpcvbi.brain.brain import Brain
from hpcvbi.config import Study, brain_of, cohort_of, context_of
from hpcvbi.core.block import Block, BlockReport, Status
from hpcvbi.core.errors import StoreMismatch
from hpcvbi.core.seeds import derive_seed
from hpcvbi.features import Context, measure
from hpcvbi.sim.simulate import simulate
from hpcvbi.store import Store, fingerprint

BEGUN = "hpcvbi block begun"
"""Topic under which a worker says which block it has begun."""


@lru_cache(maxsize=1)
def _store(folder: str) -> tuple[Store, Study]:
    store = Store.open(folder)
    return store, Study.from_dict(dict(store.study["study"]))


@lru_cache(maxsize=64)
def _person(folder: str, name: str) -> tuple[Brain, Context]:
    store, study = _store(folder)
    (person,) = cohort_of(study, (name,))
    if fingerprint(store.folder, person.sha256) != store.study["people"][name]:
        raise StoreMismatch(f"the data of {name} have changed since {folder} was started")
    return brain_of(study, person), context_of(study, person)


def simulate_block(folder: str, block: Block) -> BlockReport:
    """Simulate the draws of `block`, write what its round asks for, and report it."""
    start = time.perf_counter()
    with contextlib.suppress(ValueError):  # outside a worker there is nobody to tell
        worker = get_worker()
        worker.log_event(BEGUN, [*block.key, worker.address])
    store, study = _store(folder)
    brain, context = _person(folder, block.chain)
    simulated = simulate(
        brain,
        store.theta(block.chain, block.round, block.start, block.stop),
        seed=derive_seed("noise", study.seed, block.chain, block.round),
        draws=np.arange(block.start, block.stop),
        backend=study.simulation.backend,
        dtype=study.simulation.dtype,
    )
    products = _products(study, brain, context, simulated.signals, simulated.status)
    digests = store.write_block(
        block, {name: products[name] for name in store.outputs(block.chain, block.round)}
    )
    counted = Counter(simulated.status.tolist())
    return BlockReport(
        block=block,
        diverged=counted[Status.DIVERGED],
        halved=counted[Status.HALVED],
        quartered=counted[Status.QUARTERED],
        seconds=time.perf_counter() - start,
        host=socket.gethostname(),
        digests=digests,
    )


def _products(
    study: Study,
    brain: Brain,
    context: Context,
    signals: dict[str, np.ndarray],
    status: np.ndarray,
) -> dict[str, np.ndarray]:
    """All that a round may keep of each draw; `fc_model` is without measurement noise."""
    seen = brain.monitors[-1].name
    measured = measure(study.features.names, signals[seen], context)
    clean = measured.fc if seen == "bold" else measure((), signals["bold"], context).fc
    return {
        "status": status,
        "features": measured.features,
        "fc": measured.fc.astype(np.float32),
        "fc_model": clean.astype(np.float32),
        "bold": signals[seen],
    }
