"""The benchmark's harness: what it would simulate exists, ratios compare like with like, and what
could not be measured is said.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in ("brains", "figure", "synthetic", "table", "workloads"):
        sys.modules.pop(name, None)


def row(implementation, rate, scheme="heun", dtype="float64", **more):
    filled = {"workload": "jansen_rit", "version": "1", "draws": 1, "steps": 10, "note": ""}
    filled.update(finite=True, first_cpu_seconds=1.0, peak_mb=100.0)
    return {
        **filled,
        "implementation": implementation,
        "rate": rate,
        "scheme": scheme,
        "dtype": dtype,
        **more,
    }


def rows():
    return [
        row("hpcvbi", 200e6, "euler", "float32"),
        row("hpcvbi", 50e6),
        row("fast", 5e6),
        row("wild", 40e6, finite=False),
        {
            "workload": "jansen_rit",
            "implementation": "absent",
            "version": "2",
            "reason": "not installed: no such release",
        },
    ]


def test_a_ratio_compares_equal_scheme_and_precision():
    from table import add_ratios

    measured = rows()
    add_ratios(measured)
    assert measured[2]["ratio"] == pytest.approx(10.0)
    assert measured[2]["ratio_to_fastest"] == pytest.approx(40.0)
    assert "ratio" not in measured[4]


def test_the_fastest_peer_has_finite_values():
    from table import best_peer

    best = best_peer(rows(), "jansen_rit")
    assert best is not None and best["implementation"] == "fast"


def test_what_could_not_be_measured_stays_in_the_table_with_its_reason():
    from table import every_row

    text = every_row(rows())
    assert "not installed: no such release" in text
    assert "values not finite" in text
    assert len({line.count("|") for line in text.strip().splitlines()}) == 1


def test_the_figure_is_drawn(tmp_path):
    from figure import draw

    draw({"machine": "a machine", "rows": rows()}, tmp_path / "engine.png")
    assert (tmp_path / "engine.png").read_bytes()[:4] == b"\x89PNG"


def test_every_peer_has_a_script_that_knows_its_workloads():
    from workloads import PEERS, WORKLOADS

    for peer in PEERS.values():
        text = (BENCHMARKS / "peers" / peer.script).read_text()
        for name in peer.cases:
            assert name in WORKLOADS
            assert f'"{name}"' in text, f"{peer.script} does not measure {name}"


def test_every_workload_is_a_brain_on_the_common_network():
    from brains import brain_of, theta_of
    from workloads import WORKLOADS

    for workload in WORKLOADS.values():
        brain = brain_of(workload, steps=workload.steps // 10)
        assert brain.n_steps == workload.steps // 10
        assert brain.noise is not None
        assert (brain.speed is not None) == workload.delays
        assert theta_of(workload, 3).shape == (3, len(brain.space.names))
    weights = brain.connectome.weights
    assert weights.max() == 1.0 and np.array_equal(weights, weights.T)
    assert np.count_nonzero(weights) == pytest.approx(0.497 * 84 * 83, abs=3)
