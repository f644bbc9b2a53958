"""Learning from features that are not in memory: each row once an epoch, bounded memory, the same
answer.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from finished_study import Cohort, Fate, write

from hpcvbi.core.block import Status
from hpcvbi.infer import Draws, Npe, batches, steps
from hpcvbi.infer.batches import SAMPLE, Streamed, sample_of
from hpcvbi.infer.bend import straight
from hpcvbi.infer.draws import CHUNK, Masked, Stacked
from hpcvbi.infer.isolation import isolated
from hpcvbi.infer.scaling import Scaling
from hpcvbi.store import Store, current
from hpcvbi.store.ledger import lengths
from hpcvbi.store.rows import StoredRows

ROWS = 2 * CHUNK + 1234
AS_THEY_ARE = Scaling(np.full(2, -1e9), np.full(2, 1e9), np.zeros(2), np.ones(2), straight(2))
OBSERVED = np.array([0.3, -0.2, 0.4])
MIX = np.array([[1.0, 0.5], [-0.5, 1.0], [0.2, -0.7]])


class Numbered:
    """Row k holds k; nothing is kept."""

    shape = (ROWS, 2)

    def __getitem__(self, rows: slice) -> np.ndarray:
        found = np.arange(*rows.indices(ROWS), dtype=float)
        return np.column_stack([found, -found])


class Far:
    """A matrix that says it is not in memory."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.shape = x, x.shape

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.x[rows]


def test_an_epoch_visits_every_row_once_and_no_held_out_or_failed_one() -> None:
    whole = np.random.default_rng(1).random(ROWS) < 0.9
    u = np.arange(ROWS)[:, None] / ROWS
    table = Streamed(u, Numbered(), whole, np.zeros(1), np.ones(1), AS_THEY_ARE)
    with isolated(3) as torch:
        batches = table.batches(torch, torch.device("cpu"), 0.1)
        epochs = [list(batches.epoch(500)) for _ in range(2)]
        held = np.concatenate([x[:, 0].numpy() for _, x in batches.held_out()])
    seen = [np.concatenate([x[:, 0].numpy() for _, x in epoch]) for epoch in epochs]
    assert table.rows == whole.sum()
    np.testing.assert_array_equal(np.sort(np.append(seen[0], held)), np.flatnonzero(whole))
    np.testing.assert_array_equal(np.sort(seen[0]), np.sort(seen[1]))
    assert 0.08 < len(held) / whole.sum() < 0.12
    assert not np.array_equal(seen[0], seen[1]) and np.abs(np.diff(seen[0])).mean() > ROWS / 10
    z, x = epochs[0][3]  # parameters stay with their features
    np.testing.assert_allclose(z[:, 0].numpy() * ROWS, x[:, 0].numpy(), rtol=1e-5)
    assert max(len(x) for _, x in epochs[0]) == 500


def test_one_row_is_held_out_at_least() -> None:
    whole = np.zeros(ROWS, bool)
    whole[100:130] = True
    table = Streamed(np.zeros((ROWS, 1)), Numbered(), whole, np.zeros(1), np.ones(1), AS_THEY_ARE)
    with isolated(3) as torch:
        batches = table.batches(torch, torch.device("cpu"), 1e-6)
        assert sum(len(x) for _, x in batches.held_out()) == 1
        assert sum(len(x) for _, x in batches.epoch(8)) == 29


def test_chunks_of_which_no_row_is_left_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MIXED", 1)
    whole = np.arange(ROWS) < 2 * CHUNK  # all of the last chunk failed
    table = Streamed(np.zeros((ROWS, 1)), Numbered(), whole, np.zeros(1), np.ones(1), AS_THEY_ARE)
    with isolated(3) as torch:
        mixed = table.batches(torch, torch.device("cpu"), 0.1)
        sizes = [len(x) for _ in range(4) for _, x in mixed.epoch(500)]
    assert min(sizes) > 0 and sum(sizes) == 4 * mixed.learn.sum()


def test_streamed_draws_teach_what_draws_in_memory_do() -> None:
    algorithm = Npe(draws=1000, hidden=16, transforms=3, max_epochs=60)
    state = algorithm.init(2, OBSERVED)
    u = algorithm.propose(state, 1000, 1)
    x = u @ MIX.T + 0.2 * np.random.default_rng(2).standard_normal((1000, 3))
    x[::50, 1] = np.nan
    drawn = []
    for rows in (x, Far(x)):
        learned, info = algorithm.update(state, Draws.of(u, rows), 3)
        assert (info.rows, info.masked) == (980, 20)
        drawn.append(algorithm.posterior(learned, OBSERVED, 2000, 4))
    memory, streamed = drawn
    assert not np.array_equal(memory, streamed)  # the order of the rows is another
    assert (np.abs(memory.mean(0) - streamed.mean(0)) < 0.3 * memory.std(0)).all()
    assert (np.abs(streamed.std(0) / memory.std(0) - 1) < 0.3).all()


