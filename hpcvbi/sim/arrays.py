"""The arrays that a kernel works on, for one group of lanes, and what the monitors left in them."""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from hpcvbi.brain.brain import Brain, Monitor, steps_of
from hpcvbi.brain.noise import OrnsteinUhlenbeck, WhiteNoise
from hpcvbi.core.seeds import derive_seed
from hpcvbi.observe.bold import REST, Bold
from hpcvbi.observe.sampling import Average, Sample
from hpcvbi.observe.summary import Fc, Moments, Spectrum
from hpcvbi.sim.kernel import KEEP, KICK, SPAN, Kernel, Watch
from hpcvbi.sim.network import Network
from hpcvbi.sim.noise import keys, normals

CACHE_LINE = 64
"""Bytes."""
KINDS = {
    Sample: "sample",
    Average: "average",
    Bold: "bold",
    Fc: "fc",
    Moments: "moments",
    Spectrum: "spectrum",
}


@dataclass(frozen=True, eq=False)
class Argument:
    """One argument of a kernel, a number or a flat array; `shared` by all lane groups or not."""

    name: str
    value: int | np.ndarray | np.generic
    shared: bool = True


@dataclass(frozen=True, eq=False)
class Job:
    """Everything about a simulation that does not depend on the lane group.

    `history` is (draw or 1, state, history, region), `level` the number of halvings of dt.
    """

    brain: Brain
    monitors: tuple[Monitor, ...]
    theta: np.ndarray
    table: dict[str, np.ndarray]
    seed: int
    draws: np.ndarray
    dtype: np.dtype
    history: np.ndarray
    level: int

    @cached_property
    def waveforms(self) -> np.ndarray:
        """Waveforms of the stimuli, (stimulus, step): the same for all lane groups."""
        return self.brain.waveforms().astype(self.dtype)


