"""The compiled kernel computes in packed registers: its assembly holds packed fused multiply-adds
and next to no scalar ones.
"""

import re

import llvmlite.binding as llvm
import numpy as np
import pytest

from hpcvbi import DIFFERENCE, MODELS, Brain, Connectome, Sample, WhiteNoise, simulate
from hpcvbi.sim import compiled, cpu

FEATURES = llvm.get_host_cpu_features()
pytestmark = pytest.mark.skipif(
    not (FEATURES.get("avx2") and FEATURES.get("fma")),
    reason="this machine has no AVX2 with fused multiply-add",
)
MOST_SCALAR = 4


def test_packed_arithmetic(monkeypatch, tmp_path):
    # Machine code that comes from the disk cache has no assembly to look at.
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    made = []

    def fresh(kernel):
        if not made:
            made.append(compiled.compiled.__wrapped__(kernel))
        return made[0]

    monkeypatch.setattr(cpu, "compiled", fresh)
    brain = Brain(
        Connectome(np.ones((4, 4)), np.full((4, 4), 20.0), tuple("abcd")),
        MODELS["stuart_landau"],
        DIFFERENCE,
        WhiteNoise(("x", "y")),
        dt=0.5,
        duration=10.0,
        monitors=(Sample("x", 10.0),),
        speed=5.0,
    )
    simulate(brain, np.zeros((16, 0)), seed=0, width=16)
    (assembly,) = made[0].inspect_asm().values()
    packed = re.findall(r"\bvfn?m(?:add|sub)\d{3}ps\s.*%([yz])mm", assembly)
    scalar = re.findall(r"\bvfn?m(?:add|sub)\d{3}s[sd]\s", assembly)
    divided = re.findall(r"\bv(?:mul|div|sqrt)ss\s", assembly)
    # Four steps of two variables: coupling, right-hand side and Box-Muller.
    assert len(packed) >= 80
    assert set(packed) == ({"z"} if "z" in packed else {"y"})
    assert len(scalar) <= MOST_SCALAR and len(divided) <= MOST_SCALAR
