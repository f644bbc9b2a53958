"""Brains whose kernels are compiled for GPUs without running them, and how that is done.

numba compiles device functions for the current device. Without one, a stand-in with a compute
capability takes its place: the only use of numba's private parts, and only here.
"""

import re
import subprocess
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from device_brains import connectome
from numba import cuda, types
from numba.cuda import dispatcher
from numba.cuda.np.numpy_support import from_dtype

from hpcvbi import COUPLINGS, MODELS, Bold, Brain, Fc, WhiteNoise
from hpcvbi.sim import simulate as front
from hpcvbi.sim.arrays import Job, arguments, kernel_of
from hpcvbi.sim.cuda.backend import MOST_REGISTERS, SUMS, WARP, pack
from hpcvbi.sim.cuda.kernel import entry
from hpcvbi.sim.network import lay_out

FOUR_STEPS = 2.0
"""Speed [mm/ms] at which every delay of the connectome spans several steps."""


@dataclass(frozen=True)
class Assembled:
    """What the assembler says of a kernel, and its PTX."""

    registers: int
    spilled: int
    ptx: str

    @property
    def doubles(self) -> list[str]:
        """Instructions on 64-bit floating-point numbers."""
        return re.findall(r"^\s*(?:@!?%p\d+\s+)?[a-z][\w.]*\.f64\b.*", self.ptx, re.MULTILINE)

    @property
    def calls(self) -> list[str]:
        """Calls that were not inlined."""
        return re.findall(r"^\s*(?:@!?%p\d+\s+)?call\b.*", self.ptx, re.MULTILINE)


@cache
def ptxas() -> Path:
    """Path of the assembler in the package nvidia-cuda-nvcc."""
    (found,) = [f for f in distribution("nvidia-cuda-nvcc").files or () if f.name == "ptxas"]
    return Path(str(found.locate()))


def brain_of(name: str, speed: float | None) -> Brain:
    """A brain of one model with noise, seen through BOLD and its functional connectivity."""
    model = MODELS[name]
    coupling = next(
        c
        for c in COUPLINGS.values()
        if c.takes in (None, len(model.sends)) and c.n_inputs(len(model.sends)) == len(model.inputs)
    )
    dt = 2.0 ** np.floor(np.log2(min(0.5, model.time_constant)))
    return Brain(
        connectome(),
        model,
        coupling,
        WhiteNoise(model.state_names[:1]),
        dt=dt,
        duration=200.0,
        monitors=(Bold(model.observables[-1], 100.0), Fc("bold")),
        speed=speed,
    )


def job_of(brain: Brain, dtype: str) -> Job:
    """Return the job that `simulate` gives its backends for one draw in the middle of the prior."""
    jobs: list[Job] = []

    def keep(job: Job):
        jobs.append(job)
        raise StopIteration

    theta = brain.space.from_unit(np.full((1, len(brain.space.params)), 0.5))
    before, front.BACKENDS["cpu"] = front.BACKENDS["cpu"], keep
    try:
        front.simulate(replace(brain, refine=0), theta, seed=1, dtype=dtype)
    except StopIteration:
        pass
    finally:
        front.BACKENDS["cpu"] = before
    return jobs[0]


def _type_of(value):
    kind = from_dtype(np.asarray(value).dtype)
    return types.Array(kind, np.ndim(value), "C") if np.ndim(value) else kind


def assembled(
    brain: Brain, dtype: str, architectures: tuple[tuple[int, int], ...], folder: Path
) -> list[Assembled]:
    """Compile and assemble the kernel of a brain for several compute capabilities."""
    job = job_of(brain, dtype)
    network = lay_out(job.brain, job.theta, job.dtype, SUMS)
    kernel = kernel_of(job, network, WARP)
    given = arguments(job, kernel, network, np.zeros(WARP, int))
    made = entry(kernel, given)
    memory = types.Array(from_dtype(job.dtype), 2, "C")
    passed = (_type_of(value) for value in pack(made, [given], job.dtype).passed)
    signature = types.void(memory, memory, memory, types.int32, types.int32, *passed)
    device = type("Device", (), {"compute_capability": architectures[0]})
    before, dispatcher.get_current_device = dispatcher.get_current_device, lambda: device
    try:
        texts = [cuda.compile_ptx(made.function, signature, cc=cc)[0] for cc in architectures]
    finally:
        dispatcher.get_current_device = before
    return [_assemble(t, cc, folder) for t, cc in zip(texts, architectures, strict=True)]


def _assemble(ptx: str, architecture: tuple[int, int], folder: Path) -> Assembled:
    path, binary = folder / "kernel.ptx", folder / "kernel.cubin"
    path.write_text(ptx)
    number = "".join(map(str, architecture))
    limits = [f"--gpu-name=sm_{number}", f"--maxrregcount={MOST_REGISTERS}"]
    done = subprocess.run(
        [ptxas(), "--verbose", *limits, f"--output-file={binary}", path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (registers,) = re.findall(r"Used (\d+) registers", done.stderr)
    spills = re.findall(r"(\d+) bytes spill", done.stderr)
    return Assembled(int(registers), sum(map(int, spills)), ptx)
