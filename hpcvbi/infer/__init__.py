"""Inference: algorithms on arrays. Sees NumPy and `core`; torch and sbi are imported when
training starts.

A new algorithm is a new file with one frozen dataclass, and one line in `ALGORITHMS`.
"""

from typing import Any

from hpcvbi.infer.abc_smc import AbcSmc
from hpcvbi.infer.algorithm import Algorithm
from hpcvbi.infer.amortised import Amortised
from hpcvbi.infer.apt import Apt
from hpcvbi.infer.bayes_opt import BayesOpt
from hpcvbi.infer.cmaes import CmaEs
from hpcvbi.infer.composite_loss import Weights, weights_of
from hpcvbi.infer.draws import Draws, Rows
from hpcvbi.infer.fmpe import Fmpe
from hpcvbi.infer.grid import Grid
from hpcvbi.infer.knn import Knn
from hpcvbi.infer.learn import Learned, learn
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.nle import Nle
from hpcvbi.infer.npe import Npe
from hpcvbi.infer.npse import Npse
from hpcvbi.infer.nre import Nre
from hpcvbi.infer.regression import Regression
from hpcvbi.infer.rejection import Rejection
from hpcvbi.infer.tsnpe import Tsnpe

ALGORITHMS: dict[str, type[Any]] = {
    "npe": Npe,
    "tsnpe": Tsnpe,
    "apt": Apt,
    "nle": Nle,
    "nre": Nre,
    "fmpe": Fmpe,
    "npse": Npse,
    "rejection": Rejection,
    "regression": Regression,
    "knn": Knn,
    "abc_smc": AbcSmc,
    "grid": Grid,
    "cmaes": CmaEs,
    "bayes_opt": BayesOpt,
}

__all__ = [
    "ALGORITHMS",
    "AbcSmc",
    "Algorithm",
    "Amortised",
    "Apt",
    "BayesOpt",
    "CmaEs",
    "Draws",
    "Fmpe",
    "Grid",
    "Knn",
    "Learned",
    "Neural",
    "Nle",
    "Npe",
    "Npse",
    "Nre",
    "Regression",
    "Rejection",
    "Rows",
    "Tsnpe",
    "Weights",
    "learn",
    "weights_of",
]
