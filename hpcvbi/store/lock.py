"""One driver per store: a lock file by link(2), a heartbeat by mtime, takeover of a dead owner.

link(2) of a private file is atomic on network file systems too; flock is not available on all of
them. On the owner's own machine its process is looked up (pid and start time). Elsewhere the mtime
is watched on our monotonic clock: two hosts' clocks are never compared. The lock is advisory: none
can stop a paused writer, so results stay right because a block always has the same bytes.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hpcvbi.core.errors import StoreBusy
from hpcvbi.core.files import open_regular
from hpcvbi.store.durable import write_durably
from hpcvbi.store.trust import LARGEST_LOCK, read_json

LOCK_NAME = "driver.lock"
STALE_S = 60.0
"""A foreign owner whose heartbeat stands still for so long [s] is taken for dead."""


@dataclass(frozen=True)
class Owner:
    """Who holds the lock.

    `place` tells machines, boots and process namespaces apart; `age` is the time since the last
    heartbeat [s], by the clocks of both hosts, for people only; `beat` is its mtime [ns].
    """

    token: str
    host: str
    place: str
    pid: int
    started: str
    age: float
    beat: int

    @property
    def alive(self) -> bool | None:
        """Whether the process exists; None where it cannot be looked up from here."""
        if self.place != _place() or _process_start(os.getpid()) is None:
            return None
        return _process_start(self.pid) == self.started


def read_owner(folder: Path) -> Owner | None:
    """Return the owner the lock file names, "unknown" if unreadable, None if there is no lock."""
    try:
        with open_regular(folder / LOCK_NAME) as file:  # opening makes NFS ask for the mtime
            found, text = os.fstat(file.fileno()), file.read(LARGEST_LOCK)
    except FileNotFoundError:
        return None
    age = max(0.0, time.time() - found.st_mtime)
    try:
        body = json.loads(text)
        names = str(body["token"]), str(body["host"]), str(body["place"])
        if not all(name.isprintable() for name in names):
            raise ValueError("names that cannot be shown")
        return Owner(*names, int(body["pid"]), str(body["started"]), age, found.st_mtime_ns)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return Owner("", "unknown", "unknown", 0, "", age, found.st_mtime_ns)


class DriverLock:
    """Held from construction to `release`; StoreBusy if another driver lives. A context manager."""

    def __init__(self, folder: Path, stale_s: float = STALE_S) -> None:
        self._folder, self._stale_s, self._pid = folder, stale_s, os.getpid()
        self._token = uuid.uuid4().hex
        self._stop = threading.Event()
        self._acquire()
        threading.Thread(target=self._beat, name="store-heartbeat", daemon=True).start()

    def _acquire(self) -> None:
        body = {
            "token": self._token,
            "host": socket.gethostname(),
            "place": _place(),
            "pid": self._pid,
            "started": _process_start(self._pid),
        }
        for _ in range(5):
            try:
                write_durably(self._folder / LOCK_NAME, json.dumps(body).encode(), exclusive=True)
                return
            except FileExistsError:
                self._set_aside_if_dead()
        raise StoreBusy(f"other drivers keep taking {self._folder}: try again")

    def _set_aside_if_dead(self) -> None:
        owner = read_owner(self._folder)
        if owner is None:
            return
        if owner.alive or (owner.alive is None and self._beats(owner)):
            raise StoreBusy(
                f"{self._folder} is being written by process {owner.pid} on {owner.host} "
                f"(last sign of life {owner.age:.0f} s ago). Wait for it or stop it; "
                "`hpcvbi status` shows how far it is."
            )
        aside = self._folder / f"{LOCK_NAME}.{uuid.uuid4().hex}.tmp"
        with contextlib.suppress(FileNotFoundError):  # only one of several breakers wins
            os.rename(self._folder / LOCK_NAME, aside)
        named = _token_of(aside)
        if named not in (None, owner.token):  # a new owner came in between: give the lock back
            with contextlib.suppress(FileExistsError):
                os.link(aside, self._folder / LOCK_NAME)
        aside.unlink(missing_ok=True)

    def _beats(self, owner: Owner) -> bool:
        """Watch a lock from another machine until it moves or has stood still for `stale_s`."""
        begin = time.monotonic()
        while time.monotonic() - begin < self._stale_s:
            time.sleep(self._stale_s / 60)
            seen = read_owner(self._folder)
            if seen is None or (seen.token, seen.beat) != (owner.token, owner.beat):
                return seen is not None
        return False

    def held(self) -> bool:
        """Whether the lock is still ours: a driver that was paused may have been taken for dead."""
        return os.getpid() == self._pid and _token_of(self._folder / LOCK_NAME) == self._token

    def check(self) -> None:
        """Raise StoreBusy unless the lock is still ours."""
        if not self.held():
            owner = read_owner(self._folder)
            other = (
                f"process {owner.pid} on {owner.host}" if owner else "someone removed the lock file"
            )
            raise StoreBusy(
                f"this driver has lost {self._folder} to another ({other}); it stops here. "
                "Nothing is damaged."
            )

    def _beat(self) -> None:
        while not self._stop.wait(self._stale_s / 6):
            with contextlib.suppress(OSError):
                if self.held():
                    os.utime(self._folder / LOCK_NAME)

    def release(self) -> None:
        """Give the store free."""
        self._stop.set()
        if self.held():
            (self._folder / LOCK_NAME).unlink(missing_ok=True)

    def __enter__(self) -> "DriverLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _token_of(path: Path) -> str | None:
    try:
        return str(read_json(path, LARGEST_LOCK)["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _process_start(pid: int) -> str | None:
    """Start time of a process [ticks since boot], unlike a recycled pid's; None if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def _place() -> str:
    """Machine, boot and process namespace: where a pid means the same process."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)
