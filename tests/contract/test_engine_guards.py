"""What guards a simulation: bounds of state variables, and finer steps on the same path for draws
that diverge.
"""

from dataclasses import replace

import numpy as np
import pytest

from hpcvbi import (
    LINEAR,
    Brain,
    Connectome,
    Model,
    OrnsteinUhlenbeck,
    Param,
    Recorded,
    Sample,
    Space,
    State,
    Status,
    Uniform,
    WhiteNoise,
    simulate,
)
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.sim.noise import normals

N, DT, STEPS, SIGMA = 3, 0.5, 24, 0.1


def stiff(x, c, rate):
    """Pulled to zero, the more the further away."""
    return (c - rate * x * x * x,)


def brain_of(state: State, duration: float = STEPS * DT, refine: int = 2, **changes) -> Brain:
    model = Model("stiff", stiff, (state,), ("c",), (Param("rate", 1.0, low=0.0),), ("x",))
    given = {
        "noise": WhiteNoise(("x",)),
        "scheme": "sra1",
        "values": {"sigma": SIGMA, "G": 0.01},
        "monitors": (Sample("x", DT),),
        "space": Space((Param("rate", 1.0, low=0.0, prior=Uniform(0.0, 100.0)),)),
        **changes,
    }
    weights = np.roll(np.eye(N), 1, axis=0)
    network = Connectome(weights, np.full((N, N), 8.0), ("a", "b", "c"))
    return Brain(
        network, model, LINEAR, dt=DT, duration=duration, speed=4.0, refine=refine, **given
    )


FREE = State("x", init=1.0, low=-50.0, high=50.0, outside="diverge")
# With dt/4, dt/2 and dt, SRA1 holds for rates below about 20, 10 and 5.
RATES = np.array([[1.0], [7.0], [2.0], [13.0], [90.0], [0.5]])
EXPECTED = [
    Status.OK,
    Status.HALVED,
    Status.OK,
    Status.QUARTERED,
    Status.DIVERGED,
    Status.OK,
]


def run(brain: Brain, theta: np.ndarray, backend: str = "cpu", **options):
    options = {"width": 4, **options} if backend == "cpu" else options
    return simulate(brain, theta, seed=9, backend=backend, dtype="float64", **options)


@pytest.fixture(scope="module")
def refined():
    return run(brain_of(FREE), RATES)


def test_a_draw_that_diverges_is_simulated_with_finer_steps(refined):
    assert refined.status.tolist() == EXPECTED
    finite = np.isfinite(refined.signals["sample"]).all(axis=(1, 2))
    assert finite.tolist() == [status != Status.DIVERGED for status in EXPECTED]
    once = run(brain_of(FREE, refine=1), RATES)
    assert once.status.tolist() == [*EXPECTED[:3], Status.DIVERGED, *EXPECTED[4:]]
    never = run(brain_of(FREE, refine=0), RATES)
    assert (never.status == Status.DIVERGED).tolist() == [False, True, False, True, True, False]


def test_its_neighbours_keep_their_bits(refined):
    calm = [k for k, status in enumerate(EXPECTED) if status == Status.OK]
    alone = run(brain_of(FREE), RATES[calm], draws=np.array(calm))
    np.testing.assert_array_equal(alone.signals["sample"], refined.signals["sample"][calm])
    shifted = run(brain_of(FREE), RATES[3:4], draws=np.array([3]))
    np.testing.assert_array_equal(shifted.signals["sample"], refined.signals["sample"][3:4])


def test_the_reference_agrees(refined):
    plain = run(brain_of(FREE), RATES, backend="reference")
    assert plain.status.tolist() == EXPECTED
    whole = [k for k, status in enumerate(EXPECTED) if status != Status.DIVERGED]
    np.testing.assert_allclose(
        refined.signals["sample"][whole], plain.signals["sample"][whole], rtol=0, atol=1e-11
    )


def drifts(x, c):
    """Moves by one every ms."""
    return (1.0 + 0.0 * c + 0.0 * x,)


