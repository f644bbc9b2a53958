"""The driver itself as a SLURM job: jobs/slurm.sh, its wall time, and its chain."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import hpcvbi
from real_slurm import Slurm, slurm, wait_until, with_hpcvbi  # noqa: F401
from slurm_study import (
    JOBS,
    SCRIPTS,
    blocks_done,
    code_of,
    no_jobs,
    said,
    stored,
    study_on,
)
from test_slurm import BLOCKS, LONG, undisturbed  # noqa: F401

pytestmark = pytest.mark.slurm


def submitted(slurm: Slurm, study: Path, minutes: int) -> str:  # noqa: F811
    """Submit the driver of a study with --chain; return its job."""
    printed = study.with_suffix(".printed")
    sizes = ("--cpus-per-task=1", "--mem=1500M", f"--time={minutes}", f"--output={printed}")
    script = (str(SCRIPTS / "slurm.sh"), str(study), "--chain")
    return slurm.command("sbatch", "--parsable", *sizes, *script).strip()


def test_a_driver_near_its_wall_time_stops_and_goes_back_into_the_queue(
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    longer = ("burn_in: 252000", "burn_in: 1008000")  # far from done when the minute is over
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 1", *LONG, longer)
    job = submitted(with_hpcvbi, study, 1)

    def waits_again() -> bool:
        shown = with_hpcvbi.command("scontrol", "show", "job", job)
        return "JobState=PENDING" in shown and "Restarts=1" in shown

    wait_until(waits_again, 120)
    with_hpcvbi.command("scancel", job)
    assert "goes back into the queue" in said(study)
    assert 0 < blocks_done(tmp_path / "out") < BLOCKS
    assert not (tmp_path / "out/driver.lock").exists()
    no_jobs(with_hpcvbi, 60)


@pytest.mark.battery  # SLURM pauses for two minutes before a job goes again
def test_a_chain_of_drivers_ends_like_one(
    with_hpcvbi: Slurm,  # noqa: F811
    undisturbed: Path,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 1", *LONG)
    job = submitted(with_hpcvbi, study, 1)
    words = ("squeue", "-h", "-t", "all", "-j", job, "-o", "%T")
    wait_until(lambda: "COMPLETED" in with_hpcvbi.command(*words), 900)
    assert "goes back into the queue" in said(study)
    assert stored(study) == stored(undisturbed)
    assert blocks_done(tmp_path / "out") == BLOCKS
    no_jobs(with_hpcvbi, 20)


def test_chain_outside_a_job_is_refused(people_folder: Path, tmp_path: Path) -> None:
    study = study_on(tmp_path, people_folder, "kind: local")
    refused = hpcvbi("run", study, "--chain")
    assert refused.returncode == 2
    assert "this is no SLURM job" in refused.stderr
    assert not (tmp_path / "out/MANIFEST.json").exists()


def test_the_script_for_gpus_asks_for_one_per_job(
    with_hpcvbi: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    """A study for cores is told so, before any job of workers is submitted."""
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 2")
    sizes = (
        "--cpus-per-task=1",
        "--mem=1500M",
        "--time=5",
        f"--output={study.with_suffix('.printed')}",
    )
    script = (str(SCRIPTS / "slurm_gpu.sh"), str(study))
    job = with_hpcvbi.command("sbatch", "--parsable", *sizes, *script).strip()
    assert code_of(with_hpcvbi, job) == 2
    assert "simulation.backend is cpu, and the cluster has GPUs only" in said(study)
    assert not (tmp_path / "out/MANIFEST.json").exists()


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert os.access(script, os.X_OK)
