"""Whose fault it is that a worker died.

A block that was only waiting there has done nothing. Of several that were at work in one process
nobody can tell which one killed it. And where the nanny died too, the whole job was ended from
outside: by scancel, preemption, the wall time, a power cut.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client
from distributed.core import rpc

from hpcvbi.cluster.flight import Flight

_ANSWER_S = 3.0
"""How long a nanny may take to answer [s]."""
_REMEMBERED = 1000

Key = tuple[str, str, int]


@dataclass(frozen=True)
class Death:
    """Blocks that were `at_work` and may have caused it; `crowded` where there were several.
    `outside` where nothing on the worker caused it.
    """

    at_work: frozenset[Key]
    cause: str
    outside: bool = False

    @property
    def crowded(self) -> bool:
        """Whether it cannot be told which one it was."""
        return len(self.at_work) > 1


class Deaths:
    """Judges each death once, for all blocks that were on the worker."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, Death] = {}
        self._excused: set[str] = set()

    def excuse(self, worker: str) -> None:
        """Blame nobody for the death of the worker at this address: we ourselves stop it."""
        self._excused.add(worker)

    def judge(self, worker: Any, flights: Sequence[Flight]) -> Death:
        """Return what is known of the death of `worker`, a Dask WorkerState, during `flights`."""
        if worker.server_id not in self._known:
            self._known[worker.server_id] = self._look(worker, flights)
            for old in list(self._known)[:-_REMEMBERED]:
                del self._known[old]
        return self._known[worker.server_id]

    def _look(self, worker: Any, flights: Sequence[Flight]) -> Death:
        if worker.address in self._excused:
            self._excused.discard(worker.address)
            return Death(frozenset(), "its worker was stopped because of another block", True)
        if not self._lives(worker.nanny):
            return Death(frozenset(), "the whole job of its worker ended", True)
        at_work = {flight.block.key for flight in flights if worker.address in flight.begun}
        return Death(frozenset(at_work), "its worker was killed")

    def _lives(self, nanny: str | None) -> bool:
        if not nanny:
            return False
        try:
            return bool(self._client.sync(self._ask, nanny))
        except Exception:  # refused, silent, or the client is closing
            return False

    async def _ask(self, nanny: str) -> bool:
        arguments = self._client.security.get_connection_args("client")
        async with rpc(nanny, connection_args=arguments) as remote:
            await asyncio.wait_for(remote.identity(), _ANSWER_S)
        return True
