"""A brain with everything in it: both backends agree, and a draw's bits are its own."""

import hashlib
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_brains import WATCHERS, N, rich_brain, spread_theta
from scipy.signal import welch

from hpcvbi import (
    Average,
    Moments,
    OrnsteinUhlenbeck,
    Sample,
    Spectrum,
    Status,
    WhiteNoise,
    simulate,
)
from hpcvbi.brain.brain import Brain
from hpcvbi.sim import network
from hpcvbi.sim.arrays import table_of

HERE = Path(__file__).parent
TOLERANCE = {"float64": 1e-11, "float32": 2e-5}
NOISES: dict[str, OrnsteinUhlenbeck | WhiteNoise | None] = {
    "ou": OrnsteinUhlenbeck(("y", "x"), separate=True),
    "white": WhiteNoise(("y", "x"), separate=True),
    "none": None,
}
SIGMAS: dict[str, dict] = {
    "ou": {"sigma_y": 0.02, "sigma_x": np.linspace(0.0, 0.1, N), "tau_noise": np.linspace(5, 9, N)},
    "white": {"sigma_y": 0.01, "sigma_x": np.linspace(0.0, 0.05, N)},
    "none": {},
}
# V0 is 4 per cent: what is rounded are numbers of size one times V0.
SCALE = {"fc": 1.0, "bold": 4.0, "bold_moments": 4.0}
SHORT = (
    Average("x", 1.5, keep=False),
    Moments("average"),
    Spectrum("average", 24.0, (40.0, 210.0)),
)
LEVEL = (Sample("level", 0.5), Sample("x", 0.5, name="x"), Sample("y", 0.5, name="y"))
# layout, noise, scheme, dtype, monitors
CASES = [
    ("dense", "ou", "heun", "float64", WATCHERS),
    ("long", "ou", "euler", "float32", SHORT),
    ("short", "white", "sra1", "float64", LEVEL),
    ("dense", "none", "rk4", "float32", LEVEL),
]


def brain_of(layout: str, noise: str, scheme: str, monitors: tuple) -> Brain:
    brain = rich_brain(layout, NOISES[noise], scheme=scheme, duration=48.0, monitors=monitors)
    return replace(brain, values={**brain.values, **SIGMAS[noise]})


def assert_agreement(brain: Brain, dtype: str, draws: int = 3, **options) -> None:
    theta = spread_theta(brain, draws)
    lanes = simulate(brain, theta, seed=11, dtype=dtype, width=8, **options)
    plain = simulate(brain, theta, seed=11, dtype=dtype, backend="reference", **options)
    assert (lanes.status == Status.OK).all() and (plain.status == Status.OK).all()
    assert lanes.signals.keys() == plain.signals.keys()
    for name, expected in plain.signals.items():
        got = lanes.signals[name]
        assert got.shape == expected.shape and got.dtype == np.dtype(dtype)
        scale = SCALE.get(name) or np.abs(expected).max()
        assert np.abs(got - expected).max() <= TOLERANCE[dtype] * scale, name
        assert np.ptp(expected) > 0, name


@pytest.mark.parametrize(("layout", "noise", "scheme", "dtype", "monitors"), CASES)
def test_lanes_agree_with_the_reference(layout, noise, scheme, dtype, monitors):
    brain = brain_of(layout, noise, scheme, monitors)
    laid = network.lay_out(brain, spread_theta(brain, 3), np.dtype(dtype), 8)
    shape = {"long": "blocked", "short": "stepwise", "dense": "dense"}[layout]
    assert laid.shape == shape and laid.own_delays == (layout != "dense")
    assert_agreement(brain, dtype)


