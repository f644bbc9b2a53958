"""What the tests of clusters look at in running processes: their words, children and sockets."""

import os
import signal
import ssl
import time
from pathlib import Path

from hpcvbi.store import Progress, progress

LOOPBACK = ("0100007F", "00000000000000000000000001000000")
LISTENS = "0A"


def words_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def processes_of(study: Path) -> list[int]:
    """Every process whose words name the study: the ranks, or the driver; and their children."""
    ranks = [pid for pid in processes() if f"run {study}" in words_of(pid)]
    ranks = [pid for pid in ranks if "hpcvbi run" in words_of(pid)]
    return ranks + [pid for pid in processes() if parent_of(pid) in ranks]


def workers_of(parents: list[int]) -> list[int]:
    """Worker processes, which Dask has spawned from its nannies."""
    return [p for p in processes() if parent_of(p) in parents and "spawn_main" in words_of(p)]


def listening(pids: list[int]) -> set[tuple[bool, int]]:
    """(whether on loopback only, port) of every socket on which one of the processes listens."""
    inodes = set()
    for pid in pids:
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        inodes |= {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and fields[9] in inodes:
                address, _, port = fields[1].rpartition(":")
                found.add((address in LOOPBACK, int(port, 16)))
    return found


def stranger(port: int, security) -> bool:
    """Whether Dask's client gets in at a port of this machine with these keys."""
    import dask.config
    from distributed import Client

    protocol = "tls" if security else "tcp"
    with dask.config.set({"distributed.comm.timeouts.connect": "2s"}):
        try:
            Client(f"{protocol}://127.0.0.1:{port}", security=security, timeout=2).close()
        except (OSError, TypeError, AssertionError, ssl.SSLError, TimeoutError):
            return False
    return True


def speaks_http(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        with connection.getresponse() as response:
            return response.status < 600
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def blocks_done(output: Path) -> int:
    try:
        seen: Progress = progress(output)
    except Exception:  # it is not there yet
        return 0
    return sum(r.blocks_done for r in seen.rounds)


def after(blocks: int, output: Path, process, seconds: float = 120.0) -> None:
    """Wait until so many blocks are marked."""
    end = time.monotonic() + seconds
    while blocks_done(output) < blocks:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def kill_a_worker(parents: list[int]) -> None:
    (victim, *_) = workers_of(parents)
    os.kill(victim, signal.SIGKILL)
