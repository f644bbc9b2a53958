"""An MPI launch on a real SLURM, by jobs/mpi.sh; and GPUs of workers inside an allocation."""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from real_slurm import Slurm, slurm, wait_until, with_hpcvbi  # noqa: F401
from slurm_study import (
    SCRIPTS,
    blocks_done,
    code_of,
    kill,
    said,
    stored,
    study_on,
    submit,
    workers_on,
)

pytestmark = pytest.mark.slurm

PLACEMENT = Path(__file__).with_name("placement.py")
PER_TASK = ("--ntasks-per-node=2", "--gpus-per-task=1")
PER_NODE = ("--ntasks-per-node=2", "--gpus-per-node=2")
FIRST = [["n1", "0"], ["n1", "1"], ["n2", "0"], ["n2", "1"]]
LATER = [["n2", "0"], ["n2", "1"], ["n3", "0"], ["n3", "1"]]
MIXED = [["n1", "0"], ["n2", "0"], ["n3", "0"], ["n3", "1"]]
# MPICH's other network, UCX, writes what SLURM's pmi2 cannot read, and hangs at its start
OFI = "--export=ALL,MPIR_CVAR_CH4_NETMOD=ofi"


def launch(slurm: Slurm, study: Path, begun: Callable[[], bool], *words: object) -> str:  # noqa: F811
    """Submit `words`, jobs/mpi.sh by default, and wait until it has begun; again where MPICH hangs
    at its own start, as it sometimes does under SLURM's pmi2.
    """
    for _ in range(3):
        job = submit(slurm, study, OFI, *(words or (SCRIPTS / "mpi.sh", study)))
        with suppress(AssertionError):
            wait_until(lambda: begun() or not slurm.command("squeue", "-h", "-j", job), 90)  # noqa: B023
            return job
        slurm.command("scancel", job)
        code_of(slurm, job)
    raise AssertionError(f"MPI hung three times: {said(study)}")


def test_an_mpi_launch_and_a_killed_worker_cost_no_byte(
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    finished: Path,
    tmp_path: Path,
) -> None:
    study = study_on(tmp_path, people_folder, "kind: mpi, interface: lo")
    job = launch(with_hpcvbi, study, lambda: blocks_done(tmp_path / "out") >= 2)
    kill(workers_on(with_hpcvbi)[0])
    assert code_of(with_hpcvbi, job) == 0, said(study)
    assert stored(study) == stored(finished.with_name("out.yaml"))


def test_a_launch_near_its_wall_time_stops_with_the_drivers_code(
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    slow = ("burn_in: 10080", "burn_in: 1008000")
    study = study_on(tmp_path, people_folder, "kind: mpi, interface: lo", slow)
    job = launch(with_hpcvbi, study, lambda: blocks_done(tmp_path / "out") >= 1)
    with_hpcvbi.command("scancel", "--signal=TERM", job)  # as --signal=TERM@180 does
    assert code_of(with_hpcvbi, job) == 75, said(study)
    assert said(study).count("To resume") == 1


@pytest.mark.parametrize(
    ("kind", "launcher", "sizes", "places"),
    [
        ("srun", "", ("-N2", *PER_TASK), FIRST),
        ("srun", "", ("-N2", *PER_NODE), FIRST),
        ("mpi", "srun --mpi=pmi2", ("-N3", *PER_TASK), LATER),  # ranks 0 and 1 are on n1
        ("mpi", "srun --mpi=pmi2 --distribution=cyclic", ("-N3", *PER_NODE), MIXED),
    ],
    ids=["srun-task", "srun-node", "mpi-task", "mpi-node"],
)
def test_every_worker_has_a_device_of_its_own(
    kind: str,
    launcher: str,
    sizes: tuple[str, ...],
    places: list[list[str]],
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    cuda = ("burn_in: 10080}", "burn_in: 10080, backend: cuda}")
    cluster = f"kind: {kind}, interface: lo, gpus: 1, dashboard: false"
    study = study_on(tmp_path, people_folder, cluster, cuda)
    program = f"{launcher} {sys.executable} {PLACEMENT} {study} {tmp_path}"
    job = launch(with_hpcvbi, study, lambda: "placed" in said(study), *sizes, f"--wrap={program}")
    assert code_of(with_hpcvbi, job) == 0, said(study)
    (line,) = [line for line in said(study).splitlines() if line.startswith("placed ")]
    assert json.loads(line.removeprefix("placed ")) == places
