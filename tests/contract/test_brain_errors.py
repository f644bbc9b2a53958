"""Declarations that cannot be run are refused, with what is wrong and what to write instead."""

from dataclasses import replace

import numpy as np
import pytest
from engine_brains import brain_of, connectome, with_recording

from hpcvbi import (
    DIFFERENCE,
    LINEAR,
    Average,
    Bold,
    Connectome,
    Coupling,
    Fc,
    Model,
    Output,
    Param,
    Recorded,
    Sample,
    Space,
    State,
    Uniform,
    WhiteNoise,
    simulate,
)
from hpcvbi.core.errors import ConfigError, DataError

BRAIN = brain_of("reduced_wong_wang", "dense", "euler")
PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])


def with_entry(value: float) -> np.ndarray:
    matrix = PAIR.copy()
    matrix[1, 0] = value
    return matrix


@pytest.mark.parametrize(
    ("weights", "lengths", "labels", "message"),
    [
        (PAIR[:1], PAIR, "ab", r"weights must be square \(to, from\), got shape \(1, 2\)"),
        (PAIR, PAIR[0], "ab", r"lengths must be square \(to, from\), got shape \(2,\)"),
        (with_entry(np.nan), PAIR, "ab", r"weights\[1, 0\] is nan, not a finite number"),
        (PAIR, with_entry(np.inf), "ab", r"lengths\[1, 0\] is inf, not a finite number"),
        (PAIR, with_entry(-3.0), "ab", r"lengths\[1, 0\] = -3 mm is negative"),
        (PAIR, np.zeros((3, 3)), "ab", r"weights \(2, 2\) and lengths \(3, 3\) differ"),
        (PAIR, PAIR, "abc", "3 labels for 2 regions"),
        (PAIR, PAIR, "aa", "region labels must be distinct"),
    ],
)
def test_connectome(weights, lengths, labels, message):
    with pytest.raises(DataError, match=message):
        Connectome(weights, lengths, tuple(labels))


