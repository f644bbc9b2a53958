"""When monitors look and what they see, on a model whose state is the time itself."""

from dataclasses import replace

import numpy as np
import pytest
from engine_brains import brain_of, connectome, theta_of, with_recording

from hpcvbi import (
    FRISTON_2003,
    LINEAR,
    MODELS,
    Average,
    Bold,
    Brain,
    Fc,
    Model,
    Param,
    Recorded,
    Sample,
    Space,
    State,
    Status,
    simulate,
)
from hpcvbi.observe.bold import REST, balloon, bold_signal

DT, STEP = 0.5, 10.0


def clock_dfun(now, c, rate):
    """The state is the time, times a rate."""
    return (rate,)


CLOCK = Model(
    name="clock",
    dfun=clock_dfun,
    state=(State("now", "ms"),),
    inputs=("c",),
    sends=("now",),
    params=(Param("rate", 1.0),),
)


def clock(burn_in: float, speed: float | None = None) -> Brain:
    return Brain(
        connectome(),
        CLOCK,
        LINEAR,
        None,
        dt=DT,
        duration=180.0,
        burn_in=burn_in,
        monitors=(Sample("now", 4.5), Average("now", 7.5), Bold("now", 20.0, step=STEP)),
        speed=speed,
    )


def expected_bold(burn_in: float) -> np.ndarray:
    """Volumes at 20, 40, ... ms after the burn-in, windows of 10 ms that end where it ends."""
    first = burn_in % STEP
    x, volumes = list(REST), []
    for number in range(round((burn_in - first + 180.0) / STEP)):
        start = first + number * STEP
        drive = start + (STEP + DT) / 2
        change = balloon(*x, drive, *FRISTON_2003.dynamics)
        x = [value + STEP * 1e-3 * d for value, d in zip(x, change, strict=True)]
        after = start + STEP - burn_in
        if after > 0 and after % 20.0 == 0:
            volumes.append(bold_signal(*x[2:], *FRISTON_2003.signal))
    return np.array(volumes)


@pytest.mark.parametrize("burn_in", [0.0, 4.0, 27.0, 30.0])
@pytest.mark.parametrize(("backend", "speed"), [("cpu", None), ("cpu", 5.0), ("reference", None)])
def test_monitors_look_at_their_time(burn_in, backend, speed):
    options = {"width": 8} if backend == "cpu" else {}
    seen = simulate(
        clock(burn_in, speed),
        np.zeros((1, 0)),
        seed=0,
        backend=backend,
        dtype="float64",
        **options,
    ).signals
    sample = burn_in + 4.5 * np.arange(1, 41)
    np.testing.assert_allclose(seen["sample"][0], sample[:, None] * np.ones(10), rtol=1e-12)
    # The mean of 15 steps, the first of which ends DT after the window begins.
    average = burn_in + 7.5 * np.arange(24) + (7.5 + DT) / 2
    np.testing.assert_allclose(seen["average"][0], average[:, None] * np.ones(10), rtol=1e-12)
    bold = expected_bold(burn_in)
    assert bold.shape == (9,)
    np.testing.assert_allclose(seen["bold"][0], bold[:, None] * np.ones(10), rtol=1e-10)


def test_fc_is_the_correlation_of_its_signal():
    brain = brain_of("reduced_wong_wang", "dense", "heun")
    signals = simulate(brain, theta_of(brain, 5), seed=2, dtype="float64", width=8).signals
    for draw in range(5):
        expected = np.corrcoef(signals["average"][draw].T)
        np.testing.assert_allclose(signals["fc"][draw], expected, rtol=0, atol=1e-12)


def recording(ratio: np.ndarray) -> Brain:
    brain = brain_of("reduced_wong_wang", "long", "euler", duration=4000.0)
    return with_recording(brain, Recorded(ratio, of="average"))


def test_a_recording_has_the_stated_noise():
    ratio = np.linspace(0.1, 2.0, 10)
    brain = recording(ratio)
    theta = theta_of(brain, 16)
    signals = simulate(brain, theta, seed=4, width=16).signals
    noise = (signals["recorded"] - signals["average"]).astype(float)
    measured = noise.var(axis=1) / signals["average"].var(axis=1)
    # 16 x 800 normals: the standard error of their variance is 1.25 %.
    np.testing.assert_allclose(measured.mean(axis=0), ratio, rtol=0.05)
    standardised = noise / noise.std(axis=1, keepdims=True)
    between = np.einsum("dti,dtj->ij", standardised, standardised) / (16 * 800)
    assert np.abs(between - np.eye(10)).max() < 5 / np.sqrt(16 * 800)
    lagged = (standardised[:, 1:] * standardised[:, :-1]).mean()
    assert abs(lagged) < 5 / np.sqrt(standardised.size)


def test_noise_scale_multiplies_the_variance():
    ratio = np.full(10, 0.5)
    brain = recording(ratio)
    louder = replace(brain, values={**brain.values, "noise_scale": 4.0})
    theta = theta_of(brain, 2)
    once, twice = (simulate(b, theta, seed=4, width=16).signals for b in (brain, louder))
    np.testing.assert_array_equal(once["average"], twice["average"])
    np.testing.assert_allclose(
        twice["recorded"] - twice["average"],
        2 * (once["recorded"] - once["average"]),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_recording_belongs_to_its_draw():
    brain = recording(np.full(10, 0.5))
    theta = theta_of(brain, 6)
    whole = simulate(brain, theta, seed=4, width=16).signals["recorded"]
    part = simulate(brain, theta[4:], seed=4, draws=np.array([4, 5]), width=16)
    np.testing.assert_array_equal(part.signals["recorded"], whole[4:])
    other = simulate(brain, theta[4:], seed=5, draws=np.array([4, 5]), width=16)
    assert (other.signals["recorded"] != whole[4:]).mean() > 0.99


def test_monitors_may_bear_the_name_of_a_variable_and_come_in_any_order():
    brain = brain_of("reduced_wong_wang", "dense", "heun")
    renamed = (Fc("S"), Average("S", 5.0, name="S"), Sample("S", 0.5), brain.monitors[2])
    other = replace(brain, monitors=renamed)
    theta = theta_of(brain, 2)
    expected, got = (
        simulate(b, theta, seed=1, dtype="float64", width=8).signals for b in (brain, other)
    )
    np.testing.assert_array_equal(got["S"], expected["average"])
    for name in ("fc", "sample", "bold"):
        np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_signal_that_does_not_vary_has_no_correlations_and_is_no_divergence(backend):
    brain = replace(
        brain_of("reduced_wong_wang", "dense", "heun"),
        model=MODELS["linear"],
        noise=None,
        sends=("x",),
        monitors=(Average("x", 5.0), Fc("average")),
        space=Space(()),
        values={"G": 0.0},
    )
    seen = simulate(brain, seed=0, backend=backend, dtype="float64", initial=np.zeros((1, 10)))
    assert seen.status.tolist() == [Status.OK]
    assert (seen.signals["average"] == 0.0).all()
    assert np.isnan(seen.signals["fc"]).all()
