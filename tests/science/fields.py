"""Right-hand sides of uncoupled nodes as functions of their state, their equilibria and rhythms."""

import numpy as np
from scipy.integrate import solve_ivp

from hpcvbi import MODELS


def field_of(name, **values):
    """Right-hand side of an uncoupled node as a function of its state."""
    model = MODELS[name]
    assert not model.derived
    table = {p.name: p.default for p in model.params} | values
    assert len(table) == len(model.params)
    silence = [0.0] * len(model.inputs)

    def field(x):
        return np.array(model.dfun(*x, *silence, *table.values()))

    return field


def follow(name, duration, dt, start=None, **values):
    """Trajectory (time, state) of an uncoupled node, every `dt` ms."""
    field = field_of(name, **values)
    if start is None:
        start = [s.init for s in MODELS[name].state]
    times = np.arange(0.0, duration, dt)
    solved = solve_ivp(
        lambda t, x: field(x), (0.0, duration), start, "LSODA", times, rtol=1e-8, atol=1e-10
    )
    assert solved.success
    return solved.y.T


def frequency(signal, dt):
    """Mean frequency [Hz] by the upward crossings of the mean, times [ms] interpolated."""
    z = signal - signal.mean()
    up = np.flatnonzero((z[:-1] < 0) & (z[1:] >= 0))
    times = (up + z[up] / (z[up] - z[up + 1])) * dt
    return 1000.0 * (len(times) - 1) / (times[-1] - times[0])


def jacobian(field, x, step=1e-6):
    """Jacobian at `x` by central differences."""
    columns = [(field(x + step * e) - field(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    return np.stack(columns, axis=1)


def eigenvalues(field, x, step=1e-6):
    """Eigenvalues of the Jacobian at `x`."""
    return np.linalg.eigvals(jacobian(field, x, step))


def bisect(f, low, high):
    """Where `f` changes from negative to positive."""
    assert f(low) < 0 < f(high)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return low
