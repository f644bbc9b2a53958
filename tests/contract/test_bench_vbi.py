"""The accuracy benchmark on whole brains: rows are written once and resumed, budgets are nested,
scores are those of a calibrated posterior where it is one.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import vbi_accuracy
from inference_rows import read
from vbi_cases.case import Case
from vbi_cases.epileptor import DURATION, PERIOD, onset
from vbi_cases.summaries import periodogram, spectral
from vbi_methods import Answers
from vbi_pool import simulations
from vbi_rows import Apart, Cell, Row
from vbi_zones import ETA, classified, precision_and_recall, random_maps

from hpcvbi import LINEAR, MODELS, Average, Brain, Connectome, Space, Uniform, WhiteNoise

COLUMNS = (
    "case,method,budget,seed,param,tests,mean_abs_z,shrinkage,error,coverage50,coverage80,"
    "coverage90,cpu_seconds,simulation_cpu_seconds"
)
N = 4


def tiny_case() -> Case:
    """Four regions for a second: level and spread of the gating tell the input."""
    weights = np.ones((N, N)) - np.eye(N)
    model = MODELS["reduced_wong_wang"]
    drive = next(p for p in model.params if p.name == "I0").with_prior(Uniform(0.28, 0.34))
    brain = Brain(
        Connectome(weights / N, 0 * weights, tuple("abcd")),
        model,
        LINEAR,
        WhiteNoise(("S",)),
        dt=1.0,
        duration=1000.0,
        monitors=(Average("S", 50.0),),
        space=Space((drive,)),
        values={"G": 0.1, "sigma": 0.002},
    )

    def summarise(signals):
        signal = signals["average"].astype(float)
        return {"level": signal.mean(axis=(1, 2)), "spread": signal.std(axis=1).mean(axis=1)}

    return Case("tiny", "Tiny: input", "I0 ~ U(.28, .34)", brain, summarise)


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(vbi_accuracy.CASES, "tiny", tiny_case())
    monkeypatch.setattr(vbi_accuracy, "TESTS", 40)

    def run_with(*words):
        common = ["--target", str(tmp_path), "--cases", "tiny", "--methods", "npe"]
        assert vbi_accuracy.main([*common, *words]) == 0
        return capsys.readouterr().out

    return run_with


def test_it_writes_a_row_once_and_resumes_where_it_was_cut_short(bench, tmp_path):
    path = tmp_path / "vbi.csv"
    assert bench("--budgets", "60").count("simulations: |z|") == 1
    assert (tmp_path / "vbi.png").read_bytes()[1:4] == b"PNG"
    before = path.read_text()
    assert before.splitlines()[0] == COLUMNS
    (row,) = read(path, Row)
    assert (row.case, row.method, row.budget, row.param, row.tests) == (
        "tiny", "npe", 60, "I0", 40,
    )  # fmt: skip
    assert 0.5 < row.shrinkage < 1 and row.mean_abs_z < 3 and row.cpu_seconds > 0
    path.write_text(before + "tiny,npe,90")
    assert bench("--budgets", "60", "90").count("simulations: |z|") == 1
    assert path.read_text().startswith(before)
    assert [row.budget for row in read(path, Row)] == [60, 90]
    (far,) = read(tmp_path / "vbi_c2st.csv", Apart)
    assert (far.budget, far.reference) == (60, 90) and 0.3 < far.c2st <= 1
    assert "the time is up" in bench("--budgets", "200", "--minutes", "0")
    assert len(read(path, Row)) == 2


def test_a_budget_holds_the_simulations_of_a_smaller_one(tmp_path):
    case = tiny_case()
    few = simulations(case, "pool", 20, tmp_path / "one")
    more = simulations(case, "pool", 50, tmp_path / "one")
    once = simulations(case, "pool", 50, tmp_path / "two")
    np.testing.assert_array_equal(more.x[:20], few.x)
    np.testing.assert_array_equal(more.x, once.x)
    np.testing.assert_array_equal(more.u[:20], few.u)
    assert not np.array_equal(simulations(case, "test", 20, tmp_path / "one").u, few.u)
    with pytest.raises(TimeoutError, match="50 of 60"):
        simulations(case, "pool", 60, tmp_path / "one", until=0.0)


def test_a_calibrated_posterior_scores_as_one():
    """Truths are draws of the posteriors themselves. Tolerance: four standard errors."""
    rng = np.random.default_rng(0)
    middle = rng.uniform(0.2, 0.8, (2000, 1))
    samples = middle[:, None] + 0.05 * rng.standard_normal((2000, 300, 1))
    found = Answers(samples, middle + 0.05 * rng.standard_normal((2000, 1)), 1.0, 0.0, None)
    (row,) = vbi_accuracy.scored(Cell("tiny", "npe", 10, 1), tiny_case(), found, 2.0)
    assert isinstance(row, Row)
    assert row.mean_abs_z == pytest.approx(np.sqrt(2 / np.pi), abs=0.06)
    assert row.shrinkage == pytest.approx(1 - 12 * 0.05**2, abs=1e-3)
    assert row.error == pytest.approx(0.05, abs=0.004)
    assert [row.coverage50, row.coverage80, row.coverage90] == pytest.approx(
        [0.5, 0.8, 0.9], abs=0.045
    )


def test_zones_are_counted():
    zones = random_maps(10)
    assert [(zones == zone).sum() for zone in (2, 1)] == [20, 30]
    assert precision_and_recall(classified(ETA[zones] + 0.3), zones) == (1, 1, 1, 1, 1)
    found = zones.copy()
    found[0, np.flatnonzero(zones[0] == 2)[0]] = 1  # one region is taken for propagation
    assert precision_and_recall(found, zones) == pytest.approx((1, 19 / 20, 30 / 31, 1, 0.9))


def test_spectra_and_onsets_are_those_of_known_signals():
    time = 4.0 * np.arange(1000)
    wave = np.sin(2 * np.pi * 0.010 * time)[None, :, None] * [1.0, 2.0]
    density, hertz = periodogram(wave, 4.0)
    assert density.sum(axis=1)[0] * hertz[1] == pytest.approx([0.5, 2.0], rel=0.01)
    found = spectral(density, hertz)
    assert found["peak_hz_mean"] == pytest.approx(10.0, abs=hertz[1])
    assert found["alpha_share_mean"] == pytest.approx(1.0, abs=0.01)
    x = np.full((1, round(DURATION / PERIOD), 2), -2.0)
    x[0, 9:, 1] = 0.5
    assert onset(x).tolist() == [[DURATION, 10 * PERIOD]]
