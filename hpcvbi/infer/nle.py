"""Neural likelihood estimation (NLE): a flow for p(x | theta); the posterior is this likelihood
times the prior, sampled on the unit cube (`cube_sampler.py`).

    loss = -log q(x | z),    p(u | x) ~ q(x | z(u)) on the cube

It holds for draws of any proposal, so that later rounds, cut to the posterior at the recording,
need no correction. A likelihood of many features is harder to learn than a posterior of few
parameters. Constant features are left out; a little noise on the others keeps the likelihood of
features that take few values finite.

Papamakarios, Sterratt & Murray (2019), Sequential neural likelihood: fast likelihood-free inference
with autoregressive flows, DOI 10.48550/arXiv.1805.07226.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from hpcvbi.core.errors import ConfigError
from hpcvbi.infer.estimator import Architecture, Estimator
from hpcvbi.infer.flow import AFFINE, COMPONENTS, every_variable_first
from hpcvbi.infer.neural import Neural

NETWORKS = ("maf", "maf_rqs", "nsf", "mdn")
BLUR = 0.01  # noise in standard deviations of a feature


def build(architecture: Architecture) -> Any:
    """Return an untrained network with the generator's next weights."""
    import torch
    from sbi.neural_nets import likelihood_nn

    varying = architecture.varying or (0,)
    single = len(varying) == 1 and architecture.network in AFFINE
    make = likelihood_nn(
        "mdn" if single else architecture.network,
        z_score_theta="none",
        z_score_x="none",
        hidden_features=architecture.hidden,
        num_transforms=architecture.transforms,
        num_components=COMPONENTS,
    )
    net = make(torch.zeros(2, architecture.n_params), torch.zeros(2, len(varying)))
    net.register_buffer("varying", torch.tensor(varying), persistent=False)
    return every_variable_first(net, len(varying))


def losses(net: Any, z: Any, x: Any) -> Any:
    """Minus the log likelihood (row,) of features `x` given `z`."""
    import torch

    x = x[:, net.varying]
    return net.loss(x + BLUR * torch.randn(x.shape).to(x.device), z)


def log_density(net: Any, z: Any, x: Any) -> Any:
    """Log likelihood (row,) of one `x` given each row of `z`."""
    return net.log_prob(x[:, net.varying].expand(len(z), -1)[None], z)[0]


@dataclass(frozen=True)
class Nle(Neural):
    """Settings of NLE; see `Neural`."""

    estimator: ClassVar[Estimator] = Estimator(NETWORKS, build, losses, log_density, sample=None)

    network: str = "maf"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedding != "none":
            raise ConfigError("nle learns the features themselves: write embedding: none, or nre")