def table_of(brain: Brain, theta: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters of a brain, and those that its noise needs in every step."""
    table = brain.parameters(theta)
    if brain.noise:
        kicks = brain.noise.kicks(table, brain.dt)
        table |= {f"{KICK}{v}": kick for v, kick in zip(brain.noise.on, kicks, strict=True)}
    if isinstance(brain.noise, OrnsteinUhlenbeck):
        table[KEEP] = brain.noise.keep(table, brain.dt)
    return table


def etas(job: Job, draws: np.ndarray) -> np.ndarray:
    """Stationary initial values of Ornstein-Uhlenbeck noise, (draw, variable, region)."""
    noise, n = job.brain.noise, job.brain.connectome.n_regions
    if not isinstance(noise, OrnsteinUhlenbeck):
        return np.zeros((len(draws), 0, n))
    seed = derive_seed("initial noise", job.seed)
    numbers = job.draws[draws]
    start = np.stack([normals(seed, int(d), 1, n, len(noise.on))[0] for d in numbers])
    spread = [np.broadcast_to(s, (len(job.draws), n)) for s in noise.spread(job.table)]
    return start.astype(float) * np.stack([s[draws] for s in spread], axis=1)


def kernel_of(job: Job, network: Network, width: int) -> Kernel:
    """Return the kernel that fits a job."""
    brain, table = job.brain, job.table
    taken = {p.name for p in (*brain.model.params, *brain.coupling.params)}
    taken |= {d.name for d in brain.model.derived} | {s.name for s in brain.stimuli}
    names = [n for n in table if n in taken or n.startswith((KICK, KEEP))]
    node = {name for name in names if table[name].shape[1] > 1}
    kind = {type(None): "", WhiteNoise: "white", OrnsteinUhlenbeck: "ou"}[type(brain.noise)]
    return Kernel(
        model=brain.model,
        coupling=brain.coupling,
        sends=brain.sends,
        noise=kind,  # type: ignore[arg-type]
        noise_on=brain.noise.on if brain.noise else (),
        stimuli=tuple((s.on, s.name) for s in brain.stimuli),
        lane_params=tuple(n for n in names if n not in node),
        node_params=tuple(n for n in names if n in node),
        watches=_watches(job.monitors),
        scheme=brain.scheme,
        double=job.dtype == np.float64,
        width=width,
        shape=network.shape,
        targets=network.targets,
        own_delays=network.own_delays,
        long_visits=network.window > SPAN,
        # a test for the end costs registers: only where it is needed
        ends_within=network.shape == "blocked" and brain.n_steps % SPAN > 0,
        level=job.level,
    )


def _watches(monitors: tuple[Monitor, ...]) -> tuple[Watch, ...]:
    """Monitors in the kernel's words; one that is of another monitor names its position."""
    position = {monitor.name: str(m) for m, monitor in enumerate(monitors)}
    watches = []
    for monitor in monitors:
        kind, of = KINDS[type(monitor)], monitor.of  # type: ignore[attr-defined]
        watches.append(Watch(kind, position[of] if Watch(kind, of).derived else of))
    return tuple(watches)


def arguments(job: Job, kernel: Kernel, network: Network, lanes: np.ndarray) -> list[Argument]:
    """Arguments of the kernel after the number of steps, in order, for the draws in `lanes`."""
    brain, dtype, width = job.brain, job.dtype, kernel.width
    n = brain.connectome.n_regions
    history = job.history[lanes] if len(job.history) > 1 else job.history
    present = np.broadcast_to(history[:, :, -1], (width, *history.shape[1::2]))
    state = np.concatenate([present, etas(job, lanes)], axis=1)
    weights = [np.asarray(s.regions, float) for s in brain.stimuli]

    def rows(names):
        table = [job.table[k] for k in names]
        spread = [np.broadcast_to(v.T, (v.shape[1], len(job.draws)))[:, lanes] for v in table]
        return np.array(spread, dtype).reshape(-1) if spread else np.zeros(width, dtype)

    def zeros(*shape):
        return np.zeros(max(1, int(np.prod(shape))), dtype)

    found = [
        Argument("burn_in", brain.n_burn_in),
        Argument("dt", dtype.type(brain.dt)),
        Argument("nodes", n),
        Argument("ring", network.ring),
        Argument("window", network.window),
        Argument("key", keys(job.seed, job.draws[lanes]).reshape(-1), shared=False),
        Argument("X", _lanes_last(state, dtype), shared=False),
        Argument("H", _channels(job, network, history, lanes), shared=False),
        Argument("C", zeros(kernel.channels, network.padded, width), shared=False),
        Argument("Z", zeros(kernel.normals, n, SPAN, width), shared=False),
        Argument("P", rows(kernel.lane_params), shared=False),
        Argument("Q", rows(kernel.node_params), shared=False),
        # a device allocates no empty array
        Argument("U", job.waveforms.reshape(-1) if weights else zeros(0)),
        Argument("V", np.array(weights or [0.0], dtype).reshape(-1)),
        Argument("strength", brain.connectome.strength.astype(dtype)),
        Argument("weights", network.weights),
        Argument("base", network.base(width)),
        Argument("taps", network.taps(lanes), shared=not network.own_delays),
        Argument("rows", network.rows),
        *_watched(job, kernel, network.window),
    ]
    return [
        replace(a, value=aligned(a.value)) if isinstance(a.value, np.ndarray) else a for a in found
    ]


def aligned(array: np.ndarray) -> np.ndarray:
    """Copy of a flat array that begins at a whole cache line: lanes that straddle two lines cost
    twice.
    """
    raw = np.empty(array.nbytes + CACHE_LINE, np.uint8)
    begin = -raw.ctypes.data % CACHE_LINE
    copy = raw[begin : begin + array.nbytes].view(array.dtype)
    copy[:] = array
    return copy


def _lanes_last(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(values, 0, -1).astype(dtype)).reshape(-1)


def _channels(job: Job, network: Network, history: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """Channel array H filled with the past (lane, state, history, region)."""
    brain = job.brain
    past = history[:, :, :: -brain.hold][:, :, : network.ring]
    state = dict(zip(brain.model.state_names, np.moveaxis(past, 1, 0), strict=True))
    values = {name: (v if len(v) == 1 else v[lanes])[:, None, :] for name, v in job.table.items()}
    sent = [brain.model.observe(name, state, values) for name in brain.sent]
    whole = (len(lanes), past.shape[2], past.shape[3])
    channels = brain.coupling.channels_of(sent, values)
    recent = np.stack([np.broadcast_to(c, whole) for c in channels])
    if network.shape == "dense":
        return _lanes_last(recent[:, :, 0].swapaxes(0, 1), job.dtype)
    ring = np.zeros((len(recent), network.slots, *whole[::2]), job.dtype)
    length = recent.shape[2]
    ring[:, network.ring - length : network.ring] = recent[:, :, ::-1].swapaxes(1, 2)
    ring[:, network.ring :] = ring[:, : network.slots - network.ring]
    return np.ascontiguousarray(ring.transpose(0, 3, 1, 2)).reshape(-1)


def _watched(job: Job, kernel: Kernel, window: int) -> list[Argument]:
    found = []
    for m, (monitor, watch) in enumerate(zip(job.monitors, kernel.watches, strict=True)):
        arrays = _summary if watch.derived else partial(_direct, window=window)
        values = arrays(job, monitor, watch, job.brain.connectome.n_regions, kernel.width)
        found += [
            Argument(f"{name}{m}", value, shared=name in SHARED) for name, value in values.items()
        ]
    return found


SHARED = {"every", "volumes", "slots", "sub", "K", "T", "E_window", "length", "bins"}


def volumes_of(brain: Brain, monitor: Monitor) -> int:
    """Number of volumes that a monitor of an observable sees."""
    every = steps_of(monitor.period, brain.dt, monitor.name)  # type: ignore[attr-defined]
    return steps_of(brain.duration, brain.dt, "duration") // every


def _direct(job: Job, monitor, watch: Watch, n: int, width: int, *, window: int) -> dict:
    brain, dtype = job.brain, job.dtype
    every = steps_of(monitor.period, brain.dt, monitor.name)
    volumes = volumes_of(brain, monitor)
    # Of a signal that is not kept, only as many volumes exist as a visit can complete.
    slots = volumes if monitor.keep else min(volumes, window)
    arrays = {"every": every, "volumes": volumes, "slots": slots}
    if watch.kind != "sample":
        arrays["A"] = np.zeros(n * width, dtype)
    arrays["O"] = np.zeros(slots * n * width, dtype)
    if watch.kind == "bold":
        constants = (*monitor.constants.dynamics, *monitor.constants.signal)
        arrays["sub"] = steps_of(monitor.step, brain.dt, monitor.name)
        arrays["B"] = np.repeat(np.array(REST, dtype), n * width)
        arrays["K"] = np.repeat(np.array(constants, dtype), width)
    return arrays


def _summary(job: Job, monitor, watch: Watch, n: int, width: int) -> dict:
    def zeros(*shape):
        return np.zeros(int(np.prod(shape)) * width, job.dtype)

    if watch.kind == "moments":
        return {"O": zeros(2, n)}
    if watch.kind == "fc":
        return {"A": zeros(n), "O": zeros(n * (n + 1) // 2), "D": zeros(n), "E": zeros(n)}
    source = job.monitors[int(watch.of)]
    length, many = monitor.length(source.period), len(monitor.bins)  # type: ignore[attr-defined]
    waves = monitor.waves(length)
    return {
        "A": zeros(2, 2, n),
        "O": zeros(many, n),
        "D": zeros(2, many, 2, n),
        "E_window": waves.sum(axis=-1).astype(job.dtype).reshape(-1),
        "T": waves.astype(job.dtype).reshape(-1),
        "length": length,
        "bins": many,
    }


def signals_of(job: Job, kernel: Kernel, outputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Signals by monitor, (lane, ...), from the flat arrays O of the monitors."""
    n, found = job.brain.connectome.n_regions, {}
    for monitor, watch, output in zip(job.monitors, kernel.watches, outputs, strict=True):
        if not getattr(monitor, "keep", True):
            continue
        lanes = output.reshape(-1, kernel.width)
        if watch.kind == "fc":
            found[monitor.name] = _correlations(lanes, n)
            continue
        signal = np.ascontiguousarray(lanes.reshape(-1, n, kernel.width).transpose(2, 0, 1))
        if watch.derived:
            source = job.monitors[int(watch.of)]
            volumes = volumes_of(job.brain, source)
            if watch.kind == "moments":
                with np.errstate(invalid="ignore", divide="ignore"):
                    signal[:, 1] /= volumes - 1
            else:
                period = source.period  # type: ignore[attr-defined]
                signal = monitor.density(signal, volumes, period)  # type: ignore[attr-defined]
        found[monitor.name] = signal
    return found


def _correlations(lanes: np.ndarray, n: int) -> np.ndarray:
    i, j = np.tril_indices(n)
    moments = np.empty((lanes.shape[1], n, n), lanes.dtype)
    moments[:, i, j] = moments[:, j, i] = lanes.T
    spread = np.sqrt(np.einsum("kii->ki", moments))
    with np.errstate(invalid="ignore", divide="ignore"):
        return moments / spread[:, :, None] / spread[:, None, :]
