"""What a rate does not say: cost against size, threads, memory, start-up, an hour of brain, a
single draw, features. `extras.py NAME [DIVISOR]` prints one JSON line.
"""

from measure import clock  # isort: skip  (sets the thread pools first)

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from brains import brain_of, theta_of
from workloads import WORKLOADS

RWW = WORKLOADS["reduced_wong_wang_bold_sweep"]
HERE = Path(__file__).parent


def _simulate(brain, draws, **options):
    from hpcvbi import simulate

    return simulate(
        brain,
        theta_of(RWW, draws) if brain.space.names else np.zeros((draws, 0)),
        seed=1,
        **options,
    )


def _median(work) -> float:
    work()
    return statistics.median(clock(work)[0] for _ in range(3))


def edges(divisor: int) -> dict:
    """Rates at four sizes of network and one density, over so many steps that the time to lay out
    the arrays does not count.
    """
    rows = []
    for delays in (False, True):
        workload = WORKLOADS["stuart_landau_delays" if delays else "reduced_wong_wang"]
        for n in (68, 200, 400, 1000):
            steps = max(400, int(4e9 / (n * n * 32))) // divisor // 4 * 4
            brain = brain_of(workload, steps=steps, n=n)
            seconds = _median(lambda b=brain: _simulate(b, 32))
            links = int(np.count_nonzero(brain.connectome.weights))
            per = 32 * steps / seconds / 1e6
            rows.append(
                {
                    "workload": workload.title,
                    "regions": n,
                    "edges": links,
                    "steps": steps,
                    "node_steps": per * n,
                    "edge_steps": per * links,
                }
            )
    return {"rows": rows}


