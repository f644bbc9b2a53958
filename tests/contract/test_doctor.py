"""What `hpcvbi doctor` finds out about versions, processor, kernel cache and CPU kernels.

Its comparison of GPU and CPU is tested in test_cuda_agreement.
"""

import numpy as np
import pytest

from hpcvbi.sim import doctor
from hpcvbi.sim.doctor import diagnose
from hpcvbi.sim.simulate import BACKENDS


@pytest.fixture(scope="module")
def findings():
    return {finding.subject: finding for finding in diagnose()}


def test_a_working_machine_has_no_problem(findings):
    assert list(findings)[:4] == ["versions", "processor", "kernel cache", "CPU kernels"]
    assert "GPU" in findings
    assert not [f for f in findings.values() if f.verdict == "problem"]
    assert "numba 0." in findings["versions"].text


def test_without_a_gpu_it_says_so(findings):
    from numba import cuda

    if cuda.is_available():
        assert findings["GPU against CPU, delays"].verdict == "ok"
    else:
        assert findings["GPU"].verdict == "note" and "no GPU" in findings["GPU"].text


def test_a_cache_that_cannot_be_written_is_a_problem(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(file))
    (finding,) = [f for f in [doctor._cache()] if f.verdict == "problem"]
    assert str(file) in finding.text and "Set NUMBA_CACHE_DIR" in finding.text


@pytest.mark.parametrize("wrong", [1.001, np.nan])
def test_wrong_results_are_a_problem(monkeypatch, wrong):
    right = BACKENDS["cpu"]

    def broken(job, **options):
        signals, finite = right(job, **options)
        return {name: signal * wrong for name, signal in signals.items()}, finite

    monkeypatch.setitem(BACKENDS, "cpu", broken)
    assert doctor._kernels().verdict == "problem"
