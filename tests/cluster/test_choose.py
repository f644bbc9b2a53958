"""A choice on real workers: the same bytes for any number of them, after a kill and a SIGTERM."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from conftest import command, environment, files, hpcvbi
from rival_studies import write_rivals

from hpcvbi.store import Store, progress

SETTINGS = json.dumps({"rounds": 3, "draws": 64, "particles": 24})


def words(paths: list[Path], folder: Path, workers: int) -> list[object]:
    where = f"{{kind: local, workers: {workers}}}"
    output = ["--output", folder, "--settings", SETTINGS, "--cluster", where]
    return ["choose", *paths, *output]


def interrupted(paths: list[Path], folder: Path, group: str, kind: int) -> tuple[int, str]:
    """Run the choice with two workers, and end it when the store has this of somebody."""
    with subprocess.Popen(
        command(*words(paths, folder, 2)), env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as driver:  # fmt: skip
        end = time.monotonic() + 240
        while not _has(folder, group):
            assert driver.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        os.killpg(driver.pid, kind)
        said = driver.communicate(timeout=60)[1]
        return driver.returncode, said


def test_a_killed_and_stopped_choice_ends_with_the_bytes_of_one_worker(tmp_path: Path) -> None:
    paths = write_rivals(tmp_path, people="[e1, l1]")
    once = hpcvbi(*words(paths, tmp_path / "one", 1))
    assert once.returncode == 0, once.stderr
    folder = tmp_path / "two"
    code, _ = interrupted(paths, folder, "wave_000_gating", signal.SIGKILL)
    assert code == -signal.SIGKILL
    code, said = interrupted(paths, folder, "inference_000", signal.SIGTERM)
    assert code == 75 and "To resume: hpcvbi choose" in said, said
    assert not _has(folder, "choice")
    kept = sum(of.blocks_done for of in progress(folder).rounds)
    again = hpcvbi(*words(paths[::-1], folder, 2))
    assert again.returncode == 0, again.stderr
    blocks = sum(of.blocks for of in progress(folder).rounds)
    assert f"{blocks - kept} blocks computed" in again.stdout
    assert files(folder / "store.zarr") == files(tmp_path / "one/store.zarr")


def _has(folder: Path, group: str) -> bool:
    return (folder / "MANIFEST.json").exists() and any(
        Store.open(folder).is_marked(person, group) for person in ("e1", "l1")
    )
