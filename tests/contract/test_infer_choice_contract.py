"""Model selection keeps to what other methods keep to: states that come back bit for bit or are
refused, draws in the shape that was asked for, and waves of earlier generations that do not count.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from hpcvbi.core.errors import ConfigError, StoreMismatch
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.core.wave import round_of
from hpcvbi.infer import Draws
from hpcvbi.infer.choice import Choice
from hpcvbi.infer.choice_state import ChoiceState
from hpcvbi.infer.choice_steps import propose, update

CHOICE = Choice(rounds=6, draws=120, particles=60)
X = np.array([0.2, 0.1])
SIZES = (1, 3)


def features(u: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((len(u), 2))
    return np.column_stack([u[:, 0], u[:, -1]]) + 0.2 * noise


def nothing(n_params: int) -> Draws:
    return Draws.of(np.empty((0, n_params)), np.empty((0, 2)))


def waves(choice: Choice, number: int, keep: bool = True) -> tuple[ChoiceState, list[Draws]]:
    """Run some waves; `keep` says whether draws of complete generations are given again."""
    state, parts = choice.init(SIZES, X), [[nothing(n)] for n in SIZES]
    for wave in range(number):
        for model, u in enumerate(choice.propose(state, wave)):
            parts[model].append(Draws.of(u, features(u, 10 * wave + model), wave))
        state, info = choice.update(state, [Draws.join(of) for of in parts], wave)
        json.dumps(info.as_dict(), allow_nan=False)
        if info.complete and not keep:
            parts = [[nothing(n)] for n in SIZES]
    return state, [Draws.join(of) for of in parts]


def test_a_state_comes_back_bit_for_bit() -> None:
    for number in (0, 1, 4):
        state, _ = waves(CHOICE, number)
        arrays = CHOICE.to_arrays(state)
        again = CHOICE.to_arrays(CHOICE.from_arrays(arrays))
        for name, array in arrays.items():
            assert array.dtype == again[name].dtype
            np.testing.assert_array_equal(array, again[name])
        for one, other in zip(
            CHOICE.propose(state, 1), CHOICE.propose(CHOICE.from_arrays(arrays), 1), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_draws_of_complete_generations_do_not_count() -> None:
    kept, gone = (waves(CHOICE, 4, keep)[0] for keep in (True, False))
    assert kept.generations >= 2
    for name, array in CHOICE.to_arrays(kept).items():
        np.testing.assert_array_equal(array, CHOICE.to_arrays(gone)[name])


def test_a_wave_has_its_draws_and_a_share_of_the_prior() -> None:
    state, _ = waves(CHOICE, 3)
    drawn = CHOICE.propose(state, 5)
    assert sum(len(u) for u in drawn) == CHOICE.draws
    assert [u.shape[1] for u in drawn] == list(SIZES)
    assert all(((u >= 0) & (u <= 1)).all() for u in drawn)
    broad = replace(CHOICE, broad=1.0).propose(state, 5)
    assert abs(np.concatenate([u[:, 0] for u in broad]).mean() - 0.5) < 0.05


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("particle_u", lambda a: a + 1.0, "unit cube"),
        ("particle_weight", lambda a: a[:-1], "entries along particle"),
        ("particle_model", lambda a: a + 2, "not of 2 models"),
        ("prior", lambda a: -a, "must not be negative"),
        ("center", lambda a: a * np.nan, "not finite"),
        ("round", lambda a: np.float64(a), "has type float64"),
    ],
)
def test_a_damaged_state_is_refused(name, value, words) -> None:
    arrays = CHOICE.to_arrays(waves(CHOICE, 2)[0])
    with pytest.raises(StoreMismatch, match=words):
        CHOICE.from_arrays({**arrays, name: np.asarray(value(arrays[name]))})
    with pytest.raises(StoreMismatch, match="missing"):
        CHOICE.from_arrays({key: value for key, value in arrays.items() if key != name})


def test_the_steps_do_the_same_from_stored_arrays() -> None:
    spaces = {
        name: Space(tuple(Param(f"p{k}", 0.5, prior=Uniform(0.0, 1.0)) for k in range(n)))
        for name, n in zip(("a", "b_c"), SIZES, strict=True)
    }
    prior = dict.fromkeys(spaces, 1.0)
    state, draws = waves(CHOICE, 1)
    rounds = {
        round_of(0, name): {
            "theta": of.u,
            "status": np.ones(len(of), np.uint8),
            "features": of.x,
        }
        for name, of in zip(spaces, draws, strict=True)
    }
    arrays, info = update(CHOICE, spaces, prior, 0, {"features": X}, None, **rounds)
    assert info["complete"] and info["draws"] == [60, 60]
    for name, array in CHOICE.to_arrays(state).items():
        np.testing.assert_allclose(array, arrays[name], rtol=1e-12, atol=1e-12)
    for u, n in zip(propose(CHOICE, 1, arrays), SIZES, strict=True):
        assert u.shape[1] == n
    # a wave may lack a model
    arrays, info = update(CHOICE, spaces, prior, 1, {"features": X}, arrays)
    assert info["simulated"] == 0 and not info["complete"]


def test_what_cannot_be_chosen_is_said() -> None:
    with pytest.raises(ConfigError, match="no model to choose"):
        CHOICE.init((), X)
    with pytest.raises(ConfigError, match="prior must lie"):
        CHOICE.init((1, 1), X, (1.0, 0.0))
    with pytest.raises(ConfigError, match="stay must lie"):
        Choice(stay=1.0)
