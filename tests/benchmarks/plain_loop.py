"""The loop that one would write first with numba: one simulation at a time in float64,
np.random.normal, no SIMD lanes, every connection visited.
"""

import types
from collections.abc import Callable

import numpy as np
from numba import njit

from hpcvbi import Brain


def plain_run(brain: Brain) -> Callable[[], np.ndarray]:
    """Function that simulates `brain` once and returns its last state (variable, region)."""
    values = brain.parameters(np.zeros((1, 0)))
    n, names = brain.connectome.n_regions, brain.model.param_names
    params = np.array([np.broadcast_to(values[k], (1, n))[0] for k in names])
    on = np.array([brain.model.state_names.index(v) for v in brain.noise.on])  # type: ignore
    delays = brain.connectome.delays(brain.speed, brain.dt)
    run = _plain_loop(brain)
    start = np.array([s.init for s in brain.model.state])
    gain, kick = float(values["G"][0, 0]), float(values["sigma"][0, 0] * np.sqrt(brain.dt))

    def work() -> np.ndarray:
        state = np.repeat(start[:, None], n, axis=1)
        ring = np.zeros((len(brain.model.sends), int(delays.max()) + 1, n))
        run(state, ring, brain.connectome.weights, delays, params, on, brain.n_steps, gain, kick)
        return state

    return work


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
    called = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    names = {
        **function.__globals__,
        **{k: njit(_scalar(f)) for k, f in called.items() if isinstance(f, types.FunctionType)},
        "exp": np.exp,
        "where": njit(lambda mask, a, b: a if mask else b),
    }
    return types.FunctionType(function.__code__, names, function.__name__)
