"""Neural ratio estimation (NRE-C): a classifier that tells which of K parameters made x, or that
none did; its output is log p(x | theta) / p(x), sampled on the unit cube (`cube_sampler.py`).

    loss = - 1/2 log(K / (K + sum_k=1..K h(z'_k, x)))
           - 1/2 log(h(z, x) / (K + h(z, x) + sum_k=2..K h(z'_k, x)))

with h the ratio, z the parameters of x and z' those of other rows of the batch. As a function of
theta it is the likelihood whatever the draws' proposal, so that later rounds, cut to the posterior
at the recording, need no correction.

Miller, Weniger & Forre (2022), Contrastive neural ratio estimation, DOI 10.48550/arXiv.2210.06170
(its gamma is 1 here); Durkan, Murray & Papamakarios (2020), On contrastive learning for
likelihood-free inference, DOI 10.48550/arXiv.2002.03712.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from hpcvbi.infer.contrast import others
from hpcvbi.infer.estimator import Architecture, Estimator
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.neural_state import NeuralState
from hpcvbi.infer.settings import require

OF_NETWORK: dict[str, Callable[[Architecture], dict[str, Any]]] = {
    "linear": lambda _: {},
    "mlp": lambda architecture: {"hidden_features": architecture.hidden},
    "resnet": lambda architecture: {
        "hidden_features": architecture.hidden,
        "num_blocks": architecture.transforms,
    },
}


def build(architecture: Architecture) -> Any:
    """Return an untrained network with the generator's next weights."""
    import torch
    from sbi.neural_nets import classifier_nn

    make = classifier_nn(
        architecture.network,
        z_score_theta="none",
        z_score_x="none",
        **OF_NETWORK[architecture.network](architecture),
    )
    return make(torch.zeros(2, architecture.n_params), torch.zeros(2, architecture.n_features))


def log_density(net: Any, z: Any, x: Any) -> Any:
    """Log ratio (row,) of each row of `z` given one `x`."""
    return net(z, x.expand(len(z), -1))


def contrastive(atoms: int) -> Callable[[Any, Any, Any], Any]:
    """Return losses (row,) that contrast each row's parameters with those of `atoms` others."""

    def losses(net: Any, z: Any, x: Any) -> Any:
        import torch

        index = others(len(z), atoms, z.device)
        count = index.shape[1]
        own = net(z, x)
        if not count:
            return 0.0 * own
        log_h = net(z[index].flatten(0, 1), x.repeat_interleave(count, 0)).reshape(-1, count)
        none = torch.full_like(own, float(np.log(count)))[:, None]
        marginal = none[:, 0] - torch.logsumexp(torch.cat([none, log_h], 1), 1)
        joint = own - torch.logsumexp(torch.cat([none, own[:, None], log_h[:, 1:]], 1), 1)
        return -0.5 * (marginal + joint)

    return losses


@dataclass(frozen=True)
class Nre(Neural):
    """Settings of NRE; see `Neural`. atoms: parameters of other rows that a row's are told from."""

    estimator: ClassVar[Estimator] = Estimator(
        tuple(OF_NETWORK), build, contrastive(10), log_density, sample=None
    )

    network: str = "resnet"
    atoms: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require("atoms", self.atoms, 1, np.inf)

    def _estimator(self, state: NeuralState) -> Estimator:
        return replace(self.estimator, losses=contrastive(self.atoms))
