"""A draw's bits depend on its parameters, its number and the seed, and on nothing else."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_brains import brain_of, theta_of

from hpcvbi import Connectome, Simulated, Status, simulate
from hpcvbi.sim import cpu, network

DRAWS = 35
WIDE = {
    "long": ("reduced_wong_wang", "float32", (1, 32)),
    "dense": ("wong_wang_ei", "float32", (1, 8, 32)),
    "short": ("stuart_landau", "float64", (1,)),
}
FRESH = """
import sys
sys.path.insert(0, {folder!r})
from test_engine_identity import fresh_digest
print(fresh_digest())
"""


def run(layout: str, width: int = 16, **options) -> Simulated:
    model, dtype, _ = WIDE[layout]
    brain = brain_of(model, layout, "euler")
    width = min(width, 8) if dtype == "float64" else width
    return simulate(brain, theta_of(brain, DRAWS), seed=5, dtype=dtype, width=width, **options)


def assert_same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def fresh_digest() -> str:
    signals = run("long").signals
    return hashlib.sha256(b"".join(signals[name].tobytes() for name in sorted(signals))).hexdigest()


@pytest.fixture(scope="module")
def whole():
    return {layout: run(layout) for layout in WIDE}


@pytest.mark.parametrize(("layout", "width"), [(k, w) for k, v in WIDE.items() for w in v[2]])
def test_lane_width(whole, layout, width):
    assert_same_bits(run(layout, width).signals, whole[layout].signals)


def test_block_cuts(whole):
    brain = brain_of("reduced_wong_wang", "long", "euler")
    theta, parts = theta_of(brain, DRAWS), []
    for start, stop in ((0, 1), (1, 14), (14, DRAWS)):
        numbers = np.arange(start, stop)
        parts.append(simulate(brain, theta[start:stop], seed=5, draws=numbers, width=16).signals)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    assert_same_bits(joined, whole["long"].signals)


def test_order_of_draws(whole):
    brain = brain_of("reduced_wong_wang", "long", "euler")
    order = np.random.default_rng(0).permutation(DRAWS)
    mixed = simulate(brain, theta_of(brain, DRAWS)[order], seed=5, draws=order, width=16).signals
    assert_same_bits(mixed, {k: v[order] for k, v in whole["long"].signals.items()})


def test_threads(whole):
    assert_same_bits(run("long", threads=3).signals, whole["long"].signals)


def test_processes():
    code = FRESH.format(folder=str(Path(__file__).parent))
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == fresh_digest()


def test_seeds_and_draw_numbers_do_change_the_noise(whole):
    brain = brain_of("reduced_wong_wang", "long", "euler")
    theta = theta_of(brain, DRAWS)
    seed = simulate(brain, theta, seed=6, width=16).signals["sample"]
    shifted = simulate(brain, theta, seed=5, draws=np.arange(1, DRAWS + 1), width=16)
    expected = whole["long"].signals["sample"]
    for other in (seed, shifted.signals["sample"]):
        assert (np.abs(other - expected).max(axis=(1, 2)) > 1e-3).all()


@pytest.mark.parametrize(
    ("model", "dtype", "width"),
    [("wong_wang_ei", "float32", 16), ("stuart_landau", "float64", 8)],
)
def test_dense_and_sparse_layouts(monkeypatch, model, dtype, width):
    brain = brain_of(model, "dense", "euler")
    theta = theta_of(brain, 8)
    dense = simulate(brain, theta, seed=5, dtype=dtype, width=width).signals
    monkeypatch.setattr(network, "DENSE_FROM", 2.0)
    assert network.lay_out(brain, theta, np.dtype(dtype), 8).shape == "stepwise"
    sparse = simulate(brain, theta, seed=5, dtype=dtype, width=width).signals
    for name, signal in sparse.items():
        np.testing.assert_allclose(signal, dense[name], rtol=0, atol=2e-5 * np.abs(signal).max())


def test_steps_per_visit(monkeypatch):
    """Delays of 32 steps and more let a node take 32 of the 424 steps at once."""
    slow = replace(brain_of("reduced_wong_wang", "long", "euler"), speed=0.25)
    theta, found = theta_of(slow, 8), {}
    for most in (4, 20, 32):
        monkeypatch.setattr(cpu, "MOST_STEPS", most)
        assert network.lay_out(slow, theta, np.dtype("float32"), 8, most).window == most
        found[most] = simulate(slow, theta, seed=5, width=8).signals
    assert np.ptp(found[4]["bold"]) > 0
    assert_same_bits(found[20], found[4])
    assert_same_bits(found[32], found[4])


def test_absent_connections_do_not_matter(whole):
    """A connection of weight zero is no connection, however long."""
    brain = brain_of("reduced_wong_wang", "long", "euler")
    weights, lengths = brain.connectome.weights, brain.connectome.lengths.copy()
    lengths[weights == 0] = 500.0
    longer = replace(brain, connectome=Connectome(weights, lengths, brain.connectome.labels))
    signals = simulate(longer, theta_of(brain, DRAWS), seed=5, width=16).signals
    assert_same_bits(signals, whole["long"].signals)


@pytest.mark.parametrize("layout", ["dense", "short"])
def test_a_diverged_draw_leaves_its_neighbours_alone(layout):
    brain = brain_of("stuart_landau", layout, "euler")
    theta = theta_of(brain, 8)
    calm = simulate(brain, theta, seed=5, dtype="float64", width=8)
    assert (calm.status == Status.OK).all()
    wild = theta.copy()
    wild[3, brain.space.names.index("a")] = 9.0
    mixed = simulate(brain, wild, seed=5, dtype="float64", width=8)
    assert mixed.status.tolist() == [Status.DIVERGED if k == 3 else Status.OK for k in range(8)]
    assert not np.isfinite(mixed.signals["sample"][3]).all()
    others = np.arange(8) != 3
    assert_same_bits(
        {k: v[others] for k, v in mixed.signals.items()},
        {k: v[others] for k, v in calm.signals.items()},
    )
    plain = simulate(brain, wild[2:5], seed=5, draws=np.arange(2, 5), backend="reference")
    assert plain.status.tolist() == [Status.OK, Status.DIVERGED, Status.OK]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_bounds_do_not_hide_a_diverged_draw(backend):
    brain = brain_of("reduced_wong_wang", "long", "euler")
    initial = np.full((1, 10), 0.1)
    initial[0, 4] = np.nan
    options = {"width": 16} if backend == "cpu" else {}
    seen = simulate(brain, theta_of(brain, 1), seed=5, initial=initial, backend=backend, **options)
    assert seen.status.tolist() == [Status.DIVERGED]
    assert np.isnan(seen.signals["sample"][0, :, 4]).all()
