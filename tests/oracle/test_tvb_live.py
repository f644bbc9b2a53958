"""Side by side with The Virtual Brain in one process: every model, coupling and scheme that both
have.

Against stock TVB, whose weights and history are float32, trajectories agree to 1e-5; against TVB
lifted to float64 to 1e-11, in both backends. `make peers` installs tvb-library and runs this;
`pytest -m peers` runs it where it is installed.
"""

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

pytest.importorskip("tvb", reason="tvb-library is not installed (pip install hpcvbi[peers])")

import tvb_live
from twin_brains import brain_of, deviation, jagged_past, ours_from, trajectory, values_of
from twins import COUPLED, MODELLED, CouplingTwin, ModelTwin

from hpcvbi import MODELS, Connectome, WhiteNoise
from hpcvbi.sim.noise import normals

SPEED = 4.0
SEED = 5
pytestmark = pytest.mark.peers


@dataclass(frozen=True)
class Case:
    """One model with one coupling on one network."""

    model: str
    coupling: str
    network: str
    scheme: str
    delay: bool
    noise: bool

    def __str__(self) -> str:
        words = (self.model, self.coupling, self.network, self.scheme)
        return "-".join((*words, "delay" * self.delay or "nodelay", *["noise"] * self.noise))

    @property
    def models(self) -> ModelTwin:
        return MODELLED[self.model]

    @property
    def couplings(self) -> CouplingTwin:
        return COUPLED[self.coupling]


CASES = [
    Case(model, coupling, network, scheme, delay, noise)
    for model, pair in MODELLED.items()
    for coupling in pair.couplings
    for network in ("random", "tvb76")
    for scheme in ("euler", "heun")
    for delay in (True, False)
    for noise in (True, False)
    # One noisy case per scheme, on the random network.
    if not noise or (network == "random" and delay)
]


def drawn(pair: ModelTwin, random: bool, n: int) -> dict[str, np.ndarray]:
    """Parameters of TVB: its defaults, or values at random around them."""
    rng = np.random.default_rng(zlib.crc32(pair.theirs.encode()))
    made = tvb_live.model_of(pair.theirs, {})
    values = {}
    for name in tvb_live.parameters(pair.theirs):
        value = np.asarray(pair.base.get(name, getattr(made, name)))
        if random and value.dtype != bool:
            size = n if name == pair.spatial else 1
            width = np.where(value == 0.0, 0.3, 0.15 * np.abs(value))
            value = value + width * rng.uniform(-1.0, 1.0, size)
        values[name] = value
    return values


@cache
def connectome(network: str) -> Connectome:
    """A directed network with self-connections: TVB's own, or a random one with a region that
    receives nothing and one that sends nothing.
    """
    if network == "tvb76":
        return tvb_live.connectome76()
    rng = np.random.default_rng(11)
    n = 14
    weights = rng.lognormal(0.0, 1.0, (n, n)) * (rng.random((n, n)) < 0.5)
    np.fill_diagonal(weights, rng.uniform(0.2, 2.0, n))
    weights[3], weights[:, 8] = 0.0, 0.0
    lengths = 0.2 * rng.integers(5, 300, (n, n))  # with delays of whole steps and a half among them
    np.fill_diagonal(lengths, np.where(np.arange(n) % 2, 0.0, 7.0))
    labels = tuple(f"region {i}" for i in range(n))
    return Connectome(weights / weights.max(), lengths, labels)


@dataclass(frozen=True, eq=False)
class Setting:
    """A case made concrete: TVB's network and the past (state, history, region)."""

    network: tvb_live.Network
    past: np.ndarray
    steps: int
    normals: np.ndarray | None


def setting(case: Case) -> Setting:
    pair, person = case.models, connectome(case.network)
    random, n, model = case.network == "random", person.n_regions, MODELS[pair.ours]
    network = tvb_live.Network(
        pair.theirs,
        drawn(pair, random, n),
        case.coupling,
        {**case.couplings.values, **pair.couplings[case.coupling]},
        person.weights,
        person.lengths,
        SPEED if case.delay else None,
        pair.dt,
        case.scheme,
        tuple(pair.sigma * (1 + k) / len(model.state) for k in range(len(model.state))),
    )
    steps = 200 if random else 1000
    noise = normals(SEED, 0, steps, n, len(model.state)) if case.noise else None
    past = jagged_past(model, pair.centre, pair.half, network.horizon(), n)
    return Setting(network, past, steps, noise)


def ours(case: Case, backend: str) -> np.ndarray:
    made, network = setting(case), setting(case).network
    names = MODELS[case.models.ours].state_names
    values = values_of(case.models, case.couplings, network.params, network.coupling_params)
    if case.noise:
        values |= {f"sigma_{name}": sigma for name, sigma in zip(names, network.sigma, strict=True)}
    brain = brain_of(
        case.models,
        case.couplings,
        connectome(case.network),
        values,
        WhiteNoise(names, separate=True) if case.noise else None,
        dt=network.dt,
        duration=made.steps * network.dt,
        speed=network.speed,
        scheme=case.scheme,
    )
    return trajectory(brain, made.past, backend, SEED)


def theirs(case: Case) -> np.ndarray:
    made = setting(case)
    return tvb_live.trajectory(made.network, made.past, made.steps, made.normals)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_trajectories_agree(case):
    stock = theirs(case)
    with tvb_live.lifted():
        exact = theirs(case)
    for backend in ("reference", "cpu"):
        found = ours(case, backend)
        error = deviation(found, exact)
        assert error[0] <= 1e-13, backend
        assert error.max() <= 1e-11, backend
        assert deviation(found, stock).max() <= 1e-5, backend


@pytest.mark.parametrize("name", MODELLED)
def test_equations_agree_at_random_states(name):
    pair, rng = MODELLED[name], np.random.default_rng(3)
    model, n = MODELS[pair.ours], 200
    centre, half = np.array(pair.centre)[:, None], np.array(pair.half)[:, None]
    values = drawn(pair, True, n)
    switches = [key for key, value in values.items() if value.dtype == bool]
    for on in (False, True)[: 1 + len(switches)]:
        values |= {key: np.array([on]) for key in switches}
        their_model = tvb_live.model_of(name, values)
        state = centre + 5.0 * half * rng.uniform(-1.0, 1.0, (len(model.state), n))
        inputs = rng.uniform(-0.5, 0.5, (len(their_model.cvar), n))
        expected = tvb_live.dfun(their_model, state, inputs)
        if pair.gain:
            inputs = inputs * values[pair.gain]
        params = ours_from(pair.to_ours, values)
        ordered = [params[key] for key in model.param_names]
        got = model.dfun(*state, *inputs[: len(model.inputs)], *ordered)
        error = np.abs(np.stack(np.broadcast_arrays(*got)) - expected)
        assert (error.max(axis=1) <= 1e-13 * np.abs(expected).max(axis=1)).all()
        assert (error <= 1e-11 * np.abs(expected)).all()
