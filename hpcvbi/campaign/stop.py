"""What asks a run to stop: SIGTERM (scancel), SIGINT (Ctrl-C), SIGHUP, or its job's wall time.

The first signal only raises a flag, which the loop looks at between two outcomes, so that no write
is torn by it. A second one interrupts at once.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


WALL_TIME = "the wall time"


class Stop:
    """Which signal asked the run to stop, by name, or WALL_TIME; empty as long as none did."""

    def __init__(self) -> None:
        self.signal = ""

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal; KeyboardInterrupt if it is not the first."""
        if self.signal:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name

    def near_the_end(self) -> None:
        """Take note that the time is up."""
        self.signal = self.signal or WALL_TIME


@contextmanager
def listening(seconds: float | None = None) -> Iterator[Stop]:
    """Listen for the signals inside the `with` block, and stop after `seconds`; signals that are
    ignored stay so (nohup).
    """
    stop = Stop()
    with _timer(stop, seconds):
        yield from _heard(stop)


@contextmanager
def _timer(stop: Stop, seconds: float | None) -> Iterator[None]:
    timer = threading.Timer(max(0.0, seconds or 0.0), stop.near_the_end)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _heard(stop: Stop) -> Iterator[Stop]:
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
