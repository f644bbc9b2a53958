"""Throughput of the engine in node-steps per CPU second and core: a table, and a file.

A node-step is one region advanced by one step: coupling, noise, right-hand side and history. The
network has 84 regions, half of the pairs connected, log-normal weights, tract lengths of 10 to
180 mm, and 5 mm/ms where there are delays. The plain loop is what one would write first with numba:
one simulation at a time in float64, np.random.normal, no SIMD lanes. The numbers also go to
build/bench/engine.json.

    python tests/benchmarks/engine.py [--quick]
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np
from numba import njit

from hpcvbi import DIFFERENCE, LINEAR, MODELS, Brain, Connectome, Sample, WhiteNoise, simulate

CASES = {
    "wong_wang_ei": (LINEAR, ("S_E",), {"G": 1.0, "sigma": 0.01}),
    "reduced_wong_wang": (LINEAR, ("S",), {"G": 0.5, "w": 0.6, "sigma": 0.01}),
    "stuart_landau": (DIFFERENCE, ("x", "y"), {"G": 0.02, "sigma": 0.01}),
}
REPEATS = 5


def synthetic_connectome(n: int = 84) -> Connectome:
    """Symmetric log-normal network over half of the pairs, divided by its spectral radius."""
    rng = np.random.default_rng(0)
    weights = rng.lognormal(0.0, 1.0, (n, n))
    weights = np.triu(weights * (rng.random((n, n)) < 0.5), 1)
    lengths = np.triu(rng.uniform(10.0, 180.0, (n, n)), 1)
    labels = tuple(f"r{i}" for i in range(n))
    connectome = Connectome(weights + weights.T, lengths + lengths.T, labels)
    return connectome.normalised("spectral_radius")


def brain_of(model: str, delays: bool, steps: int, scheme: str = "euler") -> Brain:
    """One of the benchmark's brains; dt is .5 ms."""
    coupling, on, values = CASES[model]
    return Brain(
        synthetic_connectome(),
        MODELS[model],
        coupling,
        WhiteNoise(on),
        dt=0.5,
        duration=steps * 0.5,
        monitors=(Sample(on[0], steps * 0.5),),
        values=values,
        speed=5.0 if delays else None,
        scheme=scheme,  # type: ignore[arg-type]
    )


def cpu_seconds(work) -> float:
    """Median CPU seconds of this thread over several runs, after one that is not counted."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return statistics.median(seconds)


def engine_rate(brain: Brain, dtype: str, draws: int) -> float:
    """Node-steps per CPU second of the lanes engine on one core."""
    theta = np.zeros((draws, 0))
    seconds = cpu_seconds(lambda: simulate(brain, theta, seed=1, dtype=dtype))
    return draws * brain.n_steps * brain.connectome.n_regions / seconds


def plain_rate(brain: Brain) -> float:
    """Node-steps per CPU second of a plain compiled loop over one simulation."""
    values = brain.parameters(np.zeros((1, 0)))
    n, names = brain.connectome.n_regions, brain.model.param_names
    params = np.array([np.broadcast_to(values[k], (1, n))[0] for k in names])
    on = np.array([brain.model.state_names.index(v) for v in brain.noise.on])
    delays = brain.connectome.delays(brain.speed, brain.dt)
    run = _plain_loop(brain)
    start = np.array([s.init for s in brain.model.state])
    gain, kick = float(values["G"][0, 0]), float(values["sigma"][0, 0] * np.sqrt(brain.dt))

    def work():
        state = np.repeat(start[:, None], n, axis=1)
        ring = np.zeros((len(brain.model.sends), int(delays.max()) + 1, n))
        run(state, ring, brain.connectome.weights, delays, params, on, brain.n_steps, gain, kick)

    return brain.n_steps * n / cpu_seconds(work)


def _plain_loop(brain: Brain):
    dfun = njit(_scalar(brain.model.dfun))
    n_state, n_sent = len(brain.model.state), len(brain.model.sends)
    difference = brain.coupling.name == "difference"
    args = [f"state[{v}, i]" for v in range(n_state)] + [f"total[{c}]" for c in range(n_sent)]
    args += [f"params[{p}, i]" for p in range(len(brain.model.param_names))]
    euler = "; ".join(
        f"after[{v}, i] = state[{v}, i] + {brain.dt} * d[{v}]" for v in range(n_state)
    )
    text = f"""
def run(state, ring, weights, delays, params, on, steps, gain, kick):
    n, length = state.shape[1], ring.shape[1]
    after, total = state.copy(), np.zeros({n_sent})
    for t in range(steps):
        for c in range({n_sent}):
            ring[c, t % length] = state[c]
        for i in range(n):
            for c in range({n_sent}):
                total[c] = 0.0
                for j in range(n):
                    if weights[i, j] != 0.0:
                        past = ring[c, (t - delays[i, j]) % length, j]
                        total[c] += gain * weights[i, j] * (past{" - state[c, i]" * difference})
            d = dfun({", ".join(args)})
            {euler}
            for v in on:
                after[v, i] += kick * np.random.normal()
        state[:] = after
"""
    names = {"np": np, "dfun": dfun}
    exec(text, names)
    return njit(names["run"])


def _scalar(function):
    import types

    called = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    names = {
        **function.__globals__,
        **{k: njit(_scalar(f)) for k, f in called.items() if isinstance(f, types.FunctionType)},
        "exp": np.exp,
        "where": njit(lambda mask, a, b: a if mask else b),
    }
    return types.FunctionType(function.__code__, names, function.__name__)


def machine() -> str:
    """Processor, Python and numba of this run."""
    import numba

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next(
            x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x
        )
    return f"{cpu}, Python {platform.python_version()}, numba {numba.__version__}"


def main() -> None:
    """Measure every case, print the table, write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    parser.add_argument("--models", nargs="*", default=list(CASES))
    options = parser.parse_args()
    steps = 200 if options.quick else 2000
    rows = []
    print(f"{machine()}\nmillion node-steps per CPU second and core, Euler-Maruyama with noise\n")
    print(f"{'':28}{'float32':>10}{'float64':>10}{'plain loop':>12}{'ratio':>8}")
    for model in options.models:
        for delays in (False, True):
            brain = brain_of(model, delays, steps)
            workload = f"{model}{', delays' if delays else ''}"
            rates = {dtype: engine_rate(brain, dtype, 32) for dtype in ("float32", "float64")}
            plain = plain_rate(brain)
            n = brain.connectome.n_regions
            for dtype, rate in rates.items():
                rows.append([workload, "hpcvbi cpu", dtype, n, 32, rate])
            rows.append([workload, "plain loop", "float64", n, 1, plain])
            cells = [rates["float32"] / 1e6, rates["float64"] / 1e6, plain / 1e6]
            ratio = rates["float32"] / plain
            print(
                f"{workload:28}{cells[0]:10.1f}{cells[1]:10.1f}{cells[2]:12.1f}{ratio:8.1f}",
                flush=True,
            )
    keys = ["workload", "implementation", "dtype", "n_nodes", "draws", "node_steps_per_cpu_second"]
    target = Path("build/bench/engine.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
    print(f"\nwritten to {target}")


if __name__ == "__main__":
    main()
