"""Features against numbers that nobody here wrote: ../shared/oracles/features (SciPy, NumPy)."""

import json
from pathlib import Path

import numpy as np
import pytest

from hpcvbi.core.pairs import upper
from hpcvbi.features import (
    Context,
    compute,
    fcd_stream,
    fcd_variance,
    functional_connectivity,
    functional_connectivity_dynamics,
)

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "oracles" / "features"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"reference data not on this machine: {FOLDER}"
)


@pytest.fixture(scope="module")
def reference():
    with np.load(FOLDER / "features_reference.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def scalars():
    return json.loads((FOLDER / "features_reference.json").read_text())


def test_fc_is_the_reference_fc(reference):
    fc = functional_connectivity(reference["X"].T)
    np.testing.assert_allclose(fc, reference["fc"], rtol=0, atol=1e-13)


def test_fcd_stream_is_the_reference_stream_in_pair_order(reference, scalars):
    stream = fcd_stream(reference["X"][:, ::8].T, scalars["fcd"]["window"], scalars["fcd"]["step"])
    assert len(stream) == scalars["fcd"]["n_windows"]
    np.testing.assert_allclose(stream, reference["fcd_stream"], rtol=0, atol=1e-13)


def test_fcd_and_its_variances_are_the_reference(reference, scalars):
    fcd = functional_connectivity_dynamics(reference["fcd_stream"])
    np.testing.assert_allclose(fcd, reference["fcd"], rtol=0, atol=1e-13)
    settings = scalars["fcd"]
    apart = -(-settings["window"] // settings["step"])
    assert fcd_variance(fcd) == pytest.approx(settings["var_upper_offset1"], rel=1e-12)
    assert fcd_variance(fcd, apart) == pytest.approx(settings["var_upper_nonoverlap"], rel=1e-12)


def test_named_features_agree_with_the_reference_through_float32(reference):
    signal = reference["X"].T
    got = compute(["fc_mean", "fc_sd", "fc_q10"], signal, Context(tr_s=1.0))
    pairs = upper(reference["fc"])
    want = [pairs.mean(), pairs.std(), np.quantile(pairs, 0.1)]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
