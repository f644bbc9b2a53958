"""One entry point for recordings and simulations: names, shapes, values, and what it refuses."""

import os
import subprocess
import sys

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, DataError
from hpcvbi.core.pairs import correlation, from_upper, upper
from hpcvbi.features import FEATURES, Context, bandpass, check, compute, measure
from hpcvbi.features import functional_connectivity as fc_of

REGIONS, FRAMES, TR = 10, 400, 0.72
HOMOTOPIC = np.arange(REGIONS).reshape(-1, 2)


@pytest.fixture
def weights():
    return np.random.default_rng(0).gamma(0.3, size=(REGIONS, REGIONS))


@pytest.fixture
def context(weights):
    return Context(TR, weights, HOMOTOPIC, band_hz=(0.01, 0.1))


@pytest.fixture
def signals():
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(REGIONS, REGIONS)) + 1
    noise = rng.normal(size=(6, FRAMES, REGIONS)) @ mixing
    return (0.02 + 1e-3 * noise).astype(np.float32)


def test_every_feature_is_what_its_definition_says(weights, signals):
    context = Context(TR, weights, HOMOTOPIC)
    signal = signals[0].astype(float)
    fc = np.corrcoef(signal.T)
    pairs = fc[np.triu_indices(REGIONS, 1)]
    symmetric = (weights + weights.T) / 2 * (1 - np.eye(REGIONS))
    sc = symmetric[np.triu_indices(REGIONS, 1)]
    across = [fc[i, j] for i in range(REGIONS) for j in range(i) if (i + j) % 2]
    gbc = [np.delete(fc[i], i).mean() for i in range(REGIONS)]
    starts = range(0, FRAMES - 83 + 1, 20)
    stream = [upper(np.corrcoef(signal[s : s + 83].T)) for s in starts]
    fcd = np.corrcoef(stream)
    lag1 = [np.dot(x[1:], x[:-1]) / np.dot(x, x) for x in (signal - signal.mean(0)).T]
    want = {
        "fc_mean": pairs.mean(),
        "fc_sd": pairs.std(),
        "fc_homotopic": np.mean([fc[i, i + 1] for i in range(0, REGIONS, 2)]),
        "fc_interhemispheric": np.mean(across),
        "fc_sc_r": np.corrcoef(pairs, sc)[0, 1],
        "fc_log_sc_r": np.corrcoef(pairs, np.log(sc + 1e-3 * sc.max()))[0, 1],
        "fc_q10": np.quantile(pairs, 0.1),
        "fc_q90": np.quantile(pairs, 0.9),
        "fc_first_eigenvalue_share": np.linalg.eigvalsh(fc)[-1] / REGIONS,
        "gbc_sd": np.std(gbc),
        "gbc_strength_r": np.corrcoef(gbc, symmetric.sum(1))[0, 1],
        "fcd_mean": fcd[np.triu_indices(len(fcd), 1)].mean(),
        "fcd_sd": fcd[np.triu_indices(len(fcd), 1)].std(),
        "fcd_variance": fcd[np.triu_indices(len(fcd), 5)].var(),
        "lag1_autocorrelation": np.mean(lag1),
    }
    assert set(want) == set(FEATURES)
    got = compute(list(want), signals[0], context)
    np.testing.assert_allclose(got, list(want.values()), rtol=0, atol=1e-5)


def test_the_band_pass_of_the_context_comes_before_fc(signals, context):
    measured = measure(["fc_mean"], signals, context)
    filtered = bandpass(signals[2].astype(float), TR, 0.01, 0.1)
    np.testing.assert_allclose(measured.fc[2], upper(fc_of(filtered)), atol=1e-5)
    unfiltered = measure(["fc_mean"], signals, Context(TR))
    assert np.abs(unfiltered.fc[2] - measured.fc[2]).max() > 0.05


def test_lag1_is_taken_before_the_band_pass(signals, context):
    without = compute(["lag1_autocorrelation"], signals[0], Context(TR))
    np.testing.assert_array_equal(compute(["lag1_autocorrelation"], signals[0], context), without)


def test_bits_do_not_depend_on_the_batch(signals, context):
    together = measure(list(FEATURES), signals, context)
    for draw, signal in enumerate(signals):
        alone = measure(list(FEATURES), signal[None], context)
        np.testing.assert_array_equal(alone.features[0], together.features[draw])
        np.testing.assert_array_equal(alone.fc[0], together.fc[draw])
    part = measure(list(FEATURES), signals[3:5], context)
    np.testing.assert_array_equal(part.features, together.features[3:5])


def test_a_recording_is_a_batch_of_one(signals, context):
    names = list(FEATURES)
    assert compute(names, signals, context).shape == (6, len(names))
    np.testing.assert_array_equal(
        compute(names, signals[0], context), compute(names, signals, context)[0]
    )


