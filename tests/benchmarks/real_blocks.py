"""Blocks of a real study, through the campaign's loop, an executor and a store; one JSON line.

    real_blocks.py workers JSON     {"processes", "threads", "regions", "draws", "blocks"}
    real_blocks.py interpreter JSON {"threads", "regions", "draws"}

The first counts blocks per second and the CPU seconds of the workers. The second says what a block
costs outside compiled code, where the threads of a process have to wait for each other: the most
that it holds Python's interpreter. It says so for one thread, and for many, each of which sleeps
as long as its kernel would compute on a core of its own and does all the rest.
"""

from measure import THREADS  # isort: skip  (sets the thread pools before NumPy is loaded)

import io
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

import dask.config
import numpy as np
from distributed import Client, LocalCluster
from synthetic_people import STUDY, recorded_bold, synthetic_connectome

import hpcvbi.sim.cpu
from hpcvbi.campaign.subjects import subjects_of
from hpcvbi.campaign.wishes import Simulate
from hpcvbi.campaign.loop import Loop
from hpcvbi.campaign.stop import Stop
from hpcvbi.cli.progress import Tally
from hpcvbi.cluster import Executor, local_executor
from hpcvbi.cluster.keys import keys_in_memory
from hpcvbi.cluster.settings import CPU, LOOPBACK, SETTINGS, quieten, serving, while_it_runs
from hpcvbi.cluster.task import simulate_block
from hpcvbi.config import cohort_of, identity, load
from hpcvbi.core.block import blocks_of
from hpcvbi.store import Driver

VOLUMES = 300
ROUNDS = 2
"""Rounds that are timed; the fastest counts."""
BACK_S = 300.0
KERNEL_S = 1.0


def study_in(folder, regions, draws):
    """A study of one person with so many regions, in blocks of so many draws."""
    connectome = synthetic_connectome(0, regions)
    person = folder / "people" / "sub01"
    person.mkdir(parents=True)
    bold = recorded_bold(connectome, 0.9, 0, VOLUMES)
    for name, values in (
        ("weights", connectome.weights),
        ("lengths", connectome.lengths),
        ("bold", bold),
    ):
        np.savetxt(person / f"{name}.csv", values, delimiter=",")
    (person / "labels.txt").write_text("\n".join(connectome.labels) + "\n")
    text = STUDY.format(
        folder=folder / "people", output=folder / "out", draws=draws, epochs=1, seed=1
    )
    (folder / "study.yaml").write_text(text.replace("block: 16", f"block: {draws}"))
    return load(folder / "study.yaml")


def some_theta(space, draws):
    """So many draws, spread over the middle of the prior."""
    u = np.linspace(0.3, 0.7, draws)[:, None]
    return space.from_unit(np.repeat(u, len(space), axis=1))


def executor_of(folder, processes, threads):
    """Workers of this machine; with several threads, as in a SLURM job of so many cores."""
    if threads == 1:
        return local_executor(folder, processes)
    quieten()
    dask.config.set({**SETTINGS, **serving(False), **while_it_runs(BACK_S, BACK_S)})
    cluster = LocalCluster(
        n_workers=processes,
        threads_per_worker=threads,
        security=keys_in_memory(),
        protocol="tls",
        host="127.0.0.1",
        dashboard_address=LOOPBACK,
        worker_dashboard_address=LOOPBACK,
        scheduler_kwargs={"dashboard": False},
        resources={CPU: threads},
    )
    return Executor(Client(cluster, set_as_default=False), folder, cluster.close)


def workers(asked):
    """Blocks per second and CPU seconds per block, the best of some rounds after a warm-up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = study_in(folder, asked["regions"], asked["draws"])
        people = cohort_of(study)
        (subject,) = subjects_of(study, people)
        slots, marks = asked["processes"] * asked["threads"], []
        begin = time.perf_counter()
        executor = executor_of(study.output, asked["processes"], asked["threads"])
        executor._client.wait_for_workers(asked["processes"])
        ready = time.perf_counter() - begin

        def note():
            used = executor._client.run(time.process_time)
            marks.append((time.perf_counter(), sum(used.values())))

        def chain():
            for number in range(ROUNDS + 1):
                count = asked["blocks"] if number else 3 * slots
                theta = some_theta(subject.brain.space, count * asked["draws"])
                yield Simulate(f"round_{number:03d}", theta)
                note()

        tally = Tally(io.StringIO(), None)
        with Driver.create(study.output, *identity(study, people)) as store:
            loop = Loop(study, {subject.name: subject}, store, lambda: executor, tally, Stop())
            loop.run({subject.name: chain()})
            loop.close()
    walls, used = np.diff(np.array(marks), axis=0).T
    rate = asked["blocks"] / float(walls.min())
    return {
        **asked,
        "seconds_until_workers_were_ready": ready,
        "blocks_per_second": rate,
        "draws_per_second": rate * asked["draws"],
        "worker_cpu_seconds_per_block": float(used.min()) / asked["blocks"],
        "load": os.getloadavg()[0],
    }


class Kernels:
    """Stands where kernels are called: times them, then sleeps in their place and repeats what
    the last of them has written.
    """

    def __init__(self):
        self.call, self.cpu = hpcvbi.sim.cpu.call, 0.0
        self.sleep_s, self._written = None, []

    def __call__(self, function, steps, *rest):
        if self.sleep_s is not None:
            time.sleep(self.sleep_s)
            for values, written in zip(rest, self._written, strict=True):
                if written is not None:
                    np.copyto(values, written)
            return
        used = time.thread_time()
        self.call(function, steps, *rest)
        self.cpu += time.thread_time() - used
        self._written = [v.copy() if isinstance(v, np.ndarray) else None for v in rest]


def interpreter(asked):
    """CPU seconds of a block inside and outside its kernel, and how threads get on with that."""
    kernels = hpcvbi.sim.cpu.call = Kernels()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = study_in(folder, asked["regions"], asked["draws"])
        people = cohort_of(study)
        (subject,) = subjects_of(study, people)
        count = 2 * asked["threads"]
        with Driver.create(study.output, *identity(study, people)) as store:
            tally = Tally(io.StringIO(), None)
            loop = Loop(study, {subject.name: subject}, store, Executor, tally, Stop())
            theta = some_theta(subject.brain.space, count * asked["draws"])
            loop._prepare(subject.name, Simulate("round_000", theta))
        blocks = blocks_of(subject.name, "round_000", len(theta), asked["draws"])

        def block(which):
            return simulate_block(study.output, which).seconds

        block(blocks[0])
        costs = []
        for which in blocks[:3]:
            kernels.cpu, used = 0.0, time.process_time()
            block(which)
            costs.append((time.process_time() - used, kernels.cpu))
        total, inside = min(costs)
        kernels.sleep_s = KERNEL_S
        used = time.process_time()
        with ThreadPoolExecutor(asked["threads"]) as pool:
            list(pool.map(block, blocks))
        many = (time.process_time() - used) / count
    return {
        **asked,
        "cpu_seconds_per_block": total,
        "cpu_seconds_outside_the_kernel": total - inside,
        "share_outside_the_kernel": (total - inside) / total,
        "cpu_seconds_outside_the_kernel_with_all_threads": many,
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    assert THREADS
    found = {"workers": workers, "interpreter": interpreter}[sys.argv[1]](json.loads(sys.argv[2]))
    print(json.dumps(found), flush=True)
