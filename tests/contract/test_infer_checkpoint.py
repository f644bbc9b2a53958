"""The stored state of an inference: plain arrays, and what is said of those that do not fit."""

import numpy as np
import pytest
from test_infer_tsnpe import OBSERVED, QUICK, learn

from hpcvbi.core.errors import StoreMismatch
from hpcvbi.infer.neural_state import NeuralState


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    return QUICK.to_arrays(learn(QUICK)[0])


def with_nan(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flat[0] = np.nan
    return array


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("weights", lambda a: None, "weights is missing"),
        ("weights", with_nan, "weights holds numbers that are not finite"),
        ("weights", lambda a: a[:, :0], "it holds no network"),
        ("weights", lambda a: a[:0], "it holds no network"),
        ("weights", lambda a: a[0], r"weights has type float32 and shape .* along \('member'"),
        ("weights", lambda a: a.astype(object), "weights has type object"),
        ("weights", lambda a: a.astype(str), "weights has type <U"),
        ("x_observed", lambda a: np.append(a, 1.0), "along feature, elsewhere"),
        ("x_observed", with_nan, "x_observed holds numbers that are not finite"),
        ("u_center", lambda a: a[:1], "along param, elsewhere 1|says 2"),
        ("n_params", lambda a: np.array(10**9), "of 2 parameters, and says 1000000000"),
        ("n_params", lambda a: np.array(-1), "n_params must not be negative"),
        ("round", lambda a: np.array(-1), "round must not be negative"),
        ("scale", lambda a: 0 * a, "scale must be positive"),
        ("threshold", lambda a: np.array(np.nan), "threshold holds numbers that are not finite"),
        ("layout", lambda a: np.full(9, 255, np.uint8), "layout is no text"),
    ],
)
def test_a_state_that_does_not_fit_together_is_refused(
    stored: dict[str, np.ndarray], name: str, change, said: str
) -> None:
    changed = {**stored, name: change(stored[name])}
    changed = {key: value for key, value in changed.items() if value is not None}
    with pytest.raises(StoreMismatch, match=said):
        QUICK.from_arrays(changed)


@pytest.mark.parametrize("width", [-1, 1, 10**6])
def test_a_network_of_another_size_is_refused(stored: dict[str, np.ndarray], width: int) -> None:
    weights = stored["weights"]
    other = np.resize(weights, (len(weights), max(weights.shape[1] + width, 1)))
    state = QUICK.from_arrays({**stored, "weights": other})
    with pytest.raises(StoreMismatch, match=r"has \d+ weights, not \d+ finite ones"):
        QUICK.posterior(state, OBSERVED, 10, 0)


def test_a_state_before_any_simulation_survives() -> None:
    arrays = QUICK.to_arrays(QUICK.init(2, OBSERVED))
    back = NeuralState.from_arrays(arrays)
    assert back.round == 0 and back.threshold == -np.inf
    for name, array in back.to_arrays().items():
        np.testing.assert_array_equal(array, arrays[name])
