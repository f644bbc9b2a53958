"""Epileptor: the excitability above which a region seizes, alone and in a network.

Jirsa et al. (2014) doi:10.1093/brain/awu133; Proix et al. (2014)
doi:10.1523/JNEUROSCI.1027-14.2014; Jirsa et al. (2017) doi:10.1016/j.neuroimage.2016.04.049. The
cubic nullcline of x folds at x = −4/3, where a region rests if its excitability is
−4/3 − z/4 = −2.06204; the papers say about −2.05.
"""

from dataclasses import replace

import numpy as np
import pytest
from fields import bisect, eigenvalues, field_of, jacobian
from networks import brainlike, isolated

from hpcvbi import DIFFERENCE, MODELS, Brain, Sample, Space, Uniform, simulate

N = 84
HEALTHY, PROPAGATION, ONSET = -3.5, -2.4, -1.6


def rest(x):
    """Permittivity and excitability at which x is an equilibrium."""
    z = 4.1 - x**3 - 2 * x**2
    return z, x - z / 4


def test_the_fold():
    """The lowest permittivity on the left branch of the nullcline; tolerance: the digits given."""
    x = np.linspace(-2.0, -0.7, 13001)
    z, excitability = rest(x)
    field = field_of("epileptor_2d")
    assert max(abs(field(np.array(pair))[0]) for pair in zip(x, z, strict=True)) < 1e-12
    assert x[z.argmin()] == pytest.approx(-4 / 3, abs=1e-4)
    assert excitability[z.argmin()] == pytest.approx(-2.06204, abs=1e-4)


@pytest.mark.parametrize(("tau", "expected"), [(10.0, -2.03687), (2857.0, -2.06195)])
def test_the_reduced_model_becomes_unstable_close_to_the_fold(tau, expected):
    """Hopf bifurcation; tolerance: the digits given."""

    def growth(x):
        z, eta = rest(x)
        field, state = field_of("epileptor_2d", eta=eta, tau=tau), np.array([x, z])
        assert np.abs(field(state)).max() < 1e-12
        return eigenvalues(field, state).real.max()

    assert rest(bisect(growth, -1.5, -1.2))[1] == pytest.approx(expected, abs=1e-5)


def test_the_full_model_becomes_unstable_close_to_the_fold():
    """Hopf bifurcation of the first population with the permittivity, for which the second
    population does not matter while x1 < 0; tolerance: the digits given.
    """

    def growth(x):
        z, x0 = rest(x)
        field = field_of("epileptor", x0=x0)

        def first(u):
            return field(np.concatenate([u, [-1.0, 0.0, -0.1]]))[:3]

        state = np.array([x, 1 - 5 * x**2, z])
        assert np.abs(first(state)).max() < 1e-12
        return np.linalg.eigvals(jacobian(first, state)).real.max()

    assert rest(bisect(growth, -1.4, -1.3))[1] == pytest.approx(-2.06046, abs=1e-5)


def test_the_full_model_seizes_above_its_threshold_and_only_there():
    """Recurring seizures at −2.0 and −1.6, none at −2.1, at the default's slow permittivity.

    No tolerance: x1 passes 0 in a seizure and stays below −1.3 at rest.
    """
    brain = Brain(
        isolated(3),
        MODELS["epileptor"],
        DIFFERENCE,
        None,
        dt=0.05,
        duration=16_000.0,
        burn_in=4000.0,
        monitors=(Sample("x1", 1.0, name="x1"), Sample("lfp", 1.0, name="lfp")),
        values={"G": 0.0, "x0": np.array([-2.1, -2.0, -1.6])},
        scheme="heun",
    )
    seen = simulate(brain, seed=0, width=16).signals
    x1, lfp = seen["x1"][0], seen["lfp"][0]
    assert (x1.max(axis=0) > 0.0).tolist() == [False, True, True]
    assert x1[:, 0].max() < -1.3
    share = (x1[:, 1:] > -1.0).mean(axis=0)
    assert (share > 0.1).all() and (share < 0.9).all()
    begun = np.diff((x1[:, 1:] > -0.5).astype(int), axis=0) == 1
    assert (begun.sum(axis=0) >= 2).all()
    assert np.ptp(lfp[:, 1:], axis=0).min() > 5 * max(np.ptp(lfp[:, 0]), 0.1)
    assert np.abs(lfp).max() < 10.0


