"""One MPI launch as a cluster, under MPICH's own mpiexec; across nodes in test_mpi_slurm.py."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import command, environment, hpcvbi
from real_slurm import wait_until
from slurm_study import (
    blocks_done,
    kill,
    processes,
    running,
    said,
    stored,
    study_on,
    workers_among,
)
from strangers import listening, refused_everywhere, serving_beyond_loopback

from hpcvbi.cluster.launch import Launch, launched

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
MANY = ("block: 16", "block: 8")
BLOCKS = 42
PORTS = range(31_000, 32_000)  # below those that the system gives to whoever asks for any


def of(study: Path, rank: object = "") -> list[int]:
    """Pids of all processes of a study's launch: mpiexec, ranks and workers; or those of a rank."""
    ranks = [f"PMI_RANK={rank}"] if rank != "" else []
    return processes(f"LAUNCH={study}", *ranks)


def ranks_of(study: Path, count: int) -> list[int]:
    """Pid of each rank: the first process that has its number."""
    return [min(of(study, rank)) for rank in range(count)]


@contextlib.contextmanager
def launch(study: Path, ranks: int = 4) -> Iterator[subprocess.Popen[str]]:
    """A study under mpiexec; nothing of it is left at the end, keys neither."""
    launcher = (MPIEXEC, "-n", ranks)
    with running(study, launcher=launcher, LAUNCH=str(study)) as run:
        try:
            yield run
            wait_until(lambda: not of(study), 20)
        finally:
            for pid in of(study):
                kill(pid)
    assert not list(study.with_suffix("").glob(".cluster-*"))


def after(blocks: int, study: Path, run: subprocess.Popen[str]) -> None:
    """Wait until so many blocks are marked."""

    def marked() -> bool:
        assert run.poll() is None, said(study)
        return blocks_done(study.with_suffix("")) >= blocks

    wait_until(marked, 120)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, people_folder: Path) -> dict[str, bytes]:
    """The store of the same study on this machine's own workers."""
    study = study_on(tmp_path_factory.mktemp("undisturbed"), people_folder, "kind: local", MANY)
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    return stored(study)


def test_mpi_has_as_many_ranks_as_were_launched():
    words = "from mpi4py import MPI; print(MPI.COMM_WORLD.size, end='')"
    done = subprocess.run(
        [str(MPIEXEC), "-n", "3", sys.executable, "-c", words], capture_output=True, text=True
    )
    assert done.stdout == "333", done.stderr


def test_a_killed_worker_costs_no_byte(
    tmp_path: Path, people_folder: Path, undisturbed: dict[str, bytes]
) -> None:
    study = study_on(tmp_path, people_folder, "kind: mpi", MANY)
    with launch(study) as run:
        after(2, study, run)
        kill(workers_among(of(study))[0])
        assert run.wait(200) == 0, said(study)
    assert f"{BLOCKS} blocks computed" in said(study)
    assert stored(study) == undisturbed


def test_a_stop_and_a_killed_rank_cost_no_byte(
    tmp_path: Path, people_folder: Path, undisturbed: dict[str, bytes]
) -> None:
    """SLURM and srun signal every rank. MPICH's mpiexec, when it is signalled itself, passes the
    signal on and reports that, so its code is not the driver's.
    """
    study = study_on(tmp_path, people_folder, "kind: mpi", MANY)
    with launch(study) as run:
        after(2, study, run)
        for pid in ranks_of(study, 4):
            os.kill(pid, signal.SIGTERM)
        assert run.wait(60) == 75, said(study)
    assert said(study).count("To resume") == 1
    before = blocks_done(tmp_path / "out")
    with launch(study) as run:
        after(before + 2, study, run)
        run.terminate()
        assert run.wait(60) != 0
    assert said(study).count("To resume") == 2
    assert "Traceback" not in said(study)
    before = blocks_done(tmp_path / "out")
    with launch(study) as run:
        after(before + 2, study, run)
        kill(ranks_of(study, 4)[2])
        assert run.wait(60) not in (0, 75)
    before = blocks_done(tmp_path / "out")
    assert 6 <= before < BLOCKS
    with launch(study, ranks=3) as run:
        assert run.wait(200) == 0, said(study)
    assert f"{BLOCKS - before} blocks computed" in said(study)
    assert stored(study) == undisturbed


