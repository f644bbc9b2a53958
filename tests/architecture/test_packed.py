"""Compiled kernels compute in packed registers: their assembly holds packed fused multiply-adds and
next to no scalar arithmetic. One kernel of each shape, precision and kind of monitor; with
`-m battery` every model in both precisions.
"""

import re

import llvmlite.binding as llvm
import numpy as np
import pytest

from hpcvbi import (
    DIFFERENCE,
    KURAMOTO,
    LINEAR,
    MODELS,
    Average,
    Bold,
    Brain,
    Connectome,
    Fc,
    Moments,
    Sample,
    Spectrum,
    WhiteNoise,
    simulate,
)
from hpcvbi.sim import compiled, cpu

FEATURES = llvm.get_host_cpu_features()
pytestmark = pytest.mark.skipif(
    not (FEATURES.get("avx2") and FEATURES.get("fma")),
    reason="this machine has no AVX2 with fused multiply-add",
)
BYTES = 64 if FEATURES.get("avx512f") else 32
SHAPES = {
    # speed [mm/ms] at 20 mm and dt .5 ms, coupling step [ms]
    "dense": (None, None),
    "stepwise": (20.0, None),
    "blocked": (5.0, None),
    "held": (5.0, 2.0),
}
CASES = [
    ("stuart_landau", "blocked", "euler", "float32"),
    ("wong_wang_ei", "dense", "heun", "float64"),
    ("jansen_rit", "stepwise", "euler", "float64"),
    ("montbrio_pazo_roxin", "held", "sra1", "float32"),
    ("reduced_wong_wang", "blocked", "euler", "float32"),
]
ALL = [
    (model, list(SHAPES)[(number + 2 * (dtype == "float64")) % 4], "euler", dtype)
    for number, model in enumerate(MODELS)
    for dtype in ("float32", "float64")
]
MOST_SCALAR = 4
"""Scalar instructions of each kind for what is the same in all lanes; each monitor of a monitor has
one more, which counts volumes.
"""


def monitors_of(model, seen):
    """Every kind of monitor for reduced Wong-Wang, one sample for the others."""
    if model != "reduced_wong_wang":
        return (Sample(seen, 10.0),)
    return (
        Average(seen, 2.0, keep=False),
        Bold(seen, 20.0),
        Fc("average"),
        Moments("average"),
        Spectrum("average", 20.0, (100.0, 200.0)),
    )


def assembly_of(monkeypatch, folder, model, shape, scheme, dtype):
    """Assembly of the kernel that simulates a small brain."""
    # Machine code that comes from the disk cache has no assembly to look at.
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    made = []

    def fresh(kernel):
        if not made:
            assert kernel.shape == shape
            made.append(compiled.compiled.__wrapped__(kernel))
        return made[0]

    monkeypatch.setattr(cpu, "compiled", fresh)
    declared, (speed, coupling_step) = MODELS[model], SHAPES[shape]
    coupling = {"stuart_landau": DIFFERENCE, "kuramoto": KURAMOTO}.get(model, LINEAR)
    brain = Brain(
        Connectome(np.ones((4, 4)), np.full((4, 4), 20.0), tuple("abcd")),
        declared,
        coupling,
        WhiteNoise(declared.state_names[:1]),
        dt=0.5,
        duration=40.0,
        monitors=monitors_of(model, declared.state_names[0]),
        values={"G": 0.01, "sigma": 1e-6},
        speed=speed,
        coupling_step=coupling_step,
        scheme=scheme,
    )
    width = BYTES // np.dtype(dtype).itemsize
    simulate(brain, np.zeros((width, 0)), seed=0, width=width, dtype=dtype)
    (assembly,) = made[0].inspect_asm().values()
    return assembly


def check(assembly, model, dtype):
    monitors = len(monitors_of(model, ""))
    letter = "s" if dtype == "float32" else "d"
    packed = re.findall(rf"\bvfn?m(?:add|sub)\d{{3}}p{letter}\s.*%([xyz])mm", assembly)
    scalar = re.findall(r"\bvfn?m(?:add|sub)\d{3}s[sd]\s", assembly)
    plain = re.findall(r"\bv(?:mul|div|sqrt|add|sub)s[sd]\s", assembly)
    assert len(packed) >= 15
    assert set(packed) == ({"z"} if "z" in packed else {"y"})
    assert len(scalar) <= MOST_SCALAR and len(plain) <= MOST_SCALAR + monitors


@pytest.mark.parametrize(("model", "shape", "scheme", "dtype"), CASES)
def test_packed_arithmetic(monkeypatch, tmp_path, model, shape, scheme, dtype):
    check(assembly_of(monkeypatch, tmp_path, model, shape, scheme, dtype), model, dtype)


@pytest.mark.battery
@pytest.mark.parametrize(("model", "shape", "scheme", "dtype"), ALL)
def test_packed_arithmetic_of_every_model(monkeypatch, tmp_path, model, shape, scheme, dtype):
    check(assembly_of(monkeypatch, tmp_path, model, shape, scheme, dtype), model, dtype)
