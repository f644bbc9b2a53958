"""The benchmark of calibration: cases are answered once, in parts as in one go, and summed up."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import inference_calibration as bench
from inference_rows import read
from linear_cases import DRAWS, SHORT_BRAIN, answered_at_once, calibration, prior_cases

from hpcvbi.evaluate import coverage, rank_bands, sbc_ranks

COLUMNS = (
    "method,budget,seed,cases,param,p,deviation,coverage50,coverage80,coverage90,mean_z,rms_z,"
    "rms_error,width_ratio,median_width_ratio,cpu_seconds"
)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "ANY", 60)

    def run_with(*words):
        common = ["--quick", "--target", str(tmp_path), "--budgets", "500"]
        assert bench.main([*common, *words]) == 0
        return capsys.readouterr().out

    return run_with


def lines(path):
    """Rows without the CPU seconds, which end them."""
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()]


def test_it_resumes_where_it_was_cut_short(run, tmp_path):
    path = tmp_path / "inference_sbc_cases.csv"
    words = ("--methods", "rejection", "abc_smc", "--cases", "2")
    out = run(*words)
    assert (tmp_path / "inference_sbc.csv").read_text().splitlines()[0] == COLUMNS
    whole, answers = lines(path), read(path, bench.Answer)
    assert len(answers) == 2 * (60 + 2) and "abc_smc" in out
    kept = path.read_text().splitlines(keepends=True)
    # after one part of the cases of the first, and the beginning of another row
    path.write_text("".join(kept[: 1 + 2 * 50]) + kept[1 + 2 * 50][:20])
    run(*words)
    assert lines(path) == whole
    run(*words)
    assert lines(path) == whole
    run("--methods", "abc_smc", "--cases", "3")
    assert lines(path)[:-2] == whole
    assert "the time is up" in run("--methods", "knn", "--minutes", "0")


def test_the_sums_are_those_of_the_cases(run, tmp_path):
    run("--methods", "rejection")
    rows = read(tmp_path / "inference_sbc_cases.csv", bench.Answer)
    found = read(tmp_path / "inference_sbc.csv", bench.Summary)
    assert [row.param for row in found] == ["g", "sigma"]
    for column, row in enumerate(found):
        of = rows[column::2]
        ranks = np.array([[one.rank] for one in of])
        assert row.cases == len(of) == 60
        assert row.p == pytest.approx(rank_bands(ranks, DRAWS).p_value[0], abs=1e-4)
        assert row.mean_z == pytest.approx(np.mean([one.z for one in of]), abs=1e-3)
        assert row.width_ratio == pytest.approx(np.mean([one.width for one in of]), abs=1e-3)
        assert row.coverage50 <= row.coverage80 <= row.coverage90


def test_ranks_tell_the_coverage_of_intervals_and_leave_the_band_from_one_on():
    known = prior_cases(SHORT_BRAIN, 80, seed=3)
    for factor in (1.0, 0.5):
        rng = np.random.default_rng(4)
        drawn = np.array([grid.samples(DRAWS, rng) for grid in known.exact])
        middle = drawn.mean(axis=1, keepdims=True)
        drawn = middle + factor * (drawn - middle)
        ranks = sbc_ranks(drawn, known.u)
        found, bands = calibration(ranks), rank_bands(ranks, DRAWS)
        held = coverage(drawn, known.u, np.array([0.5, 0.8, 0.9]))
        np.testing.assert_allclose(found.held, held)
        np.testing.assert_array_equal(found.deviation < 1 - 1e-9, bands.inside)


def test_cases_are_answered_the_same_in_parts():
    known, settings = prior_cases(SHORT_BRAIN, 60, seed=3), bench.settings
    rejection = settings(bench.Cell("rejection", 300, 1))
    assert rejection.rounds * rejection.draws == 300
    every = [drawn for drawn, _ in answered_at_once(rejection, known, 1)]
    later = [drawn for drawn, _ in answered_at_once(rejection, known, 1, first=50)]
    assert list(map(len, every)) == [50, 10]
    np.testing.assert_array_equal(every[1], later[0])


def test_every_method_with_a_posterior_is_asked():
    from hpcvbi.infer import ALGORITHMS

    assert set(bench.WAYS) == set(ALGORITHMS) - {"grid", "cmaes", "bayes_opt"}
    for name in ("nle", "nre", "npe"):
        assert bench.settings(bench.Cell(name, 3162, 1)).rounds == 1
    for name in ("tsnpe", "apt"):
        assert bench.settings(bench.Cell(name, 3162, 1)).rounds > 1
