"""Keeps SLURM jobs running: submits them, replaces those that are lost, says why they do not start.

Dask forgets a job whose worker is lost, and waits for ever for one that never starts; so once a
second whatever is missing is asked for again, and every few seconds SLURM is asked what became of
it.
"""

import asyncio
import queue
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distributed import SpecCluster
from distributed.core import Status

from hpcvbi.core.errors import ClusterError

TICK_S = 1.0
ASK_S = 5.0
"""How often SLURM is asked [s]; it serves a whole site."""
AT_ONCE = 20
"""Jobs submitted in one tick."""
STARTS = 3
"""How often a job may end before its worker has reached the driver."""
PAUSE_S = 120.0
"""How long such a job is not submitted again where others work [s]."""
ENDED = ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL")
ENDED += ("OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")
FOR_EVER = {
    "PartitionTimeLimit": "cluster.walltime exceeds what the partition allows: `sinfo -o '%P %l'`",
    "PartitionNodeLimit": "the partition has no such nodes: `sinfo -o '%P %c %m %G'`",
    "BadConstraints": "no node is as cluster.directives want it",
    "InvalidAccount": "cluster.account is not known to SLURM",
    "InvalidQOS": "cluster.qos is not known to SLURM",
    "JobHeldUser": "they are held: `scontrol release`",
    "JobHeldAdmin": "the administrators hold them: ask why",
}
"""Reasons for which a job never starts."""
_REACH = (
    "the worker could not reach the driver: write a network that nodes share as cluster.interface "
    "(`ip -brief address`), or ports that the firewall opens as cluster.ports"
)
_SHARE = (
    "the node lacks this Python or the study's output: both must lie on a file system that all "
    "nodes share; cluster.python names another interpreter"
)
_CAUSES = (
    ("timed out|unreachable|refused|no route", _REACH),
    ("no such file|not found|does not exist", _SHARE),
    ("no module named", "the job's Python lacks a package: see cluster.setup and cluster.python"),
    ("certificate", "TLS failed: are the clocks of the nodes days apart?"),
    ("interface", "cluster.interface names none of the node's: `ip -brief address`"),
)
_ERROR = re.compile(r"^[\w.]*(Error|Exception)\b|[Ee]rror: |[Nn]o such file|not found")


