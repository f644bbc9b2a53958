"""A study inside one SLURM allocation without MPI, by jobs/srun.sh, on a real SLURM."""

import signal
from pathlib import Path

import pytest
from conftest import hpcvbi
from real_slurm import Slurm, slurm, wait_until, with_hpcvbi  # noqa: F401
from slurm_study import (
    SCRIPTS,
    blocks_done,
    code_of,
    kill,
    processes,
    said,
    stored,
    study_on,
    submit,
    workers_on,
)
from strangers import listening, refused_everywhere, serving_beyond_loopback

pytestmark = pytest.mark.slurm

SLOWER = (("block: 16", "block: 8"), ("burn_in: 10080", "burn_in: 100800"))
BLOCKS = 42
PORTS = range(30_000, 31_000)  # below those that the system gives to whoever asks for any


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, people_folder: Path) -> dict[str, bytes]:
    """The store of the same study on this machine's own workers."""
    study = study_on(tmp_path_factory.mktemp("alone"), people_folder, "kind: local", *SLOWER)
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    return stored(study)


def driver_of(study: Path, job: str) -> int:
    """Pid of the driver of a job: the process that runs `hpcvbi run STUDY`."""
    words = f"hpcvbi\0run\0{study}"
    for pid in processes(f"SLURM_JOB_ID={job}"):
        if words in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    raise AssertionError(said(study))


def test_a_killed_driver_a_stop_and_a_killed_worker_cost_no_byte(
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
) -> None:
    study = study_on(tmp_path, people_folder, "kind: srun, interface: lo", *SLOWER)
    output = tmp_path / "out"
    job = submit(with_hpcvbi, study, SCRIPTS / "srun.sh", study)
    wait_until(lambda: blocks_done(output) >= 2, 120)
    kill(driver_of(study, job))
    assert code_of(with_hpcvbi, job) == -signal.SIGKILL
    wait_until(lambda: not workers_on(with_hpcvbi), 20)
    (keys,) = output.glob(".cluster-*")  # of a run that could not remove them

    before = blocks_done(output)
    job = submit(with_hpcvbi, study, SCRIPTS / "srun.sh", study)
    wait_until(lambda: blocks_done(output) >= before + 2, 120)
    assert not keys.exists()
    with_hpcvbi.command("scancel", "--signal=TERM", "--batch", job)
    assert code_of(with_hpcvbi, job) == 75, said(study)
    assert said(study).count("To resume") == 1

    before = blocks_done(output)
    assert 4 <= before < BLOCKS
    job = submit(with_hpcvbi, study, SCRIPTS / "srun.sh", study)
    wait_until(lambda: blocks_done(output) >= before + 2, 120)
    kill(workers_on(with_hpcvbi)[0])
    assert code_of(with_hpcvbi, job) == 0, said(study)
    assert f"{BLOCKS - before} blocks computed" in said(study)
    assert "Traceback" not in said(study)
    assert stored(study) == undisturbed
    assert not list(output.glob(".cluster-*"))
    wait_until(lambda: not workers_on(with_hpcvbi), 20)


def test_the_workers_of_a_killed_driver_end_though_the_allocation_goes_on(
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    slow = (("block: 16", "block: 2"), ("burn_in: 10080", "burn_in: 1008000"))
    study = study_on(tmp_path, people_folder, "kind: srun, interface: lo", *slow)
    job = submit(with_hpcvbi, study, "-N2", f"--wrap=hpcvbi run {study}; sleep 600")
    wait_until(lambda: blocks_done(tmp_path / "out") >= 2, 120)
    kill(driver_of(study, job))
    wait_until(lambda: not workers_on(with_hpcvbi), 30)
    steps = ("squeue", "-h", "--steps", "-j", job, "-o", "%j")
    wait_until(lambda: "hpcvbi-workers" not in with_hpcvbi.command(*steps), 30)
    assert job in with_hpcvbi.jobs()


def test_strangers_are_refused_and_pages_stay_on_loopback(
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    slow = ("burn_in: 10080", "burn_in: 10080000")
    cluster = f"kind: srun, interface: lo, ports: {PORTS[0]}-{PORTS[-1]}"
    study = study_on(tmp_path, people_folder, cluster, slow)
    job = submit(with_hpcvbi, study, SCRIPTS / "srun.sh", study)
    wait_until(lambda: len(workers_on(with_hpcvbi)) == 2, 120)

    def opened() -> list[int]:
        everybody = processes(f"SLURM_JOB_ID={job}")
        return sorted({port for _, port in listening(everybody)} & set(PORTS))

    wait_until(lambda: len(opened()) == 1 + 2 * 2)  # the scheduler, two nannies, two workers
    for port in opened():
        refused_everywhere(f"tls://127.0.0.1:{port}")
    assert not serving_beyond_loopback(processes(f"SLURM_JOB_ID={job}"))


def test_outside_an_allocation_it_is_refused(people_folder: Path, tmp_path: Path) -> None:
    refused = hpcvbi("run", study_on(tmp_path, people_folder, "kind: srun"))
    assert refused.returncode == 2
    assert "this is none: sbatch jobs/srun.sh STUDY" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list((tmp_path / "out").glob(".cluster-*"))
