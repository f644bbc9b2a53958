"""The band-pass keeps what it says, where it says, without shifting it."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt, sosfreqz

from hpcvbi.core.errors import ConfigError
from hpcvbi.features import bandpass
from hpcvbi.features.preprocess import bandpass_gain, butterworth_gain

TR, LOW, HIGH, FRAMES = 0.72, 0.01, 0.1, 1200
# Frames that the mirrored ends reach: about one half period of the lowest frequency.
EDGE = round(1 / (2 * LOW) / TR)


def sine(freq_hz, phase=0.4):
    time = np.arange(FRAMES) * TR
    return np.sin(2 * np.pi * freq_hz * time + phase)[:, None]


def test_gain_is_that_of_a_butterworth_run_forwards_and_backwards():
    sos = butter(2, [LOW, HIGH], "bandpass", fs=1 / TR, output="sos")
    freq = np.linspace(0.001, 0.69, 500)
    _, response = sosfreqz(sos, worN=freq, fs=1 / TR)
    np.testing.assert_allclose(
        butterworth_gain(freq, TR, LOW, HIGH), np.abs(response) ** 2, rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(butterworth_gain(np.array([LOW, HIGH]), TR, LOW, HIGH), 0.5)


@pytest.mark.parametrize("freq_hz", [0.02, 0.0316, 0.05, 0.06])
def test_a_sine_inside_passes_with_gain_one_and_zero_phase(freq_hz):
    inner = slice(2 * EDGE, -2 * EDGE)
    time = np.arange(FRAMES) * TR
    design = np.exp(2j * np.pi * freq_hz * time)[inner]
    amplitude = 2 * (bandpass(sine(freq_hz), TR, LOW, HIGH)[inner, 0] * design.conj()).mean()
    reference = 2 * (sine(freq_hz)[inner, 0] * design.conj()).mean()
    assert abs(amplitude / reference) == pytest.approx(
        butterworth_gain(np.array(freq_hz), TR, LOW, HIGH), abs=0.01
    )
    assert abs(amplitude / reference) > 0.93
    assert abs(np.angle(amplitude / reference)) < 0.01


@pytest.mark.parametrize("freq_hz", [0.002, 0.25, 0.4, 0.6])
def test_a_sine_outside_is_attenuated(freq_hz):
    passed = bandpass(sine(freq_hz), TR, LOW, HIGH)[2 * EDGE : -2 * EDGE]
    assert passed.std() < 0.03 * sine(freq_hz).std()


def test_white_noise_keeps_the_stated_fraction_of_its_variance():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(FRAMES, 400))
    expected = (bandpass_gain(FRAMES, TR, LOW, HIGH) ** 2).mean()
    assert (bandpass(noise, TR, LOW, HIGH) ** 2).mean() == pytest.approx(expected, rel=0.02)
    # About the share of the band, .09 Hz of .694 Hz.
    assert 0.6 < expected / (0.09 * 2 * TR) < 1.0


def test_reversing_time_reverses_the_result():
    noise = np.random.default_rng(2).normal(size=(FRAMES, 3))
    np.testing.assert_allclose(
        bandpass(noise[::-1], TR, LOW, HIGH), bandpass(noise, TR, LOW, HIGH)[::-1], atol=1e-12
    )


def test_away_from_the_edges_it_is_sosfiltfilt_and_only_there():
    noise = np.random.default_rng(3).normal(size=(FRAMES, 20))
    sos = butter(2, [LOW, HIGH], "bandpass", fs=1 / TR, output="sos")
    difference = np.abs(bandpass(noise, TR, LOW, HIGH) - sosfiltfilt(sos, noise, axis=0)).max(1)
    assert difference[3 * EDGE : -3 * EDGE].max() < 0.01
    assert difference[: EDGE // 2].max() > 0.05


def test_a_mean_and_a_linear_drift_are_gone_away_from_the_edges():
    ramp = np.linspace(0, 1, FRAMES)[:, None] + 7.0
    passed = bandpass(ramp, TR, LOW, HIGH)
    assert abs(passed.mean()) < 1e-12
    assert np.abs(passed[2 * EDGE : -2 * EDGE]).max() < 0.01
    assert np.abs(passed).max() < 0.1


def test_batches_give_each_signal_its_own_result_in_its_own_precision():
    batch = np.random.default_rng(4).normal(size=(3, FRAMES, 5)).astype(np.float32)
    passed = bandpass(batch, TR, LOW, HIGH)
    assert passed.dtype == np.float32
    for one, together in zip(batch, passed, strict=True):
        np.testing.assert_allclose(bandpass(one, TR, LOW, HIGH), together, atol=1e-5)
        np.testing.assert_allclose(bandpass(one.astype(float), TR, LOW, HIGH), together, atol=1e-5)


@pytest.mark.parametrize(
    ("tr", "low", "high", "frames", "says"),
    [
        (0.72, 0.1, 0.01, 1200, "low < high"),
        (0.72, 0.0, 0.1, 1200, "0 < low"),
        (0.72, 0.01, 0.7, 1200, "Nyquist"),
        (0.0, 0.01, 0.1, 1200, "tr_s"),
        (0.72, 0.01, 0.1, 100, "low_hz >= 0.01389"),
    ],
)
def test_impossible_bands_are_refused(tr, low, high, frames, says):
    with pytest.raises(ConfigError, match=says):
        bandpass(np.zeros((frames, 2)), tr, low, high)
