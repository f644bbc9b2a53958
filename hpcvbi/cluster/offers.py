"""What the workers that are there offer: Dask's resources of each."""

import time
from typing import Any

from distributed import Client
from distributed.core import Status

_LOOK_S = 2.0
"""How often the scheduler is asked [s]."""


class Offers:
    """Resources by name, by the address of each worker, as of a moment ago."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, dict[str, float]] = {}
        self._looked = 0.0

    def __call__(self) -> dict[str, dict[str, float]]:
        """Return what is known, not older than two seconds."""
        if time.monotonic() - self._looked > _LOOK_S:
            self._looked = time.monotonic()
            found: Any = self._client.run_on_scheduler(_look)
            self._known = found
        return self._known

    def of(self, device: str) -> list[float]:
        """Return how much of `device` each worker offers that has it."""
        return [offer[device] for offer in self().values() if device in offer]


def _look(dask_scheduler: Any) -> dict[str, dict[str, float]]:
    workers = dask_scheduler.workers.values()
    return {w.address: dict(w.resources) for w in workers if w.status == Status.running}
