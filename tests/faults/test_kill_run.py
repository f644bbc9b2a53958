"""SIGKILL of the driver at several moments: the resumed study ends with the same bytes and repeats
nothing that was marked.
"""

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import command, environment, files, hpcvbi
from synthetic_people import write_study

from hpcvbi.core.errors import StoreError
from hpcvbi.store import Progress, progress


def blocks_done(seen: Progress) -> int:
    return sum(r.blocks_done for r in seen.rounds)


def learning(seen: Progress) -> bool:
    full = any(r.round == "round_000" and r.blocks_done == r.blocks for r in seen.rounds)
    return full and ("anna", "inference_000") not in seen.puts


MOMENTS = {
    "first blocks": lambda seen: blocks_done(seen) >= 1,
    "learning": learning,
    "second round": lambda seen: any(r.round == "round_001" and r.blocks_done for r in seen.rounds),
    "predictive": lambda seen: any(r.round == "predictive" for r in seen.rounds),
}


def run_until(study: Path, reached) -> bool:
    """Start the study and SIGKILL it once `reached`; False where it ended before."""
    with subprocess.Popen(
        command("run", study),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 240
        while time.monotonic() < end:
            if process.poll() is not None:
                return False
            try:
                if reached(progress(study.parent / "out")):
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    return True
            except StoreError:
                pass
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError("the study did not get there in time")


@pytest.fixture(scope="module")
def killed_and_resumed(finished, people_folder, tmp_path_factory) -> tuple[Path, int]:
    """Kill one study at every moment in turn, then resume it to its end; count the kills."""
    folder = tmp_path_factory.mktemp("killed")
    study = write_study(folder / "study.yaml", people_folder, folder / "out")
    kills = sum(run_until(study, reached) for reached in MOMENTS.values())
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    return folder / "out", kills


def test_the_driver_was_killed_at_every_moment(killed_and_resumed):
    assert killed_and_resumed[1] == len(MOMENTS)


def test_the_store_is_equal_byte_for_byte(finished, killed_and_resumed):
    whole, resumed = (
        files(finished.parent / "out/store.zarr"),
        files(killed_and_resumed[0] / "store.zarr"),
    )
    assert whole.keys() == resumed.keys()
    # The root names the study by its hash, in which the folder of results has no part.
    assert [name for name in whole if whole[name] != resumed[name]] == []


def test_no_marked_block_was_computed_again(killed_and_resumed):
    lines = b"".join(p.read_bytes() for p in (killed_and_resumed[0] / "ledger").glob("*.log"))
    keys = Counter()
    for line in lines.splitlines():
        if b'"kind":"block"' in line.replace(b" ", b""):
            import json

            record = json.loads(line[line.index(b"{") :])
            keys[record["chain"], record["group"], record["index"]] += 1
    assert len(keys) == 2 * (3 + 3 + 2 + 1 + 1)
    assert set(keys.values()) == {1}
