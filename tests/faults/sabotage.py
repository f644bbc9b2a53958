"""What a worker does wrong, once per order: a preload of Dask's workers.

An order is an empty file in the folder that SABOTAGE names, `<first draw>-<n>.<what>`; whoever
removes it obeys it.
"""

import errno
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PRELOAD = str(Path(__file__))
_pending: list[str] = []


def order(folder: Path, draw: int, *what: str) -> None:
    """Let the next attempts at the block that begins with `draw` go wrong, one after the other."""
    for n, action in enumerate(what):
        (folder / f"{draw}-{n}.{action}").touch()


def take(draw: int) -> str:
    for path in sorted(Path(os.environ["SABOTAGE"]).glob(f"{draw}-*")):
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        return path.suffix[1:]
    return ""


def exhaust_memory() -> None:
    """A MemoryError of the kernel's making: the address space may not grow any more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**26, before[1]))
    try:
        bytearray(2**30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def die(number: signal.Signals = signal.SIGKILL) -> None:
    time.sleep(0.6)  # a block that exhausts the memory does not do so at once
    os.kill(os.getpid(), number)


def dask_setup(worker: Any) -> None:
    from hpcvbi.cluster import task
    from hpcvbi.store import Store

    simulate, write_block, fsync = task.simulate, Store.write_block, os.fsync
    now: dict[str, Callable[[], object]] = {
        "sigkill": die,
        "sigstop": lambda: die(signal.SIGSTOP),
        "slow": lambda: time.sleep(4),
        "hang": lambda: time.sleep(3600),
        "memory": exhaust_memory,
        "error": lambda: 1 / 0,
    }

    def sabotaged_simulate(*args: Any, draws: Any, **options: Any) -> Any:
        _pending[:] = [take(int(draws[0]))]
        now.get(_pending[0], lambda: None)()
        return simulate(*args, draws=draws, **options)

    def sabotaged_write(self: Store, *args: Any) -> Any:
        digests = write_block(self, *args)
        if _pending == ["written"]:
            die()
        return digests

    def sabotaged_fsync(descriptor: int) -> None:
        what = _pending[0] if _pending else ""
        if what == "writing":
            die()
        if what in errno.errorcode.values():
            code = getattr(errno, what)
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    task.simulate, Store.write_block = sabotaged_simulate, sabotaged_write
    os.fsync = sabotaged_fsync
