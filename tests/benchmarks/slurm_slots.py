"""Blocks that sleep, in jobs of a real SLURM on this machine: `slurm_slots.py JSON`, one JSON line.

The driver, scheduler included, is the product's own: it submits the jobs, watches and cancels them.
"""

import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "cluster"))

from real_slurm import Slurm
from stand_in import sleep_of, sleeping_block

from hpcvbi.cluster.slurm import slurm_executor
from hpcvbi.config.clusters import Slurm as Section
from hpcvbi.core.block import BlockReport, blocks_of

FIRST_PORT, PORTS = 29000, 10
"""Ports are looked for from here on; SLURM listens on so many in a row."""
JOB = {"kind": "slurm", "cpus": 2, "memory": "1500MiB", "walltime": "00:10:00", "interface": "lo"}
READY_S = 120.0


def free_ports():
    """First of some ports in a row that nobody listens on: another SLURM may be running here."""
    for first in range(FIRST_PORT, 32000, PORTS):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + PORTS):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise OSError("no ports are free")


def measured(folder, jobs, asked):
    """Blocks per second in so many jobs, and seconds until all of them had a worker."""
    begin = time.perf_counter()
    section = Section.model_validate({**JOB, "jobs": jobs})
    executor = slurm_executor(section, str(folder), task=sleeping_block)
    try:
        slots = jobs * JOB["cpus"]
        while executor.slots < slots:
            executor.wait(0.2)
            if time.perf_counter() - begin > READY_S:
                raise TimeoutError(f"{executor.slots} of {slots} slots after {READY_S:g} s")
        ready = time.perf_counter() - begin
        count = asked["blocks_per_slot"] * slots
        blocks = blocks_of("sub01", sleep_of(asked["milliseconds"]), count, 1)
        done, begin = 0, time.perf_counter()
        while done < count:
            while blocks and executor.free:
                executor.submit(blocks.pop())
            done += sum(isinstance(o, BlockReport) for o in executor.wait(0.5))
        rate = count / (time.perf_counter() - begin)
    finally:
        executor.close(20.0)
    return {
        "jobs": jobs,
        "slots": slots,
        "milliseconds": asked["milliseconds"],
        "seconds_until_workers_were_ready": ready,
        "blocks_per_second": rate,
        "share_of_slots_used": rate * asked["milliseconds"] / 1000.0 / slots,
        "load": os.getloadavg()[0],
    }


def main():
    """Measure what the command line asks for."""
    asked = json.loads(sys.argv[1])
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as name:
        slurm = Slurm(Path(name), free_ports())
        try:
            slurm("start")
            os.environ.update(slurm.environment)
            rows = []
            for jobs in asked["jobs"]:
                place = Path(name) / f"out-{jobs}"
                place.mkdir()
                rows.append(measured(place, jobs, asked))
        finally:
            slurm("stop")
    print(json.dumps({"rows": rows}), flush=True)


if __name__ == "__main__":
    main()
