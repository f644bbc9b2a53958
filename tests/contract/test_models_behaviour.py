"""Different ways to write the same equations agree."""

import numpy as np
import pytest

from hpcvbi import MODELS


def test_heterogeneous_weights_widen_the_currents_of_montbrio_pazo_roxin():
    """Γ acts as Δ does at the rate of one over the time constant."""
    model, tau = MODELS["montbrio_pazo_roxin"], 2.0

    def slopes(**values):
        table = {p.name: p.default for p in model.params} | {"tau": tau} | values
        return model.dfun(0.5, -1.0, 0.0, 0.0, **table)

    weights = slopes(Gamma=0.3)
    currents = slopes(Delta=1.0 + 0.3 * tau * 0.5)
    np.testing.assert_allclose(weights, currents, rtol=1e-14)


def test_the_two_forms_of_the_reduced_epileptor_agree_between_seizures():
    """For x < 0 and z > 0 they are the same, with r = 1/τ and Ks = −1."""
    rng = np.random.default_rng(0)
    x, z, c = rng.uniform(-2.5, 0, 50), rng.uniform(0, 5, 50), rng.normal(size=50)
    table = {p.name: p.default for p in MODELS["epileptor_2d_tvb"].params}
    table |= {"r": 1 / 10.0, "x0": -1.7}
    written = MODELS["epileptor_2d_tvb"].dfun(x, z, c, *table.values())
    plain = MODELS["epileptor_2d"].dfun(x, z, c, -1.7, 10.0, 3.1)
    np.testing.assert_allclose(written, plain, rtol=0, atol=1e-13)
    x = np.array([1.0])
    assert MODELS["epileptor_2d_tvb"].dfun(x, 3.5, 0.0, *table.values())[0] != pytest.approx(
        MODELS["epileptor_2d"].dfun(x, 3.5, 0.0, -1.7, 10.0, 3.1)[0], abs=0.1
    )
