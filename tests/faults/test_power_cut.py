"""The power fails at every moment of a study: whatever of the page cache is lost, no mark lies and
the resumed study ends equal.

Like the sweep in `test_store_crash.py`, it runs in a process of its own that forks while it has one
thread: this file is also that process's script.
"""

import hashlib
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_store_crash as crash
from power import Disk, Recorder, State, folders_of, lay_out

from hpcvbi.store import arrays, driver, store


def forget_directories() -> None:
    """A control: directories are not synced any more."""
    store.sync_directories = driver.sync_directories = lambda *args: None


def forget_data() -> None:
    """A control: shards are not synced any more."""
    arrays.sync = lambda path: None


BREAK = {"": lambda: None, "directories": forget_directories, "data": forget_data}


def record(job: str, broken: str, root: Path, out: Path) -> None:
    BREAK[broken]()
    recorder = Recorder(root)
    recorder.start()
    crash.RUNS[job](root / "study")
    out.write_bytes(pickle.dumps(recorder.log))


def cut(job: str, broken: str, work: Path, stride: int, random_states: int) -> dict[str, int]:
    """Cut the power after every `stride`-th event; look at every state that may be found then."""
    work.mkdir()
    root, out = work / "root", work / "log"
    root.mkdir()
    assert crash.in_child(record, job, broken, root, out) == 0
    log = pickle.loads(out.read_bytes())
    want_folder = work / "want"
    assert crash.in_child(crash.run, want_folder) == 0
    want = crash.tree(want_folder)
    assert crash.tree(root / "study") == want
    keys = ("events", "states", "marks", "lies", "ignored", "failed", "different")
    total, seen = dict.fromkeys(keys, 0), set()
    disk, rng = Disk(folders_of(log)), random.Random(5)
    total["events"] = len(log)
    for number, event in enumerate(log):
        disk.apply(event)
        if number % stride:
            continue
        for state in disk.after_power_cut(rng, random_states):
            name = digest(state)
            if name not in seen:
                seen.add(name)
                look(state, work, want, total)
    total["states"] = len(seen)
    return total


def digest(state: State) -> str:
    return hashlib.sha256(repr(sorted(state.items())).encode()).hexdigest()


def look(state: State, work: Path, want: dict[str, str], total: dict[str, int]) -> None:
    found, counts = work / "found", work / "counts.json"
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir()
    lay_out(state, found)
    if crash.in_child(crash.resume, found / "study", counts):
        total["failed"] += 1
        return
    for key, value in json.loads(counts.read_text()).items():
        total[key] += value
    total["different"] += crash.tree(found / "study") != want


def without_power(work: Path, job: str, broken: str, stride: int, random_states: int) -> dict:
    words = [
        sys.executable,
        __file__,
        job,
        broken,
        str(work / "cut"),
        *map(str, (stride, random_states)),
    ]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, **crash._path()}
    )
    assert done.returncode == 0
    return json.loads(done.stdout)


@pytest.mark.parametrize(("job", "stride"), [("whole", 3), ("replacing", 11)])
def test_no_power_cut_leaves_a_lie(tmp_path: Path, job: str, stride: int) -> None:
    total = without_power(tmp_path, job, "", stride, 1)
    assert total["states"] > 100 and total["marks"] > 100, total
    assert (total["lies"], total["failed"], total["different"]) == (0, 0, 0), total


@pytest.mark.battery
@pytest.mark.parametrize("job", ["whole", "replacing"])
def test_no_power_cut_at_any_event_leaves_a_lie(tmp_path: Path, job: str) -> None:
    total = without_power(tmp_path, job, "", 1, 6)
    assert (total["lies"], total["failed"], total["different"]) == (0, 0, 0), total


@pytest.mark.parametrize("broken", ["directories", "data"])
def test_a_forgotten_fsync_is_seen(tmp_path: Path, broken: str) -> None:
    total = without_power(tmp_path, "whole", broken, 17, 0)
    assert total["lies"] > 0, total


if __name__ == "__main__":
    what, how, place, *numbers = sys.argv[1:]
    print(json.dumps(cut(what, how, Path(place), *map(int, numbers))))
