"""The reference backend: the equations as they are written, one draw and one step at a time, in
plain NumPy.

It defines what the other backends must compute. Nothing here is fast.
"""

import numpy as np

from hpcvbi.brain.brain import Brain, Monitor, steps_of
from hpcvbi.observe.bold import LEAST_INFLOW, REST, Bold, Fc, balloon, bold_signal
from hpcvbi.observe.sampling import Average
from hpcvbi.sim.network import source_channels
from hpcvbi.sim.noise import normals


def run(
    brain: Brain,
    theta: np.ndarray,
    *,
    monitors: tuple[Monitor, ...],
    seed: int,
    draws: np.ndarray,
    dtype: np.dtype,
    history: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate every row of `theta`: signals by monitor, and whether the final state is finite."""
    table = brain.parameters(theta)
    seen: dict[str, list[np.ndarray]] = {m.name: [] for m in monitors}
    finite = []
    for row, draw in enumerate(draws):
        values = {k: v[min(row, len(v) - 1)].astype(dtype) for k, v in table.items()}
        with np.errstate(all="ignore"):
            trajectory = integrate(brain, values, seed, int(draw), dtype, history.astype(dtype))
            for monitor in monitors:
                seen[monitor.name].append(observe(brain, monitor, trajectory))
        finite.append(np.isfinite(trajectory[-1]).all())
    return {name: np.stack(signals) for name, signals in seen.items()}, np.array(finite)


def integrate(brain, values, seed, draw, dtype, history) -> np.ndarray:
    """Trajectory of all variables, shape (step, state, region), burn-in included, without t = 0."""
    model, coupling, dt = brain.model, brain.coupling, dtype.type(brain.dt)
    weights = brain.connectome.weights.astype(dtype)
    strength = brain.connectome.strength.astype(dtype)
    delays = brain.connectome.delays(brain.speed, brain.dt, brain.rounding)
    low = np.array([[s.low] for s in model.state], dtype)
    high = np.array([[s.high] for s in model.state], dtype)
    sent = [model.state_names.index(name) for name in model.sends]
    from_region = np.arange(len(weights))
    coupling_values = [values[p.name] for p in coupling.params]
    model_values = [values[name] for name in model.param_names]
    kick = np.zeros((brain.n_steps, len(model.state), len(weights)), dtype)
    if brain.noise:
        on = [model.state_names.index(name) for name in brain.noise.on]
        noise = normals(seed, draw, brain.n_steps, len(weights), len(on))
        kick[:, on] = values["sigma"] * np.sqrt(dt) * noise

    x = history[:, -1]
    past = source_channels(coupling, history[sent])
    silence = np.zeros((len(past), int(delays.max()), len(weights)), dtype)
    past = list(np.concatenate([silence, past], axis=1).swapaxes(0, 1))
    trajectory = np.empty_like(kick)
    for step in range(brain.n_steps):
        recent = np.stack(past)
        delayed = recent[len(past) - 1 - delays, :, from_region]
        totals = np.einsum("ij,ijc->ci", weights, delayed)
        inputs = [
            coupling.post(total, own, strength, *coupling_values)
            for total, own in zip(totals, past[-1], strict=True)
        ]
        drift = np.stack(model.dfun(*x, *inputs, *model_values))
        guess = np.clip(x + dt * drift + kick[step], low, high)
        if brain.scheme == "heun":
            second = np.stack(model.dfun(*guess, *inputs, *model_values))
            guess = np.clip(x + dt / 2 * (drift + second) + kick[step], low, high)
        x = guess
        past = [*past[1:], source_channels(coupling, x[sent])]
        trajectory[step] = x
    return trajectory


def observe(brain: Brain, monitor, trajectory: np.ndarray) -> np.ndarray:
    """Show a trajectory (step, state, region) through a monitor."""
    if isinstance(monitor, Fc):
        (source,) = [m for m in brain.monitors if m.name == monitor.of]
        return np.corrcoef(observe(brain, source, trajectory).T)
    z = trajectory[:, brain.model.state_names.index(monitor.of)]
    every = steps_of(monitor.period, brain.dt, monitor.name)
    if isinstance(monitor, Bold):
        return _bold(brain, monitor, z, every)
    z = z[brain.n_burn_in :]
    if isinstance(monitor, Average):
        return z.reshape(-1, every, z.shape[1]).mean(axis=1)
    return z[every - 1 :: every]


def _bold(brain: Brain, monitor: Bold, z: np.ndarray, every: int) -> np.ndarray:
    sub = steps_of(monitor.step, brain.dt, monitor.name)
    h = z.dtype.type(brain.dt * sub * 0.001)
    # Windows end where the burn-in ends; an incomplete first window is skipped.
    skipped = brain.n_burn_in % sub
    drives = z[skipped : skipped + (len(z) - skipped) // sub * sub]
    drives = drives.reshape(-1, sub, z.shape[1]).mean(axis=1)
    s, f, v, q = (np.full(z.shape[1], value, z.dtype) for value in REST)
    volumes = []
    for number, drive in enumerate(drives):
        ds, df, dv, dq = balloon(s, f, v, q, drive, *monitor.constants.dynamics)
        s, f = s + h * ds, np.maximum(f + h * df, LEAST_INFLOW)
        v, q = v + h * dv, q + h * dq
        after = skipped + (number + 1) * sub - brain.n_burn_in
        if after > 0 and after % every == 0:
            volumes.append(bold_signal(v, q, *monitor.constants.signal))
    return np.stack(volumes)