def test_a_signal_that_is_not_kept_feeds_the_same_summaries():
    brain = brain_of(*CASES[0][:3], WATCHERS)
    kept = (replace(m, keep=True) if isinstance(m, Average) else m for m in WATCHERS)
    theta = spread_theta(brain, 2)
    plain, more = (
        simulate(b, theta, seed=2, dtype="float64", width=8).signals
        for b in (brain, replace(brain, monitors=tuple(kept)))
    )
    average = more.pop("average")
    assert average.shape == (2, 32, N) and "average" not in plain
    for name, signal in more.items():
        np.testing.assert_array_equal(plain[name], signal, err_msg=name)
    np.testing.assert_allclose(plain["moments"][:, 0], average.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(plain["moments"][:, 1], average.var(axis=1, ddof=1), rtol=1e-12)
    for draw in range(2):
        np.testing.assert_allclose(plain["fc"][draw], np.corrcoef(average[draw].T), atol=1e-12)
    frequencies, density = signal_of_welch(average, 1.5, 24.0)
    bins = np.isin(frequencies.round(6), brain.monitors[5].frequencies.round(6))
    assert bins.sum() == plain["spectrum"].shape[1] > 2
    np.testing.assert_allclose(plain["spectrum"], density[:, bins], rtol=1e-10)


def signal_of_welch(signal: np.ndarray, period: float, segment: float):
    """Frequencies [Hz] and densities (draw, frequency, region) of scipy's Welch method."""
    frequencies, density = welch(
        signal,
        fs=1000.0 / period,
        window="hann",
        nperseg=round(segment / period),
        detrend="constant",
        axis=1,
    )
    return frequencies, density


def bits(threads: int = 1, width: int = 8, rows: slice = slice(None)) -> dict[str, np.ndarray]:
    """Signals of the brain with delays of its own, nine draws or some of them."""
    brain = brain_of(*CASES[1][:3], SHORT)
    theta = spread_theta(brain, 9)[rows]
    numbers = np.arange(9)[rows]
    run = simulate(brain, theta, seed=5, draws=numbers, width=width, threads=threads)
    return run.signals


def digest() -> str:
    """Of those bits, and of the parameters in double precision."""
    brain = brain_of(*CASES[1][:3], SHORT)
    table = table_of(brain, spread_theta(brain, 200))
    parts = [arrays[name].tobytes() for arrays in (bits(), table) for name in sorted(arrays)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_bits_do_not_depend_on_lanes_blocks_and_threads():
    whole = bits()
    parts = [bits(rows=slice(a, b)) for a, b in ((0, 1), (1, 6), (6, 9))]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in whole}
    for other in (bits(threads=2), bits(width=4), joined):
        for name, signal in whole.items():
            np.testing.assert_array_equal(other[name], signal, err_msg=name)


PROCESS = """
import sys
sys.path.insert(0, {folder!r})
from hpcvbi.sim import compiled, cpu
kernels = []
make = compiled.compiled
cpu.compiled = lambda kernel: kernels.append(make(kernel)) or kernels[-1]
from test_engine_features import digest
print(digest())
for text in kernels[0].inspect_asm().values() if {look} else ():
    print(text.count("%zmm"), text.count("%ymm"), text.count("vfmadd"))
"""
V3 = (
    "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+avx,+avx2,+bmi,+bmi2,+f16c,+fma,"
    "+lzcnt,+movbe"
)


def in_process(*, look: bool, **environment: str) -> list[str]:
    """Digest in a process of its own, and what its assembly holds: wide registers, fused sums."""
    answer = subprocess.run(
        [
            sys.executable,
            "-W",
            "error" if not look else "ignore",
            "-c",
            PROCESS.format(folder=str(HERE), look=look),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return answer.stdout.splitlines()


def test_bits_do_not_depend_on_the_process():
    assert in_process(look=False) == [digest()]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names features of x86-64")
def test_bits_do_not_depend_on_the_processor(tmp_path):
    target = {
        "NUMBA_CPU_NAME": "x86-64-v3",
        "NUMBA_CPU_FEATURES": V3,
        # NumPy warns of names that it does not know or the processor does not have.
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_ICL AVX512_SPR",
    }
    # Machine code that comes from the disk cache has no assembly to look at.
    plain, counts = in_process(look=True, NUMBA_CACHE_DIR=str(tmp_path), **target)
    zmm, ymm, fused = map(int, counts.split())
    assert zmm == 0 and ymm > 100 and fused > 100
    assert plain == digest()
