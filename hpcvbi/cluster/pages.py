"""What Dask shows of a run: its dashboard while it runs, its performance report afterwards."""

import contextlib
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from distributed import Client, performance_report

from hpcvbi.store import storage_faults
from hpcvbi.store.durable import make_directory

FOLDER = "performance"
"""Where the reports of all runs of a study lie, inside its output."""


def pages(client: Client, folder: str) -> tuple[str, Callable[[], None]]:
    """Return where the dashboard is, in words, and what writes the report at the end."""
    where = Path(folder) / FOLDER / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.html"
    with storage_faults(Path(folder)):
        make_directory(where.parent)
        where.touch(0o600)  # Dask would let everybody read it
    report = performance_report(filename=str(where))
    with client.as_current():
        report.__enter__()

    def finish() -> None:
        # a run that has its results does not fail because of a page about it
        with contextlib.suppress(Exception), client.as_current():
            report.__exit__(None, None, None)

    return f"dashboard: {client.dashboard_link} (on {socket.gethostname()} only)", finish
