"""A real SLURM on this machine, thrown away after the tests: slurmctld, four slurmd's, munge."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import environment

SCRIPT = Path(__file__).with_name("slurm-cluster")
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged")
PACKAGES = "slurmctld slurmd slurm-client munge"


class Slurm:
    """Four nodes n1 to n4 of two cores, 4000 MB and two pretended GPUs each; partition main."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._own = {"SLURM_TEST_DIR": str(folder), "SLURM_TEST_PORT": str(port)}
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}

    def __call__(self, *words: str) -> str:
        """Call the script: `start`, `stop`, `kill-node n2`, ..."""
        environment = os.environ | self._own
        done = subprocess.run(
            [str(SCRIPT), *words], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self, *words: str) -> str:
        """Call one of SLURM's own commands and return what it prints."""
        done = subprocess.run(
            words, env=os.environ | self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def jobs(self, state: str = "RUNNING") -> list[str]:
        """Ids of jobs in `state`, the oldest first."""
        return sorted(self.command("squeue", "-h", "-t", state, "-o", "%A").split(), key=int)


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Ask five times a second; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.2)


def _free_ports(count: int) -> int:
    """Return the first of `count` neighbouring ports that nobody listens on."""
    first = 20_000 + 10 * (os.getpid() % 1000)
    while True:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
        first += 10


@pytest.fixture(scope="module")  # each module that imports it would have a session's of its own
def slurm() -> Iterator[Slurm]:
    """SLURM, its commands configured by SLURM_CONF; skipped where it is not installed."""
    path = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([path, "/usr/sbin", "/sbin"])
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        words = f"there is no {', '.join(missing)}: apt-get install {PACKAGES}"
        assert not os.environ.get("CI"), words
        pytest.skip(words)
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    slurm = Slurm(folder, _free_ports(5))
    slurm("start")
    os.environ.update(slurm.environment)
    yield slurm
    slurm("stop")
    del os.environ["SLURM_CONF"]
    os.environ["PATH"] = path
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def with_hpcvbi(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """SLURM whose jobs find this hpcvbi; those that a test leaves are cancelled."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for name, value in {**environment(), "PATH": path}.items():
        monkeypatch.setenv(name, value)
    assert shutil.which("hpcvbi")
    yield slurm
    for job in slurm.command("squeue", "-h", "-o", "%A").split():
        slurm.command("scancel", job)
    wait_until(lambda: not slurm.command("squeue", "-h"))
