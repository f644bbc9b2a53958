"""Keys, job scripts, and what is made of SLURM's words, without SLURM."""

import socket
import ssl
import subprocess
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from hpcvbi.cluster import driver_job, job_scripts
from hpcvbi.cluster.keys import keys_in, keys_in_memory
from hpcvbi.cluster.node import free_port
from hpcvbi.cluster.slurm_job import seconds_of
from hpcvbi.cluster.watch import Watch
from hpcvbi.config.clusters import Slurm
from hpcvbi.core.errors import ClusterError, ConfigError


def section(**keys: object) -> Slurm:
    common = {"kind": "slurm", "jobs": 2, "memory": "900MiB", "walltime": "01:00:00"}
    return Slurm.model_validate({**common, **keys})


def test_keys_are_private_and_those_of_runs_that_died_are_swept(tmp_path: Path) -> None:
    dead = keys_in(tmp_path)
    keys = keys_in(tmp_path)
    assert not dead.folder.exists() and keys.folder.parent == tmp_path
    assert keys.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.folder.iterdir()} == {0o600}
    keys.remove()
    assert not list(tmp_path.iterdir())


def test_certificates_bear_clocks_that_are_a_day_apart_and_no_two_are_alike(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    certificate = x509.load_pem_x509_certificate(keys.certificate.read_bytes())
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc < now - timedelta(days=1)
    assert certificate.not_valid_after_utc > now + timedelta(days=100)
    context = ssl.create_default_context(cafile=str(keys.certificate))
    context.load_cert_chain(keys.certificate, keys.key)
    one, other = keys_in_memory(), keys_in_memory()
    assert one.require_encryption and one.tls_ca_file != other.tls_ca_file


def test_a_script_says_all_that_a_job_needs(tmp_path: Path) -> None:
    asked = section(
        cpus=4,
        account="brains",
        partition="long",
        qos="high",
        interface="ib0",
        ports="50000-50999",
        scratch="$TMPDIR",
        setup=("module load python",),
        directives=("--exclusive",),
        python="/opt/python",
        gpu_jobs={"jobs": 3, "cpus": 1, "partition": "gpu", "memory": "60GiB"},
    )
    scripts = job_scripts(asked, str(tmp_path / "with space"))
    assert list(scripts) == ["cpu", "gpu-jobs"]
    script = scripts["cpu"]
    for line in (
        "#SBATCH -p long",
        "#SBATCH -A brains",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=900M",
        "#SBATCH -t 01:00:00",
        "#SBATCH --no-requeue",
        "#SBATCH --qos=high",
        "#SBATCH --exclusive",
        "export OMP_NUM_THREADS=1",
        "module load python",
    ):
        assert line in script.splitlines()
    assert "/opt/python -m distributed.cli.dask_worker" in script
    for words in (
        "--nthreads 4",
        "--resources CPU=4",
        "--interface ib0",
        "--worker-port 50000:50999 --nanny-port 50000:50999",
        "--dashboard-address 127.0.0.1:0 --no-dashboard",
        "--local-directory $TMPDIR",
    ):
        assert words in script
    gpu = scripts["gpu-jobs"]
    assert "--resources GPU=1" in gpu and "--nthreads 1" in gpu
    assert {"#SBATCH --gres=gpu:1", "#SBATCH -p gpu", "#SBATCH --mem=61440M"} <= set(
        gpu.splitlines()
    )
    for text in scripts.values():
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_a_grown_word_for_gpus_is_left_alone() -> None:
    asked = section(gpus=1, directives=("--gres=gpu:a100:1",))
    assert "#SBATCH --gres=gpu:1" not in job_scripts(asked, "/out")["gpu"]


@pytest.mark.parametrize(
    ("written", "seconds"), [("00:01:30", 90), ("04:00:00", 14_400), ("1-02:00:01", 93_601)]
)
def test_wall_times_are_read(written: str, seconds: int) -> None:
    assert seconds_of(written) == seconds


def test_a_range_of_ports_that_are_all_taken_is_an_error() -> None:
    first = 29_000
    with ExitStack() as held:
        for port in (first, first + 1):
            with suppress(OSError):  # then somebody else holds it
                held.enter_context(socket.socket()).bind(("", port))
        with pytest.raises(ClusterError, match=rf"{first}-{first + 1}.*write a wider range"):
            free_port(f"{first}-{first + 1}")
    assert first <= free_port(f"{first}-{first + 99}") <= first + 99
    assert free_port(None) == 0


@pytest.mark.parametrize(
    ("said", "left"),
    [("10:00", 480.0), ("2:00", 90.0), ("1-00:00:00", 86_280.0), ("UNLIMITED", None), ("", None)],
)
def test_a_driver_knows_how_long_it_may_work(
    said: str, left: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops two minutes before its end, or a quarter of what it has, if that is less."""
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\necho '{said}'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert driver_job.seconds_to_work() == left
    monkeypatch.delenv("SLURM_JOB_ID")
    assert driver_job.seconds_to_work() is None
    with pytest.raises(ConfigError, match="no SLURM job"):
        driver_job.check_chain()


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("OSError: Timed out trying to connect to tls://10.0.0.1:1", "cluster.interface"),
        ("OSError: [Errno 101] Network is unreachable", "cluster.ports"),
        ("slurm_script: line 9: /opt/python: No such file or directory", "cluster.python"),
        ("bash: module: command not found", "file system that all nodes share"),
        ("ModuleNotFoundError: No module named 'distributed'", "lacks a package"),
        (
            "Error: Invalid value for '--tls-ca-file': Path 'x.pem' does not exist.",
            "all nodes share",
        ),
        ("", "It printed: nothing"),
    ],
)
def test_what_a_job_printed_is_explained(printed: str, words: str, tmp_path: Path) -> None:
    watch = Watch.__new__(Watch)
    watch._logs = tmp_path
    assert "do the nodes share that folder?" in watch._told("17")
    traceback = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n'
    (tmp_path / "17.log").write_text(f"{traceback if printed else ''}{printed}\n")
    told = watch._told("17")
    assert words in told and printed in told
