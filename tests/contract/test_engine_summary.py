"""Moments, spectra and correlations while the signal comes: of a large mean in single precision,
over signals that are not kept, and where they are refused.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import welch

from hpcvbi import (
    LINEAR,
    Average,
    Bold,
    Brain,
    Connectome,
    Fc,
    Model,
    Moments,
    Output,
    Param,
    Recorded,
    Sample,
    Spectrum,
    State,
    WhiteNoise,
    simulate,
)
from hpcvbi.core.errors import ConfigError

N, DT, DRAWS, MEAN = 5, 0.5, 3, 1000.0


def pulled(x, c, mean):
    """Back to the mean within 10 ms."""
    return (0.1 * (mean - x) + c,)


def half(x):
    """What is watched: half of the state."""
    return 0.5 * x


MODEL = Model(
    "pulled",
    pulled,
    (State("x", init=MEAN),),
    ("c",),
    (Param("mean", MEAN),),
    ("x",),
    outputs=(Output("half", "1", half),),
)
SIGNAL = Sample("half", DT, keep=False)
MONITORS = (
    SIGNAL,
    Moments("sample"),
    Spectrum("sample", 64.0, (0.0, 1000.0)),
    Fc("sample"),
)


def brain_of(**changes) -> Brain:
    given = {"burn_in": 7.5, "duration": 352.0, "monitors": MONITORS, **changes}
    return Brain(
        Connectome(np.zeros((N, N)), np.zeros((N, N)), tuple("abcde")),
        MODEL,
        LINEAR,
        WhiteNoise(("x",)),
        dt=DT,
        values={"sigma": 1.0},
        **given,
    )


def run(brain: Brain, **options):
    options = {"width": 4, **options} if options.get("backend") != "reference" else options
    return simulate(brain, np.zeros((DRAWS, 0)), seed=12, **options).signals


@pytest.mark.parametrize("options", [{}, {"backend": "reference", "dtype": "float64"}])
def test_a_large_mean_costs_no_precision(options):
    """Single precision against double precision of the same single-precision signal."""
    kept = brain_of(monitors=(replace(SIGNAL, keep=True), *MONITORS[1:]))
    seen = run(kept, **options)
    signal = seen["sample"].astype(float)
    assert signal.shape == (DRAWS, 704, N) and abs(signal.mean() - MEAN / 2) < 1.0
    tolerance = 1e-9 if options else 1e-4
    mean, variance = seen["moments"].swapaxes(0, 1)
    np.testing.assert_allclose(mean, signal.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(variance, signal.var(axis=1, ddof=1), rtol=tolerance)
    frequencies, density = welch(
        signal, fs=2000.0, window="hann", nperseg=128, detrend="constant", axis=1
    )
    monitor = MONITORS[2]
    np.testing.assert_allclose(monitor.frequencies, frequencies[1:], rtol=1e-12)
    # The largest density of a frequency far above the knee is what rounding has to be measured by.
    error = np.abs(seen["spectrum"] - density[:, 1:]).max()
    assert error < tolerance * density[:, 1:].max()
    for draw in range(DRAWS):
        expected = np.corrcoef(signal[draw].T)
        np.testing.assert_allclose(seen["fc"][draw], expected, rtol=0, atol=tolerance)
    assert "sample" not in run(brain_of(), **options)


def test_signals_that_are_not_kept_leave_the_same_bits():
    kept = run(brain_of(monitors=(replace(SIGNAL, keep=True), *MONITORS[1:])))
    for name, signal in run(brain_of()).items():
        np.testing.assert_array_equal(signal, kept[name], err_msg=name)


@pytest.mark.parametrize(
    ("monitors", "message"),
    [
        (
            (SIGNAL, Spectrum("sample", 64.0, (10.0, 1200.0))),
            "monitor spectrum: 1187.5 Hz is above the Nyquist frequency 1000 Hz of monitor sample",
        ),
        (
            (Average("x", 1.0), Spectrum("average", 33.0, (50.0, 100.0))),
            "segment 33 ms holds 33 volumes of 1 ms; .* make it an even number",
        ),
        (
            (SIGNAL, Spectrum("sample", 63.7, (50.0, 100.0))),
            "spectrum: period 63.7 ms must be a whole multiple of 0.5 ms",
        ),
        ((SIGNAL, Spectrum("sample", 400.0, (50.0, 100.0))), "between dt and the duration 352 ms"),
        ((SIGNAL, Spectrum("sample", 64.0, (16.0, 20.0))), "no multiple of 15.625 Hz lies in the"),
        ((Bold("half", 24.0),), "bold .step.: duration 24 ms must be a whole multiple of 10 ms"),
        ((Bold("half", 50.0),), "bold .TR.: duration 352 ms must be a whole multiple of 50 ms"),
        ((Moments("other"),), r"moments is of 'other'; it must be one of \[\]"),
        ((SIGNAL, Recorded(np.ones(N), of="sample")), "recorded needs the signal sample: keep it"),
        ((Sample("x", 352.0), Moments("sample")), "monitor moments needs two volumes of sample"),
        ((Sample("x", 352.0), Fc("sample")), "monitor fc needs two volumes of sample"),
    ],
)
def test_what_does_not_fit_is_refused(monitors, message):
    with pytest.raises(ConfigError, match=message):
        run(brain_of(monitors=monitors), backend="reference")
