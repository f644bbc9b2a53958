"""Studies in jobs of a real SLURM: what is killed, and what it costs."""

import os
import re
import signal
from pathlib import Path

import pytest
from conftest import hpcvbi
from real_slurm import Slurm, slurm, wait_until  # noqa: F401
from slurm_study import (
    JOBS,
    blocks_done,
    kill,
    no_jobs,
    running,
    stored,
    study_on,
    workers_on,
)

from hpcvbi.store import progress

pytestmark = pytest.mark.slurm

LONG = (
    ("block: 16", "block: 1"),
    ("burn_in: 10080", "burn_in: 252000"),  # a draw takes about a tenth of a second
)
BLOCKS = 2 * (48 + 48 + 32 + 6 + 4 + 24)


@pytest.fixture(scope="module")
def undisturbed(people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The long study, run on this machine without any fault."""
    folder = tmp_path_factory.mktemp("undisturbed")
    study = study_on(folder, people_folder, "kind: local, dashboard: false", *LONG)
    done = hpcvbi("run", study, timeout=1200)  # beside another test it shares two cores
    assert done.returncode == 0, done.stderr
    assert blocks_done(folder / "out") == BLOCKS >= 200
    return study


def test_kills_of_worker_job_node_and_driver_cost_no_byte(
    slurm: Slurm,  # noqa: F811
    undisturbed: Path,
    people_folder: Path,
    tmp_path: Path,
) -> None:
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 4", *LONG)
    output = tmp_path / "out"
    with running(study) as run:
        wait_until(lambda: blocks_done(output) > 20, 120)
        kill(workers_on(slurm)[0])
        wait_until(lambda: blocks_done(output) > 60, 120)
        slurm.command("scancel", slurm.jobs()[0])
        wait_until(lambda: blocks_done(output) > 100, 120)
        busy = slurm.command("squeue", "-h", "-t", "RUNNING", "-o", "%N").split()
        slurm("kill-node", busy[-1])
        wait_until(lambda: blocks_done(output) > 140, 120)
        assert run.poll() is None
        kill(run.pid)
        run.wait()
    no_jobs(slurm, 120)  # they end by themselves; SLURM takes its time to give up the node
    before = blocks_done(output)
    assert before < BLOCKS
    slurm("start-node", busy[-1])
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    assert f"{BLOCKS - before} blocks computed" in done.stdout
    assert stored(study) == stored(undisturbed)
    printed = study.with_suffix(".printed").read_text()
    assert "ended (" in printed and "follows" in printed
    found = progress(output)
    assert not any(round.failed for round in found.rounds)
    assert not list(output.glob(".cluster-*"))
    no_jobs(slurm, 10)


def test_workers_leave_before_their_wall_time_and_lose_nothing(
    slurm: Slurm,  # noqa: F811
    undisturbed: Path,
    people_folder: Path,
    tmp_path: Path,
) -> None:
    """SLURM ends a job after two minutes; a worker stops half a minute earlier."""
    jobs = JOBS.replace("00:10:00", "00:02:00").replace("cpus: 2", "cpus: 1")
    study = study_on(tmp_path, people_folder, f"{jobs}, jobs: 1", *LONG)
    done = hpcvbi("run", study, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert stored(study) == stored(undisturbed)
    assert "follows" in done.stdout
    states = slurm.command("squeue", "-h", "-t", "all", "-o", "%T").split()
    assert "TIMEOUT" not in states
    log = (tmp_path / "out/run.log").read_text()
    assert "failed" not in log


def test_a_driver_that_is_asked_to_stop_cancels_its_jobs(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 2", *LONG)
    with running(study) as run:
        wait_until(lambda: blocks_done(tmp_path / "out") > 5, 120)
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 75
    no_jobs(slurm, 10)
    assert not list((tmp_path / "out").glob(".cluster-*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("walltime", "partition: nowhere, walltime"), r"invalid partition.*cluster\.partition"),
        (("cpus: 2", "cpus: 64"), r"node configuration.*cluster\.cpus"),
        (("memory: 3500MiB", "memory: 900GiB"), r"[Mm]emory|node configuration"),
        (("walltime", "directives: ['--gres=gpu:3'], walltime"), r"node configuration.*gpus"),
    ],
)
def test_what_slurm_would_refuse_is_one_clear_error_at_once(
    change: tuple[str, str],
    message: str,
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 2".replace(*change))
    refused = hpcvbi("run", study)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: SLURM refuses the jobs")
    assert "Traceback" not in refused.stderr
    assert re.search(message, refused.stderr), refused.stderr
    assert not slurm.command("squeue", "-h")


def test_jobs_that_can_never_start_are_one_clear_error(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    jobs = JOBS.replace("00:10:00", "02:00:00")  # the partition allows an hour
    refused = hpcvbi("run", study_on(tmp_path, people_folder, f"{jobs}, jobs: 2"))
    assert refused.returncode == 2
    assert "PartitionTimeLimit" in refused.stderr and "cluster.walltime" in refused.stderr
    no_jobs(slurm, 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("python: /nowhere/python", ["no such file", "cluster.python"]),
        ("setup: [exit 3]", ["before its worker reached the driver"]),
    ],
)
def test_jobs_whose_worker_never_comes_are_one_clear_error(
    change: str,
    words: list[str],
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 1, {change}")
    refused = hpcvbi("run", study)
    assert refused.returncode == 2, refused.stdout
    assert all(word in refused.stderr.lower() for word in words), refused.stderr
    assert "Traceback" not in refused.stderr
    no_jobs(slurm, 10)


def test_without_sbatch_it_says_so(people_folder: Path, tmp_path: Path) -> None:
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 1")
    before = os.environ["PATH"]
    os.environ["PATH"] = "/nowhere"
    try:
        refused = hpcvbi("run", study)
    finally:
        os.environ["PATH"] = before
    assert refused.returncode == 2
    assert "there is no sbatch here" in refused.stderr
