"""`hpcvbi plan`: what a study costs at a pace, and what does not fit the cluster at hand."""

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import files, hpcvbi
from in_process import Enough, Silent, Together
from synthetic_people import write_study

from hpcvbi.campaign import conduct, forecast, pace_of, plan, subjects_of
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.pace import ASSUMED, Pace, stored_pace
from hpcvbi.campaign.stop import Stop
from hpcvbi.config import cohort_of, identity, load, site_of
from hpcvbi.core.errors import ConfigError
from hpcvbi.store import Driver, progress

UPDATES = 12 * (216_000 + 10_080) // 2
"""Region updates of one draw of the small study: regions times steps of 2 ms."""
JOBS = '{kind: slurm, jobs: 2, memory: 8GiB, walltime: "04:00:00"}'


def lasting(seconds: float, draws: int = 16) -> Pace:
    """Pace at which a block of so many draws takes so long."""
    return Pace(draws * UPDATES / seconds, "the test's")


@pytest.fixture(scope="module")
def foreseen(people_folder, tmp_path_factory):
    """Return a function: the small study's forecast on a cluster."""
    folder = tmp_path_factory.mktemp("foreseen")

    def foresee(cluster: str, pace: Pace, draws: int = 48, edit: tuple[str, str] = ("", "")):
        path = write_study(folder / "study.yaml", people_folder, folder / "out", draws)
        path.write_text(path.read_text().replace(*edit) if edit[0] else path.read_text())
        study = load(path, site_of(None, cluster).layers)
        planned = plan(study, subjects_of(study, cohort_of(study)), pace)
        return forecast(study, planned, str(folder / "out"))

    return foresee


@pytest.mark.parametrize(
    ("workers", "waves"), [(1, 6 + 6 + 4 + 4), (2, 3 + 3 + 2 + 2), (6, 4), (100, 4)]
)
def test_wall_time_follows_waves_of_blocks(foreseen, workers: int, waves: int) -> None:
    cluster = f"{{kind: local, workers: {workers}}}"
    found, learning = foreseen(cluster, lasting(3600.0)), foreseen(cluster, lasting(1e-6))
    assert (found.slots, found.at_once, found.used_workers) == (workers, 8, min(workers, 8))
    # the grid and its best point are a block of 6 and of 4 draws for each of two people
    grids = (2 if workers == 1 else 1) * (6 / 16 + 4 / 16)
    assert found.wall_hours - learning.wall_hours == pytest.approx(waves + grids)
    assert learning.wall_hours > 0


def test_jobs_that_can_be_busy_are_counted(foreseen) -> None:
    found = foreseen(JOBS.replace("jobs: 2", "jobs: 64, cpus: 3"), lasting(10.0))
    assert (found.workers, found.slots, found.at_once, found.used_workers) == (64, 192, 8, 3)
    a_block = 10.0 / 16 * 324 / 24  # 324 draws are 24 blocks, some of them short
    assert found.load.blocks_per_second == pytest.approx(8 / a_block)
    assert list(found.scripts) == ["cpu"] and "#SBATCH -t 04:00:00" in found.scripts["cpu"]


@pytest.mark.parametrize(
    ("cluster", "pace", "draws", "said"),
    [
        ("{kind: local, workers: 2}", lasting(0.1), 4096, "a larger `block`, such as 256"),
        ("{kind: local, workers: 3}", lasting(90.0), 48, "a smaller `block`, such as 4"),
        (JOBS, lasting(0.1, 48), 10**6, "250012 blocks are more than 20000 per hour: write"),
        (JOBS, lasting(20_000.0), 48, "walltime 04:00:00 is shorter than a block of 5.6 h: raise"),
        (JOBS, lasting(8_000.0), 48, "walltime 04:00:00 is shorter than two blocks of 2.2 h: rai"),
        (JOBS.replace("2,", "20,"), lasting(9.0), 48, "at most 8 blocks can be computed at once, "),
        (JOBS.replace("8GiB", "200MB"), lasting(9.0), 48, "memory of 0.2 GB is too small for 1 bl"),
        (JOBS.replace("2,", "2000,"), lasting(9.0), 48, "2000 workers connect to one scheduler, "),
        (JOBS.replace("2,", "90,"), lasting(0.05), 4096, "above 50% it answers late; it feeds"),
        ("{kind: local, workers: 0}", lasting(9.0), 48, "no worker takes blocks of simulation.bac"),
    ],
)
def test_what_does_not_fit_is_said_with_its_remedy(
    foreseen, cluster: str, pace: Pace, draws: int, said: str
) -> None:
    assert any(said in text for text in foreseen(cluster, pace, draws).warnings)


