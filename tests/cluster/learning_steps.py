"""Learning steps for tests: what a child process of a worker sees, waits for, and dies of."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import TooFewSurvivors
from hpcvbi.infer import steps


def surroundings() -> dict[str, Any]:
    """Return what learning in this process would find."""
    import torch

    from hpcvbi.cluster.settings import THREADS

    stat = Path(f"/proc/{os.getppid()}/cmdline").read_bytes()
    return {
        "threads": {os.environ.get(name) for name in THREADS},
        "torch": torch.get_num_threads(),
        "ctrl_c": signal.getsignal(signal.SIGINT),
        "pid": os.getpid(),
        "parent": os.getppid(),
        "words": f"{os.environ}{Path('/proc/self/cmdline').read_bytes()!r}{stat!r}",
    }


def features_and_surroundings(draws: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return features that were read here, and what is known here."""
    return draws["features"], surroundings()


def count(folder: Path) -> int:
    """Note in a folder that this was called; return how often it was before."""
    earlier = len(list(folder.iterdir()))
    (folder / f"{earlier}-{os.getpid()}").touch()
    return earlier


def die(folder: Path, times: int, whom: str) -> int:
    """Kill this process or the worker the first few times; return how often that was."""
    earlier = count(folder)
    if earlier < times:
        time.sleep(0.5)  # what exhausts the memory does not do so at once
        os.kill(os.getppid() if whom == "worker" else os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return earlier


def too_few(folder: Path) -> None:
    """Raise what ends a person's inference."""
    count(folder)
    raise TooFewSurvivors("round 0: none")


def broken(folder: Path) -> None:
    """Raise what nobody expects."""
    count(folder)
    raise ZeroDivisionError("by nothing")


def update_together(folder: Path, mine: str, other: str, *settings: Any, **data: Any) -> Any:
    """Learn from a round while another process learns too: neither begins alone."""
    (folder / mine).touch()
    end = time.monotonic() + 200
    while not (folder / other).exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{other} does not learn at the same time")
        time.sleep(0.05)
    return steps.update(*settings, **data)
