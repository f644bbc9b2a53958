"""How a method of `hpcvbi.infer` spends a budget on a case, and what it says of test cases.

Amortised methods learn once, from the pool's first draws, and answer all test cases. A sequential
one spends the whole budget on each test case: its first round takes the pool's first draws, which
all test cases share, the second is simulated for each.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from vbi_cases import Case

from hpcvbi.core.seeds import derive_seed, generator
from hpcvbi.infer import ALGORITHMS, Draws

MOST_ROWS = 20_000
"""Rows that are learned from in a regional case, a random choice where there are more."""


@dataclass(frozen=True)
class Method:
    """An algorithm's settings. `rounds`: 1 learns once for all test cases; `slow`: samples a test
    case slowly, by Markov chains. Both are measured on few test cases.
    """

    algorithm: str
    rounds: int = 1
    slow: bool = False

    @property
    def few(self) -> bool:
        """Whether only few test cases are answered."""
        return self.slow or self.rounds > 1


METHODS = {
    name: method
    for name, method in {
        "npe": Method("npe"),
        "regression": Method("regression"),
        "knn": Method("knn"),
        "rejection": Method("rejection"),
        "tsnpe": Method("tsnpe", rounds=2),
        "nle": Method("nle", slow=True),
        "nre": Method("nre", slow=True),
    }.items()
    if method.algorithm in ALGORITHMS
}


@dataclass(frozen=True, eq=False)
class Answers:
    """Posterior draws (test, draw, param) of the unit cube, the truths (test, param), and the CPU
    seconds of learning and sampling, and of simulating for single test cases.
    """

    samples: np.ndarray
    truth: np.ndarray
    cpu_seconds: float
    simulated_for_tests: float
    ask: Callable[[np.ndarray, int], np.ndarray] | None
    """Posteriors (test, draw, param) of any features (test, feature), and a seed; None where the
    method has learned for its test cases alone."""


def rows_of(case: Case, u: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (row, param) and features (row, feature) to learn from: draws, or in a regional
    case the regions of all draws.
    """
    if not case.regional:
        return u, x
    u, x = u.reshape(-1, 1), x.reshape(-1, x.shape[-1])
    some = generator("vbi rows", len(u)).permutation(len(u))[:MOST_ROWS]
    return u[some], x[some]


def tests_of(case: Case, u: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Test cases whose features are finite: draws, or in a regional case a region of each draw."""
    if case.regional:
        region = generator("vbi test regions", len(u)).integers(u.shape[1], size=len(u))
        u, x = u[np.arange(len(u)), region][:, None], x[np.arange(len(u)), region]
    whole = np.isfinite(x).all(axis=1)
    return u[whole], x[whole]


def build(method: Method, draws: int) -> Any:
    """Return the algorithm, to be given `draws` draws in a round."""
    kind = ALGORITHMS[method.algorithm]
    known = {field.name for field in fields(kind)}
    wanted = {"rounds": method.rounds, "draws": draws, "members": 1, "min_survivors": 50}
    return kind(**{name: value for name, value in wanted.items() if name in known})


def answer(
    method: Method,
    case: Case,
    pool: tuple[np.ndarray, np.ndarray],
    tests: tuple[np.ndarray, np.ndarray],
    n: int,
    seed: int,
) -> Answers:
    """Learn from the pool (u, x) and draw `n` times from the posterior of each test (u, x)."""
    if method.rounds > 1:
        return _in_rounds(method, case, pool, tests, n, seed)
    before = time.process_time()
    draws = Draws.of(*rows_of(case, *pool))
    algorithm = build(method, len(draws))
    state = algorithm.init(draws.u.shape[1], tests[1][0])
    state, _ = algorithm.update(state, draws, derive_seed("vbi update", seed))

    def ask(x: np.ndarray, own: int) -> np.ndarray:
        return algorithm.posterior(state, x, n, own, draws)

    samples = ask(tests[1], derive_seed("vbi posterior", seed))
    return Answers(samples, tests[0], time.process_time() - before, 0.0, ask)


def _in_rounds(
    method: Method,
    case: Case,
    pool: tuple[np.ndarray, np.ndarray],
    tests: tuple[np.ndarray, np.ndarray],
    n: int,
    seed: int,
) -> Answers:
    """Spend the rest of the budget, as large as the pool for each round, on each test case."""
    before, spent, samples = time.process_time(), 0.0, []
    algorithm = build(method, len(pool[0]))
    for number, x in enumerate(tests[1]):
        own = derive_seed("vbi rounds", seed, number)
        state, parts = algorithm.init(pool[0].shape[1], x), [Draws.of(*pool, 0)]
        state, _ = algorithm.update(state, parts[0], derive_seed("vbi update", seed))
        for later in range(1, method.rounds):
            u = algorithm.propose(state, algorithm.draws, derive_seed("propose", own, later))
            start = time.process_time()
            seen = case.simulate(u, derive_seed("simulate", own, later))
            spent += time.process_time() - start
            parts.append(Draws.of(u, seen, later))
            state, _ = algorithm.update(state, Draws.join(parts), derive_seed("fit", own, later))
        draws = Draws.join(parts)
        samples.append(algorithm.posterior(state, x, n, derive_seed("draw", own), draws))
    took = time.process_time() - before - spent
    return Answers(np.stack(samples), tests[0], took, spent, None)
