"""ABC-SMC on real workers: the same bytes for any number of them, and after a kill."""

import os
import signal
import subprocess
import time
from pathlib import Path

from conftest import command, environment, files, hpcvbi
from generations_study import write_generations

from hpcvbi.store import Store


def test_killed_with_two_workers_and_resumed_with_eight_it_ends_with_the_bytes_of_one(
    people_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    done = write_generations(tmp_path / "one", people_folder, workers=1)
    once = hpcvbi("run", done)
    assert once.returncode == 0, once.stderr
    path = write_generations(tmp_path, people_folder, workers=2)
    with subprocess.Popen(
        command("run", path), env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as driver:  # fmt: skip
        try:
            end = time.monotonic() + 240
            while not _has(tmp_path / "out", "inference_000"):
                assert driver.poll() is None and time.monotonic() < end
                time.sleep(0.05)
        finally:
            os.killpg(driver.pid, signal.SIGKILL)
    assert not _has(tmp_path / "out", "evaluation")
    again = hpcvbi("run", path, "--cluster", "{kind: local, workers: 8}")
    assert again.returncode == 0, again.stderr
    assert files(tmp_path / "out/store.zarr") == files(done.parent / "out/store.zarr")


def _has(out: Path, group: str) -> bool:
    return (out / "MANIFEST.json").exists() and Store.open(out).is_marked("anna", group)
