"""One MPI launch as a cluster, under MPICH's own mpiexec; across nodes in test_mpi_slurm.py."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import command, environment, files
from running import (
    after,
    blocks_done,
    kill_a_worker,
    listening,
    processes_of,
    speaks_http,
    stranger,
    workers_of,
)
from synthetic_people import write_study

from hpcvbi.cluster.keys import keys_in_memory
from hpcvbi.core.launch import Launch, launched

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def study_of(folder: Path, people: Path, cluster: str = "{kind: mpi}") -> Path:
    """A study of 36 blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    study = write_study(folder / "study.yaml", people, folder / "out")
    text = study.read_text().replace("block: 16", "block: 8")
    study.write_text(text + f"cluster: {cluster}\n")
    return study


def mpiexec(ranks: int, *words: object, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(MPIEXEC), "-n", str(ranks), *command(*words)],
        env=environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(process: subprocess.Popen[str], study: Path) -> tuple[int, str]:
    """Exit code and errors; nothing of the launch is left, the keys neither."""
    _, errors = process.communicate(timeout=200)
    end = time.monotonic() + 20
    while left := processes_of(study):
        assert time.monotonic() < end, left
        time.sleep(0.1)
    assert not list((study.parent / "out").glob(".cluster-*"))
    return process.returncode, errors


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, people_folder) -> Iterator[dict[str, bytes]]:
    """The store of the same study on this machine's own workers."""
    folder = tmp_path_factory.mktemp("undisturbed")
    study = study_of(folder, people_folder, "{kind: local}")
    subprocess.run(command("run", study), env=environment(), check=True, capture_output=True)
    yield files(folder / "out" / "store.zarr")


def test_mpi_has_as_many_ranks_as_were_launched():
    words = "from mpi4py import MPI; print(MPI.COMM_WORLD.size, end='')"
    done = subprocess.run(
        [str(MPIEXEC), "-n", "3", sys.executable, "-c", words], capture_output=True, text=True
    )
    assert done.stdout == "333", done.stderr


def test_a_killed_worker_and_a_stop_change_no_byte(tmp_path, people_folder, undisturbed):
    study = study_of(tmp_path, people_folder)
    out = tmp_path / "out"
    process = mpiexec(4, "run", study)
    after(2, out, process)
    ranks = processes_of(study)
    kill_a_worker(ranks)
    after(6, out, process)
    process.send_signal(signal.SIGTERM)  # mpiexec passes it on to every rank
    code, errors = end_of(process, study)
    assert code == 75, errors
    assert "To resume" in errors
    assert "Traceback" not in errors, errors
    done = blocks_done(out)
    assert 6 <= done < 36

    process = mpiexec(4, "run", study)
    after(done + 2, out, process)
    kill_a_worker(processes_of(study))
    code, errors = end_of(process, study)
    assert code == 0, errors
    assert files(out / "store.zarr") == undisturbed


def test_a_killed_rank_ends_the_launch_and_nobody_without_keys_gets_in(
    tmp_path, people_folder, undisturbed
):
    study = study_of(tmp_path, people_folder)
    process = mpiexec(4, "run", study)
    after(1, tmp_path / "out", process)
    pids = processes_of(study)
    pids += workers_of(pids)
    sockets = listening(pids)
    os.kill(process.pid, signal.SIGSTOP)  # it starts no rank anew
    open_ports = [port for loopback, port in sockets if not loopback]
    served = [port for loopback, port in sockets if loopback]
    assert len(open_ports) >= 1 + 2 * 2  # a scheduler, two nannies, two workers
    assert any(speaks_http(port) for port in served)
    for port in open_ports:
        assert not speaks_http(port)
    scheduler_and_worker = open_ports[:2]
    for port in scheduler_and_worker:
        assert not stranger(port, None)
        assert not stranger(port, keys_in_memory())
    os.kill(process.pid, signal.SIGCONT)

    victim = next(pid for pid in processes_of(study) if workers_of([pid]))
    os.kill(victim, signal.SIGKILL)
    code, _ = end_of(process, study)
    assert code not in (0, 75)
    process = mpiexec(3, "run", study)
    code, errors = end_of(process, study)
    assert code == 0, errors
    assert files(tmp_path / "out" / "store.zarr") == undisturbed


@pytest.mark.parametrize(
    ("ranks", "cluster", "words"),
    [
        (2, "{kind: mpi}", "takes 3 ranks or more"),
        (3, "{kind: local}", "launched 3 times at once, and cluster.kind is local"),
        (3, "{kind: mpi, interface: ib9}", "cluster.interface is ib9"),
        (3, "{kind: mpi, scratch: $NOT_SET_HERE/x}", "names $NOT_SET_HERE"),
        (3, "{kind: mpi, gpus: 1}", "gives this process no GPU"),
        (3, "{kind: mpi, nodes: 3}", "nodes"),
    ],
)
def test_what_is_wrong_is_said_once(tmp_path, people_folder, ranks, cluster, words):
    study = study_of(tmp_path, people_folder, cluster)
    process = mpiexec(ranks, "run", study)
    code, errors = end_of(process, study)
    assert code == 2, errors
    assert errors.count("error: ") == 1, errors
    assert words in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_processes_that_all_believe_to_be_alone_are_refused(tmp_path, people_folder):
    study = study_of(tmp_path, people_folder)
    for rank in ("0", "1"):
        step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": rank}
        done = subprocess.run(
            command("run", study), env=environment() | step, capture_output=True, text=True
        )
        assert done.returncode == 2
        assert ("srun --mpi=pmi2" in done.stderr) == (rank == "0"), done.stderr
    assert not (tmp_path / "out").exists()


def test_without_an_mpi_library_one_message_says_what_to_install(tmp_path, people_folder):
    study = study_of(tmp_path, people_folder)
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
