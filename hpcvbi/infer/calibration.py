"""Cases with known truth for calibration: their truths, and posterior draws given their data.

Truths are drawn from what the posterior is for: the prior, or after truncation the prior cut to the
last region,

    u ~ U([0, 1]^p)  cut to  R = {u : q(u | x_observed) > t},

and there the posterior of a case is q(u | x) cut to R, as outside R only the first round has drawn.
A method whose later rounds aim at the recording in another way is right there only: it says so by
`local = True`, and has no cases. Nor has an optimiser, whose `kind` is no posterior.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.core.space import Space
from hpcvbi.infer.algorithm import Algorithm
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.steps import Arrays, draws_of, learnable

POSTERIOR = "posterior"
DRAWS = 99
"""Posterior draws of a case: ranks 0 ... 99."""
AT_RECORDING = 1000
"""Posterior draws at the recording."""
TIMES = 4, 64
"""Draws tried per draw wanted inside the region, at first and where they were too few."""
TOGETHER = 64
"""Cases whose draws are in memory at once."""


def has_cases(algorithm: Algorithm[Any]) -> bool:
    """Whether there is a posterior, for more than the recording: calibration can be checked."""
    local = getattr(algorithm, "local", False) and algorithm.rounds > 1
    return getattr(algorithm, "kind", POSTERIOR) == POSTERIOR and not local


def truths(algorithm: Algorithm[Any], space: Space, n: int, seed: int, state: Arrays) -> np.ndarray:
    """Draw the truths (case, param) of `n` cases, in the unit cube."""
    rng, learned = generator("calibration", seed), algorithm.from_arrays(dict(state))
    region = _region(algorithm, learned)
    if region is None:
        return rng.random((n, len(space)))
    # even points of the region, thinned at random: nearly as good as independent ones
    points = region.propose(learned, 4 * n, seed)
    return points[np.sort(rng.choice(len(points), n, replace=False))]


def cases(
    algorithm: Algorithm[Any],
    space: Space,
    seed: int,
    state: Arrays,
    calibration: Arrays,
    observed: Arrays,
    **rounds: Arrays,
) -> Mapping[str, np.ndarray]:
    """Draw from the posteriors of a simulated round of cases, as named arrays.

    `kept` (case,): which cases are whole, with enough draws inside the region; of these `truth`
    (kept, param), `x` (kept, feature), `samples` (kept, draw, param) and `log_density` (kept, 1 +
    draw) at truth and samples, without columns where the method gives none. `at_observed` (draw,
    param) are drawn given `x_observed`; none where too few fall inside the region.
    """
    learned = algorithm.from_arrays(dict(state))
    draws = draws_of(space, rounds) if rounds else None
    found = Draws.of(space.to_unit(calibration["theta"]), learnable(calibration))
    kept, whole = found.whole, found.finite()
    samples, enough = _posteriors(algorithm, learned, whole.x[:], len(space), DRAWS, seed, draws)
    kept[np.flatnonzero(kept)[~enough]] = False
    truth, x, samples = whole.u[enough], whole.x[:][enough], samples[enough]
    recorded = observed["features"]
    own = derive_seed("recording", seed)
    there, reached = _posteriors(
        algorithm, learned, recorded[None], len(space), AT_RECORDING, own, draws
    )
    return {
        "kept": kept,
        "truth": truth,
        "x": x,
        "samples": samples,
        "log_density": _densities(algorithm, learned, truth, x, samples),
        "x_observed": recorded,
        "at_observed": there[0][: AT_RECORDING * int(reached[0])],
    }


def _densities(
    algorithm: Algorithm[Any], state: Any, truth: np.ndarray, x: np.ndarray, samples: np.ndarray
) -> np.ndarray:
    """Return the log densities (case, 1 + draw), up to a constant of the case; no columns where
    there are none.
    """
    given = getattr(algorithm, "log_density", None)
    if given is None or not len(truth):
        return np.empty((len(truth), 0))
    return given(state, np.concatenate([truth[:, None], samples], axis=1), x)


def _region(algorithm: Algorithm[Any], state: Any) -> Neural | None:
    """Return the algorithm where its later rounds were truncated, else None."""
    return algorithm if isinstance(algorithm, Neural) and state.round > 1 else None


def _posteriors(
    algorithm: Algorithm[Any],
    state: Any,
    x: np.ndarray,
    n_params: int,
    n: int,
    seed: int,
    draws: Draws | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `n` samples (case, n, param) of each posterior, and say where there are so many."""
    region = _region(algorithm, state)
    samples, enough = np.empty((len(x), n, n_params)), np.zeros(len(x), bool)
    for times in TIMES if region else (1,):
        lacking = np.flatnonzero(~enough)
        for start in range(0, len(lacking), TOGETHER):
            some = lacking[start : start + TOGETHER]
            own = derive_seed("calibration", seed, times, start)
            drawn = algorithm.posterior(state, x[some], n * times, own, draws)
            inside = np.ones(drawn.shape[:2], bool)
            if region:
                inside = region.inside(state, drawn.reshape(-1, n_params)).reshape(inside.shape)
            for case, rows, hold in zip(some, drawn, inside, strict=True):
                if hold.sum() >= n:
                    samples[case], enough[case] = rows[hold][:n], True
    return samples, enough
