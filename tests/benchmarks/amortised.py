"""One network for a cohort against one inference per person, at the same number of simulations in
all, on people with exact posteriors (tests/statistics/made_up_cohort.py).

    python tests/benchmarks/amortised.py [OUT.csv]

A row: how many simulations each person costs, in how many networks; errors of the mean in exact
standard deviations, log ratio of the widths (root mean squares over people), and CPU time of
learning [s], all people.
"""

import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "statistics"))
from made_up_cohort import member, off_by, people, simulate

from hpcvbi.infer import Npe, Tsnpe, learn
from hpcvbi.infer.amortised import Amortised

PEOPLE, JUDGED, DRAWS = 40, 24, 160
COLUMNS = ("method", "people", "simulations_per_person", "shift", "width", "cpu_seconds")
Row = tuple[str, int, int, float, float, float]
Case = tuple[np.ndarray, np.ndarray]


def main(out: Path) -> None:
    """Measure, print and write the table."""
    rng = np.random.default_rng(1)
    known, others = people(rng, PEOPLE), people(rng, JUDGED)
    seen = [(simulate(rng.random((1, 2)), c, rng)[0], c) for c in known[:JUDGED]]
    unseen = [(simulate(rng.random((1, 2)), c, rng)[0], c) for c in others]
    rows = [*amortised(rng, known, seen, unseen)]
    rows += [alone("npe alone", Npe(draws=DRAWS), seen)]
    rows += [alone("tsnpe alone", Tsnpe(draws=DRAWS // 2), seen)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    print(out.read_text())


def amortised(
    rng: np.random.Generator, known: np.ndarray, seen: list[Case], unseen: list[Case]
) -> list[Row]:
    """Learn once from everybody."""
    npe = Npe(batch=150, learning_rate=4e-3)
    cohort, start = Amortised(npe), time.process_time()
    state, _ = cohort.update([member(npe, c, DRAWS, rng) for c in known], seed=1)
    took = time.process_time() - start

    def drawn(x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return cohort.posterior(state, x, c, 1000, seed=2)

    return [
        ("cohort, known people", PEOPLE, DRAWS, *_errors(drawn, seen), round(took, 1)),
        ("cohort, unseen people", PEOPLE, 0, *_errors(drawn, unseen), 0.0),
    ]


def alone(name: str, algorithm: Npe | Tsnpe, cases: list[Case]) -> Row:
    """Learn for each of some people; CPU time is that of as many as the cohort has."""
    start = time.process_time()

    def drawn(x: np.ndarray, c: np.ndarray) -> np.ndarray:
        learned = learn(
            algorithm, lambda u, seed: simulate(u, c, np.random.default_rng(seed)), 2, x, seed=3
        )
        return learned.posterior(x, 1000, seed=4)

    errors = _errors(drawn, cases)
    took = (time.process_time() - start) * PEOPLE / len(cases)
    return (name, PEOPLE, DRAWS, *errors, round(took, 1))


def _errors(
    drawn: Callable[[np.ndarray, np.ndarray], np.ndarray], cases: list[Case]
) -> tuple[float, float]:
    found = [off_by(drawn(x, c), x, c) for x, c in cases]
    shift, width = np.sqrt(np.square(found).mean(axis=0))
    return round(float(shift), 3), round(float(width), 3)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/amortised.csv"))
