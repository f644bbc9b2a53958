"""Curves of a signal: known answers, units that do not matter, and what is too short for them."""

import numpy as np
import pytest
from scipy.signal import lfilter, welch

from hpcvbi.features import CURVES, Context, measure
from hpcvbi.features.curves import FCD_VALUES, SEGMENT, frequencies

TR, NAMES = 0.72, tuple(CURVES)


def curves(signals, **context):
    return measure((), signals, Context(TR, **context), NAMES).curves


def test_the_spectrum_of_an_autoregressive_process_is_the_known_one():
    rng = np.random.default_rng(1)
    memory, at = 0.7, frequencies(4000, TR)
    signal = lfilter([1.0], [1.0, -memory], rng.standard_normal((1, 4200, 8)), axis=1)[:, 200:]
    turn = np.exp(-2j * np.pi * at * TR)
    exact = 2 * TR * (1 - memory**2) / np.abs(1 - memory * turn) ** 2
    found = curves(signal)["psd"][0]
    # some 60 half-overlapping segments of 8 regions; the window smears the lowest frequency
    np.testing.assert_allclose(found[1:], exact[1:], rtol=0.2)
    assert found.sum() == pytest.approx(exact.sum(), rel=0.05)


@pytest.mark.parametrize("frames", [7, 128, 301])
def test_the_spectrum_is_that_of_scipys_welch(frames):
    signal = np.random.default_rng(6).standard_normal((frames, 5)).cumsum(axis=0)
    at, power = welch(signal, 1 / TR, nperseg=min(frames, SEGMENT), axis=0)
    expected = (power / signal.var(axis=0)).mean(axis=1)
    count = len(frequencies(frames, TR))
    np.testing.assert_allclose(frequencies(frames, TR), at[1 : count + 1])
    found = curves(signal[None])["psd"][0]
    np.testing.assert_allclose(found, expected[1 : count + 1], rtol=2e-3)


def test_a_regions_unit_and_level_change_nothing():
    rng = np.random.default_rng(2)
    signal = rng.standard_normal((2, 300, 5)).cumsum(axis=1)
    here, there = curves(signal), curves(100.0 + signal * np.array([1e-3, 1.0, 5.0, 30.0, 1e4]))
    for name in NAMES:
        np.testing.assert_allclose(there[name], here[name], rtol=2e-3, atol=0.006)
        np.testing.assert_array_equal(curves(signal[1:])[name][0], here[name][1])


def test_the_distribution_of_fcd_is_that_of_windows_that_share_no_frame():
    rng = np.random.default_rng(3)
    signal = rng.standard_normal((1, 300, 6))
    length, step = round(60 / TR), round(60 / TR) // 4
    starts = range(0, 300 - length + 1, step)
    i, j = np.triu_indices(6, 1)
    stream = [np.corrcoef(signal[0, s : s + length].T)[i, j] for s in starts]
    values = [
        np.corrcoef(stream[a], stream[b])[0, 1]
        for a, first in enumerate(starts)
        for b, second in enumerate(starts)
        if second >= first + length
    ]
    below = [(np.array(values) <= value).mean() for value in FCD_VALUES]
    assert len(values) > 10
    np.testing.assert_allclose(curves(signal)["fcd"][0], below, atol=1e-9)


def test_what_a_signal_is_too_short_for_or_filtered_out_is_nan():
    rng = np.random.default_rng(4)
    # windows of 83 frames every 20: the sixth is the first that shares none with the first
    for frames, there in ((182, False), (183, True)):
        found = curves(rng.standard_normal((2, frames, 4)))
        assert np.isfinite(found["fcd"]).all() == there == np.isfinite(found["fcd"]).any()
        assert np.isfinite(found["psd"]).all()
    few = curves(rng.standard_normal((1, 7, 3)))
    assert few["psd"].shape == (1, 3) and np.isnan(few["fcd"]).all()
    banded = curves(rng.standard_normal((1, 400, 4)), band_hz=(0.01, 0.1))["psd"][0]
    at = frequencies(400, TR)
    np.testing.assert_array_equal(np.isfinite(banded), (at >= 0.01) & (at <= 0.1))


def test_a_broken_draw_has_no_curve():
    signal = np.random.default_rng(5).standard_normal((3, 300, 4))
    signal[0, 5, 1], signal[1, :, 2] = np.nan, 1.0
    for curve in curves(signal).values():
        assert np.isnan(curve[:2]).all() and np.isfinite(curve[2]).all()
