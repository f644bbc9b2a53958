"""The device's code with numba's types, compiled for the CPU, computes what the reference computes.

The simulator runs the code as plain Python and PTX is not run at all, so this is where a cast that
is missing, or a division rounded to the wrong side, would show. See typed_device. A kernel takes a
while to compile; all of them run where the tools for GPUs are installed, elsewhere one.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment
from device_brains import BRAINS

HERE = Path(__file__).parent
CASES = list(BRAINS) if importlib.util.find_spec("numba_cuda") else ["own delays"]
COMPARE = """
import sys
import typed_device
typed_device.install()
import numpy as np
from device_brains import BRAINS, theta_of
from hpcvbi import simulate

make, dtype = BRAINS[sys.argv[1]]
brain = make()
theta = theta_of(brain, 3)
options = {"seed": 11, "dtype": dtype}
device = simulate(brain, theta, backend="cuda", width=1, workers=1, **options)
plain = simulate(brain, theta, backend="reference", **options)
np.testing.assert_array_equal(device.status, plain.status)
for name, expected in plain.signals.items():
    gap = np.abs(device.signals[name] - expected).max() / np.abs(expected).max()
    assert gap <= {"float32": 2e-5, "float64": 1e-10}[dtype], (name, gap)
print(*sorted(plain.signals))
"""


@pytest.mark.parametrize("case", CASES)
def test_typed_device_code_agrees_with_the_reference(case):
    done = subprocess.run(
        [sys.executable, "-c", COMPARE, case],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment(),
        cwd=HERE,
    )
    assert done.returncode == 0, done.stderr
    names = sorted(m.name for m in BRAINS[case][0]().monitors if getattr(m, "keep", True))
    assert done.stdout.split() == names
