"""What jobs of a real SLURM are given, and what they refuse."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import hpcvbi
from real_slurm import Slurm, slurm, wait_until  # noqa: F401
from slurm_study import (
    JOBS,
    blocks_done,
    no_jobs,
    running,
    stored,
    study_on,
    workers_on,
)
from strangers import refused_everywhere, serving_beyond_loopback
from test_slurm import LONG

import hpcvbi as package
from hpcvbi.cluster import Executor
from hpcvbi.cluster.settings import CPU, GPU, THREADS
from hpcvbi.cluster.slurm import slurm_executor
from hpcvbi.config.clusters import Slurm as Section

pytestmark = pytest.mark.slurm
needs_namespaces = pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode != 0,
    reason="namespaces may not be made here",
)


def section(**keys: object) -> Section:
    common = {"kind": "slurm", "memory": "900MiB", "walltime": "00:10:00", "interface": "lo"}
    return Section.model_validate({**common, "dashboard": False, **keys})


def look_around(executor: Executor) -> dict[str, dict[str, object]]:
    """By worker: where it is, what it sees, how it is set up."""
    names = list(THREADS)

    def look() -> dict[str, object]:
        import os

        import numba

        return {
            "node": os.environ["SLURMD_NODENAME"],
            "devices": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
            "threads": {name: os.environ.get(name) for name in names},
            "numba": numba.get_num_threads(),
        }

    found: Any = executor._client.run(look)
    return found


def workers(executor: Executor, count: int) -> dict[str, dict[str, float]]:
    executor._client.wait_for_workers(count, timeout=60)
    executor._offers._looked = 0.0
    return executor._offers()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path)


def test_four_jobs_on_two_nodes_get_four_devices(slurm: Slurm, folder: str) -> None:  # noqa: F811
    four = section(jobs=4, cpus=1, gpus=1, directives=("--exclude=n3,n4",))
    executor = slurm_executor(four, folder, device=GPU)
    try:
        assert set(map(str, workers(executor, 4).values())) == {"{'GPU': 1.0}"}
        seen = look_around(executor).values()
        places = {(found["node"], found["devices"]) for found in seen}
        assert places == {("n1", "0"), ("n1", "1"), ("n2", "0"), ("n2", "1")}
        assert executor.slots == 4
    finally:
        executor.close()
    no_jobs(slurm, 10)


def test_jobs_with_and_without_gpus_serve_one_study(slurm: Slurm, folder: str) -> None:  # noqa: F811
    mixed = section(jobs=2, cpus=2, gpu_jobs={"jobs": 2, "cpus": 1, "memory": "600MiB"})
    executor = slurm_executor(mixed, folder, device=GPU)
    try:
        offers = sorted(map(str, workers(executor, 4).values()))
        assert offers == ["{'CPU': 2.0}"] * 2 + ["{'GPU': 1.0}"] * 2
        assert executor.slots == 2
        found = look_around(executor)
        assert all(set(f["threads"].values()) == {"1"} for f in found.values())
        assert {f["numba"] for f in found.values()} == {1}
        for address, offer in executor._offers().items():
            assert bool(found[address]["devices"]) == (GPU in offer) != (CPU in offer)
    finally:
        executor.close()
    no_jobs(slurm, 10)


def test_strangers_are_refused_and_pages_stay_on_loopback(
    slurm: Slurm,  # noqa: F811
    folder: str,
) -> None:
    executor = slurm_executor(section(jobs=1, cpus=1, ports="41000-41999"), folder)
    try:
        (worker,) = workers(executor, 1)
        scheduler = executor._client.scheduler.address
        (nanny,) = {w["nanny"] for w in executor._client.scheduler_info()["workers"].values()}
        for address in (scheduler, worker, nanny):
            assert 41000 <= int(address.rsplit(":", 1)[1]) <= 41999
            refused_everywhere(address)
        assert not serving_beyond_loopback([os.getpid(), *workers_on(slurm)])
        (keys,) = Path(folder).glob(".cluster-*")
        assert keys.stat().st_mode & 0o777 == 0o700
        assert {p.stat().st_mode & 0o777 for p in keys.iterdir()} == {0o600}
    finally:
        executor.close()
    assert not keys.exists()
    no_jobs(slurm, 10)


def test_jobs_that_end_from_outside_blame_no_block(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    """With a single attempt each: nodes lose their power, jobs are killed at once."""
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 3", *LONG)
    study.write_text(study.read_text() + "limits: {attempts: 1}\n")
    output = tmp_path / "out"
    with running(study) as run:
        for blocks in (10, 50, 90):
            wait_until(lambda: blocks_done(output) > blocks, 120)  # noqa: B023
            busy = slurm.command("squeue", "-h", "-t", "RUNNING", "-o", "%N %A").split("\n")[0]
            node, job = busy.split()
            if blocks == 50:
                slurm.command("scancel", "--signal=KILL", "--full", job)
            else:
                slurm("kill-node", node)
                slurm("start-node", node)
        wait_until(lambda: blocks_done(output) > 150, 120)
        assert run.poll() is None
        run.terminate()
        run.wait(60)
    assert "failed (" not in (output / "run.log").read_text().replace("ended (failed", "")
    no_jobs(slurm, 20)


def test_a_worker_with_other_code_is_refused(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    shutil.copytree(Path(package.__file__).parent, other / "hpcvbi")
    with open(other / "hpcvbi/sim/noise.py", "a") as file:
        file.write("# somebody's change\n")
    jobs = f"{JOBS}, jobs: 1, setup: ['cd /', 'export PYTHONPATH={other}']"
    refused = hpcvbi("run", study_on(tmp_path, people_folder, jobs))
    assert refused.returncode == 2
    message = refused.stderr
    assert re.search(r"runs hpcvbi \S+ \(\w{8}\).* the driver hpcvbi \S+ \(\w{8}\)", message)
    assert "cluster.python" in message and "Traceback" not in message
    no_jobs(slurm, 10)


def wrapper(path: Path, *command: str) -> Path:
    """Write an interpreter that starts Python in another world."""
    import sys

    path.write_text("#!/bin/sh\n" + " ".join(command).format(python=sys.executable) + "\n")
    path.chmod(0o755)
    return path


@needs_namespaces
def test_a_node_that_does_not_share_the_file_system_is_named(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out"
    inner = f'mount -t tmpfs none {output} && exec {{python}} "$@"'
    python = wrapper(tmp_path / "python", "exec unshare -m sh -c", f"'{inner}'", 'sh "$@"')
    jobs = f"{JOBS}, jobs: 1, python: {python}"
    refused = hpcvbi("run", study_on(tmp_path, people_folder, jobs))
    assert refused.returncode == 2
    assert "file system that all nodes share" in refused.stderr
    no_jobs(slurm, 10)


@pytest.mark.battery  # a worker tries for half a minute, and three times
@needs_namespaces
def test_a_node_that_cannot_reach_the_driver_is_named(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    tmp_path: Path,
) -> None:
    python = wrapper(tmp_path / "python", 'exec unshare -n {python} "$@"')
    jobs = f"{JOBS}, jobs: 1, python: {python}".replace(", interface: lo", "")
    refused = hpcvbi("run", study_on(tmp_path, people_folder, jobs))
    assert refused.returncode == 2
    assert "cluster.interface" in refused.stderr and "cluster.ports" in refused.stderr
    no_jobs(slurm, 10)


def test_results_are_those_of_this_machine(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    finished: Path,
    tmp_path: Path,
) -> None:
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 2")
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    assert stored(study) == stored(finished.with_name("out.yaml"))
    assert list((tmp_path / "out/performance").glob("*.html"))
    assert re.search(r"dashboard: http://127\.0\.0\.1:\d+/status", done.stdout)


def test_a_node_whose_clock_is_wrong_is_named_and_harms_nothing(
    slurm: Slurm,  # noqa: F811
    people_folder: Path,
    finished: Path,
    tmp_path: Path,
) -> None:
    """Python's clock in the workers is an hour behind."""
    skewed = tmp_path / "skewed"
    skewed.mkdir()
    (skewed / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ntime.time = lambda: now() - 3600\n"
    )
    setup = f"setup: ['export PYTHONPATH={skewed}:$PYTHONPATH']"
    study = study_on(tmp_path, people_folder, f"{JOBS}, jobs: 2, {setup}")
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    assert re.search(r"the clock of \S+ is -36\d\d s off the driver's", done.stdout)
    assert stored(study) == stored(finished.with_name("out.yaml"))
