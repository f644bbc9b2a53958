"""The Virtual Brain, run in this process: one network, one trajectory.

Stock TVB keeps the weights and the ring of the past in float32; `lifted` makes them float64 for the
simulators that are built inside it. The history handed over has exactly as many rows as TVB's ring,
for a longer one is rotated wrongly.

TVB 2.10: Sanz Leon et al. (2013) doi:10.3389/fninf.2013.00010; tvb-library on PyPI.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from hpcvbi import Connectome

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about the optional parts of TVB that are not installed
    from tvb.datatypes.connectivity import Connectivity
    from tvb.simulator import coupling as couplings
    from tvb.simulator import history, integrators, models, monitors, noise
    from tvb.simulator.simulator import Simulator

logging.getLogger("tvb").setLevel(logging.ERROR)

SINGLE_PRECISION = (
    history.BaseHistory.weights,
    history.DenseHistory.es_weights,
    history.DenseHistory.buffer,
    history.DenseHistory.current_state,
    history.DenseHistory.delayed_state,
    history.SparseHistory.nnz_weights,
)
INTEGRATORS = {
    ("euler", False): integrators.EulerDeterministic,
    ("euler", True): integrators.EulerStochastic,
    ("heun", False): integrators.HeunDeterministic,
    ("heun", True): integrators.HeunStochastic,
}


@dataclass(frozen=True, eq=False)
class Network:
    """What TVB simulates, in its own names.

    `weights` and `lengths` [mm] are (to, from); `speed` [mm/ms] or None for no delays; `dt` [ms].
    """

    model: str
    params: Mapping[str, float | np.ndarray]
    coupling: str
    coupling_params: Mapping[str, float]
    weights: np.ndarray
    lengths: np.ndarray
    speed: float | None
    dt: float
    scheme: str
    sigma: tuple[float, ...] = (0.0,)

    def connectivity(self) -> Connectivity:
        """The connectome with its delays in steps."""
        n = len(self.weights)
        made = Connectivity(
            weights=self.weights.copy(),
            tract_lengths=np.zeros((n, n)) if self.speed is None else self.lengths.copy(),
            region_labels=np.array([f"region {i}" for i in range(n)]),
            centres=np.zeros((n, 3)),
            speed=np.array([1.0 if self.speed is None else self.speed]),
        )
        made.configure()
        made.set_idelays(self.dt)
        return made

    def horizon(self) -> int:
        """Rows of the history."""
        return int(self.connectivity().horizon)


def connectome76() -> Connectome:
    """The connectome of tvb-data, divided by its largest weight."""
    read = Connectivity.from_file("connectivity_76.zip")
    labels = tuple(map(str, read.region_labels))
    return Connectome(read.weights / read.weights.max(), read.tract_lengths, labels)


def parameters(name: str) -> tuple[str, ...]:
    """Names of the numeric parameters of a model of TVB."""
    made = getattr(models, name)()
    ranges = {"state_variable_range", "state_variable_boundaries"}
    names = (key for key in type(made).declarative_attrs if key not in ranges)
    return tuple(key for key in names if isinstance(getattr(made, key), np.ndarray))


def array(value: float | np.ndarray) -> np.ndarray:
    """A parameter as TVB wants it."""
    return np.atleast_1d(np.asarray(value, float))


def model_of(name: str, params: Mapping[str, float | np.ndarray]) -> models.Model:
    """A model of TVB with these parameters."""
    made = getattr(models, name)()
    for key, value in params.items():
        kind = bool if getattr(made, key).dtype == bool else float
        value = array(value).astype(kind)
        setattr(made, key, value if value.size == 1 else value.reshape(made.spatial_param_reshape))
    made.configure()
    return made


def dfun(model: models.Model, state: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Time derivatives (state, region) at a state (state, region) with coupling inputs."""
    return np.asarray(model.dfun(state[..., None], inputs[..., None]))[..., 0]


class GivenNoise:
    """A random stream that hands out prepared normal numbers (step, state, region)."""

    def __init__(self, normals: np.ndarray) -> None:
        self.rows = iter(np.asarray(normals, float))

    def normal(self, size: tuple[int, ...]) -> np.ndarray:
        """The numbers of the next step."""
        return next(self.rows).reshape(size)


@contextmanager
def lifted() -> Iterator[None]:
    """Weights and history of the simulators built inside are float64."""
    before = [slot.dtype for slot in SINGLE_PRECISION]
    for slot in SINGLE_PRECISION:
        slot.dtype = "d"
    try:
        yield
    finally:
        for slot, dtype in zip(SINGLE_PRECISION, before, strict=True):
            slot.dtype = dtype


def trajectory(
    network: Network, past: np.ndarray, steps: int, normals: np.ndarray | None = None
) -> np.ndarray:
    """Every state after every step, (step, state, region), from `past` (state, history, region).

    `normals` (step, state, region) replace TVB's random stream; sigma of each state variable is
    their standard deviation per sqrt(ms), for which TVB takes the dispersion D = sigma²/2.
    """
    coupling = getattr(couplings, network.coupling)()
    for key, value in network.coupling_params.items():
        setattr(coupling, key, array(value))
    model = model_of(network.model, network.params)
    scheme = INTEGRATORS[network.scheme, normals is not None](dt=network.dt)
    if normals is not None:
        scheme.noise = noise.Additive(nsig=np.square(network.sigma) / 2.0)
    simulator = Simulator(
        model=model,
        connectivity=network.connectivity(),
        coupling=coupling,
        integrator=scheme,
        monitors=(monitors.Raw(variables_of_interest=np.arange(model.nvar)),),
        initial_conditions=past.transpose(1, 0, 2)[..., None].copy(),
    )
    simulator.model.variables_of_interest = tuple(model.state_variables)
    simulator.configure()
    if normals is not None:
        # Past the type check of the attribute, which wants a RandomState.
        scheme.noise.__dict__["random_stream"] = GivenNoise(normals)
    seen = [raw for ((_, raw),) in simulator(n_steps=steps)]
    return np.stack(seen)[..., 0]