@pytest.mark.parametrize("speed", [None, 40.0, 4.0], ids=["dense", "stepwise", "blocked"])
@pytest.mark.parametrize("coupling_step", [None, 1.5], ids=["", "held"])
@pytest.mark.parametrize("steps", [5, 6, 7])
def test_a_draw_is_judged_at_its_end_and_not_later(speed, coupling_step, steps):
    """The state reaches its bound at the last step and would leave it at the next one."""
    bounded = State("x", init=0.0, low=-1.0, high=steps * DT, outside="diverge")
    weights = np.roll(np.eye(N), 1, axis=0) + np.eye(N)
    network = Connectome(weights, np.full((N, N), 20.0), ("a", "b", "c"))
    given = {"monitors": (Sample("x", DT),), "dt": DT, "speed": speed}
    for more, wanted in ((0, Status.OK), (1, Status.DIVERGED)):
        brain = Brain(
            network,
            Model("drift", drifts, (bounded,), ("c",), (), ("x",)),
            LINEAR,
            None,
            duration=(steps + more) * DT,
            coupling_step=coupling_step,
            **given,
        )
        for backend in ("cpu", "reference"):
            found = simulate(brain, seed=0, backend=backend)
            assert found.status.tolist() == [wanted], (backend, more)


@pytest.mark.parametrize(("draw", "level"), [(0, 0), (1, 1), (3, 2)])
def test_it_is_a_step_by_hand_on_the_refined_path(refined, draw, level):
    """Rößler's SRA1 with dt / 2^level and the normals of that level; two ms of delay."""
    parts, dt, rate = 2**level, DT / 2**level, RATES[draw, 0]
    z = normals(9, draw, STEPS * parts, N, 2, level=level, areas=True).astype(float)
    x, late, seen = np.ones(N), 4 * parts, [np.ones(N)] * (4 * parts + 1)
    for xi, zeta in z:
        c = 0.01 * np.roll(seen[-1 - late], 1)
        kick = SIGMA * np.sqrt(dt)
        first = c - rate * x**3
        inner = x + 0.75 * dt * first + 0.75 * kick * (xi + zeta / np.sqrt(3.0))
        x = x + dt / 3 * (first + 2 * (c - rate * inner**3)) + kick * xi
        seen.append(x)
    by_hand = np.stack(seen[4 * parts + 1 :])[parts - 1 :: parts]
    np.testing.assert_allclose(refined.signals["sample"][draw], by_hand, rtol=0, atol=1e-11)


def test_a_refined_draw_is_recorded_like_the_others():
    monitors = (Sample("x", DT), Recorded(np.full(N, 0.1), of="sample"))
    brain = brain_of(FREE, monitors=monitors)
    seen = run(brain, RATES[1:2], backend="reference")
    assert seen.status.tolist() == [Status.HALVED]
    assert np.isfinite(seen.signals["recorded"]).all()


@pytest.mark.parametrize("refine", [-1, 3])
def test_refinements_are_counted(refine):
    with pytest.raises(ConfigError, match=f"refine must be 0 to 2, got {refine}"):
        brain_of(FREE, refine=refine)


HARD = State("x", init=1.0, low=-0.25, high=1.5)
SOFT = State("x", init=1.0, low=-0.25, high=1.5, outside="soft", margin=0.25)


def pushed(state: State, backend: str) -> np.ndarray:
    """One Euler step from 1 by -2.5 to 2.5, (region,)."""
    model = Model("pushed", push, (state,), ("c",), (Param("p", 0.0),), ("x",))
    steps = np.linspace(-2.5, 2.5, 101)
    n = len(steps)
    brain = Brain(
        Connectome(np.zeros((n, n)), np.zeros((n, n)), tuple(map(str, range(n)))),
        model,
        LINEAR,
        None,
        dt=1.0,
        duration=1.0,
        monitors=(Sample("x", 1.0),),
        values={"p": steps},
    )
    return run(brain, np.zeros((1, 0)), backend).signals["sample"][0, 0]


