"""The front door: simulate a brain for many draws of its parameters.

>>> import numpy as np
>>> from hpcvbi import Average, Brain, Connectome, LINEAR, MODELS, WhiteNoise, simulate
>>> pair = Connectome(np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros((2, 2)), ("left", "right"))
>>> brain = Brain(pair, MODELS["reduced_wong_wang"], LINEAR, WhiteNoise(("S",)), dt=1.0,
...               duration=1000.0, monitors=(Average("S", 100.0),), values={"G": 0.1})
>>> simulate(brain, seed=1).signals["average"].shape
(1, 10, 2)

Several draws of G, every step of every state variable, in float64, from a given past:

>>> from dataclasses import replace
>>> from hpcvbi import Space, Uniform, samples
>>> strength = LINEAR.params[0].with_prior(Uniform(0.0, 1.0))
>>> brain = replace(brain, space=Space((strength,)), values={}, duration=10.0,
...                 monitors=samples(brain.model.state_names, 1.0))
>>> seen = simulate(brain, np.array([[0.1], [0.2], [0.3]]), seed=1, dtype="float64",
...                 initial=np.full((1, 2), 0.4))
>>> seen.signals["S"].shape, seen.status.tolist()
((3, 10, 2), [1, 1, 1])
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.core.block import Status
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.observe.measurement import Recorded
from hpcvbi.observe.summary import Fc, Moments, Spectrum
from hpcvbi.sim import cpu, reference
from hpcvbi.sim.arrays import Job, table_of, volumes_of
from hpcvbi.sim.noise import normals


def _cuda(job: Job, **options: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    # Imported when it is used: most machines have no GPU.
    from hpcvbi.sim.cuda.backend import run

    return run(job, **options)


BACKENDS: dict[str, Callable] = {"cpu": cpu.run, "reference": reference.run, "cuda": _cuda}
DTYPES = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
REFINED = {1: Status.HALVED, 2: Status.QUARTERED}


@dataclass(frozen=True, eq=False)
class Simulated:
    """What the monitors saw.

    `signals` maps a monitor's name to (draw, time, region); to (draw, region, region) for
    functional connectivity, (draw, moment, region) for moments, (draw, frequency, region) for
    spectra. `status` (draw,) says which draws diverged: theirs are the values with NaN or infinity;
    and which needed dt/2 or dt/4.
    """

    signals: dict[str, np.ndarray]
    status: np.ndarray


def simulate(
    brain: Brain,
    theta: np.ndarray | None = None,
    *,
    seed: int,
    draws: np.ndarray | None = None,
    backend: str = "cpu",
    dtype: str = "float32",
    initial: np.ndarray | Literal["random"] | None = None,
    **options: int,
) -> Simulated:
    """Simulate `brain` once for every row of `theta`.

    Parameters
    ----------
    theta : (draw, param) in the natural units and the order of `brain.space`; absent for one
        simulation of a brain whose space is empty.
    seed : of the noise; together with a draw's number it determines all of that draw's randomness.
    draws : (draw,) number of each draw, 0, 1, 2, ... if absent; blocks of one round continue the
        count.
    backend : "cpu", "cuda", or "reference" (plain NumPy, slow, obvious).
    dtype : "float32" or "float64".
    initial : state at t = 0 and ever before, (state, region); or the past (state, history, region)
        with t = 0 last, one row per dt, back to the longest delay at least, or one row for a
        constant past; or one past for each draw, (draw, state, history, region). "random" draws a
        constant past for each draw and region, uniform over the `start` ranges of the model. If
        absent, the model's initial values. Bounds that clip state variables act on the past too.
    options : of the backend; `width` (lanes) and `threads` for "cpu", `width`, `workers` and
        `memory` for "cuda" (see `sim.cuda`). They do not change a bit of the result.

    Raises
    ------
    ConfigError : parameters outside their bounds, an unknown backend, shapes that do not fit, or
        draw numbers and seeds that are no counts.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if dtype not in DTYPES:
        raise ConfigError(f"dtype must be float32 or float64, got {dtype!r}")
    theta = np.zeros((1, 0)) if theta is None else np.asarray(theta, float)
    draws = np.arange(len(theta)) if draws is None else np.asarray(draws)
    _check_draws(theta, draws, seed)
    _check_monitors(brain)
    history = _history(brain, theta, initial, seed, draws)
    monitors = tuple(m for m in brain.monitors if not isinstance(m, Recorded))
    # A signal that does not vary has no correlations: that is no divergence.
    correlations = {m.name for m in monitors if isinstance(m, Fc)}

    def attempt(rows: np.ndarray, level: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        finer = replace(brain, dt=brain.dt / 2**level)
        job = Job(
            finer,
            monitors,
            theta[rows],
            table_of(finer, theta[rows]),
            seed,
            draws[rows],
            DTYPES[dtype],
            np.repeat(history if len(history) == 1 else history[rows], 2**level, axis=2),
            level,
        )
        signals, finite = BACKENDS[backend](job, **options)
        for name, signal in signals.items():
            if name not in correlations:
                finite = finite & np.isfinite(signal).all(axis=(1, 2))
        return signals, finite

    signals, finite = attempt(np.arange(len(theta)), 0)
    status = np.where(finite, Status.OK, Status.DIVERGED).astype(np.uint8)
    for level in range(1, brain.refine + 1):
        rows = np.flatnonzero(status == Status.DIVERGED)
        if not rows.size:
            break
        again, finite = attempt(rows, level)
        for name, signal in again.items():
            signals[name][rows] = signal
        status[rows[finite]] = REFINED[level]
    for monitor in brain.monitors:
        if isinstance(monitor, Recorded):
            signals[monitor.name] = _record(brain, monitor, theta, signals[monitor.of], seed, draws)
    return Simulated(signals, status)


def _check_draws(theta: np.ndarray, draws: np.ndarray, seed: int) -> None:
    if len(theta) == 0:
        raise ConfigError("theta has no rows: nothing to simulate")
    if len(draws) != len(theta):
        raise ConfigError(f"{len(draws)} draw numbers for {len(theta)} rows of theta")
    if not np.issubdtype(draws.dtype, np.integer) or draws.min() < 0:
        raise ConfigError("draw numbers must be integers from 0")
    if not 0 <= seed < 2**64:
        raise ConfigError(f"seed must be an integer from 0 to 2^64 - 1, got {seed}")


def _check_monitors(brain: Brain) -> None:
    names = [m.name for m in brain.monitors]
    if len(set(names)) != len(names):
        raise ConfigError(f"monitors need distinct names, got {names}")
    derived = Fc | Moments | Spectrum | Recorded
    sampled = {m.name: m for m in brain.monitors if not isinstance(m, derived)}
    for monitor in brain.monitors:
        if not isinstance(monitor, derived):
            continue
        if monitor.of not in sampled:
            raise ConfigError(
                f"monitor {monitor.name} is of {monitor.of!r}; it must be one of {sorted(sampled)}"
            )
        source = sampled[monitor.of]
        if isinstance(monitor, Recorded) and not source.keep:  # type: ignore[attr-defined]
            raise ConfigError(f"monitor {monitor.name} needs the signal {monitor.of}: keep it")
        if isinstance(monitor, Fc | Moments) and volumes_of(brain, source) < 2:
            raise ConfigError(
                f"monitor {monitor.name} needs two volumes of {monitor.of} at least; a duration of "
                f"{brain.duration:g} ms gives one"
            )
        if isinstance(monitor, Spectrum):
            monitor.length(source.period)  # type: ignore[attr-defined]
        if isinstance(monitor, Recorded) and len(monitor.ratio) != brain.connectome.n_regions:
            raise ConfigError(
                f"monitor {monitor.name}: {len(monitor.ratio)} ratios for "
                f"{brain.connectome.n_regions} regions"
            )


def _record(
    brain: Brain,
    monitor: Recorded,
    theta: np.ndarray,
    signal: np.ndarray,
    seed: int,
    draws: np.ndarray,
) -> np.ndarray:
    _, time, n = signal.shape
    own_seed = derive_seed("measurement", monitor.name, seed)
    noise = np.stack([normals(own_seed, int(draw), time, n)[:, 0] for draw in draws])
    scale = brain.parameters(theta)[monitor.noise_scale.name]
    return monitor.add_noise(signal, scale, noise)


def _history(
    brain: Brain,
    theta: np.ndarray,
    initial: np.ndarray | str | None,
    seed: int,
    draws: np.ndarray,
) -> np.ndarray:
    """The past of each draw, (draw or 1, state, history, region), t = 0 last."""
    n_state, n = len(brain.model.state), brain.connectome.n_regions
    connected = brain.connectome.weights != 0
    longest = int(brain.delays(theta)[:, connected].max(initial=0)) * brain.hold
    if isinstance(initial, str):
        if initial != "random":
            raise ConfigError(f"initial must be an array, random or None, got {initial!r}")
        start = _random_start(brain, seed, draws)
    elif initial is None:
        start = np.repeat([[s.init] for s in brain.model.state], n, axis=1)
    else:
        start = np.asarray(initial, float)
    if start.ndim == 2:
        start = start[:, None]
    if start.ndim == 3:
        start = start[None]
    whole = start.ndim == 4 and start.shape[1::2] == (n_state, n)
    if not whole or start.shape[0] not in (1, len(theta)) or not start.shape[2]:
        raise ConfigError(
            f"initial must have shape ({n_state}, {n}), ({n_state}, history, {n}) or "
            f"({len(theta)}, {n_state}, history, {n}), got {np.shape(initial)}"
        )
    low = np.array([[[s.low if s.outside == "clip" else -np.inf]] for s in brain.model.state])
    high = np.array([[[s.high if s.outside == "clip" else np.inf]] for s in brain.model.state])
    start = np.clip(start, low, high)
    if start.shape[2] == 1:
        return np.broadcast_to(start, (len(start), n_state, longest + 1, n))
    if start.shape[2] <= longest:
        raise ConfigError(
            f"initial reaches back {start.shape[2] - 1} steps, the longest delay {longest}: give "
            f"{longest + 1} rows of history, or one state (state, region) for a constant past"
        )
    return start


def _random_start(brain: Brain, seed: int, draws: np.ndarray) -> np.ndarray:
    """Uniform initial states (draw, state, 1, region), from the counter."""
    from scipy.special import ndtr  # half of what importing hpcvbi would take

    states, n = brain.model.state, brain.connectome.n_regions
    if missing := [s.name for s in states if s.start is None]:
        raise ConfigError(f"{brain.model.name} declares no range of random starts for {missing}")
    own_seed = derive_seed("initial state", seed)
    uniform = ndtr(np.stack([normals(own_seed, int(d), 1, n, len(states))[0] for d in draws]))
    low, high = np.array([s.start for s in states]).T[..., None]
    return (low + uniform * (high - low))[:, :, None]
