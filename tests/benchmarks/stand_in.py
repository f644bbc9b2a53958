"""Stand-ins for a cluster's nodes and blocks: real Dask workers over TLS, whose blocks sleep.

`stand_in.py FOLDER` is a process that hosts workers: whenever `call.json` in FOLDER names another
scheduler, it starts as many workers for it as is said there, and ends them with that scheduler.
Nobody watches them: a nanny would spend the processor time of the nodes, or worse of the driver.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import sys
import time
from pathlib import Path

CALL = "call.json"
_HOST = socket.gethostname()
_SHA = hashlib.sha256(b"").hexdigest()
_LOOK_S = 0.1


def sleep_of(milliseconds):
    """Name of a round whose blocks sleep so long."""
    return f"sleep_{milliseconds}"


def sleeping_block(folder, block, expected=None):
    """Say that the block has begun, sleep, and report it, as a real block does."""
    from distributed import get_worker

    from hpcvbi.cluster.task import BEGUN
    from hpcvbi.core.block import BlockReport

    start, worker = time.perf_counter(), get_worker()
    worker.log_event(BEGUN, [*block.key, worker.address, _HOST, time.time()])
    time.sleep(int(block.round.removeprefix("sleep_")) / 1000.0)
    digests = {name: [4000 + block.index, _SHA, _SHA] for name in ("features", "status")}
    seconds = time.perf_counter() - start
    return BlockReport(block, 0, seconds, _HOST, digests, memory=200 * 2**20)


def write_call(folder, address, workers, threads):
    """Have every host start `workers` workers of `threads` threads for a scheduler."""
    draft = Path(folder) / f"{CALL}.{os.getpid()}"
    draft.write_text(json.dumps({"address": address, "workers": workers, "threads": threads}))
    draft.replace(Path(folder) / CALL)


async def host(folder):
    """Serve one call after another, until killed."""
    import dask.config
    from distributed import Worker

    import hpcvbi.cluster  # noqa: F401  (what the first block would load)
    from hpcvbi.cluster.keys import Keys
    from hpcvbi.cluster.settings import CPU, LOOPBACK, SETTINGS, quieten

    dask.config.set(SETTINGS)
    quieten()
    security = Keys(folder).security
    (folder / f"ready-{os.getpid()}").touch()
    served = ""
    while True:
        with contextlib.suppress(FileNotFoundError):
            call = json.loads((folder / CALL).read_text())
            if call["address"] != served:
                served = call["address"]
                workers = [
                    Worker(
                        served,
                        nthreads=call["threads"],
                        resources={CPU: call["threads"]},
                        security=security,
                        protocol="tls",
                        host="127.0.0.1",
                        dashboard_address=LOOPBACK,
                        local_directory=str(folder),
                        death_timeout=20,
                        memory_limit=0,
                    )
                    for _ in range(call["workers"])
                ]
                with contextlib.suppress(OSError):
                    await asyncio.gather(*workers)
                await asyncio.gather(*(worker.finished() for worker in workers))
        await asyncio.sleep(_LOOK_S)


if __name__ == "__main__":
    asyncio.run(host(Path(sys.argv[1])))
