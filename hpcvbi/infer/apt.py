"""Automatic posterior transformation (APT, also SNPE-C): a flow for p(theta | x), fitted to draws
of the prior, and of its own posterior at the recording from the second round on.

    loss of round 0    -log q(z | x)
    loss after         -log (q(z | x) / p(z)) / sum_a (q(z_a | x) / p(z_a))
                       -log q(z | x)    of draws of the prior alone

with z_a the row's own parameters and those of other rows of the batch: which of them made x. The
prior p is normal in the coordinates that are learned in (`coordinates.py`), and the proposals need
not be known. They say nothing of where no draw is: by the second term no mass goes there.

Only what lies near the recording is learned from the second round on: the posterior is valid for
x_observed, not for other x.

Greenberg, Nonnenmacher & Macke (2019), Automatic posterior transformation for likelihood-free
inference, DOI 10.48550/arXiv.1905.07488.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from hpcvbi.infer.contrast import others
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.estimator import Estimator
from hpcvbi.infer.flow import FLOW
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.neural_state import NeuralState
from hpcvbi.infer.proposals import BY_POSTERIOR, Proposals
from hpcvbi.infer.settings import require


def atomic(atoms: int, center: np.ndarray, scale: np.ndarray) -> Callable[[Any, Any, Any], Any]:
    """Return losses (row,) that tell each row's parameters from those of `atoms - 1` others;
    coordinates are `center` + `scale` z, both of shape (param,), and the last column of `z` is 1
    for draws of the prior and 0 for others.
    """

    def losses(net: Any, z: Any, x: Any) -> Any:
        import torch

        z, first = z[:, :-1], z[:, -1]
        own = torch.arange(len(z), device=z.device)[:, None]
        index = torch.cat([own, others(len(z), atoms - 1, z.device)], 1).T
        w = z * torch.tensor(scale).to(z) + torch.tensor(center).to(z)
        log_prior = -0.5 * (w**2).sum(1)
        log_q = net.log_prob(z[index], x)
        log_ratio = log_q - log_prior[index]
        return torch.logsumexp(log_ratio, 0) - log_ratio[0] - first * log_q[0]

    return losses


@dataclass(frozen=True)
class Apt(Neural):
    """Settings of APT; see `Neural`. atoms: parameters that are told apart, the row's own among
    them. `truncation` and `candidates` are of no use here.
    """

    estimator: ClassVar[Estimator] = FLOW
    proposals: ClassVar[Proposals] = BY_POSTERIOR
    local: ClassVar[bool] = True

    network: str = "maf"
    atoms: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require("atoms", self.atoms, 2, np.inf)

    def _marks(self, state: NeuralState, draws: Draws) -> np.ndarray:
        return (draws.round <= 0)[:, None] if state.round else super()._marks(state, draws)

    def _estimator(self, state: NeuralState) -> Estimator:
        if state.round == 0:
            return self.estimator
        return replace(self.estimator, losses=atomic(self.atoms, state.u_center, state.u_scale))
