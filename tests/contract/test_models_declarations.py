"""What every declared model must say about itself."""

import numpy as np
import pytest

from hpcvbi import MODELS, Space

PARAMETERS = [pytest.param(p, id=f"{m.name}-{p.name}") for m in MODELS.values() for p in m.params]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_known_by_its_own_name(name):
    assert MODELS[name].name == name


@pytest.mark.parametrize("param", PARAMETERS)
def test_a_parameter_has_unit_meaning_bounds_and_prior(param):
    assert param.unit and param.doc
    assert np.isfinite([param.low, param.high]).all()
    assert param.prior is not None
    bottom, top = param.prior.quantile(np.array([0.0, 1.0]))
    assert param.low <= bottom < top <= param.high
    assert bottom <= param.default <= top


@pytest.mark.parametrize("name", MODELS)
def test_a_space_of_all_parameters_can_be_sampled(name):
    space = Space(MODELS[name].params)
    theta = space.sample(np.random.default_rng(0), 100)
    space.check(theta)
    assert np.isfinite(space.log_prob(theta)).all()


@pytest.mark.parametrize("name", MODELS)
def test_random_starts_have_a_range_and_the_constant_start_moves_on_smoothly(name):
    """The first Euler step of the longest allowed dt stays near the range of random starts."""
    model = MODELS[name]
    assert all(s.start is not None for s in model.state)
    low, high = np.array([s.start for s in model.state], float).T
    init = np.array([s.init for s in model.state])
    assert (init >= low).all() and (init <= high).all()
    assert 0 < model.time_constant < np.inf
    values = [p.default for p in model.params] + [1.0 for _ in model.derived]
    flow = np.array(model.dfun(*init, *np.zeros(len(model.inputs)), *values))
    after = init + flow * model.time_constant / 10.0
    width = high - low
    assert (after > low - width).all() and (after < high + width).all()
