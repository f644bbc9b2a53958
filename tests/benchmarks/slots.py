"""What a block costs the driver: `slots.py FOLDER JSON`, one JSON line.

FOLDER has keys, and hosts that wait for a call (`stand_in`). The driver is as in a study: scheduler
and client share one thread, the campaign's loop and the executor have another, Dask's callbacks a
third. Blocks sleep; so this process is what is measured, by the CPU clocks of its threads.
"""

import cProfile
import json
import os
import pstats
import sys
import threading
import time
from pathlib import Path

import dask.config
import numpy as np
import psutil
from distributed import Client, SpecCluster, Scheduler
from stand_in import sleep_of, sleeping_block, write_call

from hpcvbi.cluster import Executor
from hpcvbi.cluster.keys import Keys
from hpcvbi.cluster.settings import LOOPBACK, SETTINGS, quieten, serving
from hpcvbi.core.block import BlockReport, blocks_of
from hpcvbi.core.space import Param
from hpcvbi.store import Driver, Output, Variable

DRAWS = 16
IDLE_S = 3.0
WAIT_S = 0.5


def cpu_by_thread():
    """CPU seconds of this process so far, by what its threads are for."""
    names = {"IO loop": "scheduler_and_client", "MainThread": "loop_and_executor"}
    found = {"scheduler_and_client": 0.0, "loop_and_executor": 0.0}
    for thread in threading.enumerate():
        if thread.ident and (name := names.get(thread.name)):
            clock = time.pthread_getcpuclockid(thread.ident)
            found[name] += time.clock_gettime(clock)
    found["driver"] = time.process_time()
    return found


def since(before):
    """CPU seconds since `before`, by what threads are for; `callbacks` are all other threads."""
    spent = {name: value - before[name] for name, value in cpu_by_thread().items()}
    rest = spent["driver"] - spent["scheduler_and_client"] - spent["loop_and_executor"]
    return {**spent, "callbacks": max(0.0, rest)}


def prepared(folder, blocks):
    """A real store with a round of so many blocks."""
    feature = Variable("feature", ("feature",), [f"f{k}" for k in range(10)])
    outputs = [Output("features", ("draw", "feature"), (feature,), dtype="float64")]
    store = Driver.create(folder, {}, "0" * 64)
    store.__enter__()
    chain, round = blocks[0].chain, blocks[0].round
    theta = np.ones((len(blocks) * DRAWS, 1))
    store.prepare(chain, round, theta, (Param("G", 1.0),), outputs, DRAWS)
    return store


def drive(executor, blocks, most, mark):
    """Hand out blocks as the campaign does, at most so many at once; return memory per block."""
    waiting, done, memory = list(reversed(blocks)), 0, psutil.Process().memory_info
    before, at_most = memory().rss, 0
    while done < len(blocks):
        while waiting and len(blocks) - len(waiting) - done < most:
            executor.submit(waiting.pop())
        at_most = max(at_most, memory().rss)
        reports = [o for o in executor.wait(WAIT_S) if isinstance(o, BlockReport)]
        mark(*reports)
        done += len(reports)
    return (at_most - before) / min(most, len(blocks))


def start(folder, asked):
    """Scheduler, client and workers; seconds from the call until the last worker was there."""
    cluster = SpecCluster(
        scheduler={
            "cls": Scheduler,
            "options": {
                "protocol": "tls",
                "security": Keys(folder).security,
                "host": "127.0.0.1",
                "dashboard": False,
                "dashboard_address": LOOPBACK,
            },
        },
        workers={},
        security=Keys(folder).security,
        silence_logs=False,
    )
    client = Client(cluster, set_as_default=False)
    workers = asked["workers"]
    threads = asked["slots"] // (workers * asked["hosts"])
    begin = time.monotonic()
    write_call(folder, cluster.scheduler_address, workers, threads)
    client.wait_for_workers(workers * asked["hosts"], timeout=120)
    return cluster, client, time.monotonic() - begin


def on_loop(client, function):
    """Call a function in the thread of scheduler and client."""

    async def there():
        function()

    client.sync(there)


def main():
    """Measure what the command line asks for."""
    folder, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
    quieten()
    dask.config.set({**SETTINGS, **serving(False)})
    cluster, client, ready = start(folder, asked)
    executor = Executor(client, str(folder), lambda: None, task=sleeping_block)
    before = cpu_by_thread()
    time.sleep(IDLE_S)
    idle = since(before)["driver"] / IDLE_S
    blocks = blocks_of("sub01", sleep_of(asked["milliseconds"]), asked["blocks"] * DRAWS, DRAWS)
    place = folder / f"out-{os.getpid()}"
    store = prepared(place, blocks) if asked["marks"] else None
    profiles = [cProfile.Profile(), cProfile.Profile()] if asked.get("profile") else []
    if profiles:
        on_loop(client, profiles[1].enable)
        profiles[0].enable()
    before, begin = cpu_by_thread(), time.perf_counter()
    bytes_each = drive(
        executor,
        blocks,
        asked["window"] * asked["slots"],
        store.mark if store else lambda *reports: None,
    )
    wall, spent = time.perf_counter() - begin, since(before)
    if profiles:
        profiles[0].disable()
        on_loop(client, profiles[1].disable)
        for name, profile in zip(
            ("loop and executor", "scheduler and client"), profiles, strict=True
        ):
            print(f"== {name}", file=sys.stderr)
            stats = pstats.Stats(profile, stream=sys.stderr)
            stats.strip_dirs().sort_stats("tottime").print_stats(28)
            stats.sort_stats("cumtime").print_stats(40)
    if store:
        store.__exit__(None, None, None)
    rate = len(blocks) / wall
    row = {
        **asked,
        "seconds_until_workers_were_ready": ready,
        "driver_cpu_share_when_idle": idle,
        "blocks_per_second": rate,
        "share_of_slots_used": rate * asked["milliseconds"] / 1000.0 / asked["slots"],
        "driver_cpu_share": spent["driver"] / wall,
        "driver_bytes_per_block_in_flight": bytes_each,
        "cpu_us_per_block": {k: 1e6 * v / len(blocks) for k, v in spent.items()},
        "load": os.getloadavg()[0],
    }
    print(json.dumps(row), flush=True)
    executor.close(patience=10)
    cluster.close(timeout=10)


if __name__ == "__main__":
    main()
