"""The reference backend: the equations as they are written, one draw and one step at a time, in
plain NumPy.

It defines what the other backends must compute. Nothing here is fast.
"""

from collections.abc import Callable

import numpy as np

from hpcvbi.brain.brain import Brain, steps_of
from hpcvbi.brain.model import State
from hpcvbi.observe.bold import LEAST_INFLOW, REST, Bold, balloon, bold_signal
from hpcvbi.observe.sampling import Average
from hpcvbi.observe.summary import Fc, Moments, Spectrum
from hpcvbi.sim.arrays import Job, etas
from hpcvbi.sim.kernel import KEEP, KICK
from hpcvbi.sim.noise import normals


def run(job: Job) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate every draw of a job: signals by monitor, and whether the final state is finite."""
    kept = [m for m in job.monitors if getattr(m, "keep", True)]
    seen: dict[str, list[np.ndarray]] = {m.name: [] for m in kept}
    finite = []
    for row in range(len(job.draws)):
        with np.errstate(all="ignore"):
            trajectory = integrate(job, row)
            for monitor in kept:
                signal = observe(job, row, monitor, trajectory)
                seen[monitor.name].append(signal.astype(job.dtype))
        finite.append(np.isfinite(trajectory[-1]).all())
    return {name: np.stack(signals) for name, signals in seen.items()}, np.array(finite)


def values_of(job: Job, row: int) -> dict[str, np.ndarray]:
    """Parameters of one draw, each a number or (region,)."""
    return {k: v[min(row, len(v) - 1)].astype(job.dtype) for k, v in job.table.items()}


def integrate(job: Job, row: int) -> np.ndarray:
    """Trajectory of all variables, shape (step, state, region), burn-in included, without t = 0."""
    brain, dtype = job.brain, job.dtype
    model, coupling, hold, dt = brain.model, brain.coupling, brain.hold, dtype.type(brain.dt)
    values = values_of(job, row)
    weights = brain.connectome.weights.astype(dtype)
    strength = brain.connectome.strength.astype(dtype)
    delays = brain.delays(job.theta[[row]])[0]
    n = len(weights)
    noise, areas = _noise(job, row, n)
    waves = job.waveforms
    places = np.array([s.regions for s in brain.stimuli], dtype).reshape(-1, n)
    on = brain.noise.on if brain.noise else ()
    eta = etas(job, np.array([row]))[0].astype(dtype)
    names = model.state_names
    from_region = np.arange(n)

    def channels_at(x):
        state = dict(zip(names, x, strict=True))
        sent = [model.observe(name, state, values) for name in brain.sent]
        return np.stack(np.broadcast_arrays(*coupling.channels_of(sent, values), x[0])[:-1])

    history = job.history[min(row, len(job.history) - 1)].astype(dtype)
    x = history[:, -1]
    past = [channels_at(rows) for rows in history.swapaxes(0, 1)[::-hold][::-1]]
    silence = int(delays[weights != 0].max(initial=0)) + 1 - len(past)
    past = [np.zeros_like(past[0])] * silence + past
    delays = delays.clip(max=len(past) - 1)  # connections of weight zero may be longer
    trajectory = np.empty((brain.n_steps, len(names), n), dtype)
    totals = np.zeros_like(past[0])
    for step in range(brain.n_steps):
        if step % hold == 0:
            delayed = np.stack(past)[len(past) - 1 - delays, :, from_region]
            totals = np.einsum("ij,ijc->ci", weights, delayed)
        given = iter(coupling.inputs_of(totals, channels_at(x), strength, values))
        nothing = dtype.type(0.0)
        gaps = brain.sends if None in brain.sends else model.inputs
        inputs = [nothing if name is None else next(given) for name in gaps]
        present, push = dict(values), np.zeros_like(x)
        for stimulus, place, wave in zip(brain.stimuli, places, waves, strict=True):
            shape = values[stimulus.name] * place * wave[step]
            if stimulus.on in names:
                push[names.index(stimulus.on)] += shape
            else:
                present[stimulus.on] = present[stimulus.on] + shape
        kick, area_kick = np.zeros_like(x), np.zeros_like(x)
        for k, name in enumerate(on):
            v = names.index(name)
            if KEEP in values:
                push[v] += eta[k]
                eta[k] = values[KEEP] * eta[k] + values[f"{KICK}{name}"] * noise[step, k]
                continue
            kick[v] = values[f"{KICK}{name}"] * noise[step, k]
            area_kick[v] = values[f"{KICK}{name}"] * areas[step, k]
        arguments = [present[name] for name in model.param_names]
        if model.diffusion is not None:
            plain = [values[name] for name in model.param_names]
            kick = kick * np.stack(np.broadcast_arrays(*model.diffusion(*x, *plain), x[0])[:-1])

        def drift(at, inputs=inputs, arguments=arguments, push=push):
            slopes = model.dfun(*at, *inputs, *arguments)
            return np.stack(np.broadcast_arrays(*slopes, at[0])[:-1]) + push

        x = SCHEMES[brain.scheme](x, dt, drift, kick, area_kick, model.state)
        trajectory[step] = x
        if (step + 1) % hold == 0:
            past = [*past[1:], channels_at(x)]
    return trajectory


def _noise(job: Job, row: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Increments and areas (step, variable, region) of one draw's noise."""
    brain = job.brain
    many = len(brain.noise.on) if brain.noise else 0
    if not many:
        return np.zeros((0, 0, n)), np.zeros((0, 0, n))
    both = brain.scheme == "sra1" and KEEP not in job.table
    drawn = normals(
        job.seed,
        int(job.draws[row]),
        brain.n_steps,
        n,
        many * (2 if both else 1),
        level=job.level,
        areas=both,
    ).astype(job.dtype)
    return drawn[:, :many], drawn[:, many:] if both else np.zeros_like(drawn)