def threads(divisor: int) -> dict:
    """Wall time with one thread over wall time with two; 2 is perfect."""
    brain = brain_of(RWW, steps=RWW.steps // divisor)
    walls = {}
    for count in (1, 2, 1, 2, 1, 2):
        seconds, _ = clock(lambda c=count: _simulate(brain, 128, threads=c), time.perf_counter)
        walls.setdefault(count, []).append(seconds)
    walls = {count: min(seconds) for count, seconds in walls.items()}
    return {
        "one": walls[1],
        "two": walls[2],
        "ratio": walls[1] / walls[2],
        "load": os.getloadavg()[0],
    }


def memory(divisor: int) -> dict:
    """Peak memory of 32 draws with BOLD at one duration and at ten times that."""
    found = {}
    for times in (1, 10):
        code = (
            "import extras, measure; "
            f"b = extras.brain_of(extras.RWW, steps={times} * {20000 // divisor}); "
            "extras._simulate(b, 32); print(measure.peak_mb())"
        )
        found[f"mb_{times}x"] = float(_python(code))
    return found


def _python(code: str, **environment: str) -> str:
    code = f"import sys; sys.path.insert(0, {str(HERE)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


STARTUP = """
import time; zero = time.perf_counter()
import measure, numpy as np
from brains import brain_of, theta_of
from workloads import WORKLOADS
from hpcvbi import simulate
workload = WORKLOADS["reduced_wong_wang_bold_sweep"]
brain = brain_of(workload, steps=720)
ready = time.perf_counter(); used = measure.cpu_seconds()
simulate(brain, theta_of(workload, 32), seed=1)
print(time.perf_counter() - ready, time.perf_counter() - zero, measure.cpu_seconds() - used)
"""


def worker(divisor: int) -> dict:
    """Seconds from `simulate` to the first result in a fresh process, without and with its kernel
    on disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        first = [float(x) for x in _python(STARTUP, NUMBA_CACHE_DIR=folder).split()]
        cached = [
            [float(x) for x in _python(STARTUP, NUMBA_CACHE_DIR=folder).split()] for _ in range(3)
        ]
    after, whole, used = (min(column) for column in zip(*cached, strict=True))
    return {
        "compile_wall": first[0],
        "compile_cpu": first[2],
        "cached_wall": after,
        "cached_cpu": used,
        "cached_wall_with_imports": whole,
    }


def hour(divisor: int) -> dict:
    """CPU seconds of one core per draw for an hour of the reduced Wong-Wang model with BOLD."""
    steps = 3_600_000 // divisor // 1000 * 1000
    brain = brain_of(RWW, steps=steps)
    _simulate(brain_of(RWW, steps=20_000), 32)
    seconds, result = clock(lambda: _simulate(brain, 32))
    assert np.isfinite(result.signals["bold"]).all()
    return {
        "draws": 32,
        "brain_minutes": steps / 60_000,
        "seconds_per_draw": seconds / 32,
        "seconds_per_draw_and_hour": seconds / 32 * 3_600_000 / steps,
    }


def alone(divisor: int) -> dict:
    """Rate of one draw by itself against that of a full group of lanes."""
    brain = brain_of(RWW, steps=RWW.steps // divisor)
    found = {}
    for draws in (1, 32):
        seconds = _median(lambda d=draws: _simulate(brain, d))
        found[f"rate_{draws}"] = draws * brain.n_steps * 84 / seconds / 1e6
    return found


def features(divisor: int) -> dict:
    """CPU seconds of functional connectivity and its dynamics per recording of 84 x 1200."""
    from hpcvbi.features.fc import functional_connectivity
    from hpcvbi.features.fcd import fcd_stream, functional_connectivity_dynamics

    signal = np.random.default_rng(0).normal(size=(1200, 84))
    cases = {
        "fc": lambda: functional_connectivity(signal),
        "fcd (windows of 60, every 10)": lambda: functional_connectivity_dynamics(
            fcd_stream(signal, 60, 10)
        ),
    }
    return {name: _median(work) for name, work in cases.items()}


def ledger(divisor: int) -> dict:
    """What durability costs a block: digests, fsyncs and the mark, in seconds by the wall clock,
    against the CPU seconds of its simulation (10 s and more with divisor 1). With and without
    signals kept.
    """
    brain = brain_of(RWW, steps=RWW.steps // divisor)
    once, _ = clock(lambda: _simulate(brain, 64))
    once, _ = clock(lambda: _simulate(brain, 64))
    steps = RWW.steps // divisor * max(1, int(12.0 / divisor / once))
    simulating, result = clock(lambda: _simulate(brain_of(RWW, steps=steps), 64))
    rows = {
        "simulating": simulating,
        "draws": 64,
        "regions": result.signals["bold"].shape[2],
        "volumes": result.signals["bold"].shape[1],
    }
    for name, keep in (("features", False), ("signals", True)):
        durable, plain = zip(*(_write(result.signals["bold"], keep) for _ in range(5)), strict=True)
        cost = statistics.median(durable) - statistics.median(plain)
        rows[name] = {
            "write_and_mark": statistics.median(durable),
            "plain_write": statistics.median(plain),
            "share": cost / simulating,
            "share_with_the_write": statistics.median(durable) / simulating,
        }
    return rows


def _write(bold: np.ndarray, keep: bool) -> tuple[float, float]:
    """Wall seconds to write and mark a block, and to write it without digest, fsync and mark."""
    from hpcvbi.core.block import Block, BlockReport
    from hpcvbi.core.space import Param
    from hpcvbi.store import Driver, Output, Variable
    from hpcvbi.store.arrays import open_array

    feature = Variable("feature", ("feature",), [f"f{k}" for k in range(10)])
    axes = [
        Variable(dim, (dim,), np.arange(float(n)))
        for dim, n in zip(("time", "region"), bold.shape[1:], strict=True)
    ]
    outputs = [Output("features", ("draw", "feature"), (feature,), dtype="float64")]
    values = {"features": np.ones((len(bold), 10)), "status": np.ones(len(bold), np.uint8)}
    if keep:
        outputs.append(Output("bold", ("draw", "time", "region"), tuple(axes)))
        values["bold"] = bold
    block, theta = Block("a", "r", 0, 0, len(bold)), np.ones((len(bold), 1))
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        Driver.create(Path(folder) / "out", {}, "0" * 64) as store,
    ):
        store.prepare("a", "r", theta, (Param("G", 1.0),), outputs, len(bold))

        def plain() -> None:
            for name, array in values.items():
                open_array(store.root / "a/r" / name, write=True)[...] = array

        def durable() -> None:
            digests = store.write_block(block, values)
            store.mark(BlockReport(block, 0, seconds=1.0, host="h", digests=digests))

        plain()
        without, _ = clock(plain, time.perf_counter)
        took, _ = clock(durable, time.perf_counter)
    return took, without


EXTRAS = {f.__name__: f for f in (edges, threads, memory, worker, hour, alone, features, ledger)}

if __name__ == "__main__":
    result = EXTRAS[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(json.dumps(result))
