"""The benchmark of inference: every draw counts, rows are measured once, the linear brain's own
reference scores as one should.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import inference
from inference_figure import draw
from inference_methods import (
    BUDGETS,
    METHODS,
    POINTS,
    SETTINGS,
    Counted,
    OverBudget,
    algorithm,
    run,
)
from inference_rows import Cell, Moments, Row, append, read
from tasks import TASKS

from hpcvbi.evaluate import c2st
from hpcvbi.infer import ALGORITHMS

COLUMNS = "task,observation,method,budget,seed,c2st,cpu_seconds"
CELL = Cell("linear_brain", 1, "plain_rejection", 1000, 1)


@pytest.fixture
def bench(tmp_path, capsys):
    def run_with(*words):
        common = ["--target", str(tmp_path), "--samples", "300", "--observations", "1"]
        common += ["--tasks", "linear_brain", "--methods", "plain_rejection"]
        assert inference.main([*common, *words]) == 0
        return capsys.readouterr().out

    return run_with


def test_tables_hold_the_medians_of_what_is_measured():
    rows = [
        Row("two_moons", number, "npe", 316, 1, c2st, 1.0)
        for number, c2st in enumerate((0.9, 0.612, 0.5), start=1)
    ]
    rows.append(Row("sir", 1, "knn", 316, 1, 1.0, 1.0))
    assert inference.table(rows).splitlines()[-4:] == [
        "| | two moons | sir |",
        "|---|---|---|",
        "| npe | .61 |  |",
        "| knn |  | 1.00 |",
    ]


def test_it_resumes_where_it_was_cut_short(bench, tmp_path):
    path = tmp_path / "inference.csv"
    assert bench("--budgets", "316").count("CPU s") == 1
    assert (tmp_path / "inference.png").read_bytes()[1:4] == b"PNG"
    before = path.read_text()
    assert before.splitlines()[0] == COLUMNS
    path.write_text(before + "linear_brain,1,plain_rejection,10")
    assert bench("--budgets", "316", "1000").count("CPU s") == 1
    assert path.read_text().startswith(before)
    assert [row.budget for row in read(path)] == [316, 1000]
    parts = read(tmp_path / "inference_ou.csv", Moments)
    assert [(part.budget, part.param) for part in parts] == [
        (budget, param) for budget in (316, 1000) for param in ("g", "sigma")
    ]
    assert "the time is up" in bench("--budgets", "3162", "--minutes", "0")
    assert len(read(path)) == 2


def test_rows_are_read_as_they_were_written(tmp_path):
    rows = [Row(*vars(CELL).values(), 0.5, 1.25), Row("slcp", 2, "npe", 316, 3, 0.75, 0.5)]
    for row in rows:
        append(tmp_path / "rows.csv", [row])
    assert read(tmp_path / "rows.csv") == rows
    assert rows[0].cell == CELL != rows[1].cell


def test_a_method_that_simulates_more_than_the_budget_is_refused(monkeypatch):
    def greedy(simulate, n_params, x_observed, n, seed):
        for part in range(3):
            simulate(np.full((40, n_params), 0.5), part)
        raise AssertionError("three times 40 draws were simulated")

    monkeypatch.setitem(METHODS, "greedy", greedy)
    with pytest.raises(OverBudget, match="120 draws simulated, 100"):
        run("greedy", TASKS["linear_brain"], 1, 100, 1, 10)


@pytest.mark.parametrize("name", sorted(set(SETTINGS) & set(ALGORITHMS)))
def test_every_algorithm_has_settings_within_each_budget(name):
    for budget in BUDGETS:
        chosen = algorithm(name, budget)
        assert 0.9 * budget <= chosen.rounds * chosen.draws <= budget


def test_every_algorithm_with_a_posterior_is_compared():
    assert set(ALGORITHMS) <= {*SETTINGS, *POINTS}


def test_pyabc_is_given_the_budget_and_no_more():
    task = TASKS["linear_brain"]
    simulate = Counted(task, 316)
    u = METHODS["pyabc"](simulate, 2, task.known.observation(1), 200, 1)
    assert simulate.used == 316
    assert u.shape == (200, 2) and ((u >= 0) & (u <= 1)).all()


def test_the_reference_itself_scores_as_exact():
    reference = inference.reference_of("linear_brain", 1)
    halves = reference[:1000], reference[1000:2000]
    assert c2st(*halves, seed=1).accuracy == pytest.approx(0.5, abs=0.04)
    moved = halves[1] + 0.5 * reference.std(axis=0)
    assert c2st(halves[0], moved, seed=1).accuracy > 0.58
    for part in inference.moments(CELL, reference):
        assert abs(part.mean_error) < 0.05 and part.sd_ratio == pytest.approx(1, abs=0.05)
        assert part.sd_ratio_recording > 0.9


def test_the_figure_is_drawn_of_any_part(tmp_path):
    row = Row(*vars(CELL).values(), 0.9, 1.0)
    rows = [row, replace(row, budget=316, c2st=0.95), replace(row, task="slcp", method="pyabc")]
    draw(rows, "a machine", tmp_path / "some.png")
    assert (tmp_path / "some.png").read_bytes()[1:4] == b"PNG"
    draw([], "a machine", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
