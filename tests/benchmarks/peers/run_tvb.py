"""The Virtual Brain: its NumPy simulator in float64, and its numba backend for one model."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import SPEED, asked, connectome, report

import logging

import numpy as np

logging.disable(logging.CRITICAL)
from tvb.simulator import coupling, integrators, models, monitors, noise, simulator
from tvb.datatypes.connectivity import Connectivity


def brain(model, act, sigma, steps, dt, delays, monitor, scheme="heun"):
    """A configured simulator; noise of strength `sigma` per state variable."""
    weights, lengths = connectome()
    n = len(weights)
    network = Connectivity(
        weights=weights,
        tract_lengths=lengths if delays else 0.0 * lengths,
        region_labels=np.array([f"r{i}" for i in range(n)]),
        centres=np.zeros((n, 3)),
        speed=np.array([SPEED]),
    )
    white = noise.Additive(nsig=np.array(sigma) ** 2 / 2.0, noise_seed=1)
    kinds = {"heun": integrators.HeunStochastic, "euler": integrators.EulerStochastic}
    start = None
    if isinstance(model, models.SupHopf):
        # With dt = .5 ms it explodes from the default range of random starts.
        start = np.full((80, 2, n, 1), 0.1)
    made = simulator.Simulator(
        initial_conditions=start,
        model=model,
        connectivity=network,
        coupling=act,
        integrator=kinds[scheme](dt=dt, noise=white),
        monitors=(monitor,),
        simulation_length=steps * dt,
    )
    return made.configure()


def array(*values):
    return np.array(values, float)


def parts(name):
    """Model, coupling and noise strengths of a workload's model."""
    if name == "jansen_rit":
        model = models.JansenRit(variables_of_interest=("y1",))
        sigma = [0.0, 0.0, 0.0, 0.0, 1e-4, 0.0]
        return model, coupling.SigmoidalJansenRit(a=array(0.1)), sigma
    if name == "montbrio_pazo_roxin":
        model = models.MontbrioPazoRoxin(eta=array(-4.6), J=array(14.5), Delta=array(0.7))
        model.variables_of_interest = ("r",)
        return model, coupling.Linear(a=array(0.1)), [0.01, 0.02]
    if name == "reduced_wong_wang":
        return models.ReducedWongWang(w=array(0.6)), coupling.Linear(a=array(0.1)), [0.001]
    if name == "wong_wang_ei":
        model = models.ReducedWongWangExcInh(variables_of_interest=("S_e",))
        return model, coupling.Linear(a=array(0.1)), [0.001, 0.001]
    if name == "epileptor_2d":
        model = models.Epileptor2D(x0=array(-2.5), variables_of_interest=("x1",))
        return model, coupling.Difference(a=array(0.1)), [0.01, 0.01]
    model = models.SupHopf(a=array(-0.02), omega=array(0.25), variables_of_interest=("x",))
    return model, coupling.Difference(a=array(0.02)), [0.01, 0.01]


def stock(name, steps, dt, delays=False, bold=False, scheme="heun"):
    """The NumPy simulator, as `Simulator.run` gives it."""
    monitor = monitors.Bold(period=720.0) if bold else monitors.SubSample(period=100 * dt)

    def work():
        ((_, values),) = brain(*parts(name), steps, dt, delays, monitor, scheme).run()
        return values

    note = "BOLD by convolution with a response function" if bold else ""
    report(work, steps=steps, scheme=scheme, dtype="float64", note=note)


def compiled(steps, dt):
    """The numba backend for Montbrio-Pazo-Roxin; it compiles again in every run."""
    from tvb.simulator.backend.nb_mpr import NbMPRBackend

    name = "montbrio_pazo_roxin"

    def work():
        made = brain(*parts(name), steps, dt, False, monitors.Raw())
        ((_, values),) = NbMPRBackend().run_sim(made, nstep=steps)
        return values

    report(work, steps=steps, scheme="heun", dtype="float64", note="compiles again in every run")


CASES = {
    ("jansen_rit", "NumPy"): lambda k: stock("jansen_rit", 5_000 // k, 0.5),
    ("jansen_rit_delays", "NumPy"): lambda k: stock("jansen_rit", 5_000 // k, 0.5, True),
    ("montbrio_pazo_roxin", "NumPy"): lambda k: stock("montbrio_pazo_roxin", 10_000 // k, 0.01),
    ("montbrio_pazo_roxin", "nb_mpr"): lambda k: compiled(100_000 // k, 0.01),
    ("reduced_wong_wang", "NumPy"): lambda k: stock("reduced_wong_wang", 10_000 // k, 1.0),
    ("reduced_wong_wang_bold", "NumPy"): lambda k: stock(
        "reduced_wong_wang", 14_400 // k, 1.0, bold=True
    ),
    ("wong_wang_ei", "NumPy"): lambda k: stock("wong_wang_ei", 10_000 // k, 1.0),
    ("wong_wang_ei_bold", "NumPy"): lambda k: stock("wong_wang_ei", 14_400 // k, 1.0, bold=True),
    ("epileptor_2d", "NumPy"): lambda k: stock("epileptor_2d", 10_000 // k, 0.05),
    ("stuart_landau", "NumPy"): lambda k: stock("stuart_landau", 5_000 // k, 0.5),
    ("stuart_landau_delays", "NumPy"): lambda k: stock("stuart_landau", 5_000 // k, 0.5, True),
}
run, divisor = asked(CASES)
run(divisor)
