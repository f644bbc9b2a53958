"""What a scheduler feeds and what more workers bring: the numbers, a table and a figure.

    python tests/benchmarks/scaling.py [--quick] [--target FOLDER] [--profile]

Each part is measured in processes of its own; what cannot be measured here stays in the result with
its reason. CPU seconds and ratios are what counts: walls are of a machine with few cores. Writes
scaling.json, scaling.md and scaling.png to build/bench. `--profile` prints instead what the driver
spends its time on.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from engine import TARGET, machine
from scaling_page import draw, page
from venvs import Unavailable, measured

HOSTS = 4
"""Processes that host the workers whose blocks sleep."""
READY_S = 180.0
DURATIONS_S = (1, 10, 30)
BUSIEST = 0.5
"""Share of a core that the driver may take."""


def cases(quick: bool) -> list[dict]:
    """What the driver is measured with: slots, workers, blocks that sleep, marks."""
    common = {"hosts": HOSTS, "milliseconds": 200, "blocks": 400 if quick else 4000}
    base = {**common, "slots": 200, "workers": 1, "window": 3, "marks": False}
    if quick:
        return [{**base, "slots": 40, "marks": True}]
    few = {**base, "blocks": 1500}
    return [
        base,
        {**base, "marks": True},
        {**few, "slots": 50},
        {**few, "slots": 100},
        {**few, "window": 2},
        {**few, "window": 10},
        {**few, "workers": 200 // HOSTS, "marks": True},
    ]


@contextlib.contextmanager
def hosts(folder: Path) -> Iterator[None]:
    """Processes that wait to host workers, with the keys that they need in `folder`."""
    from hpcvbi.cluster.keys import keys_in

    keys = keys_in(folder)
    place = keys.folder
    command = [sys.executable, str(HERE / "stand_in.py"), str(place)]
    started = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(HOSTS)]
    try:
        end = time.monotonic() + READY_S
        while len(list(place.glob("ready-*"))) < HOSTS:
            if time.monotonic() > end or any(p.poll() is not None for p in started):
                raise Unavailable("the processes that host workers did not start")
            time.sleep(0.2)
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGKILL)
        for process in started:
            process.wait()


def part(script: str, *words: object) -> dict:
    """The row that a script prints, or why there is none."""
    command = [sys.executable, str(HERE / script), *(str(word) for word in words)]
    try:
        row = measured(command, one_core=False)
    except Unavailable as reason:
        row = {"reason": str(reason)}
    print(f"{script} {' '.join(str(w) for w in words[-1:])}\n  {json.dumps(row)}", flush=True)
    return row


def driver_rows(quick: bool) -> list[dict]:
    """What blocks cost the driver, case by case."""
    with tempfile.TemporaryDirectory() as name, hosts(Path(name)):
        (place,) = Path(name).glob(".cluster-*")
        return [{**case, **part("slots.py", place, json.dumps(case))} for case in cases(quick)]


def worker_rows(quick: bool) -> list[dict]:
    """Blocks per second of a real study, against worker processes and threads."""
    size = {"regions": 12, "draws": 16} if quick else {"regions": 80, "draws": 32}
    counts = [(1, 1), (2, 1)] if quick else [(1, 1), (2, 1), (1, 2)]
    blocks = 8 if quick else 12
    rows = []
    for processes, threads in counts:
        asked = {"processes": processes, "threads": threads, **size, "blocks": blocks}
        rows.append({**asked, **part("real_blocks.py", "workers", json.dumps(asked))})
    one = rows[0]
    for row in rows:
        if "blocks_per_second" in row and "blocks_per_second" in one:
            slots = row["processes"] * row["threads"]
            row["parallel_efficiency"] = row["blocks_per_second"] / one["blocks_per_second"] / slots
            row["cpu_ratio_to_one_worker"] = (
                row["worker_cpu_seconds_per_block"] / one["worker_cpu_seconds_per_block"]
            )
    return rows


def interpreter_row(quick: bool) -> dict:
    """What a block holds of the interpreter of its worker."""
    size = {"regions": 12, "draws": 16} if quick else {"regions": 80, "draws": 32}
    return part("real_blocks.py", "interpreter", json.dumps({"threads": 48, **size}))


def slurm_rows(quick: bool) -> dict:
    """Blocks per second in jobs of a real SLURM."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    missing = [
        n for n in ("slurmctld", "slurmd", "sbatch", "munged") if not shutil.which(n, path=path)
    ]
    if quick or missing:
        return {"reason": "left out by --quick" if quick else f"there is no {', '.join(missing)}"}
    asked = {"jobs": [1, 2, 4], "milliseconds": 500, "blocks_per_slot": 12}
    return part("slurm_slots.py", json.dumps(asked))


