"""VBI: its numba models (time loop partly in the interpreter) and its C++ models, in float64.

The C++ modules of the package need SWIG's Python shims, which installing the benchmark's peers
makes with the package's own interface files.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import SPEED, asked, connectome, report

import numpy as np

WEIGHTS, LENGTHS = connectome()
N = len(WEIGHTS)


def jansen_rit(variant, steps, delays=False, dt=0.5):
    """Jansen-Rit; delays exist in C++ only."""
    start = np.random.default_rng(0).normal(size=6 * N)
    common = {"weights": WEIGHTS, "dt": dt, "t_end": steps * dt, "G": 0.1}
    if delays:
        from vbi.models.cpp.jansen_rit import JR_sdde

        common.update(delays=LENGTHS / SPEED, sigma=0.01, t_transition=0.0, seed=1)

        def work():
            return JR_sdde(common).run()["x"]
    elif variant == "C++":
        from vbi.models.cpp.jansen_rit import JR_sde

        common.update(noise_amp=0.01, t_transition=0.0, initial_state=start, output="/tmp")

        def work():
            return JR_sde(common).run(x0=start)["x"]
    else:
        from vbi.models.numba.jansen_rit import JR_sde

        def work():
            return JR_sde(common).run(x0=start)["x"]

    report(work, steps=steps, scheme="heun", dtype="float64")


def montbrio_pazo_roxin(variant, steps, bold=False, draws=1, dt=0.01):
    """Montbrio-Pazo-Roxin; a new object for each run, because `run` changes its own duration."""
    start = np.r_[np.full(N, 0.1), np.full(N, -2.0)]
    common = {"weights": WEIGHTS, "dt": dt, "t_end": steps * dt * 10}
    common.update(RECORD_RV=not bold, RECORD_BOLD=bold, tr=dt * 10 * 1000, rv_decimate=10)
    if variant == "C++":
        from vbi.models.cpp.mpr import MPR_sde

        common.update(RECORD_RV=int(not bold), RECORD_BOLD=int(bold))
        options = {}
    else:
        from vbi.models.numba.mpr import MPR_sde

        options = {"x0": start}

    def work():
        key = "bold_d" if bold else "rv_d"
        results = [MPR_sde({**common, "G": 0.1 + 0.005 * d}).run(**options) for d in range(draws)]
        return [np.asarray(result[key]) for result in results]

    note = ("BOLD every step" if bold else "") + ("; draws one after another" if draws > 1 else "")
    report(work, steps=steps, draws=draws, scheme="heun", dtype="float64", note=note)


def reduced_wong_wang(steps, bold, draws=1, dt=1.0, tr=720.0, features=False):
    """Reduced Wong-Wang."""
    from vbi.models.numba.rww import RWW_sde

    if features:
        from vbi.feature_extraction.features import fc_stat, fcd_stat

    common = {"weights": WEIGHTS, "dt": dt, "t_end": steps * dt, "sigma": 0.001, "tr": tr}
    common.update(I_ext=0.33, w=0.6, RECORD_S=not bold, RECORD_BOLD=bold)

    def work():
        results = [RWW_sde({**common, "G": 0.1 + 0.01 * d}).run() for d in range(draws)]
        signals = [np.asarray(r["bold_d" if bold else "S"]) for r in results]
        if not features:
            return signals
        found = []
        for signal in signals:
            by_region = signal.T if len(signal) != N else signal
            found += fc_stat(by_region)[0] + fcd_stat(by_region, TR=tr / 1000, win_len=60)[0]
        return np.array(found)

    note = ("BOLD every step" if bold else "") + ("; draws one after another" if draws > 1 else "")
    note += "; FCD windows move by one frame" if features else ""
    report(work, steps=steps, draws=draws, scheme="heun", dtype="float64", note=note)


def wong_wang_ei(steps, bold, draws=1, dt=1.0):
    """Wong-Wang with excitatory and inhibitory populations."""
    from vbi.models.numba.ww import WW_sde

    common = {"weights": WEIGHTS, "dt": dt, "t_end": steps * dt, "noise_amp": 0.001, "tr": 720.0}
    common.update(RECORD_S=not bold, RECORD_BOLD=bold)

    def work():
        made = [WW_sde({**common, "G_exc": 0.1 + 0.01 * d}) for d in range(draws)]
        return [m.run(verbose=False)["bold_d" if bold else "S"] for m in made]

    note = ("BOLD every step" if bold else "") + ("; draws one after another" if draws > 1 else "")
    report(work, steps=steps, draws=draws, scheme="heun", dtype="float64", note=note)


def epileptor(variant, scheme, steps, dt=0.01):
    """Epileptor reduced to two variables, with noise."""
    common = {"weights": WEIGHTS, "dt": dt, "t_end": steps * dt, "method": scheme, "G": 0.1}
    start = np.r_[np.full(N, -2.0), np.full(N, 3.5)]
    if variant == "C++":
        from vbi.models.cpp.vep import VEP_sde

        common.update(noise_amp=0.01, eta=-2.5)

        def work():
            return VEP_sde(common).run(x0=start)["x"]
    else:
        from vbi.models.numba.vep import VEP_sde

        common.update(sigma=0.01, eta=np.full(N, -2.5), iext=np.zeros(N), initial_state=start)

        def work():
            return VEP_sde(dict(common)).run()["x"]

    report(work, steps=steps, scheme=scheme, dtype="float64")


def stuart_landau(steps, delays, dt=0.5):
    """Stuart-Landau with delays."""
    from vbi.models.numba.sl import SL_sde

    common = {"weights": WEIGHTS, "tr_len": LENGTHS if delays else 0.0 * LENGTHS, "speed": SPEED}
    common.update(dt=dt, t_end=steps * dt, G=0.02, a=-0.02, RECORD_X=True)

    def work():
        return SL_sde(common).run()["X"].real

    note = "delays gathered in the interpreter"
    report(work, steps=steps, scheme="heun", dtype="complex128", note=note)


CASES = {
    ("jansen_rit", "C++"): lambda k: jansen_rit("C++", 20_000 // k),
    ("jansen_rit", "numba"): lambda k: jansen_rit("numba", 20_000 // k),
    ("jansen_rit_delays", "C++"): lambda k: jansen_rit("C++", 20_000 // k, delays=True),
    ("montbrio_pazo_roxin", "C++"): lambda k: montbrio_pazo_roxin("C++", 50_000 // k),
    ("montbrio_pazo_roxin", "numba"): lambda k: montbrio_pazo_roxin("numba", 50_000 // k),
    ("montbrio_pazo_roxin_bold", "C++"): lambda k: montbrio_pazo_roxin("C++", 50_000 // k, True),
    ("montbrio_pazo_roxin_bold", "numba"): lambda k: montbrio_pazo_roxin(
        "numba", 50_000 // k, True
    ),
    ("montbrio_pazo_roxin_bold_sweep", "C++"): lambda k: montbrio_pazo_roxin(
        "C++", 20_000 // k, True, 4
    ),
    ("montbrio_pazo_roxin_bold_sweep", "numba"): lambda k: montbrio_pazo_roxin(
        "numba", 20_000 // k, True, 4
    ),
    ("reduced_wong_wang", "numba"): lambda k: reduced_wong_wang(60_480 // k, False),
    ("reduced_wong_wang_bold", "numba"): lambda k: reduced_wong_wang(60_480 // k, True),
    ("reduced_wong_wang_bold_sweep", "numba"): lambda k: reduced_wong_wang(20_160 // k, True, 4),
    ("reduced_wong_wang_features", "numba"): lambda k: reduced_wong_wang(
        240_000, True, 2, tr=1000.0, features=True
    ),
    ("wong_wang_ei", "numba"): lambda k: wong_wang_ei(60_480 // k, False),
    ("wong_wang_ei_bold", "numba"): lambda k: wong_wang_ei(60_480 // k, True),
    ("wong_wang_ei_bold_sweep", "numba"): lambda k: wong_wang_ei(20_160 // k, True, 4),
    ("epileptor_2d", "C++ Euler"): lambda k: epileptor("C++", "euler", 100_000 // k),
    ("epileptor_2d", "C++ Heun"): lambda k: epileptor("C++", "heun", 50_000 // k),
    ("epileptor_2d", "numba Euler"): lambda k: epileptor("numba", "euler", 50_000 // k),
    ("epileptor_2d", "numba Heun"): lambda k: epileptor("numba", "heun", 50_000 // k),
    ("stuart_landau_delays", "numba"): lambda k: stuart_landau(200 // k, True),
}
run, divisor = asked(CASES)
run(divisor)
