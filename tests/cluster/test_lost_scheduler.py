"""A worker that finds its scheduler gone says nothing of it: the driver does."""

import asyncio
import logging

import dask.config
import pytest
from distributed import Scheduler, Worker

from hpcvbi.cluster.node import free_port
from hpcvbi.cluster.plugins import LoseQuietly

LOG = logging.getLogger("distributed.worker")


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.said.append(record.getMessage())


async def heartbeat_without_scheduler(plugins: list[LoseQuietly]) -> None:
    """Let a worker with `plugins` call a port where no scheduler is."""
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard_address=":0") as scheduler,
        Worker(scheduler.address, dashboard_address=":0", plugins=plugins) as worker,
    ):
        there, worker.scheduler = worker.scheduler, worker.rpc(f"tcp://127.0.0.1:{free_port(None)}")
        await worker.heartbeat()
        worker.scheduler = there
        LOG.error("a line about something else")


@pytest.mark.parametrize(
    ("plugins", "lines"),
    [
        pytest.param([], 2, id="dask alone"),
        pytest.param([LoseQuietly()], 1, id="with the plugin"),
    ],
)
def test_a_worker_logs_no_heartbeat_that_finds_no_scheduler(
    plugins: list[LoseQuietly], lines: int
) -> None:
    filters, lines_said = list(LOG.filters), Lines()
    LOG.addHandler(lines_said)
    try:
        with dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}):
            asyncio.run(heartbeat_without_scheduler(plugins))
    finally:
        LOG.removeHandler(lines_said)
        LOG.filters[:] = filters
    assert len(lines_said.said) == lines, lines_said.said
    assert lines_said.said[-1] == "a line about something else"
