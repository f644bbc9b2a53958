"""Stuart-Landau: amplitude, frequency and decay of the normal form of a Hopf bifurcation.

ṙ = a r − r³,  φ̇ = ω           r(t)² = a / (1 + (a/r0² − 1) exp(−2 a t))
"""

import numpy as np
from networks import isolated

from hpcvbi import DIFFERENCE, MODELS, Brain, Sample, simulate

N = 10


def test_radius_and_phase_follow_their_exact_solution():
    """Region by region; growth to √a where a > 0 (.4472 for a .2), decay where a < 0.

    Tolerance: 1e-6, the error of RK4 at .05 ms.
    """
    a, omega = np.linspace(0.05, 0.5, N), np.linspace(0.05, 0.2, N)
    a[3], a[6] = -0.1, 0.2
    brain = Brain(
        isolated(N),
        MODELS["stuart_landau"],
        DIFFERENCE,
        None,
        dt=0.05,
        duration=300.0,
        monitors=(Sample("x", 0.5, name="x"), Sample("y", 0.5, name="y")),
        values={"G": 0.0, "a": a, "omega": omega},
        scheme="rk4",
    )
    start = np.repeat([[0.1], [0.0]], N, axis=1)
    seen = simulate(brain, seed=0, dtype="float64", width=8, initial=start).signals
    x, y = seen["x"][0], seen["y"][0]
    t = 0.5 * np.arange(1, len(x) + 1)[:, None]
    radius = np.sqrt(a / (1 + (a / 0.01 - 1) * np.exp(-2 * a * t)))
    np.testing.assert_allclose(np.hypot(x, y), radius, atol=1e-6)
    np.testing.assert_allclose(np.hypot(x, y)[-1, 6], 0.4472, atol=5e-5)
    np.testing.assert_allclose(np.unwrap(np.arctan2(y, x), axis=0), omega * t, atol=1e-5)
