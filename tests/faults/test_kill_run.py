"""A study is interrupted again and again: SIGKILL of the driver or of a worker, SIGTERM to all of
it, Ctrl-C, more or fewer workers. In the end it has the same bytes, and nothing that was marked was
computed again.
"""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import command, environment, files, hpcvbi
from synthetic_people import write_study

from hpcvbi.core.errors import StoreError
from hpcvbi.store import Progress, progress

BLOCKS = 2 * (3 + 3 + 2 + 1 + 1 + 2)


def blocks_done(seen: Progress) -> int:
    return sum(r.blocks_done for r in seen.rounds)


def learning(seen: Progress) -> bool:
    full = any(r.round == "round_000" and r.blocks_done == r.blocks for r in seen.rounds)
    return full and ("anna", "inference_000") not in seen.puts


def second_round(seen: Progress) -> bool:
    return any(r.round == "round_001" and r.blocks_done for r in seen.rounds)


def predictive(seen: Progress) -> bool:
    return any(r.round == "predictive" for r in seen.rounds)


def kill_a_worker(process: subprocess.Popen) -> None:
    """A worker is the one that Dask has spawned from its nanny."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if parent == process.pid and b"spawn_main" in words:
            os.kill(int(entry.name), signal.SIGKILL)
            return
    raise AssertionError("there was no worker")


@dataclass(frozen=True)
class Interruption:
    """At a moment something happens; in the end the run has this exit code."""

    moment: Callable[[Progress], bool]
    act: Callable[[subprocess.Popen], object]
    code: int
    workers: str = "null"


INTERRUPTIONS = {
    "driver, first blocks": Interruption(
        lambda seen: blocks_done(seen) >= 1, lambda p: p.kill(), -signal.SIGKILL, "1"
    ),
    "all, by scancel": Interruption(
        lambda seen: blocks_done(seen) >= 3, lambda p: os.killpg(p.pid, signal.SIGTERM), 75, "2"
    ),
    "driver, learning": Interruption(learning, lambda p: p.kill(), -signal.SIGKILL),
    "Ctrl-C": Interruption(second_round, lambda p: os.killpg(p.pid, signal.SIGINT), 75, "1"),
    "worker": Interruption(predictive, kill_a_worker, 0, "2"),
}


@dataclass
class Interrupted:
    """What was seen of each interruption; the last one lets the study go on to its end."""

    out: Path
    codes: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


def interrupt(study: Path, what: Interruption) -> tuple[int, str]:
    """Run the study until the moment, act, wait for its end."""
    with subprocess.Popen(
        command("run", study),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 240
        while time.monotonic() < end and process.poll() is None:
            try:
                if what.moment(progress(study.parent / "out")):
                    what.act(process)
                    if what.code == 75:
                        return process.wait(timeout=30), process.communicate()[0]
                    words = process.communicate(timeout=240)[0]
                    return process.returncode, words
            except StoreError:
                pass
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"the study did not get there: {process.communicate()[0]}")


@pytest.fixture(scope="module")
def interrupted(finished, people_folder, tmp_path_factory) -> Interrupted:
    folder = tmp_path_factory.mktemp("interrupted")
    seen = Interrupted(folder / "out")
    for name, what in INTERRUPTIONS.items():
        study = write_study(folder / "study.yaml", people_folder, folder / "out")
        study.write_text(study.read_text() + f"cluster: {{kind: local, workers: {what.workers}}}\n")
        seen.codes[name], seen.words[name] = interrupt(study, what)
    return seen


def test_every_interruption_ends_as_documented(interrupted):
    assert interrupted.codes == {name: what.code for name, what in INTERRUPTIONS.items()}


@pytest.mark.parametrize("name", ["all, by scancel", "Ctrl-C"])
def test_a_run_that_is_asked_to_stop_says_how_to_go_on(interrupted, name):
    signal_ = "SIGTERM" if "scancel" in name else "SIGINT"
    words = interrupted.words[name]
    assert f"stopped by {signal_}" in words
    assert f"To resume: hpcvbi run {interrupted.out.parent / 'study.yaml'}" in words
    assert "Traceback" not in words


def test_exit_codes_are_documented():
    words = " ".join(hpcvbi("run", "--help").stdout.split())
    for code in (0, 1, 2, 75, 130):
        assert f" {code} - " in words
    assert "resumes" in words and "--retry-failed" in words


def test_the_store_is_equal_byte_for_byte(finished, interrupted):
    whole, resumed = (
        files(folder / "store.zarr") for folder in (finished.parent / "out", interrupted.out)
    )
    assert whole.keys() == resumed.keys()
    # The root names the study by its hash, in which neither folder nor workers have a part.
    assert [name for name in whole if whole[name] != resumed[name]] == []


def test_no_marked_block_was_computed_again(interrupted):
    lines = b"".join(p.read_bytes() for p in sorted((interrupted.out / "ledger").glob("*.log")))
    records = [json.loads(line[line.index(b"{") :]) for line in lines.splitlines()]
    marks = [r for r in records if r["kind"] == "block"]
    keys = Counter((r["chain"], r["group"], r["index"]) for r in marks)
    assert len(keys) == BLOCKS and set(keys.values()) == {1}
    assert not any(r["failed"] for r in marks)
    stopped = [r["signal"] for r in records if r["kind"] == "run stopped"]
    assert stopped == ["SIGTERM", "SIGINT"]
