"""The front door: simulate a brain for many draws of its parameters.

>>> import numpy as np
>>> from hpcvbi import Average, Brain, Connectome, LINEAR, MODELS, WhiteNoise, simulate
>>> pair = Connectome(np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros((2, 2)), ("left", "right"))
>>> brain = Brain(pair, MODELS["reduced_wong_wang"], LINEAR, WhiteNoise(("S",)), dt=1.0,
...               duration=1000.0, monitors=(Average("S", 100.0),), values={"G": 0.1})
>>> simulate(brain, np.zeros((3, 0)), seed=1).signals["average"].shape
(3, 10, 2)
"""

from dataclasses import dataclass

import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.core.block import Status
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.observe.bold import Fc
from hpcvbi.observe.measurement import Recorded
from hpcvbi.sim import cpu, reference
from hpcvbi.sim.noise import normals

BACKENDS = {"cpu": cpu.run, "reference": reference.run}
DTYPES = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


@dataclass(frozen=True, eq=False)
class Simulated:
    """What the monitors saw.

    `signals` maps a monitor's name to (draw, time, region), or (draw, region, region) for
    functional connectivity; `status` (draw,) says which draws diverged: theirs are the values with
    NaN or infinity.
    """

    signals: dict[str, np.ndarray]
    status: np.ndarray


def simulate(
    brain: Brain,
    theta: np.ndarray,
    *,
    seed: int,
    draws: np.ndarray | None = None,
    backend: str = "cpu",
    dtype: str = "float32",
    initial: np.ndarray | None = None,
    **options: int,
) -> Simulated:
    """Simulate `brain` once for every row of `theta`.

    Parameters
    ----------
    theta : (draw, param) in the natural units and the order of `brain.space`.
    seed : of the noise; together with a draw's number it determines all of that draw's randomness.
    draws : (draw,) number of each draw, 0, 1, 2, ... if absent; blocks of one round continue the
        count.
    backend : "cpu", or "reference" (plain NumPy, slow, obvious).
    dtype : "float32" or "float64".
    initial : state at t = 0, (state, region), or past (state, history, region) with t = 0 last, one
        row per dt; constant at the model's initial values if absent. It should reach back to the
        longest delay; before it all channels are zero.
    options : of the backend; `width` (lanes) and `threads` for "cpu". They do not change a bit of
        the result.

    Raises
    ------
    ConfigError : parameters outside their bounds, an unknown backend, shapes that do not fit, or
        draw numbers and seeds that are no counts.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if dtype not in DTYPES:
        raise ConfigError(f"dtype must be float32 or float64, got {dtype!r}")
    theta = np.asarray(theta, float)
    draws = np.arange(len(theta)) if draws is None else np.asarray(draws)
    _check_draws(theta, draws, seed)
    _check_monitors(brain)
    signals, finite = BACKENDS[backend](
        brain,
        theta,
        monitors=tuple(m for m in brain.monitors if not isinstance(m, Recorded)),
        seed=seed,
        draws=draws,
        dtype=DTYPES[dtype],
        history=_history(brain, initial),
        **options,
    )
    for monitor in brain.monitors:
        if isinstance(monitor, Recorded):
            signals[monitor.name] = _record(brain, monitor, theta, signals[monitor.of], seed, draws)
    for signal in signals.values():
        finite = finite & np.isfinite(signal).all(axis=(1, 2))
    status = np.where(finite, Status.OK, Status.DIVERGED).astype(np.uint8)
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
    sampled = {m.name for m in brain.monitors if not isinstance(m, Fc | Recorded)}
    for monitor in brain.monitors:
        if isinstance(monitor, Fc | Recorded) and monitor.of not in sampled:
            raise ConfigError(
                f"monitor {monitor.name} is of {monitor.of!r}; it must be one of {sorted(sampled)}"
            )
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


def _history(brain: Brain, initial: np.ndarray | None) -> np.ndarray:
    n_state, n = len(brain.model.state), brain.connectome.n_regions
    if initial is None:
        delays = brain.connectome.delays(brain.speed, brain.dt, brain.rounding)
        start = np.array([s.init for s in brain.model.state])
        return np.broadcast_to(start[:, None, None], (n_state, int(delays.max()) + 1, n))
    initial = np.asarray(initial, float)
    if initial.ndim == 2:
        initial = initial[:, None]
    if initial.ndim != 3 or (initial.shape[0], initial.shape[2]) != (n_state, n):
        raise ConfigError(
            f"initial must have shape ({n_state}, {n}) or ({n_state}, history, {n}), "
            f"got {initial.shape}"
        )
    return initial
