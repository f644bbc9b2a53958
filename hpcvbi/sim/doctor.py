"""Whether this machine runs the engine as it should: `hpcvbi doctor`.

Each check finds out by doing: kernels are compiled and run, files are written, and a GPU's results
are compared with the CPU's.
"""

import importlib.metadata
import os
import platform
import tempfile
import time
from dataclasses import dataclass
from typing import Literal

import llvmlite.binding as llvm
import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.brain.connectome import Connectome
from hpcvbi.brain.coupling import LINEAR
from hpcvbi.brain.noise import WhiteNoise
from hpcvbi.models import MODELS
from hpcvbi.observe.sampling import Average
from hpcvbi.observe.summary import Fc
from hpcvbi.sim.compiled import cache_folder
from hpcvbi.sim.simulate import simulate

Verdict = Literal["ok", "note", "problem"]
AGREEMENT = 2e-5
"""Difference in float32 that rounding explains, relative to the largest value."""


@dataclass(frozen=True)
class Finding:
    """What one check found: "ok"; a "note", which costs speed at most; or a "problem"."""

    subject: str
    verdict: Verdict
    text: str


def diagnose() -> list[Finding]:
    """Check versions, processor, kernel cache, CPU kernels and GPU, in this order."""
    return [_versions(), _processor(), _cache(), _kernels(), *_gpu()]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _versions() -> Finding:
    found = {name: _version(name) for name in ("numba", "llvmlite", "numpy")}
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    return Finding("versions", "ok", f"Python {platform.python_version()}, {text}")


def _processor() -> Finding:
    features = llvm.get_host_cpu_features()
    name = f"{llvm.get_host_cpu_name()}, {len(os.sched_getaffinity(0))} cores for this process"
    if features.get("avx512f"):
        return Finding("processor", "ok", f"{name}, AVX-512: 16 draws per instruction in float32")
    if features.get("avx2") and features.get("fma"):
        return Finding("processor", "ok", f"{name}, AVX2: 8 draws per instruction in float32")
    return Finding(
        "processor", "note", f"{name}, neither AVX2 nor AVX-512: simulations will be slow"
    )


def _cache() -> Finding:
    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            "kernel cache",
            "problem",
            f"{folder} cannot be written ({error.strerror}): every process compiles its kernels "
            f"again. Set NUMBA_CACHE_DIR to a folder on this machine's own disk",
        )
    kernels = len(list(folder.glob("kernel_*.py")))
    return Finding("kernel cache", "ok", f"{folder} can be written and holds {kernels} kernels")


def _brain(speed: float | None, steps: int) -> Brain:
    rng = np.random.default_rng(1)
    n = 6
    weights, lengths = rng.lognormal(0.0, 1.0, (n, n)), rng.uniform(20.0, 40.0, (n, n))
    connectome = Connectome(weights, lengths, tuple(f"region {i}" for i in range(n)))
    return Brain(
        connectome.normalised("spectral_radius"),
        MODELS["reduced_wong_wang"],
        LINEAR,
        WhiteNoise(("S",)),
        dt=1.0,
        duration=float(steps),
        monitors=(Average("S", 2.0), Fc("average")),
        values={"G": 0.2},
        speed=speed,
    )


def _kernels() -> Finding:
    brain = _brain(None, 400)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = simulate(brain, np.zeros((16, 0)), seed=1)
        seconds.append(time.perf_counter() - start)
    first, second = seconds
    reference = simulate(brain, np.zeros((1, 0)), seed=1, backend="reference")
    worst = _difference(result.signals, reference.signals)
    text = (
        f"a kernel was ready after {first:.2f} s and ran again in {1e3 * second:.1f} ms; largest "
        f"difference from the reference {worst:.0e}"
    )
    return Finding("CPU kernels", "ok" if worst <= AGREEMENT else "problem", text)


def _difference(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """Largest difference of the draws that both have, relative to the largest value."""
    gaps = [
        np.abs(got[name][: len(signal)].astype(float) - signal).max() / np.abs(signal).max()
        for name, signal in expected.items()
    ]
    worst = float(np.max(gaps))
    return worst if np.isfinite(worst) else np.inf


def _gpu() -> list[Finding]:
    from numba import cuda

    from hpcvbi.sim.cuda.device import SIMULATED

    if SIMULATED:
        found = [Finding("GPU", "note", "numba's simulator stands in for a GPU")]
        return [*found, *_agreement(8, 3, {"width": 2, "workers": 2})]
    packages = [f"{name} {v}" for name in ("numba-cuda", "cuda-core") if (v := _version(name))]
    if not _version("numba-cuda"):
        return [
            Finding(
                "GPU",
                "note",
                "no GPU support is installed. It comes with pip install 'hpcvbi[cuda13]' (driver "
                "580 or newer) or 'hpcvbi[cuda12]'; backend cpu needs none",
            )
        ]
    try:
        device = cuda.get_current_device()
        free, total = cuda.current_context().get_memory_info()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return [Finding("GPU", "note", f"no GPU was found ({', '.join(packages)}): {reason}")]
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    text = (
        f"{name}, compute capability {'.'.join(map(str, device.compute_capability))}, "
        f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free ({', '.join(packages)}); "
        f"{len(cuda.gpus)} visible, of which a process uses the first"
    )
    return [Finding("GPU", "ok", text), *_agreement(400, 64, {})]


def _agreement(steps: int, draws: int, options: dict[str, int]) -> list[Finding]:
    """Run the same draws on CPU and GPU, without and with delays."""
    found = []
    for speed in (None, 5.0):
        subject = f"GPU against CPU, {'no delays' if speed is None else 'delays'}"
        brain, theta = _brain(speed, steps), np.zeros((draws, 0))
        try:
            gpu = simulate(brain, theta, seed=1, backend="cuda", **options)
        except Exception as error:
            text = f"the GPU kernel failed: {type(error).__name__}: {error}"
            found.append(Finding(subject, "problem", text))
            continue
        worst = _difference(gpu.signals, simulate(brain, theta, seed=1).signals)
        text = f"largest difference {worst:.0e} over {draws} draws of {steps} steps"
        found.append(Finding(subject, "ok" if worst <= AGREEMENT else "problem", text))
    return found