def bounded(x: np.ndarray, states: tuple[State, ...]) -> np.ndarray:
    """State variables (state, region) after their bounds have acted."""
    x = x.copy()
    for v, state in enumerate(states):
        if state.outside == "soft":
            low, high, m = state.low + state.margin, state.high - state.margin, state.margin
            x[v] = np.where(x[v] < low, low + m * np.tanh((x[v] - low) / m), x[v])
            x[v] = np.where(x[v] > high, high + m * np.tanh((x[v] - high) / m), x[v])
        elif state.outside == "diverge":
            x[v] = np.where((x[v] < state.low) | (x[v] > state.high), np.nan, x[v])
        else:
            x[v] = np.clip(x[v], state.low, state.high)
    return x


def _euler(x, dt, drift, kick, area_kick, states):
    return bounded(x + dt * drift(x) + kick, states)


def _heun(x, dt, drift, kick, area_kick, states):
    first = drift(x)
    second = drift(bounded(x + dt * first + kick, states))
    return bounded(x + dt / 2 * (first + second) + kick, states)


def _rk4(x, dt, drift, kick, area_kick, states):
    first = drift(x)
    second = drift(bounded(x + dt / 2 * first, states))
    third = drift(bounded(x + dt / 2 * second, states))
    fourth = drift(bounded(x + dt * third, states))
    return bounded(x + dt / 6 * (first + 2 * second + 2 * third + fourth), states)


def _sra1(x, dt, drift, kick, area_kick, states):
    """Rößler (2010) doi:10.1137/09076636X, scheme SRA1: strong order 1.5 for additive noise."""
    first = drift(x)
    inner = x + dt * 3 / 4 * first + (kick + area_kick / np.sqrt(3)) * 3 / 4
    second = drift(bounded(inner.astype(x.dtype), states))
    return bounded(x + dt / 3 * (first + 2 * second) + kick, states)


SCHEMES: dict[str, Callable] = {"euler": _euler, "heun": _heun, "rk4": _rk4, "sra1": _sra1}


def observe(job: Job, row: int, monitor, trajectory: np.ndarray) -> np.ndarray:
    """Show a trajectory (step, state, region) through a monitor."""
    brain = job.brain
    if isinstance(monitor, Fc | Moments | Spectrum):
        (source,) = [m for m in brain.monitors if m.name == monitor.of]
        return _summary(monitor, source, observe(job, row, source, trajectory))
    state = dict(zip(brain.model.state_names, trajectory.swapaxes(0, 1), strict=True))
    z = brain.model.observe(monitor.of, state, values_of(job, row))
    every = steps_of(monitor.period, brain.dt, monitor.name)
    if isinstance(monitor, Bold):
        return _bold(brain, monitor, z, every)
    z = z[brain.n_burn_in :]
    if isinstance(monitor, Average):
        return z.reshape(-1, every, z.shape[1]).mean(axis=1)
    return z[every - 1 :: every]


def _summary(monitor, source, signal: np.ndarray) -> np.ndarray:
    if isinstance(monitor, Fc):
        return np.atleast_2d(np.corrcoef(signal.T))
    if isinstance(monitor, Moments):
        return np.stack([signal.mean(axis=0), signal.var(axis=0, ddof=1)])
    length = monitor.length(source.period)
    power = 0.0
    for start in range(0, len(signal) - length + 1, length // 2):
        segment = signal[start : start + length]
        re, im = (monitor.waves(length) @ (segment - segment.mean(axis=0))).swapaxes(0, 1)
        power = power + re**2 + im**2
    return monitor.density(power, len(signal), source.period)


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
