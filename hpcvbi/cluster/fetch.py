"""Brings in what tasks have returned, many at once: the way to the workers and back takes as long
for one result as for a hundred.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from distributed import Client, Future

PAUSE_S = 0.05
"""How long others are waited for [s]; blocks that are handed out ahead hide it."""


class Fetch:
    """A thread that waits for futures that have ended, and hands each over with its result.

    `hand_over` gets the label that a future was followed with, the future, and its result; None
    where it has none, or where results were lost on their way: then it is to ask for itself.
    """

    def __init__(self, client: Client, hand_over: Callable[[Any, Future, Any], object]) -> None:
        self._client, self._hand_over = client, hand_over
        self._ended: queue.SimpleQueue[tuple[Any, Future] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="fetch", daemon=True).start()

    def follow(self, label: Any, future: Future) -> None:
        """Hand a future over when it has ended."""
        future.add_done_callback(lambda done: self._ended.put((label, done)))

    def stop(self) -> None:
        """Hand nothing over any more."""
        self._ended.put(None)

    def _run(self) -> None:
        while True:
            batch = [self._ended.get()]
            time.sleep(PAUSE_S)
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._ended.get_nowait())
            if None in batch:
                return
            ended = [pair for pair in batch if pair is not None]
            finished = [future for _, future in ended if future.status == "finished"]
            results: dict[Future, Any] = {}
            if finished:
                with contextlib.suppress(Exception):
                    found: Any = self._client.gather(finished)
                    results = dict(zip(finished, found, strict=True))
            for label, future in ended:
                self._hand_over(label, future, results.get(future))
