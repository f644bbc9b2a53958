"""The Balloon-Windkessel equations against an eighth-order integration of the same equations.

The file lies beside the repository, in ../shared/oracles/bold: four inputs, DOP853 at rtol 1e-11.
Each input drives one region of a model whose only state follows it.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy import where

from hpcvbi import LINEAR, Bold, Brain, Connectome, Model, Param, State, simulate

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "oracles" / "bold"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason=f"no oracle file in {FOLDER}")

TURN = 2 * np.pi * 0.05e-3
SIN, VERSINE = float(np.sin(TURN)), float(1 - np.cos(TURN))


def inputs_dfun(z, clock, p, q, c, box, start, stop, height, wave):
    """z takes the value of the input; p and q turn by the angle of .05 Hz in every step of 1 ms."""
    inside = where(clock < stop, where(clock < start, 0.0 * z, 0.0 * z + height), 0.0 * z)
    target = box * inside + wave * (0.3 + 0.2 * q) + (1.0 - box - wave) * 0.1
    return target - z, 0.0 * z + 1.0, -VERSINE * p - SIN * q, SIN * p - VERSINE * q


INPUTS = Model(
    name="inputs",
    dfun=inputs_dfun,
    state=(State("z"), State("clock", "ms"), State("p", init=1.0), State("q")),
    inputs=("c",),
    sends=("z",),
    params=tuple(Param(name, 0.0) for name in ("box", "start", "stop", "height", "wave")),
)


@pytest.fixture(scope="module")
def reference():
    with np.load(FOLDER / "bold_reference.npz", allow_pickle=False) as file:
        return file["t"], file["friston2003"][:, 0]


def bold_of(backend: str, step: float) -> np.ndarray:
    """Signal (time, input) every 10 ms for 40 s."""
    names = ("box 1 s", "box 10 s", "wave", "constant")
    brain = Brain(
        Connectome(np.zeros((4, 4)), np.zeros((4, 4)), names),
        INPUTS,
        LINEAR,
        None,
        dt=1.0,
        duration=40_000.0,
        monitors=(Bold("z", 10.0, step=step),),
        values={
            "box": np.array([1.0, 1.0, 0.0, 0.0]),
            "wave": np.array([0.0, 0.0, 1.0, 0.0]),
            "start": np.full(4, 1000.0),
            "stop": np.array([2000.0, 11000.0, 0.0, 0.0]),
            "height": np.array([1.0, 0.5, 0.0, 0.0]),
        },
    )
    options = {"width": 2} if backend == "cpu" else {}
    seen = simulate(brain, np.zeros((1, 0)), seed=0, backend=backend, dtype="float64", **options)
    return seen.signals["bold"][0]


def error_of(signal: np.ndarray, reference) -> np.ndarray:
    """Largest error per input; the file's times are 49 ms + 50 ms k, ours every 10 ms."""
    t, expected = reference
    times = 10.0 * np.arange(1, len(signal) + 1)
    at = np.stack([np.interp(t * 1e3, times, signal[:, k]) for k in range(4)])
    return np.abs(at - expected).max(axis=1)


@pytest.fixture(scope="module")
def fine():
    return {backend: bold_of(backend, 1.0) for backend in ("cpu", "reference")}


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_steps_of_1_ms_are_close(fine, reference, backend):
    assert (error_of(fine[backend], reference) < 2e-5).all()


def test_backends_agree(fine):
    assert np.abs(fine["cpu"] - fine["reference"]).max() < 1e-13


@pytest.mark.parametrize("step", [2.0, 5.0, 10.0])
def test_the_error_grows_linearly_with_the_step(fine, reference, step):
    ratio = error_of(bold_of("cpu", step), reference) / error_of(fine["cpu"], reference)
    np.testing.assert_allclose(ratio, step, rtol=0.1)


def test_peak_and_undershoot_of_a_box_of_one_second(fine):
    signal = fine["cpu"][:, 0]
    assert signal.max() == pytest.approx(0.0252346, abs=2e-5)
    assert (signal.argmax() + 1) * 10.0 == pytest.approx(4376.0, abs=20.0)
    assert signal.min() == pytest.approx(-0.0056197, abs=2e-5)
    assert (signal.argmin() + 1) * 10.0 == pytest.approx(10_580.0, abs=40.0)
