"""Every kernel compiles for GPUs, fits their registers, and computes in float32 where it should.

No GPU is needed; the assembler of CUDA is, and `make gpu` runs this file where it is installed.
"""

import pytest

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: see `make gpu`")

from device_brains import BRAINS
from ptx_brains import FOUR_STEPS, assembled, brain_of

from hpcvbi import MODELS
from hpcvbi.sim.cuda.backend import MOST_REGISTERS

ARCHITECTURES = ((8, 0), (9, 0))


def check(kernels):
    for kernel in kernels:
        assert not kernel.calls
        assert not kernel.doubles
        assert kernel.spilled == 0
        assert kernel.registers <= MOST_REGISTERS


@pytest.mark.parametrize("speed", [None, FOUR_STEPS], ids=["dense", "delays"])
@pytest.mark.parametrize("model", MODELS)
def test_the_kernel_of_each_model_fits_a_gpu(model, speed, tmp_path):
    check(assembled(brain_of(model, speed), "float32", ARCHITECTURES, tmp_path))


@pytest.mark.parametrize("case", BRAINS)
def test_every_kind_of_kernel_fits_a_gpu(case, tmp_path):
    check(assembled(BRAINS[case][0](), "float32", ARCHITECTURES, tmp_path))


def test_a_float64_kernel_computes_in_float64(tmp_path):
    brain = brain_of("wong_wang_ei", None)
    (kernel,) = assembled(brain, "float64", ARCHITECTURES[:1], tmp_path)
    assert len([line for line in kernel.doubles if "fma" in line]) > 100
    assert not kernel.calls
