"""The loss of the optimisers: what each weight counts, by name, and what a study may write."""

from pathlib import Path

import numpy as np
import pytest
from small_study import STUDY

from hpcvbi.campaign.method import algorithm_of
from hpcvbi.config import load
from hpcvbi.core.errors import ConfigError
from hpcvbi.features import FEATURES, groups_of
from hpcvbi.infer import CmaEs, Draws, Grid, Weights, weights_of
from hpcvbi.infer.composite_loss import losses, points_of, prior_spread

GROUPS = {"fc_mean": "fc", "fc_sd": "fc", "lag1_autocorrelation": "dynamics"}
INFERENCE = "{algorithm: tsnpe, rounds: 2, draws: 64, settings: {}}"


def study(tmp_path: Path, inference: str):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace(INFERENCE, inference))
    return load(path)


def by_hand(weights, u, x, observed, spread):
    """The loss of one point (replicate, feature), as it is written in the module."""
    whole = x[np.isfinite(x).all(1)]
    variance = whole.var(0, ddof=1) if len(whole) > 1 else np.zeros(x.shape[1])
    total = weights.stability * (1 - len(whole) / len(x) + (variance / spread**2).mean())
    total += weights.prior * (12 * (u - 0.5) ** 2).mean()
    for weight, columns in weights.groups:
        apart = ((whole.mean(0) - observed) / spread)[list(columns)]
        total += weight * (apart**2).mean()
    return total


def test_the_loss_is_the_sum_of_its_terms():
    rng = np.random.default_rng(1)
    u = np.repeat(rng.random((5, 2)), 3, axis=0)
    x = rng.standard_normal((15, 3)) * [1.0, 100.0, 1e-3]
    x[3, 0] = x[6:8] = x[9:12] = np.nan
    observed, spread = np.array([0.3, 20.0, 2e-3]), np.array([1.0, 100.0, 1e-3])
    weights = weights_of({"fc": 2, "dynamics": 0.5, "stability": 0.3, "prior": 0.1}, GROUPS)
    assert weights == Weights(((2.0, (0, 1)), (0.5, (2,))), 0.3, 0.1)
    points = points_of(Draws.of(u, x), 3)
    loss = losses(weights, points, observed, spread)
    assert loss[3] == np.inf
    for k in (0, 1, 2, 4):
        expected = by_hand(weights, u[3 * k], x[3 * k : 3 * k + 3], observed, spread)
        assert loss[k] == pytest.approx(expected, rel=1e-12)


def test_features_are_scaled_by_the_draws_of_the_prior_alone():
    x = np.array([[0.0, 5.0], [2.0, 5.0], [np.nan, 1.0], [100.0, -7.0]])
    draws = Draws(np.full((4, 1), 0.5), x, np.array([-1, 0, 0, 1]))
    np.testing.assert_array_equal(prior_spread(draws), [1.0, 1.0])


def test_one_wild_draw_switches_no_feature_off():
    x = np.random.default_rng(1).standard_normal((400, 2))
    x[7, 0] = 1e6
    spread = prior_spread(Draws.of(np.full((400, 1), 0.5), x))
    assert 2.5 < spread[0] < 3.5, spread
    assert spread[1] == pytest.approx(x[:, 1].std(), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "groups"),
    [
        ({}, ((1.0, (0, 1)), (1.0, (2,)))),
        ({"prior": 0.5}, ((1.0, (0, 1)), (1.0, (2,)))),
        ({"fc": 3}, ((3.0, (0, 1)),)),
        ({"fc": 1, "fc_sd": 4}, ((4.0, (1,)), (1.0, (0,)))),
        ({"lag1_autocorrelation": 2}, ((2.0, (2,)),)),
    ],
)
def test_weights_go_by_feature_or_by_group(given, groups):
    assert weights_of(given, GROUPS).groups == groups


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"spectrum": 1.0},
            r"no feature 'spectrum', and no group of this name .*Groups: fc, dynam",
        ),
        ({"stabilty": 1.0}, "did you mean 'stability'"),
        ({"fc": -1.0}, "from 0 on"),
        ({"fc": float("nan")}, "finite"),
        ({"fc": "much"}, "must be a number"),
        ({"fc": 0.0}, "count more than 0"),
        ({"dynamics": 1, "lag1_autocorrelation": 1}, "leave dynamics out"),
        (3.0, "write {name: number"),
    ],
)
def test_weights_that_mean_nothing_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        weights_of(given, GROUPS)


def test_stability_needs_replicates_and_columns_must_exist():
    with pytest.raises(ConfigError, match="replicates: 2 or more"):
        Grid(weights=Weights(stability=0.1))
    with pytest.raises(ConfigError, match="no column 2 among 2 features"):
        Grid(weights=Weights(((1.0, (0, 2)),))).init(1, np.zeros(2))


def test_every_feature_has_a_group():
    assert groups_of(list(FEATURES)).keys() == FEATURES.keys()


def test_a_study_names_its_weights(tmp_path):
    written = "{algorithm: cmaes, rounds: 9, draws: 32, settings: {replicates: 2, weights: %s}}"
    found = algorithm_of(study(tmp_path, written % "{fc_mean: 1, stability: 0.1, prior: 1e-2}"))
    weights = Weights(((1.0, (0,)),), 0.1, 0.01)
    assert found == CmaEs(rounds=9, draws=32, replicates=2, weights=weights)
    other = study(tmp_path, written % "{fc_mean: 2, stability: 0.1, prior: 1e-2}")
    assert other.sha256 != study(tmp_path, written % "{fc_mean: 3}").sha256


@pytest.mark.parametrize(
    ("inference", "said"),
    [
        ("{algorithm: grid, rounds: 1, settings: {weights: {spectrum: 1.0}}}", "no .*'spectrum'"),
        ("{algorithm: grid, rounds: 1, settings: {weights: 3}}", "write {name: number"),
        ("{algorithm: grid, rounds: 1, settings: {replicates: {a: 1}}}", "must be one value"),
        ("{algorithm: npe, rounds: 1, settings: {hidden: 32.5}}", "hidden must be such as 64"),
        ("{algorithm: npe, rounds: 1, settings: {batch: null}}", "batch must be such as 0, got N"),
        ("{algorithm: grid, rounds: 1, settings: {design: factorial, draws: 7}}", "beside"),
        ("{algorithm: grid, rounds: 1, draws: 7, settings: {design: factorial}}", "k.2 points"),
        ("{algorithm: tsnpe, settings: {weights: {fc: 1.0}}}", "tsnpe has no setting 'weights'"),
    ],
)
def test_a_study_that_cannot_be_optimised_is_refused_with_its_place(tmp_path, inference, said):
    with pytest.raises(ConfigError, match=rf"inference.*{said}"):
        algorithm_of(study(tmp_path, inference))