def test_what_fits_is_not_warned_of(foreseen) -> None:
    assert foreseen(JOBS, lasting(9.0)).warnings == ()
    assert foreseen("{kind: local, workers: 2}", lasting(9.0)).warnings == ()
    # larger blocks would leave slots without any
    assert foreseen("{kind: local, workers: 2}", lasting(0.1)).warnings == ()


def test_memory_grows_with_cores_and_blocks(foreseen) -> None:
    def fits(cpus: int, edit: tuple[str, str] = ("", "")) -> bool:
        jobs = f"{{kind: slurm, jobs: 1, cpus: {cpus}, memory: 1500MB, walltime: 04:00:00}}"
        found = foreseen(jobs, lasting(9.0), 4096, edit)
        return not any("memory" in text for text in found.warnings)

    assert fits(48) and not fits(1000)
    assert not fits(48, ("block: 16", "block: 256"))


def test_outside_an_allocation_nothing_is_pretended(foreseen, monkeypatch) -> None:
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    found = foreseen("mpi", lasting(9.0))
    assert (found.slots, found.wall_hours, found.load) == (None, None, None)
    assert found.warnings == ()


def test_files_and_folders_are_as_many_as_planned(finished) -> None:
    study = load(finished)
    planned = plan(study, subjects_of(study, cohort_of(study)))
    store = finished.parent / "out/store.zarr"
    assert planned.inodes == pytest.approx(1 + sum(1 for _ in store.rglob("*")), rel=0.02)


def test_the_pace_is_the_stores_where_it_has_blocks(finished, tmp_path: Path) -> None:
    study = load(finished)
    subjects = subjects_of(study, cohort_of(study))
    pace = pace_of(study, subjects)
    assert pace.source == "of 24 blocks in the study's store"
    spent = sum(r.seconds for r in progress(finished.parent / "out").rounds)
    at_it = plan(study, subjects, pace)
    assert sum(r.core_hours for r in at_it.rounds) * 3600.0 == pytest.approx(spent)

    def changed(old: str, new: str):
        path = tmp_path / "study.yaml"
        path.write_text(finished.read_text().replace(old, new))
        return pace_of(load(path), subjects)

    assert changed("draws: 48", "draws: 96") == pace
    assert changed("block: 16", "block: 32") == changed("dt: 2.0", "dt: 1.0") == ASSUMED
    assert changed(str(finished.parent / "out"), str(tmp_path / "nothing")) == ASSUMED


def test_a_measured_pace_leaves_no_trace(finished, people_folder) -> None:
    study = load(finished)
    subjects, before = subjects_of(study, cohort_of(study)), files(finished.parent)
    pace = pace_of(study, subjects, measure=True)
    assert pace.source.startswith("measured here") and pace.rate > 0
    assert files(finished.parent) == before


class Slow(Together):
    """Workers on which a block takes ten minutes."""

    def wait(self, timeout: float | None = None):
        return [replace(report, seconds=600.0) for report in super().wait(timeout)]


def test_a_wall_time_that_no_block_outlives_is_refused(people_folder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = write_study(tmp_path / "study.yaml", people_folder, out)
    path.write_text(path.read_text() + f"cluster: {JOBS.replace('04:00:00', '00:15:00')}\n")
    study = load(path)
    people = cohort_of(study)
    with Driver.create(out, *identity(study, people)) as store, pytest.raises(Enough):
        run(study, people, store, lambda: Slow(out, learns=False), Silent(), Stop())  # type: ignore[arg-type]
    assert stored_pace(study, subjects_of(study, people)) is not None
    before = files(out)
    with pytest.raises(ConfigError, match="walltime 00:15:00 is shorter than two blocks of") as no:
        conduct(study, people, Silent())
    line = len(path.read_text().splitlines())
    assert str(no.value).startswith(f"{path}:{line}: cluster.walltime: ")
    assert files(out) == before


def test_plan_prints_what_would_be_submitted(people_folder, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study.yaml", people_folder, tmp_path / "out")
    (tmp_path / "site.yaml").write_text(f"cluster: {JOBS}\n")
    shown = hpcvbi("plan", study, "--profile", tmp_path / "site.yaml", "--cluster", "{jobs: 64}")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert "#SBATCH -t 04:00:00" in lines and "--- job script: cpu" in lines
    for said in (
        "rate: 100 million region updates per second and core (assumed, cautiously",
        "cluster: slurm, 64 jobs for 64 blocks at once; there are 8 at most, so 8 of them can be",
        "wall time: about ",
        "scheduler: ",
        "WARNING at most 8 blocks can be computed at once, and there are 64 slots",
    ):
        assert any(line.startswith(said) for line in lines), said
    assert not (tmp_path / "out").exists()
