"""Inference: algorithms on arrays. Sees NumPy and `core`; torch and sbi are imported when
training starts.

A new algorithm is a new file with one frozen dataclass, and one line in `ALGORITHMS`.
"""

from typing import Any

from hpcvbi.infer.algorithm import Algorithm
from hpcvbi.infer.bayes_opt import BayesOpt
from hpcvbi.infer.cmaes import CmaEs
from hpcvbi.infer.composite_loss import Weights, weights_of
from hpcvbi.infer.draws import Draws, Rows
from hpcvbi.infer.grid import Grid
from hpcvbi.infer.learn import Learned, learn
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.npe import Npe
from hpcvbi.infer.tsnpe import Tsnpe

ALGORITHMS: dict[str, type[Any]] = {
    "npe": Npe,
    "tsnpe": Tsnpe,
    "grid": Grid,
    "cmaes": CmaEs,
    "bayes_opt": BayesOpt,
}

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "BayesOpt",
    "CmaEs",
    "Draws",
    "Grid",
    "Learned",
    "Neural",
    "Npe",
    "Rows",
    "Tsnpe",
    "Weights",
    "learn",
    "weights_of",
]
