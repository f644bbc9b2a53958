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


def test_a_driver_near_its_wall_time_goes_back_into_the_queue_until_the_study_is_done(
    with_hpcvbi: Slurm,  # noqa: F811
    undisturbed: Path,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    """Its job may last a minute, and the study takes longer; SLURM's pause before a job goes again
    is cut short.
    """
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 1", *LONG)
    printed = tmp_path / "driver.log"
    sizes = ("--cpus-per-task=1", "--mem=1500M", "--time=1", f"--output={printed}")
    script = (str(SCRIPTS / "slurm.sh"), str(study), "--chain")
    job = with_hpcvbi.command("sbatch", "--parsable", *sizes, *script).strip()

    def done() -> bool:
        state = with_hpcvbi.command("squeue", "-h", "-t", "all", "-j", job, "-o", "%T|%r").strip()
        if state == "PENDING|BeginTime":
            with_hpcvbi.command("scontrol", "update", f"JobId={job}", "StartTime=now")
        return state.startswith("COMPLETED")

    wait_until(done, 480)
    log = printed.read_text()
    assert log.count("goes back into the queue") >= 1
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
