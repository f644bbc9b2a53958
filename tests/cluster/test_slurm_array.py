"""A study split over a SLURM job array by `jobs/array.sh`, and merged: the bytes of one driver."""

from pathlib import Path

import pytest
from conftest import files, hpcvbi
from real_slurm import Slurm, slurm, wait_until, with_hpcvbi  # noqa: F401
from synthetic_people import write_study

from hpcvbi.store import progress

__all__ = ["slurm"]

pytestmark = pytest.mark.slurm

SCRIPT = Path(__file__).parents[2] / "jobs/array.sh"
SMALLER = ("--cpus-per-task=2", "--mem-per-cpu=1900M", "--time=10")


def test_parts_in_a_job_array_make_the_store_of_one_driver(
    with_hpcvbi: Slurm,  # noqa: F811
    finished: Path,
    people_folder: Path,
    tmp_path: Path,
) -> None:
    study = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    logs = f"--output={tmp_path}/part-%a.log"
    with_hpcvbi.command("sbatch", "--array=1-2", *SMALLER, logs, str(SCRIPT), str(study))
    wait_until(lambda: not with_hpcvbi.command("squeue", "-h").strip(), 900.0)
    said = {k: (tmp_path / f"part-{k}.log").read_text() for k in (1, 2)}
    parts = [tmp_path / f"out/parts/{k}-of-2" for k in (1, 2)]
    assert [list(progress(part).study["people"]) for part in parts] == [["anna"], ["ben"]], said
    merged = hpcvbi("merge", study)
    assert merged.returncode == 0, (merged.stderr, said)
    run = hpcvbi("run", study)
    assert run.returncode == 0, run.stderr
    assert "0 blocks computed" in run.stdout
    assert files(tmp_path / "out/store.zarr") == files(finished.parent / "out/store.zarr")


def test_without_an_array_it_says_how_it_is_used(
    with_hpcvbi: Slurm,  # noqa: F811
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with_hpcvbi.command("sbatch", *SMALLER, f"--output={log}", str(SCRIPT), "study.yaml")
    wait_until(lambda: not with_hpcvbi.command("squeue", "-h").strip())
    assert log.read_text() == "usage: sbatch --array=1-N array.sh STUDY\n"
