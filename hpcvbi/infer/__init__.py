"""Inference: algorithms on arrays. Sees NumPy and `core`; torch and sbi are imported when
training starts.

A new algorithm is a new file with one frozen dataclass, and one line in `ALGORITHMS`.
"""

from hpcvbi.infer.algorithm import Algorithm
from hpcvbi.infer.tsnpe import Tsnpe
from hpcvbi.infer.tsnpe_state import STATE_DIMS, TsnpeInfo, TsnpeState

ALGORITHMS: dict[str, type[Tsnpe]] = {
    "tsnpe": Tsnpe,
}

__all__ = ["ALGORITHMS", "STATE_DIMS", "Algorithm", "Tsnpe", "TsnpeInfo", "TsnpeState"]
