"""Measures hpcvbi on one workload: `own.py WORKLOAD "SCHEME DTYPE" [DIVISOR]`, one JSON line."""

from measure import report  # isort: skip  (sets the thread pools before NumPy is loaded)

import sys

from brains import brain_of, theta_of
from plain_loop import plain_run
from workloads import WORKLOADS

from hpcvbi import simulate
from hpcvbi.features import Context, measure


def main() -> None:
    """Measure what the command line asks for."""
    workload = WORKLOADS[sys.argv[1]]
    variant = sys.argv[2]
    divisor = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    steps = workload.steps // divisor
    if variant == "plain loop":
        brain = brain_of(workload, steps=steps // 4)
        work = plain_run(brain)
        report(work, steps=brain.n_steps, scheme="euler", dtype="float64")
        return
    scheme, dtype = variant.split()
    brain = brain_of(workload, scheme, steps)
    theta = theta_of(workload, workload.draws)

    def work():
        signals = simulate(brain, theta, seed=1, dtype=dtype).signals
        if workload.features:
            frame_s = brain.monitors[0].period / 1000.0
            return measure(workload.features, signals["bold"], Context(frame_s)).features
        return list(signals.values())

    report(work, steps=brain.n_steps, draws=len(theta), scheme=scheme, dtype=dtype)


if __name__ == "__main__":
    main()