class Watch:
    """Watches the jobs `wanted`, specifications of workers by their names; they print to `logs`."""

    def __init__(
        self, cluster: SpecCluster, wanted: Mapping[str, Mapping[str, Any]], logs: Path
    ) -> None:
        self._cluster, self._wanted, self._logs = cluster, wanted, logs
        self._notices: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._error: ClusterError | None = None
        self._jobs: dict[str, str] = {}
        self._gone: dict[str, str] = {}
        self._starts: dict[str, int] = {}
        self._paused: dict[str, float] = {}
        self._refused = 0
        self._why = ""
        self._asked = 0.0
        self._met: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def notices(self) -> list[str]:
        """Return what has happened since the last call; ClusterError if no job can start."""
        if self._error is not None:
            raise self._error
        found = []
        while not self._notices.empty():
            found.append(self._notices.get())
        return found

    def stop(self) -> None:
        """Replace no job any more."""
        self._stop.set()
        self._thread.join(timeout=ASK_S)

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            try:
                self._cluster.sync(self._tick)
            except ClusterError as error:
                self._error = error
                return
            except Exception as error:  # SLURM does not answer for a while, or this is the end
                self._refused += 1
                self._give_up_if(self._refused > 60, f"{type(error).__name__}: {error}")

    async def _tick(self) -> None:
        cluster = self._cluster
        if cluster.status != Status.running:
            return
        self._met |= self._connected()
        missing = [name for name in self._wanted if name not in cluster.worker_spec]
        ready = [name for name in missing if self._paused.get(name, 0.0) <= time.monotonic()]
        for name in ready[:AT_ONCE]:
            cluster.worker_spec[name] = dict(self._wanted[name])
        try:
            await cluster._correct_state()  # `scale` does the same and hides what sbatch says
        except Exception as error:
            self._refused += 1
            said = " ".join(str(error).split("stderr:")[-1].split())
            self._forget([n for n, job in cluster.workers.items() if not _id(job)])
            self._give_up_if(self._refused > STARTS, f"SLURM refuses the jobs: {said}")
        else:
            self._refused = 0
        if time.monotonic() - self._asked > ASK_S:
            self._asked = time.monotonic()
            if (states := await _queue()) is not None:
                self._judge(states)

    def _judge(self, states: Mapping[str, tuple[str, str]]) -> None:
        """Look which jobs have ended, and why others wait."""
        connected, waiting = self._connected(), dict[str, int]()
        for name, job in list(self._cluster.workers.items()):
            state, reason = states.get(_id(job), ("gone", ""))
            before = self._jobs.setdefault(name, _id(job))
            if before != _id(job):
                self._jobs[name] = _id(job)
                how, _ = states.get(before, ("gone", ""))
                self._notices.put(f"job {before} ended ({how.lower()}): job {_id(job)} follows")
            if name in connected:
                self._starts.pop(name, None)
                self._gone.pop(name, None)
            elif state == "PENDING":
                waiting[reason] = waiting.get(reason, 0) + 1
            elif state in ENDED or state == "gone":
                if self._gone.get(name) == _id(job):  # seen twice: Dask had time to notice too
                    self._ended(name, _id(job), state)
                self._gone[name] = _id(job)
        self._waiting(waiting, bool(connected))

    def _ended(self, name: str, job: str, state: str) -> None:
        self._forget([name])
        if job in self._met:
            return
        self._starts[name] = self._starts.get(name, 0) + 1
        words = f"job {job} ended ({state.lower()}) before its worker reached the driver"
        if self._starts[name] >= STARTS:
            self._give_up_if(True, f"{words}, {STARTS} times. {self._told(job)}")
            self._paused[name] = time.monotonic() + PAUSE_S

    def _waiting(self, waiting: Mapping[str, int], some_work: bool) -> None:
        why = ", ".join(f"{n} ({reason})" for reason, n in sorted(waiting.items()))
        if why != self._why and why:
            self._notices.put(f"jobs waiting in the queue: {why}")
        self._why = why
        for reason in waiting:
            if reason in FOR_EVER and not some_work:
                raise ClusterError(
                    f"the jobs wait for ever ({reason}): {FOR_EVER[reason]}. They are cancelled; "
                    "what is finished is kept"
                )

    def _give_up_if(self, enough: bool, words: str) -> None:
        if enough and not self._connected():
            self._error = ClusterError(f"{words}. What is finished is kept")

    def _told(self, job: str) -> str:
        """Say what a job printed last, and what that means where it is known."""
        try:
            lines = (self._logs / f"{job}.log").read_text(errors="replace").split("\n")
        except OSError:
            return f"It printed nothing in {self._logs}: do the nodes share that folder?"
        lines = [line.strip() for line in lines if line.strip()]
        errors = [line for line in lines if _ERROR.search(line)]
        said = (errors[:1] or lines[-1:] or ["nothing"])[0][:400]
        causes = [cause for word, cause in _CAUSES if re.search(word, said.lower())]
        cause = f"; {causes[0]}" if causes else ""
        return f"It printed: {said} ({self._logs}/{job}.log){cause}"

    def _forget(self, names: list[str]) -> None:
        """Have these jobs submitted anew."""
        for name in names:
            if job := self._cluster.workers.pop(name, None):
                job.status = Status.closed
            self._cluster.worker_spec.pop(name, None)

    def _connected(self) -> set[str]:
        """Names of jobs whose worker is there, and the ids of those jobs."""
        scheduler: Any = self._cluster.scheduler
        names = {str(worker.name) for worker in list(scheduler.workers.values())}
        jobs = dict(self._cluster.workers)
        return names | {_id(jobs[name]) for name in names if name in jobs}


def _id(job: Any) -> str:
    return str(getattr(job, "job_id", None) or "")


async def _queue() -> dict[str, tuple[str, str]] | None:
    """Return state and reason of this user's jobs, by their ids; None where SLURM does not say."""
    words = ("squeue", "-h", "--me", "-t", "all", "-o", "%i|%T|%r")
    pipe = asyncio.subprocess.PIPE
    asked = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe)
    out, _ = await asyncio.wait_for(asked.communicate(), 60)
    if asked.returncode:
        return None
    found = (line.split("|") for line in out.decode().splitlines())
    return {job: (state, reason) for job, state, reason in found}
