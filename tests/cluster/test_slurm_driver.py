"""The driver itself as a SLURM job: jobs/slurm.sh, its wall time, and its chain."""

from pathlib import Path

import pytest
from conftest import hpcvbi
from real_slurm import Slurm, slurm, wait_until, with_hpcvbi  # noqa: F401
from slurm_study import JOBS, blocks_done, no_jobs, stored, study_on
from test_slurm import BLOCKS, LONG, undisturbed  # noqa: F401

pytestmark = pytest.mark.slurm

SCRIPTS = Path(__file__).parents[2] / "jobs"


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
    said = with_hpcvbi.command("sbatch", *sizes, str(SCRIPTS / "slurm.sh"), str(study), "--chain")
    job = said.split()[-1]

    def over() -> bool:
        state = with_hpcvbi.command("squeue", "-h", "-t", "all", "-j", job, "-o", "%T|%r").strip()
        if state == "PENDING|BeginTime":
            with_hpcvbi.command("scontrol", "update", f"JobId={job}", "StartTime=now")
        return state.startswith(("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"))

    wait_until(over, 600)
    log = printed.read_text()
    assert log.count("goes back into the queue") >= 1
    assert "JobState=COMPLETED" in with_hpcvbi.command("scontrol", "show", "job", job)
    assert stored(study) == stored(undisturbed)
    assert blocks_done(tmp_path / "out") == BLOCKS
    no_jobs(with_hpcvbi, 20)


def test_chain_outside_a_job_is_refused(people_folder: Path, tmp_path: Path) -> None:
    study = study_on(tmp_path, people_folder, "kind: local")
    refused = hpcvbi("run", study, "--chain")
    assert refused.returncode == 2
    assert "this is no SLURM job" in refused.stderr
    assert not (tmp_path / "out/MANIFEST.json").exists()
