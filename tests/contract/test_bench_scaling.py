"""The scaling benchmark says what the README and the plan's capacity model read from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "scaling.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scaling")
    command = [sys.executable, str(SCRIPT), "--quick", "--target", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=900)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_quick_benchmark_measures_all_that_is_read(folder):
    found = json.loads((folder / "scaling.json").read_text())
    assert found["quick"] and found["machine"] and found["load"]
    (case,) = found["driver"]
    cost = case["cpu_us_per_block"]
    parts = cost["scheduler_and_client"] + cost["loop_and_executor"] + cost["callbacks"]
    assert 0 < cost["driver"] <= parts + 1e-6
    assert 0 < case["share_of_slots_used"] <= 1
    constants = found["constants"]
    assert constants["driver_cpu_seconds_per_block"] == pytest.approx(cost["driver"] * 1e-6)
    assert constants["most_blocks_per_second_seen"] > 0
    assert constants["driver_bytes_per_block_in_flight"] > 0
    assert constants["with_workers"] == 4 and constants["more_for_each_worker"] is None
    fed = constants["slots_fed_at_half_load_by_workers_and_block_seconds"]["4"]
    assert 0 < fed["1"] < fed["10"] < fed["30"]
    one, two = found["workers"]
    assert one["parallel_efficiency"] == 1.0 and two["processes"] == 2
    assert two["worker_cpu_seconds_per_block"] > 0
    inside = found["interpreter"]
    assert 0 < inside["cpu_seconds_outside_the_kernel"] < inside["cpu_seconds_per_block"]
    assert "--quick" in found["slurm"]["reason"]


def test_messages_are_a_folder_and_a_block_and_a_report_of_digests(folder):
    sizes = json.loads((folder / "scaling.json").read_text())["message_bytes"]
    assert 100 < sizes["task"] < 600
    assert 100 < sizes["report"] < 600


def test_text_and_figure_are_written(folder):
    text = (folder / "scaling.md").read_text()
    assert "40 slots in 4 workers" in text and "not measured" not in text
    assert (folder / "scaling.png").read_bytes()[:4] == b"\x89PNG"
