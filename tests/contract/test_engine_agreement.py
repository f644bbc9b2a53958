"""The lanes compute what the plain NumPy reference computes."""

import numpy as np
import pytest
from engine_brains import CASES, WIDTHS, brain_of, theta_of

from hpcvbi import DIFFERENCE, FRISTON_2003, MODELS, Brain, Connectome, Sample, Status, simulate

TOLERANCE = {"float64": 1e-11, "float32": 2e-5}
# BOLD starts at zero; what is rounded are numbers of size one times V0.
SCALE = {"bold": FRISTON_2003.V0, "fc": 1.0}


@pytest.mark.parametrize(("model", "layout", "scheme", "dtype"), CASES)
def test_lanes_agree_with_the_reference(model, layout, scheme, dtype):
    brain = brain_of(model, layout, scheme)
    theta = theta_of(brain, 3)
    lanes = simulate(brain, theta, seed=11, dtype=dtype, width=WIDTHS[dtype])
    plain = simulate(brain, theta, seed=11, dtype=dtype, backend="reference")
    assert (lanes.status == Status.OK).all() and (plain.status == Status.OK).all()
    assert set(lanes.signals) == {"sample", "average", "bold", "fc"}
    for name, expected in plain.signals.items():
        got = lanes.signals[name]
        assert got.shape == expected.shape and got.dtype == np.dtype(dtype)
        scale = SCALE.get(name) or np.abs(expected).max()
        assert np.abs(got - expected).max() <= TOLERANCE[dtype] * scale, name
    first, last = lanes.signals["sample"][:, 0], lanes.signals["sample"][:, -1]
    assert np.abs(first - last).max() > 0.01


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_signal_runs_from_column_to_row_and_arrives_after_its_delay(backend):
    weights, lengths = np.zeros((3, 3)), np.zeros((3, 3))
    weights[1, 0], lengths[1, 0] = 1.0, 10.0
    weights[2, 0], lengths[2, 0] = 1.0, 19.9
    brain = Brain(
        Connectome(weights, lengths, ("source", "near", "far")),
        MODELS["stuart_landau"],
        DIFFERENCE,
        None,
        dt=0.5,
        duration=20.0,
        monitors=(Sample("x", 0.5),),
        values={"G": 0.1},
        speed=5.0,
    )
    initial = np.zeros((2, 8, 3))
    initial[:, -1, 0] = 0.1
    x = simulate(brain, np.zeros((1, 0)), seed=0, backend=backend, initial=initial).signals
    arrival = [int(np.argmax(x["sample"][0, :, region] != 0)) for region in range(3)]
    # 10 mm are 4 steps, 19.9 mm are 7.96 steps, rounded down.
    assert arrival == [0, 4, 7]
