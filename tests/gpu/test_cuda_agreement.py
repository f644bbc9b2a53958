"""The CUDA backend computes what the reference computes.

These tests run on a GPU where there is one. Where there is none, test_cuda_simulated runs them in
numba's simulator, which must be chosen before numba is imported.
"""

import numpy as np
import pytest
from numba import cuda

if not cuda.is_available():
    pytest.skip("no GPU; test_cuda_simulated runs this in a simulator", allow_module_level=True)

from device_brains import BRAINS, theta_of

from hpcvbi import FRISTON_2003, Status, simulate
from hpcvbi.core.errors import ConfigError
from hpcvbi.sim import doctor, noise
from hpcvbi.sim.cuda.device import SIMULATED
from hpcvbi.sim.cuda.noise import INCREMENTS, INCREMENTS_AND_AREAS, threefry
from hpcvbi.sim.simulate import BACKENDS

TOLERANCE = {"float64": 1e-10, "float32": 2e-5}
SCALE = {"bold": FRISTON_2003.V0, "fc": 1.0}
LAYOUT = {"width": 2, "workers": 2} if SIMULATED else {}
ONES = [0xFFFFFFFF] * 4
PI = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
KNOWN_ANSWERS = [
    # counter, key, words: the file kat_vectors of Random123.
    ([0] * 4, [0] * 4, [0x9C6CA96A, 0xE17EAE66, 0xFC10ECD4, 0x5256A7D8]),
    (ONES, ONES, [0x2A881696, 0x57012287, 0xF6C7446E, 0xA16A6732]),
    (
        PI,
        [0xA4093822, 0x299F31D0, 0x082EFA98, 0xEC4E6C89],
        [0x59CD1DBB, 0xB8879579, 0x86B5D00C, 0xAC8B6D84],
    ),
]
# In the simulator, words that wrap around and the NaN of a kernel are NumPy scalars.
pytestmark = [
    pytest.mark.filterwarnings("ignore:overflow encountered in scalar:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*Grid size.*"),
]


def on_device(function, count, *arguments):
    """Run function(out, ...) in one thread; what it wrote to `out`, of `count` elements."""
    out = np.zeros(count, np.uint32)
    cuda.jit(function)[1, 1](out, *arguments)
    return out


def draw_words(out, c, k):
    out[0], out[1], out[2], out[3] = threefry(c[0], c[1], c[2], c[3], k[0], k[1], k[2], k[3])


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_words_are_those_of_random123(counter, key, words):
    got = on_device(draw_words, 4, np.array(counter, np.uint32), np.array(key, np.uint32))
    assert got.tolist() == words


@pytest.mark.parametrize(("level", "areas"), [(0, False), (2, False), (2, True)])
def test_normals_are_those_of_the_cpu(level, areas):
    increments, both = INCREMENTS[level], INCREMENTS_AND_AREAS[level]
    zero = np.uint32(0)

    def increments_only(out, k):
        for quad in range(6):
            for node in range(3):
                four = increments(zero, quad, node, 0, k[0], k[1], k[2], k[3])
                at = (quad * 3 + node) * 4
                out[at], out[at + 1], out[at + 2], out[at + 3] = four

    def areas_only(out, k):
        for quad in range(6):
            for node in range(3):
                _, _, _, _, a, b, c, d = both(zero, quad, node, 0, 1, k[0], k[1], k[2], k[3])
                at = (quad * 3 + node) * 4
                out[at], out[at + 1], out[at + 2], out[at + 3] = a, b, c, d

    key = noise.keys(2**40 + 3, np.array([2**35 + 1]))[:, 0].copy()
    out = np.zeros(6 * 3 * 4, np.float32)
    cuda.jit(areas_only if areas else increments_only)[1, 1](out, key)
    got = out.reshape(6, 3, 4).transpose(0, 2, 1).reshape(24, 3)
    variables = 2 if areas else 1
    expected = noise.normals(2**40 + 3, 2**35 + 1, 24, 3, variables, level=level, areas=areas)[
        :, -1
    ]
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
    assert np.abs(expected).max() > 1.0


@pytest.mark.parametrize("case", BRAINS)
def test_the_device_agrees_with_the_reference(case):
    make, dtype = BRAINS[case]
    brain = make()
    theta = theta_of(brain, 3)
    device = simulate(brain, theta, seed=11, backend="cuda", dtype=dtype, **LAYOUT)
    plain = simulate(brain, theta, seed=11, backend="reference", dtype=dtype)
    np.testing.assert_array_equal(device.status, plain.status)
    assert (plain.status != Status.DIVERGED).all()
    assert (plain.status != Status.OK).any() == (case == "refined")
    assert set(device.signals) == set(plain.signals)
    for name, expected in plain.signals.items():
        got = device.signals[name]
        assert got.shape == expected.shape and got.dtype == np.dtype(dtype)
        size = np.abs(expected).max()
        assert size > 0, name
        assert np.abs(got - expected).max() <= TOLERANCE[dtype] * SCALE.get(name, size), name


def test_layout_and_batches_do_not_change_a_bit():
    make, dtype = BRAINS["own delays"]
    brain = make()
    theta = theta_of(brain, 5)
    layouts = [{"width": 2, "workers": 3}, {"width": 4, "workers": 1}, {"width": 1, "memory": 1}]
    wanted, *others = (
        simulate(brain, theta, seed=1, backend="cuda", dtype=dtype, **layout).signals
        for layout in layouts
    )
    for other in others:
        for name, signal in wanted.items():
            np.testing.assert_array_equal(other[name], signal)


def test_a_part_of_the_draws_is_computed_alike():
    make, dtype = BRAINS["blocked"]
    brain = make()
    theta = theta_of(brain, 3)
    options = {"seed": 1, "backend": "cuda", "dtype": dtype, **LAYOUT}
    whole = simulate(brain, theta, **options).signals
    part = simulate(brain, theta[1:], draws=np.array([1, 2]), **options).signals
    for name, signal in part.items():
        np.testing.assert_array_equal(signal, whole[name][1:])


def test_the_doctor_compares_the_device_with_the_cpu(monkeypatch):
    verdicts = {f.subject: f.verdict for f in doctor._gpu()}
    assert verdicts["GPU against CPU, no delays"] == "ok"
    assert verdicts["GPU against CPU, delays"] == "ok"

    def broken(job, **options):
        raise RuntimeError("out of order")

    monkeypatch.setitem(BACKENDS, "cuda", broken)
    (_, *found) = doctor._gpu()
    assert [f.verdict for f in found] == ["problem", "problem"]
    assert "out of order" in found[0].text


def test_a_block_with_too_many_threads_is_refused():
    brain = BRAINS["blocked"][0]()
    with pytest.raises(ConfigError, match="width x workers must be from 1 to 512, got 32 x 32"):
        simulate(brain, theta_of(brain, 1), seed=1, backend="cuda", width=32, workers=32)
