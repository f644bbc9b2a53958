"""Signals that ask a run to stop: SIGTERM (scancel, wall time), SIGINT (Ctrl-C), SIGHUP.

The first one only raises a flag, which the loop looks at between two outcomes, so that no write is
torn by it. A second one interrupts at once.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stop:
    """Which signal asked the run to stop, by name; empty as long as none did."""

    def __init__(self) -> None:
        self.signal = ""

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal; KeyboardInterrupt if it is not the first."""
        if self.signal:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name


@contextmanager
def listening() -> Iterator[Stop]:
    """Listen for the signals inside the `with` block; those that are ignored stay so (nohup)."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    heard = [s for s in SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
    before = {s: signal.signal(s, stop.ask) for s in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
