"""The CUDA backend without a GPU: its tests in numba's simulator, and its refusal."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment
from engine_brains import brain_of, theta_of
from numba import cuda

from hpcvbi import simulate
from hpcvbi.core.errors import ConfigError

TESTS = Path(__file__).parents[1] / "gpu" / "test_cuda_agreement.py"
without_gpu = pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")


def test_the_backend_passes_its_tests_in_the_simulator():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**environment(), "NUMBA_ENABLE_CUDASIM": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout
    summary = done.stdout.splitlines()[-1]
    assert " passed" in summary and "skipped" not in summary


@without_gpu
def test_without_a_gpu_the_backend_says_where_to_look():
    brain = brain_of("reduced_wong_wang", "dense", "euler")
    with pytest.raises(ConfigError, match="no usable GPU was found; `hpcvbi doctor`"):
        simulate(brain, theta_of(brain, 1), seed=1, backend="cuda")
