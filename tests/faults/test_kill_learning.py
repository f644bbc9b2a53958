"""Whole runs whose processes die, or are asked to end, while they learn: the bytes are equal, and
nothing is left behind.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import command, environment, files
from synthetic_people import write_study


@contextmanager
def running(people: Path, folder: Path) -> Iterator[subprocess.Popen]:
    study = write_study(folder / "study.yaml", people, folder / "out")
    study.write_text(study.read_text() + "cluster: {kind: local, workers: 2}\n")
    with subprocess.Popen(
        command("run", study),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def parents() -> dict[int, int]:
    """Return the parent of every process that was spawned by Python."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if b"spawn_main" in (entry / "cmdline").read_bytes():
                found[int(entry.name)] = int(
                    (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                )
        except (OSError, ValueError):
            continue
    return found


def learning(driver: subprocess.Popen) -> tuple[int, int]:
    """Wait for a learning process; return its worker and itself."""
    end = time.monotonic() + 240
    while time.monotonic() < end and driver.poll() is None:
        of = parents()
        for child, worker in of.items():
            if of.get(worker) == driver.pid:
                time.sleep(0.1)  # a fork that is about to become another program is none
                if parents().get(child) == worker:
                    return worker, child
        time.sleep(0.02)
    raise AssertionError(f"nothing was learned: {driver.communicate()[0]}")


def all_of(session: int) -> set[int]:
    """Return the processes that live in a session, as every process of a run does."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(words[3]) == session and words[0] not in "ZX":
            found.add(int(entry.name))
    return found


def ledger(out: Path) -> list[dict]:
    lines = b"".join(p.read_bytes() for p in sorted((out / "ledger").glob("*.log")))
    return [json.loads(line[line.index(b"{") :]) for line in lines.splitlines()]


@pytest.mark.parametrize("whom", ["child", "worker"])
def test_what_is_killed_while_it_learns_is_learned_again_to_the_same_bytes(
    finished: Path, people_folder: Path, tmp_path: Path, whom: str
) -> None:
    with running(people_folder, tmp_path) as driver:
        worker, child = learning(driver)
        time.sleep(0.5)
        os.kill(child if whom == "child" else worker, signal.SIGKILL)
        words = driver.communicate(timeout=280)[0]
        assert driver.returncode == 0, words
    assert "Traceback" not in words
    assert files(tmp_path / "out/store.zarr") == files(finished.parent / "out/store.zarr")
    learned = [(r["chain"], r["label"]) for r in ledger(tmp_path / "out") if r["kind"] == "learned"]
    assert len(learned) == len(set(learned)) == 16
    assert all_of(driver.pid) == set()


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda driver: driver.terminate(), 75),
        (lambda driver: os.killpg(driver.pid, signal.SIGTERM), 75),
        (lambda driver: driver.kill(), -signal.SIGKILL),
    ],
    ids=["SIGTERM", "SIGTERM to all", "SIGKILL"],
)
def test_a_run_that_ends_while_it_learns_leaves_no_process_behind(
    people_folder: Path, tmp_path: Path, ask: Callable[[subprocess.Popen], object], code: int
) -> None:
    with running(people_folder, tmp_path) as driver:
        _, child = learning(driver)
        assert child in all_of(driver.pid)
        ask(driver)
        assert driver.wait(timeout=30) == code
        end = time.monotonic() + 15
        while (left := all_of(driver.pid)) and time.monotonic() < end:
            time.sleep(0.1)
        assert left == set()
