"""The capacity model: what limits one scheduler, and what a section `cluster` amounts to."""

import os
import re
from pathlib import Path

import pytest

from hpcvbi.cluster.capacity import BUSIEST, MOST_BLOCKS_PER_S, capacity
from hpcvbi.cluster.pools import Pool, pools_of
from hpcvbi.config.clusters import GpuJobs, Local, Mpi, Slurm, Srun

JOBS = Slurm(kind="slurm", jobs=64, cpus=48, memory="180GiB", walltime="1-02:00:00")
JOB = {"memory": 180 * 2**30, "walltime": 26 * 3600, "written": "1-02:00:00"}


def test_blocks_per_second_are_what_counts() -> None:
    one, ten = capacity(1000, 1.0, 10), capacity(10_000, 10.0, 10)
    assert one.blocks_per_second == ten.blocks_per_second == 1000.0
    assert one.scheduler_share == pytest.approx(ten.scheduler_share)
    assert ten.scheduler_bytes == 10 * one.scheduler_bytes


@pytest.mark.parametrize("seconds", [0.1, 1.0, 30.0])
def test_the_slots_that_are_fed_are_the_most_that_suffice(seconds: float) -> None:
    fed = capacity(1, seconds).slots_fed  # one in each worker
    assert capacity(fed, seconds, fed).suffices
    assert not capacity(fed + 1, seconds, fed + 1).suffices
    assert fed <= MOST_BLOCKS_PER_S * seconds
    assert capacity(fed, seconds, fed).scheduler_share <= BUSIEST


def test_workers_of_many_slots_cost_less_than_many_workers() -> None:
    few, many = capacity(960, 10.0, 20), capacity(960, 10.0, 960)
    assert few.scheduler_share < many.scheduler_share
    assert few.slots_fed > many.slots_fed


def test_jobs_are_pools_of_slots() -> None:
    assert pools_of(JOBS, "cpu") == (Pool(64, 48, **JOB),)
    assert pools_of(JOBS, "cuda") == ()
    gpus = GpuJobs(jobs=4, memory="60GB", walltime="00:30:00")
    mixed = JOBS.model_copy(update={"gpu_jobs": gpus})
    assert pools_of(mixed, "cpu") == (Pool(64, 48, **JOB),)
    assert pools_of(mixed, "cuda") == (Pool(4, 1, 60 * 10**9, 1800, "00:30:00"),)
    # a job with a GPU computes one block at a time, whatever its cores
    assert pools_of(JOBS.model_copy(update={"gpus": 1}), "cuda") == (Pool(64, 1, **JOB),)


def test_this_machine_is_a_pool() -> None:
    assert pools_of(Local(), "cpu") == (Pool(len(os.sched_getaffinity(0)), 1),)
    assert pools_of(Local(workers=3, gpus=2), "cpu") == (Pool(3, 1),)
    assert pools_of(Local(workers=0, gpus=2), "cuda") == (Pool(2, 1),)
    assert pools_of(Local(workers=0, gpus=2), "cpu") == ()


def test_an_allocation_is_known_inside_only(monkeypatch) -> None:
    for name in ("SLURM_NTASKS", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    srun, mpi = Srun(kind="srun"), Mpi(kind="mpi", cpus=2)
    assert pools_of(srun, "cpu") is None and pools_of(mpi, "cpu") is None
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    assert pools_of(srun, "cpu") == (Pool(8, 4),)
    # of MPI's ranks one schedules and one drives
    assert pools_of(mpi, "cpu") == (Pool(6, 2),)
    assert pools_of(srun, "cuda") == ()
    assert pools_of(Srun(kind="srun", gpus=1), "cuda") == (Pool(8, 1),)


def test_the_benchmarks_page_says_how_many_nodes_one_driver_feeds() -> None:
    text = (Path(__file__).parents[1] / "benchmarks/README.md").read_text()
    said = re.search(
        r"feeds (\d+) nodes of 48 cores with blocks of 30 s, (\d+) with blocks of 10 s, (\d+) with",
        text.replace("\n", " "),
    )
    assert said is not None
    for nodes, seconds in zip(map(int, said.groups()), (30.0, 10.0, 1.0), strict=True):
        assert capacity(48 * nodes, seconds, nodes).suffices
        assert not capacity(48 * (nodes + 1), seconds, nodes + 1).suffices
