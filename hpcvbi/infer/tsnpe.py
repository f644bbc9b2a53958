"""Truncated sequential neural posterior estimation (TSNPE): a flow for p(theta | x), fitted to
draws of the prior, cut to where the posterior is from the second round on; see `neural.py`.

Deistler, Goncalves & Macke (2022), Truncated proposals for scalable and hassle-free
simulation-based inference, DOI 10.48550/arXiv.2210.04815.
"""

from dataclasses import dataclass
from typing import ClassVar

from hpcvbi.infer.estimator import Estimator
from hpcvbi.infer.flow import FLOW
from hpcvbi.infer.neural import Neural


@dataclass(frozen=True)
class Tsnpe(Neural):
    """Settings of TSNPE; see `Neural`."""

    estimator: ClassVar[Estimator] = FLOW

    network: str = "maf"