def push(x, c, p):
    """Move at a constant pace."""
    return (p + c,)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_hard_bound_is_where_it_stops(backend):
    end = np.linspace(-1.5, 3.5, 101)
    np.testing.assert_allclose(pushed(HARD, backend), np.clip(end, -0.25, 1.5), atol=1e-14)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_soft_bound_is_approached_and_not_crossed(backend):
    end = np.linspace(-1.5, 3.5, 101)
    got = pushed(SOFT, backend)
    inside = (end >= 0.0) & (end <= 1.25)
    np.testing.assert_allclose(got[inside], end[inside], atol=1e-14)
    assert (np.diff(got) >= 0).all() and got.min() >= -0.25 and got.max() <= 1.5
    near = np.abs(end - 0.625) < 1.5
    assert (got[near] > -0.25).all() and (got[near] < 1.5).all()
    # The slope is continuous: no jump of it between neighbours that the curvature does not explain.
    slope = np.diff(got) / np.diff(end)
    assert np.abs(np.diff(slope)).max() < 0.77 / 0.25 * 0.05 * 1.1
    by_formula = 1.25 + 0.25 * np.tanh((end[-20:] - 1.25) / 0.25)
    np.testing.assert_allclose(got[-20:], by_formula, atol=1e-14)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_leaving_a_bound_that_means_divergence(backend):
    state = replace(FREE, low=-0.2, high=1.5)
    for rate, status in ((0.5, Status.OK), (5.0, Status.DIVERGED)):
        options = {"refine": 0, "values": {"sigma": 0.0, "G": 0.01}}
        seen = run(brain_of(state, **options), np.array([[rate]]), backend)
        assert seen.status.tolist() == [status]
        assert np.isfinite(seen.signals["sample"]).all() == (status == Status.OK)


def test_finer_steps_with_a_past_a_held_coupling_and_a_drawn_speed():
    """The past is held over the parts of a step; the coupling is evaluated as often as before."""
    speeds = Param("speed", 4.0, low=0.05, prior=Uniform(1.0, 8.0))
    rates = Param("rate", 1.0, low=0.0, prior=Uniform(0.0, 100.0))
    brain = brain_of(
        FREE,
        noise=OrnsteinUhlenbeck(("x",)),
        scheme="euler",
        space=Space((speeds, rates)),
        coupling_step=2.0,
        values={"sigma": 0.02, "G": 0.05},
    )
    theta = np.array([[4.0, 1.0], [1.0, 6.0], [8.0, 12.0], [3.0, 90.0]])
    rng = np.random.default_rng(0)
    longest = 8  # ms, that is sixteen steps
    past = rng.uniform(0.9, 1.0, (1, 2 * longest + 1, N))
    seen = run(brain, theta, "reference", initial=past)
    expected = [Status.OK, Status.HALVED, Status.QUARTERED, Status.DIVERGED]
    assert seen.status.tolist() == expected
    assert np.isfinite(seen.signals["sample"][:3]).all()
    # By hand, for the draw that was halved: delays of 8 ms are four evaluations of the coupling.
    sigma, keep = 0.02, np.exp(-DT / 2 / 5.0)
    z = normals(9, 1, 2 * STEPS, N, level=1)[:, 0].astype(float)
    eta = sigma * normals(derive_seed("initial noise", 9), 1, 1, N)[0, 0].astype(float)
    x, windows = past[0, -1], list(past[0, ::4])
    for step in range(2 * STEPS):
        if step % 8 == 0:
            c = 0.05 * np.roll(windows[-1 - 4], 1)
        x = x + DT / 2 * (c - 6.0 * x**3 + eta)
        eta = keep * eta + sigma * np.sqrt(1.0 - keep**2) * z[step]
        if step % 8 == 7:
            windows.append(x)
        if step % 2 == 1:
            np.testing.assert_allclose(seen.signals["sample"][1, step // 2], x, atol=1e-11)
