"""The CPU backend: draws side by side in SIMD lanes, lane groups spread over threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hpcvbi.brain.brain import Brain, Monitor, steps_of
from hpcvbi.observe.bold import REST, Bold, Fc
from hpcvbi.observe.sampling import Average, Sample
from hpcvbi.sim.compiled import call, compiled
from hpcvbi.sim.kernel import SPAN, Kernel, Watch
from hpcvbi.sim.network import Network, lay_out
from hpcvbi.sim.noise import keys

KINDS = {Sample: "sample", Average: "average", Bold: "bold", Fc: "fc"}


def default_width(brain: Brain, double: bool) -> int:
    """Lanes that measured fastest: 32 without delays, 16 with delays or in float64."""
    return 32 if brain.speed is None and not double else 16


def watches_of(monitors: tuple[Monitor, ...]) -> tuple[Watch, ...]:
    """Return monitors in the kernel's words; one that is of another monitor names its position."""
    position = {monitor.name: str(m) for m, monitor in enumerate(monitors)}
    watches = []
    for monitor in monitors:
        of: str = monitor.of  # type: ignore[attr-defined]
        watches.append(Watch(KINDS[type(monitor)], position[of] if isinstance(monitor, Fc) else of))
    return tuple(watches)


def kernel_of(
    brain: Brain,
    monitors: tuple[Monitor, ...],
    network: Network,
    node: set[str],
    width: int,
    double: bool,
) -> Kernel:
    """Return the kernel that fits a brain whose parameters in `node` differ between regions."""
    noise = (brain.noise.sigma,) if brain.noise else ()
    used = (*brain.model.params, *brain.coupling.params, *noise)
    names = [p.name for p in used] + [d.name for d in brain.model.derived]
    return Kernel(
        model=brain.model,
        coupling=brain.coupling,
        noise_on=brain.noise.on if brain.noise else (),
        lane_params=tuple(n for n in names if n not in node),
        node_params=tuple(n for n in names if n in node),
        watches=watches_of(monitors),
        heun=brain.scheme == "heun",
        double=double,
        width=width,
        dense=network.dense,
        span=network.span,
    )


def run(
    brain: Brain,
    theta: np.ndarray,
    *,
    monitors: tuple[Monitor, ...],
    seed: int,
    draws: np.ndarray,
    dtype: np.dtype,
    history: np.ndarray,
    width: int | None = None,
    threads: int = 1,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate every row of `theta`: signals by monitor, and whether the final state is finite."""
    double = dtype == np.float64
    width = width or default_width(brain, double)
    table = brain.parameters(theta)
    node = {name for name, value in table.items() if value.shape[1] > 1}
    network = lay_out(brain, width, dtype)
    kernel = kernel_of(brain, monitors, network, node, width, double)
    groups = [np.arange(s, s + width).clip(max=len(theta) - 1) for s in range(0, len(theta), width)]

    def work(lanes: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        return _run_lanes(
            brain, monitors, kernel, network, table, lanes, draws, seed, dtype, history
        )

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(work, groups)) if threads > 1 else list(map(work, groups))
    signals = {
        monitor.name: np.concatenate([p[0][m] for p in parts])[: len(theta)]
        for m, monitor in enumerate(monitors)
    }
    return signals, np.concatenate([p[1] for p in parts])[: len(theta)]


def _run_lanes(brain, monitors, kernel, network, table, lanes, draws, seed, dtype, history):
    n, width = brain.connectome.n_regions, kernel.width
    n_state = len(brain.model.state)

    def rows(names):
        full = [np.broadcast_to(table[k].T, (table[k].shape[1], len(draws))) for k in names]
        values = [v[:, lanes] for v in full]
        return np.array(values, dtype).reshape(-1) if values else np.zeros(width, dtype)

    state = np.repeat(history[:, -1, :, None], width, axis=2).astype(dtype)
    watched, outputs = [], []
    for monitor, watch in zip(monitors, kernel.watches, strict=True):
        arrays, output = _monitor_arrays(brain, monitor, watch, n, width, dtype)
        watched += arrays
        outputs.append((watch, output))
    call(
        compiled(kernel),
        -(-brain.n_steps // SPAN),
        brain.n_burn_in,
        dtype.type(brain.dt),
        n,
        network.ring,
        keys(seed, draws[lanes]).reshape(-1),
        state.reshape(-1),
        network.channels(brain, history, width, dtype),
        np.zeros(kernel.channels * network.padded * width, dtype),
        np.zeros(max(1, len(kernel.noise_on)) * n * SPAN * width, dtype),
        rows(kernel.lane_params),
        rows(kernel.node_params),
        brain.connectome.strength.astype(dtype),
        network.weights,
        network.base,
        network.taps,
        network.rows,
        *watched,
    )
    finite = np.isfinite(state).reshape(n_state * n, width).all(axis=0)
    return [_unpack(watch, output, n, width) for watch, output in outputs], finite


def _monitor_arrays(brain, monitor, watch, n, width, dtype):
    if watch.kind == "fc":
        pairs = np.zeros(n * (n + 1) // 2 * width, dtype)
        work = [np.zeros(n * width, dtype) for _ in range(3)]
        return [1, work[0], pairs, work[1], work[2]], pairs
    every = steps_of(monitor.period, brain.dt, monitor.name)
    volumes = steps_of(brain.duration, brain.dt, "duration") // every
    output = np.zeros(volumes * n * width, dtype)
    arrays = [every, np.zeros(n * width, dtype), output]
    if watch.kind == "bold":
        sub = steps_of(monitor.step, brain.dt, monitor.name)
        balloon = np.repeat(np.array(REST, dtype), n * width)
        constants = (*monitor.constants.dynamics, *monitor.constants.signal)
        arrays += [sub, balloon, np.repeat(np.array(constants, dtype), width)]
    return arrays, output


def _unpack(watch: Watch, output: np.ndarray, n: int, width: int) -> np.ndarray:
    if watch.kind != "fc":
        return np.ascontiguousarray(output.reshape(-1, n, width).transpose(2, 0, 1))
    i, j = np.tril_indices(n)
    moments = np.empty((width, n, n), output.dtype)
    moments[:, i, j] = moments[:, j, i] = output.reshape(-1, width).T
    spread = np.sqrt(np.einsum("kii->ki", moments))
    with np.errstate(invalid="ignore", divide="ignore"):
        return moments / spread[:, :, None] / spread[:, None, :]