def test_strangers_are_refused_and_pages_stay_on_loopback(
    tmp_path: Path, people_folder: Path
) -> None:
    ports = f"{PORTS[0]}-{PORTS[-1]}"
    slow = ("burn_in: 10080", "burn_in: 10080000")
    study = study_on(tmp_path, people_folder, f"kind: mpi, interface: lo, ports: {ports}", slow)
    with launch(study, ranks=3) as run:
        wait_until(lambda: workers_among(of(study)), 120)
        scheduler, _, nanny = ranks_of(study, 3)
        (worker,) = workers_among(of(study))

        def opened() -> list[int]:
            return sorted({p for _, p in listening([scheduler, nanny, worker])} & set(PORTS))

        wait_until(lambda: len(opened()) == 3)
        for port in opened():
            refused_everywhere(f"tls://127.0.0.1:{port}")
        assert not serving_beyond_loopback(of(study))
        assert run.poll() is None, said(study)
        os.kill(nanny, signal.SIGKILL)
        assert run.wait(60) != 0


@pytest.mark.parametrize(
    ("ranks", "cluster", "words"),
    [
        (2, "kind: mpi", "takes 3 ranks or more"),
        (3, "kind: local", "launched 3 times at once, and cluster.kind is local"),
        (3, "kind: mpi, interface: ib9", "cluster.interface is ib9"),
        (3, "kind: mpi, scratch: $NOT_SET_HERE/x", "names $NOT_SET_HERE"),
        (3, "kind: mpi, gpus: 1", "gives this process no GPU"),
        (3, "kind: mpi, nodes: 3", "nodes"),
    ],
)
def test_what_is_wrong_is_said_once(tmp_path, people_folder, ranks, cluster, words):
    study = study_on(tmp_path, people_folder, cluster)
    with launch(study, ranks) as run:
        assert run.wait(60) == 2, said(study)
    assert said(study).count("error: ") == 1, said(study)
    assert words in said(study)
    assert "Traceback" not in said(study)
    assert not (tmp_path / "out").exists()


def test_processes_that_all_believe_to_be_alone_are_refused(tmp_path, people_folder):
    study = study_on(tmp_path, people_folder, "kind: mpi")
    for rank in ("0", "1"):
        step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": rank}
        done = subprocess.run(
            command("run", study), env=environment() | step, capture_output=True, text=True
        )
        assert done.returncode == 2
        assert ("srun --mpi=pmi2" in done.stderr) == (rank == "0"), done.stderr
    assert not (tmp_path / "out").exists()


def test_without_an_mpi_library_one_message_says_what_to_install(tmp_path, people_folder):
    study = study_on(tmp_path, people_folder, "kind: mpi")
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise ImportError('no libmpi.so')\n")
    variables = environment()
    variables["PYTHONPATH"] = os.pathsep.join([str(tmp_path), variables["PYTHONPATH"]])
    done = subprocess.run(command("run", study), env=variables, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'hpcvbi[mpi]'" in done.stderr, done.stderr


def test_what_launchers_say():
    assert launched({}) == Launch(0, 1)
    assert launched({"PMI_RANK": "3", "PMI_SIZE": "8"}) == Launch(3, 8)
    assert launched({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}) == Launch(1, 2)
    step = {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "6"}
    assert launched(step) == Launch(5, 6)
    assert launched(step | {"PMIX_RANK": "4"}) == Launch(4, 6)
    assert launched({"SLURM_PROCID": "0", "SLURM_NTASKS": "6"}) == Launch()  # a batch script