def test_connectome_normalisation_and_delays():
    pair = Connectome(PAIR, 10 * PAIR, ("a", "b"))
    with pytest.raises(ConfigError, match="must be spectral_radius, max or none, got 'sum'"):
        pair.normalised("sum")  # type: ignore[arg-type]
    for by in ("max", "spectral_radius"):
        with pytest.raises(DataError, match=f"cannot normalise by {by}: it is zero"):
            Connectome(0 * PAIR, PAIR, ("a", "b")).normalised(by)  # type: ignore[arg-type]
    for speed in (0.0, -1.0, np.nan):
        with pytest.raises(ConfigError, match=r"conduction speed must be positive \[mm/ms\]"):
            pair.delays(speed, 0.5)
    with pytest.raises(ConfigError, match="rounding must be floor or round, got 'ceil'"):
        pair.delays(5.0, 0.5, "ceil")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheme": "rk5"}, "scheme must be one of euler, heun, rk4, sra1, got 'rk5'"),
        ({"scheme": "rk4"}, "rk4 is for equations without white noise"),
        ({"dt": 0.0}, "dt = 0 ms must be positive and not exceed the shortest time constant"),
        ({"dt": np.nan}, "dt = nan ms must be positive"),
        ({"dt": 200.0}, "dt = 200 ms .* of reduced_wong_wang, 100 ms"),
        ({"coupling": replace(LINEAR, pre=lambda S: (S, S), channels=2)}, "linear gives 2 inputs"),
        ({"noise": WhiteNoise(("V",))}, r"noise on \['V'\]: reduced_wong_wang has no such"),
        ({"duration": 100.2}, "duration = 100.2 ms must be a whole multiple of dt = 0.5 ms"),
        ({"duration": np.nan}, "duration = nan ms must be a whole multiple"),
        ({"burn_in": -1.0}, "burn_in = -1 ms must be a whole multiple"),
        ({"burn_in": np.inf}, "burn_in = inf ms must be a whole multiple"),
        ({"speed": 0.0}, r"speed \[mm/ms\] must lie in \[0.05, 1000\], got values from 0 to 0"),
        ({"rounding": "up"}, "rounding must be floor or round"),
        ({"values": {"sigmma": 0.1}}, "'sigmma' is no parameter .*did you mean 'sigma'"),
        ({"values": {"zzz": 0.1}}, r"'zzz' is no parameter of this brain \(w, I0, [^;]*$"),
        ({"values": {"G": 0.1}}, r"\['G'\] are both fixed and drawn"),
        ({"values": {"w": -1.0}}, r"w \[1\] must lie in \[0, 5\], got values from -1 to -1"),
        ({"values": {"w": np.nan}}, r"w \[1\] must be finite"),
        ({"values": {"w": np.ones(3)}}, r"one number per region \(10\), got shape \(3,\)"),
        ({"values": {"w": np.ones((1, 10))}}, r"got shape \(1, 10\)"),
        (
            {"coupling": Coupling("own", lambda total, own, strength, w: w, (Param("w", 1.0),))},
            "parameter names collide",
        ),
        ({"monitors": (Sample("V", 0.5),)}, "monitor sample watches 'V'; the model has S"),
        ({"monitors": (Average("V", 5.0),)}, "monitor average watches 'V'"),
        ({"monitors": (Bold("V", 50.0),)}, "monitor bold watches 'V'"),
        ({"monitors": (Sample("S", 0.7),)}, "period 0.7 ms must be a whole multiple of 0.5 ms"),
        ({"monitors": (Sample("S", np.nan),)}, "period nan ms must be a whole multiple"),
        ({"monitors": (Average("S", 0.0),)}, "period 0 ms must be a whole multiple of 0.5 ms"),
        ({"monitors": (Average("S", 30.0),)}, "duration 200 ms must be a whole multiple of 30 ms"),
        ({"monitors": (Bold("S", 50.0, step=0.3),)}, r"bold \(step\): period 0.3 ms"),
        ({"monitors": (Bold("S", 50.0, step=20.0),)}, r"50 ms must be a whole multiple of 20 ms"),
        ({"monitors": (Bold("S", 200.0, step=200.0),)}, "step 200 ms is too coarse; use <= 100"),
        ({"monitors": (Recorded(np.ones((2, 2))),)}, "ratio must be one finite number >= 0 per"),
        ({"monitors": (Recorded(np.array([-1.0])),)}, "ratio must be one finite number >= 0 per"),
    ],
)
def test_brain(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(BRAIN, **change)


def test_model_and_coupling_are_checked_where_they_are_declared():
    def dfun(x, c):
        return (c - x,)

    with pytest.raises(ConfigError, match=r"dfun\(x, c\) must take .* \(x, c, rate\)"):
        Model("m", dfun, (State("x"),), ("c",), (Param("rate", 1.0),), ("x",))
    with pytest.raises(ConfigError, match=r"model m sends \['y'\]: no state variables or outputs"):
        Model("m", dfun, (State("x"),), ("c",), (), ("y",))
    with pytest.raises(ConfigError, match=r"post\('total', 'own'\) must begin with"):
        Coupling("half", lambda total, own: total, ())
    with pytest.raises(ConfigError, match="channels are what `pre` returns"):
        replace(DIFFERENCE, channels=1)


ROOM, NAMES = 3.0, {"x": 1.0}


def log(x):
    """Not NumPy's."""
    return x


def square(x):
    """A power."""
    return x**2


def around(scale):
    """A function that knows the argument of the function around it."""
    return lambda x, c: (scale * x,)


@pytest.mark.parametrize(
    ("dfun", "message"),
    [
        (around(2.0), "uses scale of the function around it: move it to the level of the module"),
        (
            lambda x, c: (abs(x),),
            "uses abs, which is no number, no Python function and none of exp",
        ),
        (lambda x, c: (max(x, c),), "uses max, which is no number"),
        (lambda x, c: (missing * x,), "uses missing, which is no number"),  # noqa: F821
        (lambda x, c: (NAMES["x"] * x,), "uses NAMES, which is no number"),
        (lambda x, c: (np.exp(x),), "uses np, which is no number"),
        (lambda x, c: (log(x),), "uses log, which is not NumPy's: write `from numpy import log`"),
        (lambda x, c: (x.real,), r"uses .real: import what it needs by its own name"),
        (lambda x, c: (square(x),), r"square uses \*\*: write it with \+ - \* / and exp, expm1"),
        (lambda x, c: (x // c,), r"uses //: write it with"),
        (lambda x, c: (x if c else 0.0,), r"uses if, and, or, not or a loop: use `where\("),
        (lambda x, c: (x and c,), "uses if, and, or, not or a loop"),
        (lambda x, c: (ROOM * (x == c),), "uses ==: compare with < <= > >= inside `where`"),
    ],
)
def test_a_function_that_lanes_cannot_compute_is_refused_where_it_is_declared(dfun, message):
    with pytest.raises(ConfigError, match=message):
        Model("m", dfun, (State("x"),), ("c",), (), ("x",))
    with pytest.raises(ConfigError, match=f"coupling odd: .*{message}"):
        Coupling("odd", _post, (), pre=dfun)
    with pytest.raises(ConfigError, match=f"output level of m: .*{message}"):
        Model(
            "m", _dfun, (State("x"), State("c")), (), (), (), outputs=(Output("level", "1", dfun),)
        )
    with pytest.raises(ConfigError, match=message):
        Model("m", _dfun, (State("x"), State("c")), (), (), (), diffusion=dfun)


def _post(total, own, strength):
    return ROOM * total


def _dfun(x, c):
    return x, c


def test_noise_names_each_variable_once():
    with pytest.raises(ConfigError, match="name each variable once"):
        WhiteNoise(("S", "S"))


THETA = np.full((2, 2), 0.01)


@pytest.mark.parametrize(
    ("theta", "options", "message"),
    [
        (THETA, {"backend": "gpu"}, "backend must be one of cpu, reference, cuda, got 'gpu'"),
        (THETA, {"dtype": "float16"}, "dtype must be float32 or float64, got 'float16'"),
        (THETA, {"draws": np.arange(3)}, "3 draw numbers for 2 rows of theta"),
        (THETA, {"draws": np.array([0, -1])}, "draw numbers must be integers from 0"),
        (THETA, {"draws": np.array([0.0, 1.0])}, "draw numbers must be integers from 0"),
        (THETA, {"seed": -1}, r"seed must be an integer from 0 to 2\^64 - 1, got -1"),
        (THETA[:0], {}, "theta has no rows"),
        (THETA[:, :1], {}, r"theta must have shape \(draw, 2\) for G, sigma, got \(2, 1\)"),
        (-THETA, {}, r"G \[1\] must lie in \[0, 1e\+06\]"),
        (THETA * np.nan, {}, r"G \[1\] must be finite"),
        (THETA, {"initial": np.zeros((2, 10))}, r"must have shape \(1, 10\), \(1, history, 10\)"),
    ],
)
def test_simulate(theta, options, message):
    with pytest.raises(ConfigError, match=message):
        simulate(BRAIN, theta, **{"seed": 0, **options})


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        (Sample("S", 1.0), "monitors need distinct names"),
        (Fc("blood", name="other"), r"other is of 'blood'; it must be one of \['average', 'bold'"),
        (Recorded(np.ones(3)), "monitor recorded: 3 ratios for 10 regions"),
    ],
)
def test_monitors_of_monitors(monitor, message):
    with pytest.raises(ConfigError, match=message):
        simulate(with_recording(BRAIN, monitor), THETA, seed=0)


def test_space_needs_priors_inside_the_bounds():
    with pytest.raises(ConfigError, match="G has no prior: give it one, or fix its value"):
        Space((Param("G", 1.0),))
    with pytest.raises(ConfigError, match=r"G \[1\] must lie in \[0, inf\]"):
        Space((Param("G", 1.0, low=0.0, prior=Uniform(-1.0, 1.0)),))
    twice = Param("G", 1.0, prior=Uniform(0.0, 1.0))
    with pytest.raises(ConfigError, match="parameters named twice"):
        Space((twice, twice))


def test_connectome_is_a_copy_that_cannot_be_changed():
    weights = PAIR.copy()
    pair = Connectome(weights, PAIR, ("a", "b"))
    weights[0, 1] = 5.0
    assert pair.weights[0, 1] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        pair.weights[0, 1] = 5.0


def test_connectome_transformations():
    network = connectome()
    assert np.abs(np.linalg.eigvals(network.weights)).max() == pytest.approx(1.0)
    assert network.normalised("max").weights.max() == 1.0
    assert network.normalised("none") is network
    both = network.symmetrised()
    np.testing.assert_array_equal(both.weights, both.weights.T)
    np.testing.assert_array_equal(both.lengths, both.lengths.T)
    assert np.trace(network.without_self_connections().weights) == 0 < np.trace(network.weights)
    part = network.subset(np.array([7, 2]))
    assert part.labels == ("region 7", "region 2")
    assert part.weights[0, 1] == network.weights[7, 2]
    assert part.lengths[1, 0] == network.lengths[2, 7]
    np.testing.assert_array_equal(network.strength, network.weights.sum(axis=1))


def test_delays_round_down_or_half_to_even():
    lengths = np.array([[0.0, 6.25], [8.75, 9.9]])
    pair = Connectome(PAIR, lengths, ("a", "b"))
    assert pair.delays(5.0, 0.5).tolist() == [[0, 2], [3, 3]]
    assert pair.delays(5.0, 0.5, "round").tolist() == [[0, 2], [4, 4]]
    assert not pair.delays(None, 0.5).any()


def test_values_of_parameters_reach_the_table():
    brain = replace(BRAIN, values={"w": np.linspace(0.5, 0.9, 10), "I0": 0.31})
    table = brain.parameters(THETA * [[1.0, 2.0]])
    assert table["G"].ravel().tolist() == [0.01, 0.01]
    assert table["sigma"].shape == (2, 1) and table["sigma"][1, 0] == 0.02
    assert table["w"].shape == (1, 10) and table["w"][0, -1] == 0.9
    assert table["I0"].item() == 0.31
    assert table["tau"].item() == 100.0
