"""Neural posterior estimation (NPE): a flow for p(theta | x), fitted to draws of the prior in one
round, valid for every x that the prior produces.

Papamakarios & Murray (2016), Fast epsilon-free inference of simulation models with Bayesian
conditional density estimation, DOI 10.48550/arXiv.1605.06376.
"""

from dataclasses import dataclass
from typing import ClassVar

from hpcvbi.core.errors import ConfigError
from hpcvbi.infer.estimator import Estimator
from hpcvbi.infer.flow import FLOW
from hpcvbi.infer.neural import Neural


@dataclass(frozen=True)
class Npe(Neural):
    """Settings of NPE; see `Neural`."""

    estimator: ClassVar[Estimator] = FLOW

    rounds: int = 1
    network: str = "maf"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds != 1:
            raise ConfigError("npe has one round: write rounds: 1, or algorithm: tsnpe")
