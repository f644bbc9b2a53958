"""A worker that finds its scheduler gone says nothing of it: the driver does. In processes of their
own, where no other test has changed what is logged.
"""

import subprocess
import sys

import pytest

HEARTBEAT = """
import asyncio, logging, dask.config
from distributed import Scheduler, Worker
from hpcvbi.cluster.node import free_port
from hpcvbi.cluster.plugins import LoseQuietly

async def heartbeat_without_scheduler():
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard_address=":0") as scheduler,
        Worker(scheduler.address, dashboard_address=":0", plugins={plugins}) as worker,
    ):
        there = worker.scheduler
        worker.scheduler = worker.rpc(f"tcp://127.0.0.1:{{free_port(None)}}")
        await worker.heartbeat()
        worker.scheduler = there
        logging.getLogger("distributed.worker").error("something else")

if __name__ == "__main__":
    with dask.config.set({{"distributed.comm.timeouts.connect": "0.2s"}}):
        asyncio.run(heartbeat_without_scheduler())
"""


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        pytest.param("[]", True, id="dask alone"),
        pytest.param("[LoseQuietly()]", False, id="with the plugin"),
    ],
)
def test_a_worker_logs_no_heartbeat_that_finds_no_scheduler(plugins: str, said: bool) -> None:
    words = [sys.executable, "-c", HEARTBEAT.format(plugins=plugins)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "something else" in done.stderr
    assert ("Failed to communicate with scheduler" in done.stderr) == said, done.stderr
    assert ("Traceback" in done.stderr) == said, done.stderr