def test_features_do_not_depend_on_unit_and_offset_of_the_signal(signals, context):
    there = signals[:1].astype(float)
    elsewhere = there * 1e6 * np.arange(1, REGIONS + 1) - 3.0
    names = list(FEATURES)
    np.testing.assert_allclose(
        compute(names, there, context), compute(names, elsewhere, context), atol=2e-5
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_draw_without_finite_signal_is_nan_and_leaves_the_others_alone(signals, context, bad):
    broken = signals.copy()
    broken[1, 7, 3] = bad
    measured = measure(list(FEATURES), broken, context)
    assert np.isnan(measured.features[1]).all() and np.isnan(measured.fc[1]).all()
    assert np.isfinite(np.delete(measured.features, 1, 0)).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1e5])
def test_a_region_that_does_not_vary_makes_features_nan(signals, context, value):
    flat = signals[:1].copy()
    flat[0, :, 4] = value
    measured = measure(list(FEATURES), flat, context)
    assert np.isnan(measured.features).all()
    assert np.isnan(from_upper(measured.fc[0])[4, :4]).all()
    assert np.isfinite(np.delete(np.delete(from_upper(measured.fc[0]), 4, 0), 4, 1)).all()


def test_huge_finite_signals_do_not_overflow(signals, context):
    assert np.isfinite(compute(list(FEATURES), signals * np.float32(1e34), context)).all()


def test_names_are_checked_with_a_suggestion(context):
    with pytest.raises(ConfigError, match="did you mean 'fc_homotopic'"):
        check(["fc_mean", "fc_homotopc"], context)
    with pytest.raises(ConfigError, match="named twice"):
        check(["fc_mean", "fc_mean"], context)


def test_what_the_context_lacks_is_said(signals):
    with pytest.raises(ConfigError, match="'fc_sc_r' needs weights"):
        compute(["fc_sc_r"], signals, Context(TR, homotopic=HOMOTOPIC))
    with pytest.raises(ConfigError, match="'fc_homotopic' needs homotopic"):
        compute(["fc_homotopic"], signals, Context(TR))


def test_shapes_that_do_not_fit_are_refused(signals, weights):
    with pytest.raises(DataError, match="same regions"):
        compute(["fc_mean"], signals[:, :, :8], Context(TR, weights))
    with pytest.raises(DataError, match="region 9"):
        compute(["fc_mean"], signals[:, :, :8], Context(TR, homotopic=HOMOTOPIC))
    with pytest.raises(DataError, match="shape"):
        compute(["fc_mean"], signals[0, 0], Context(TR))
    with pytest.raises(ConfigError, match="103 frames at least"):
        compute(["fcd_mean"], signals[:, :90], Context(TR))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tr_s": -1.0}, "tr_s"),
        ({"weights": np.ones((3, 4))}, "square"),
        ({"weights": np.full((4, 4), np.nan)}, "finite"),
        ({"weights": -np.ones((4, 4))}, "negative"),
        ({"homotopic": np.array([[0, 1], [1, 2]])}, "twice"),
        ({"homotopic": np.array([0, 1])}, r"\(pair, 2\)"),
        ({"homotopic": np.array([[0, 4]]), "weights": np.ones((4, 4))}, "outside"),
        ({"band_hz": (0.1, 0.01)}, "low < high"),
    ],
)
def test_an_impossible_context_is_refused(changes, says):
    with pytest.raises(ConfigError, match=says):
        Context(**{"tr_s": TR, **changes})


def test_pairs_go_to_matrices_and_back():
    pairs = np.random.default_rng(5).normal(size=(2, 45))
    matrix = from_upper(pairs)
    np.testing.assert_array_equal(upper(matrix), pairs)
    np.testing.assert_array_equal(matrix, np.swapaxes(matrix, 1, 2))
    assert matrix[0, 0, 1] == pairs[0, 0] and matrix[0, 1, 2] == pairs[0, 9]
    with pytest.raises(DataError, match="44"):
        from_upper(pairs[:, :44])
    with pytest.raises(DataError, match="square"):
        upper(pairs)


def test_correlation_with_a_constant_is_nan_without_a_warning():
    values = np.random.default_rng(6).normal(size=(3, 20))
    values[1] = 0.1
    got = correlation(values, values[0])
    assert got[0] == pytest.approx(1.0) and np.isnan(got[1])
    assert got[2] == pytest.approx(np.corrcoef(values[2], values[0])[0, 1])


PROGRAM = """
import hashlib
import numpy as np
from hpcvbi.features import Context, measure
signal = np.random.default_rng(0).standard_normal((1, 1200, 80))
signal[:, :, 1:] += signal[:, :, :-1]
weights = np.random.default_rng(1).random((80, 80))
found = measure(("fc_mean", "fc_sc_r", "lag1_autocorrelation"), signal, Context(0.72, weights))
print(hashlib.sha256(found.features.tobytes() + found.fc.tobytes()).hexdigest())
"""


def test_bits_do_not_depend_on_the_threads_of_blas():
    def digest(threads):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        words = [sys.executable, "-c", PROGRAM]
        return subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout

    assert digest("1") == digest("2") and len(digest("2")) == 65
