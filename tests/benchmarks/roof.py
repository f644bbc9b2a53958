"""What one core can do at most: packed multiply-adds, and reads from its caches. Measured with the
engine's own lanes, so that the same compiler made both. `roof.py` prints one JSON line.

Coupling takes two floating-point operations per connection and step, and with delays it reads one
number: its shares of the multiply-add peak and of the second cache are `share_of_peak` and
`share_of_reads`.
"""

from measure import clock  # isort: skip  (sets the thread pools before NumPy is loaded)

import json
import time

import numpy as np
from numba import njit

from hpcvbi.sim.lanes.memory import load, store
from hpcvbi.sim.lanes.vector import fma

WIDTH = 16
CHAINS = 12
"""Independent sums: more than the latency of a multiply-add times the units that do them."""


def _many(pattern: str, join: str = "; ") -> str:
    return join.join(pattern.format(i) for i in range(CHAINS))


SOURCE = f"""
def multiply_add(start, rounds):
    a, b = load(start, 0, {WIDTH}), load(start, {WIDTH}, {WIDTH})
    {_many(f"s{{0}} = load(start, {{0}} * {WIDTH}, {WIDTH})")}
    for _ in range(rounds):
        {_many("s{0} = fma(s{0}, a, b)")}
    store(start, 0, {_many("s{0}", " + ")})

def read(data, out, rounds):
    {_many(f"s{{0}} = load(out, 0, {WIDTH})")}
    for _ in range(rounds):
        for block in range(len(data) // {WIDTH * CHAINS}):
            o = block * {WIDTH * CHAINS}
            {_many(f"s{{0}} = s{{0}} + load(data, o + {{0}} * {WIDTH}, {WIDTH})")}
    store(out, 0, {_many("s{0}", " + ")})
"""


def _compiled():
    names = {"load": load, "store": store, "fma": fma}
    exec(SOURCE, names)
    return njit(names["multiply_add"]), njit(names["read"])


def _fastest(work, amount: float) -> float:
    """Billions of `amount` per CPU second, the best of five runs after one warm-up."""
    work()
    return amount / min(clock(work, time.thread_time)[0] for _ in range(5)) / 1e9


def roof() -> dict[str, float]:
    """GFLOP/s of float32 multiply-adds and GB/s of reads from L1 and L2, of one core."""
    multiply_add, read = _compiled()
    start = np.full(WIDTH * CHAINS, 0.5, np.float32)
    rounds = 4_000_000
    found = {
        "fma_gflops": _fastest(lambda: multiply_add(start, rounds), 2.0 * WIDTH * CHAINS * rounds)
    }
    out = np.zeros(WIDTH, np.float32)
    for level, kib, rounds in (("l1", 24, 200_000), ("l2", 512, 8_000)):
        whole = kib * 1024 // 4 // (WIDTH * CHAINS) * WIDTH * CHAINS
        data = np.zeros(whole, np.float32)
        found[f"{level}_gb_per_second"] = _fastest(
            lambda data=data, rounds=rounds: read(data, out, rounds), 4.0 * whole * rounds
        )
    return found


def share_of_peak(rate: float, edges_per_node: float, channels: int, peak_gflops: float) -> float:
    """Share of the multiply-add peak that coupling uses at `rate` node-steps per second."""
    return 2.0 * edges_per_node * channels * rate / (peak_gflops * 1e9)


def share_of_reads(rate: float, edges_per_node: float, channels: int, bandwidth: float) -> float:
    """Share of `bandwidth` [GB/s] that float32 coupling with delays reads at `rate`."""
    return 4.0 * edges_per_node * channels * rate / (bandwidth * 1e9)


if __name__ == "__main__":
    print(json.dumps(roof()))