def message_bytes() -> dict[str, int]:
    """Pickled sizes of what travels per block: what a worker is sent, and what it answers."""
    import hashlib

    from dask._task_spec import Task
    from distributed.protocol.pickle import dumps

    from hpcvbi.cluster.task import simulate_block
    from hpcvbi.cluster.versions import versions
    from hpcvbi.core.block import Block, BlockReport

    folder, block = (
        "/scratch/project/somebody/results/study",
        Block("sub0001", "round_000", 1, 32, 64),
    )
    sha = hashlib.sha256(b"").hexdigest()
    digests: dict[str, list[int | str]] = {n: [40_000, sha, sha] for n in ("features", "status")}
    report = BlockReport(block, 0, 10.0, "node0001", digests, memory=2**28)
    task = Task(("simulate_block-" + sha[:32], 1), simulate_block, folder, block, versions())
    return {"task": len(dumps(task)), "report": len(dumps(report))}


def constants(found: dict) -> dict:
    """What `hpcvbi plan` reckons with: cost of a block, and the slots that one driver feeds.

    The scheduler looks at every worker for every block, and fetches reports from each, so that the
    cost grows with their number. The slope is a line through two numbers of workers; None for one.
    """
    rows = [row for row in found["driver"] if "cpu_us_per_block" in row]
    if not rows:
        return {}
    most = max(row["slots"] for row in rows)
    usual = [row for row in rows if row["slots"] == most and row["marks"]]
    cost = {r["hosts"] * r["workers"]: r["cpu_us_per_block"]["driver"] * 1e-6 for r in usual}
    few, many = min(cost), max(cost)
    slope = (cost[many] - cost[few]) / (many - few) if many > few else None
    return {
        "driver_cpu_seconds_per_block": cost[few],
        "with_workers": few,
        "more_for_each_worker": slope,
        "most_blocks_per_second_seen": max(row["blocks_per_second"] for row in rows),
        "driver_bytes_per_block_in_flight": max(
            row["driver_bytes_per_block_in_flight"] for row in usual
        ),
        "slots_fed_at_half_load_by_workers_and_block_seconds": {
            f"{workers}": {f"{s}": int(BUSIEST / cost[workers] * s) for s in DURATIONS_S}
            for workers in sorted(cost)
        },
    }


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="what a scheduler feeds, what workers bring")
    parser.add_argument("--quick", action="store_true", help="less of all, within a minute")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder of the results")
    parser.add_argument("--profile", action="store_true", help="print the driver's profile only")
    return parser.parse_args()


def profile() -> None:
    """Print what the driver spends its time on."""
    case = json.dumps({**cases(False)[1], "blocks": 1000, "profile": True})
    with tempfile.TemporaryDirectory() as name, hosts(Path(name)):
        (place,) = Path(name).glob(".cluster-*")
        subprocess.run([sys.executable, str(HERE / "slots.py"), str(place), case], check=True)


def main() -> None:
    """Measure, print, write."""
    asked = options()
    if asked.profile:
        profile()
        return
    before = os.getloadavg()[0]
    found: dict = {"machine": machine(), "load": "", "quick": asked.quick}
    print(found["machine"], flush=True)
    found["message_bytes"] = message_bytes()
    found["driver"] = driver_rows(asked.quick)
    found["workers"] = worker_rows(asked.quick)
    found["interpreter"] = interpreter_row(asked.quick)
    found["slurm"] = slurm_rows(asked.quick)
    found["constants"] = constants(found)
    found["load"] = f"{before:.1f} before, {os.getloadavg()[0]:.1f} after, others at work beside"
    asked.target.mkdir(parents=True, exist_ok=True)
    (asked.target / "scaling.json").write_text(json.dumps(found, indent=1))
    (asked.target / "scaling.md").write_text(page(found))
    draw(found, asked.target / "scaling.png")
    print(f"written to {asked.target}: scaling.json, scaling.md, scaling.png")


if __name__ == "__main__":
    main()
