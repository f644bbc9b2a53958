"""Studies for real clusters, runs of them in processes of their own, and what became of them."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from conftest import command, environment, files
from real_slurm import Slurm, wait_until
from synthetic_people import write_study

from hpcvbi.store import progress

SCRIPTS = Path(__file__).parents[2] / "jobs"
JOBS = "kind: slurm, cpus: 2, memory: 3500MiB, walltime: '00:10:00', interface: lo"


def study_on(
    folder: Path, people: Path, cluster: str, *changes: tuple[str, str], output: str = "out"
) -> Path:
    """Write the small study with `cluster` and changes of its text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_study(folder / f"{output}.yaml", people, folder / output)
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text + f"cluster: {{{cluster}}}\n")
    return path


def blocks_done(output: Path) -> int:
    """How many blocks are marked, as a reader beside the run sees it."""
    if not (output / "MANIFEST.json").exists():
        return 0
    return sum(round.blocks_done for round in progress(output).rounds)


@contextlib.contextmanager
def running(
    study: Path, *words: object, launcher: Sequence[object] = (), **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a study beside the test, by `launcher` if there is one; what it prints is in its log."""
    with open(study.with_suffix(".printed"), "a") as printed:
        run = subprocess.Popen(
            [*map(str, launcher), *command("run", study, *words)],
            env={**environment(), **variables},
            stdout=printed,
            stderr=printed,
        )
    try:
        yield run
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            run.wait()


def processes(*variables: str) -> list[int]:
    """Pids of processes in whose environment all of `NAME=value` stand."""
    found = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (path / "environ").read_bytes()
            if all(variable.encode() in words for variable in variables):
                found.append(int(path.name))
    return found


def workers_among(pids: list[int]) -> list[int]:
    """Pids of worker processes: those that Dask's nannies have spawned."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def workers_on(slurm: Slurm, node: str = "") -> list[int]:
    """Pids of worker processes (not their nannies) in jobs of this SLURM, on `node` if given."""
    conf = f"SLURM_CONF={slurm.folder}/slurm.conf"
    return workers_among(processes(conf, f"SLURMD_NODENAME={node}"))


def kill(pid: int) -> None:
    """Kill a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def no_jobs(slurm: Slurm, seconds: float = 60.0) -> None:
    """Wait until SLURM has no job any more."""
    wait_until(lambda: not slurm.command("squeue", "-h"), seconds)


def stored(study: Path) -> dict[str, bytes]:
    """Every file of the study's Zarr store."""
    return files(study.with_suffix("") / "store.zarr")


def submit(slurm: Slurm, study: Path, *words: object) -> str:
    """Let sbatch have `words`; return the job's id. What it prints is in the study's log."""
    printed = study.with_suffix(".printed")
    sizes = ("--mem-per-cpu=1900M", "--time=10", f"--output={printed}", "--open-mode=append")
    return slurm.command("sbatch", "--parsable", *sizes, *map(str, words)).strip()


def said(study: Path) -> str:
    """Everything that runs of a study beside the test have printed."""
    printed = study.with_suffix(".printed")
    return printed.read_text() if printed.exists() else ""


def code_of(slurm: Slurm, job: str) -> int:
    """Exit code of a job when it has ended; that of a signal is negative."""
    wait_until(lambda: not slurm.command("squeue", "-h", "-j", job), 240)
    shown = slurm.command("scontrol", "show", "job", job)
    ((code, number),) = re.findall(r" ExitCode=(\d+):(\d+)", shown)
    return int(code) or -int(number)