def test_a_sample_for_scaling_is_of_everybody_in_a_cohort() -> None:
    people, each = 12, 20_000
    person = np.repeat(np.arange(people), each)
    u = np.arange(len(person))[:, None] / len(person)
    whole = np.random.default_rng(1).random(len(person)) < 0.9
    draws = Draws.of(u, Far(np.column_stack([person, u[:, 0]])))
    some, x = sample_of(draws, whole, np.random.default_rng(2))
    rows = np.rint(some[:, 0] * len(person)).astype(int)
    assert len(rows) == len(np.unique(rows)) == SAMPLE and whole[rows].all()
    np.testing.assert_array_equal(x, draws.x.x[rows])
    # five standard deviations of a count about its mean
    count = np.bincount(person[rows], minlength=people)
    assert (np.abs(count - SAMPLE / people) < 5 * np.sqrt(SAMPLE / people)).all()


def test_a_sample_of_few_draws_is_all_of_them() -> None:
    whole = np.random.default_rng(1).random(ROWS) < 0.9
    u = np.arange(ROWS)[:, None] / ROWS
    some, x = sample_of(Draws.of(u, Numbered()), whole, np.random.default_rng(2))
    chunks = np.random.default_rng(2).permutation(3)
    rows = np.concatenate([np.arange(ROWS)[c * CHUNK : (c + 1) * CHUNK] for c in chunks])
    np.testing.assert_array_equal(x[:, 0], rows[whole[rows]])
    np.testing.assert_array_equal(some[:, 0], x[:, 0] / ROWS)


@pytest.mark.parametrize(("start", "stop"), [(0, 7), (3, 12), (8, 8), (0, 99), (11, 13)])
def test_parts_are_one_matrix(start: int, stop: int) -> None:
    x = np.random.default_rng(0).random((13, 2))
    hold = np.arange(13) % 3 > 0
    masked = Masked(Far(x), hold)
    stacked = Stacked((Masked(Far(x[:5]), hold[:5]), Far(x[5:8]), Masked(x[8:], hold[8:])))
    wanted = np.where(hold[:, None], x, np.nan)
    np.testing.assert_array_equal(masked[start:stop], wanted[start:stop])
    wanted[5:8] = x[5:8]
    np.testing.assert_array_equal(stacked[start:stop], wanted[start:stop])
    assert stacked.shape == (13, 2)
    joined = Draws.join([Draws.of(x[:5], x[:5], 0), Draws.of(x[5:], Far(x[5:]), 1)])
    np.testing.assert_array_equal(joined.x[start:stop], x[start:stop])
    assert joined.round.tolist() == 5 * [0] + 8 * [1]


def test_large_rounds_are_read_where_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "study", Cohort({"101": Fate()}))
    reads = {"round_000": ("round_000", ("theta", "status", "features"))}
    small = current.read_current(folder, "101", reads, lengths(folder))["round_000"]
    assert all(isinstance(array, np.ndarray) for array in small.values())
    monkeypatch.setattr(current, "IN_MEMORY", 100)
    large = current.read_current(folder, "101", reads, lengths(folder))["round_000"]
    assert isinstance(large["features"], StoredRows)
    assert isinstance(large["theta"], np.ndarray) and isinstance(large["status"], np.ndarray)
    np.testing.assert_array_equal(large["features"][10:30], small["features"][10:30])
    np.testing.assert_array_equal(steps.learnable(large)[:], steps.learnable(small)[:])
    failed = small["status"] == Status.DIVERGED
    assert failed.sum() == 2 and np.isnan(steps.learnable(large)[:][failed]).all()
    # without a mark a block is pending, whatever lies on disk
    store = Store.open(folder)
    group = folder / "store.zarr" / "101" / "round_000" / "features"
    pending = StoredRows(group, ((16, 32),), (40, 3))
    rows = pending[10:40]
    assert np.isnan(rows[:6]).all() and np.isnan(rows[22:]).all()
    np.testing.assert_array_equal(rows[6:22], store.read("101", "round_000")["features"][16:32])


PROGRAM = """
import json, resource, sys
import numpy as np
from hpcvbi.infer import Draws, Npe
rows, features, params = (int(word) for word in sys.argv[1:])
A = np.random.default_rng(0).standard_normal((params, features))

class Simulated:
    shape = (rows, features)
    def __getitem__(self, of):
        first, last, _ = of.indices(rows)
        noise = np.random.default_rng(first).standard_normal((last - first, features))
        return u[first:last] @ A + noise

algorithm = Npe(draws=rows, max_epochs=1, batch=2000, hidden=8, transforms=1)
state = algorithm.init(params, 0.5 * A.sum(0))
warm = np.random.default_rng(1).random((200, params))
algorithm.update(state, Draws.of(warm, warm @ A), 1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
u = np.random.default_rng(1).random((rows, params))
state, info = algorithm.update(state, Draws.of(u, Simulated()), 1)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"MB": (after - before) / 1e3, "rows": info.rows}))
"""


def grown(rows: int, features: int, params: int) -> float:
    """Return by how many MB a process grows that learns from so many rows."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(rows), str(features), str(params)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["rows"] == rows
    return found["MB"]


def test_memory_does_not_grow_with_the_features() -> None:
    # in memory 160,000 rows of 100 features are 128 MB, and half as much again as tensors
    assert grown(320_000, 100, 2) - grown(160_000, 100, 2) < 32


@pytest.mark.battery
def test_a_million_draws_of_a_hundred_features_and_twenty_parameters() -> None:
    assert grown(1_000_000, 100, 20) < 1500  # in memory features alone are 800 MB, and more scaled
