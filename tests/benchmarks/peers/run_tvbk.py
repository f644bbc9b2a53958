"""tvbk: C kernels that advance eight simulations side by side in float32, delays always on.

Without delays every connection has the shortest lag it allows. The library adds the noise
amplitude once per step, unscaled: sqrt(dt) is applied here.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import SPEED, asked, connectome, report

import numpy as np
import tvbk

MODELS = {
    "jansen_rit": (
        tvbk.step_jr,
        [3.25, 22.0, 0.1, 0.05, 5.52, 0.0025, 0.56, 135.0, 1.0, 0.8, 0.25, 0.25, 0.22, 0.0],
        [0.0, 5.0, 5.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1e-4, 0.0],
    ),
    "montbrio_pazo_roxin": (
        tvbk.step_mpr,
        [1.0, 0.0, 0.7, 14.5, -4.6, 0.1],
        [0.1, -2.0],
        [0.01, 0.02],
    ),
}


def run(model, steps, dt, batches=1, delays=False):
    """Eight lanes in each batch; the state is looked at every hundred steps."""
    step, params, start, sigma = MODELS[model]
    weights, lengths = connectome()
    n = len(weights)
    target, source = np.nonzero(weights)
    conn = tvbk.Conn(n, len(source))
    conn.weights[:] = weights[target, source] * (1e-3 if model == "jansen_rit" else 1.0)
    conn.indptr[:] = np.searchsorted(target, np.arange(n + 1))
    conn.indices[:] = source
    lags = np.floor(lengths / SPEED / dt).astype(int) if delays else np.zeros((n, n), int)
    conn.idelays[:] = lags[target, source] + 2
    horizon = 1 << int(lags.max() + 3).bit_length()
    shape = (batches, len(start), n, 8)
    first = np.broadcast_to(np.float32(start)[None, :, None, None], shape)
    p = np.broadcast_to(np.float32(params)[None, None, :, None], (batches, n, len(params), 8))
    p = np.ascontiguousarray(p)
    amplitude = np.broadcast_to(np.float32(sigma)[None, :, None], (batches, len(start), 8))
    z = np.ascontiguousarray(amplitude * np.float32(np.sqrt(dt)))

    def work():
        cx = tvbk.Cx8s(n, horizon, batches)
        cx.buf[:] = 0.0
        cx.cx1[:] = cx.cx2[:] = 0.0
        x, y = np.ascontiguousarray(first), np.zeros(shape, np.float32)
        seed = np.random.default_rng(1).integers(1, 2**63, (batches, 8, 4), np.uint64)
        trace = np.empty((steps // 100, *shape), np.float32)
        for i in range(steps // 100):
            step(cx, conn, x, y, z.copy(), p, i * 100, 100, dt, seed)
            trace[i] = x
        return trace

    note = f"{8 * batches} lanes, every connection at least 2 steps late"
    options = {"steps": steps // 100 * 100, "draws": 8 * batches, "scheme": "heun"}
    report(work, dtype="float32", note=note, **options)


CASES = {
    ("jansen_rit", "C"): lambda k: run("jansen_rit", 20_000 // k, 0.5),
    ("jansen_rit_delays", "C"): lambda k: run("jansen_rit", 20_000 // k, 0.5, delays=True),
    ("montbrio_pazo_roxin", "C"): lambda k: run("montbrio_pazo_roxin", 20_000 // k, 0.01),
    ("montbrio_pazo_roxin_delays", "C"): lambda k: run(
        "montbrio_pazo_roxin", 20_000 // k, 0.01, delays=True
    ),
}
work, divisor = asked(CASES)
work(divisor)
