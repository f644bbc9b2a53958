"""tvboptim: networks on JAX in float32, coupling computed once per step, compiled by `jax.jit`.

Only what is asked for leaves the run: the last state variable's course, or the BOLD signal.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import SPEED, asked, connectome, report

import jax
import jax.numpy as jnp
import numpy as np
from tvboptim.experimental.network_dynamics import Network, prepare
from tvboptim.experimental.network_dynamics.coupling import (
    DelayedDifferenceCoupling,
    DelayedLinearCoupling,
    DifferenceCoupling,
    LinearCoupling,
)
from tvboptim.experimental.network_dynamics.coupling.tvb import (
    DelayedSigmoidalJansenRit,
    SigmoidalJansenRit,
)
from tvboptim.experimental.network_dynamics.dynamics import tvb as models
from tvboptim.experimental.network_dynamics.graph import DenseDelayGraph, DenseGraph
from tvboptim.experimental.network_dynamics.noise import AdditiveNoise
from tvboptim.experimental.network_dynamics.solvers import Euler, Heun
from tvboptim.observations.observation import compute_fc, compute_fcd
from tvboptim.observations.tvb_monitors.bold import BalloonWindkesselBold
from tvboptim.observations.tvb_monitors.downsampling import TemporalAverage

SOLVERS = {"euler": Euler, "heun": Heun}


def of_two(coupling):
    """Return the coupling class for two variables at once."""
    return type(f"{coupling.__name__}OfTwo", (coupling,), {"N_OUTPUT_STATES": 2})


def brain(model, delays):
    """Network of one of the models at a working point where it stays finite."""
    weights, lengths = (jnp.asarray(a, jnp.float32) for a in connectome())
    graph = DenseDelayGraph(weights, lengths / SPEED) if delays else DenseGraph(weights)
    linear = DelayedLinearCoupling if delays else LinearCoupling
    if model == "jansen_rit":
        coupling = DelayedSigmoidalJansenRit if delays else SigmoidalJansenRit
        made = models.JansenRit(VARIABLES_OF_INTEREST=("y1",))
        on, sigma, act = ("y4",), 1e-4, coupling(incoming_states=("y1", "y2"), G=0.1)
    elif model == "montbrio_pazo_roxin":
        made = models.MontbrioPazoRoxin(VARIABLES_OF_INTEREST=("r",), eta=-4.6, J=14.5, Delta=0.7)
        on, sigma, act = ("r", "V"), 0.037, of_two(linear)(incoming_states=("r", "V"), G=0.1)
    elif model == "reduced_wong_wang":
        made = models.ReducedWongWang(VARIABLES_OF_INTEREST=("S",))
        on, sigma, act = ("S",), 0.001, linear(incoming_states="S", G=0.1)
    elif model == "wong_wang_ei":
        made = models.WongWangExcInh(VARIABLES_OF_INTEREST=("S_e",))
        on, sigma, act = ("S_e", "S_i"), 0.001, linear(incoming_states="S_e", G=0.1)
    else:
        difference = of_two(DelayedDifferenceCoupling if delays else DifferenceCoupling)
        names = ["x", "y"]
        made = models.SupHopf(VARIABLES_OF_INTEREST=("x",), a=-0.02, omega=0.25)
        on, sigma = ("x", "y"), 0.01
        act = difference(incoming_states=names, local_states=names, G=0.02)
    noise = AdditiveNoise(apply_to=list(on), sigma=sigma, key=jax.random.key(0))
    return Network(made, {"delayed" if delays else "instant": act}, graph, noise=noise)


def features_of(bold):
    """Some numbers of FC and of FCD, whose windows of 60 frames move by a quarter."""
    fc, (fcd, _) = compute_fc(bold), compute_fcd(bold, 60, 15)
    pairs, windows = fc[jnp.triu_indices(len(fc), 1)], fcd[jnp.triu_indices(len(fcd), 1)]
    numbers = pairs.mean(), pairs.std(), jnp.linalg.eigvalsh(fc)[-1], windows.mean(), windows.var()
    return jnp.stack(numbers)


def single(model, scheme, steps, dt, delays=False, bold=False, draws=1, tr=720.0, features=False):
    """One simulation, or a batch of them by `jax.vmap` over the coupling strength."""
    network = brain(model, delays)
    solve, config = prepare(network, SOLVERS[scheme](), t0=0.0, t1=steps * dt, dt=dt)
    name = "delayed" if delays else "instant"
    monitor = None
    if bold:
        down = TemporalAverage(period=max(10.0, dt)) if bold == 10.0 else None
        step = bold if bold > dt else dt
        monitor = BalloonWindkesselBold(period=tr, dt_bw=step, voi=0, downsample=down)

    def observe(setting):
        solution = solve(setting)
        seen = monitor(solution).ys if monitor else solution.ys
        return features_of(seen) if features else seen

    if draws == 1:
        run = jax.jit(observe)
        args = config
    else:

        def of_strength(strength, key):
            setting = jax.tree.map(lambda x: x, config)
            setting.coupling[name].G = strength
            setting.noise.key = key
            return observe(setting)

        batch = jax.jit(jax.vmap(of_strength))

        def run(_):
            keys = jax.random.split(jax.random.key(1), draws)
            return batch(jnp.linspace(0.05, 0.15, draws), keys)

        args = None
    note = "coupling held over a step" + (f"; jax.vmap over {draws} draws" if draws > 1 else "")
    report(
        lambda: np.asarray(jax.block_until_ready(run(args))),
        steps=steps,
        draws=draws,
        scheme=scheme,
        dtype="float32",
        note=note,
    )


CASES = {}
for _scheme in SOLVERS:

    def _case(workload, *args, _scheme=_scheme, **options):
        model, steps, dt = args
        CASES[workload, _scheme] = lambda k: single(model, _scheme, steps // k, dt, **options)

    _case("jansen_rit", "jansen_rit", 20_000, 0.5)
    _case("jansen_rit_delays", "jansen_rit", 20_000, 0.5, delays=True)
    _case("montbrio_pazo_roxin", "montbrio_pazo_roxin", 100_000, 0.01)
    _case("reduced_wong_wang", "reduced_wong_wang", 60_000, 1.0)
    _case("reduced_wong_wang_bold", "reduced_wong_wang", 60_480, 1.0, bold=10.0)
    _case("reduced_wong_wang_bold_sweep", "reduced_wong_wang", 20_160, 1.0, bold=10.0, draws=64)
    _case(
        "reduced_wong_wang_features",
        *("reduced_wong_wang", 240_000, 1.0),
        **{"bold": 10.0, "draws": 4, "tr": 1000.0, "features": True},
    )
    _case("wong_wang_ei", "wong_wang_ei", 60_000, 1.0)
    _case("wong_wang_ei_bold", "wong_wang_ei", 60_480, 1.0, bold=10.0)
    _case("wong_wang_ei_bold_sweep", "wong_wang_ei", 20_160, 1.0, bold=10.0, draws=64)
    _case("stuart_landau", "stuart_landau", 20_000, 0.5)
    _case("stuart_landau_delays", "stuart_landau", 5_000, 0.5, delays=True)
run, divisor = asked(CASES)
run(divisor)