def patient(boost=0.0):
    """A brain of 84 regions: six that seize by themselves, the strongest region and those that
    send most to it; the eight that these send most to may be recruited. `boost` is added to the
    weights from the first to the second.
    """
    network = brainlike(N)
    hub = network.strength.argmax()
    onset = np.append(np.argsort(network.weights[hub])[-5:], hub)
    received = network.weights[:, onset].sum(axis=1)
    received[onset] = 0.0
    reached = np.argsort(received)[-8:]
    eta = np.full(N, HEALTHY)
    eta[onset], eta[reached] = ONSET, PROPAGATION
    weights = network.weights.copy()
    weights[np.ix_(reached, onset)] += boost
    param = next(p for p in DIFFERENCE.params if p.name == "G")
    return Brain(
        replace(network, weights=weights),
        MODELS["epileptor_2d"],
        DIFFERENCE,
        None,
        dt=0.1,
        duration=14.0,
        monitors=(Sample("x", 0.1),),
        space=Space((param.with_prior(Uniform(0.0, 10.0)),)),
        values={"eta": eta},
    )


def simulated(brain, G, **options):
    """States x (time, node) at coupling `G`, in float64."""
    theta = np.array([[G]])
    return simulate(brain, theta, seed=0, dtype="float64", width=8, **options).signals["sample"][0]


def test_which_nodes_seize_alone():
    """Their rest is unstable above −2.037 (τ 10): oscillations grow from nothing there, and reach
    x > 0 at −2.0, not at −2.1.

    Tolerance: twice the spacing of excitability over nodes.
    """
    eta = np.linspace(-2.1, -1.9, N)
    brain = replace(
        patient(), dt=0.01, duration=3000.0, values={"eta": eta}, monitors=(Sample("x", 1.0),)
    )
    x = simulated(brain, 0.0)[1500:]
    rings = np.ptp(x, axis=0) > 0.05
    assert (np.diff(rings.astype(int)) >= 0).all()
    assert eta[rings].min() == pytest.approx(-2.03687, abs=0.005)
    seizes = x.max(axis=0) > 0.0
    assert not seizes[0] and seizes[eta >= -2.0].all()


@pytest.mark.parametrize(
    ("boost", "G", "first", "second"), [(0.0, 1.0, 6, 0), (0.5, 1.0, 6, 8), (0.0, 8.0, 0, 0)]
)
def test_which_nodes_of_a_patient_seize_and_when(boost, G, first, second):
    """x > 0 from x −2.5, z 3.5 in 140 Euler steps of .1 ms, as in the Bayesian patient models,
    against a loop written from the papers: the same nodes in the same steps, without tolerance.

    With raw weights the seizure stays where it begins, with boosted ones it spreads to the
    propagation zone; strong coupling to healthy regions prevents it.
    """
    brain = patient(boost)
    weights, eta = brain.connectome.weights, np.asarray(brain.values["eta"])
    x, z, path = np.full(N, -2.5), np.full(N, 3.5), []
    for _ in range(140):
        drive = G * (weights * (x[None, :] - x[:, None])).sum(axis=1)
        dx = 1.0 - x**3 - 2.0 * x**2 - z + 3.1
        dz = (4.0 * (x - eta) - z - drive) / 10.0
        x, z = x + 0.1 * dx, z + 0.1 * dz
        path.append(x)
    seen = simulated(brain, G, initial=np.repeat([[-2.5], [3.5]], N, axis=1))
    np.testing.assert_allclose(seen, path, rtol=0, atol=1e-9)
    begins = [np.where((p > 0).any(0), (p > 0).argmax(0), -1) for p in (seen, np.array(path))]
    np.testing.assert_array_equal(*begins)
    seized = begins[0] >= 0
    counts = [(seized & (eta == kind)).sum() for kind in (ONSET, PROPAGATION, HEALTHY)]
    assert counts == [first, second, 0]
