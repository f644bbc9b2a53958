"""Neural posterior estimation: a flow or a mixture of Gaussians for p(theta | x).

    loss = -log q(z | x)

Masked autoregressive flows (Papamakarios, Pavlakou & Murray 2017, DOI 10.48550/arXiv.1705.07057),
neural spline flows (Durkan, Bekasov, Murray & Papamakarios 2019, DOI 10.48550/arXiv.1906.04032),
mixtures of Gaussians, and zuko's flows, as built by `sbi.neural_nets.posterior_nn`.
"""

import warnings
from typing import Any

from hpcvbi.infer.estimator import Architecture, Estimator

COMPONENTS = 8  # of a Gaussian mixture
# zuko's circular splines (ncsf) take parameters for angles; its naf and unaf take minutes to invert
NETWORKS = ("maf", "maf_rqs", "nsf", "mdn", "zuko_maf", "zuko_nsf", "zuko_gf")
AFFINE = ("maf", "maf_rqs", "zuko_maf")
"""Autoregressive flows that can say nothing but a Gaussian of a single variable."""


def build(architecture: Architecture) -> Any:
    """Return an untrained network with the generator's next weights."""
    import torch
    from sbi.neural_nets import posterior_nn

    single = architecture.n_params == 1 and architecture.network in AFFINE
    make = posterior_nn(
        "mdn" if single else architecture.network,
        z_score_theta="none",
        z_score_x="none",
        hidden_features=architecture.hidden,
        num_transforms=architecture.transforms,
        num_components=COMPONENTS,
    )
    net = make(torch.zeros(2, architecture.n_params), torch.zeros(2, architecture.n_features))
    return every_variable_first(net, architecture.n_params)


def every_variable_first(net: Any, variables: int) -> Any:
    """Turn the order of variables by one between the steps of an autoregressive flow.

    The first variable of a step does not see the condition. sbi permutes at random between the
    steps, so that in one of ten networks some variable is always first and learns nothing.
    """
    import torch

    for name, part in net.state_dict().items():
        if name.endswith("_permutation"):
            part.copy_(torch.roll(torch.arange(variables), 1))
    return net


def log_density(net: Any, z: Any, x: Any) -> Any:
    """Log density (row,) of rows `z` given one `x`."""
    return net.log_prob(z[:, None], x)[:, 0]


def sample(net: Any, n: int, x: Any) -> Any:
    """Draw rows of z (n, param) given one `x`."""
    with warnings.catch_warnings():
        # nflows solves the linear steps of a spline flow by a name that torch is to drop
        warnings.filterwarnings("ignore", "torch.triangular_solve is deprecated")
        return net.sample((n,), x)[:, 0]


FLOW = Estimator(
    networks=NETWORKS,
    build=build,
    losses=lambda net, z, x: net.loss(z, x),
    log_density=log_density,
    sample=sample,
)
