"""Neural posterior estimation: a flow or a mixture of Gaussians for p(theta | x).

    loss = -log q(z | x)

Masked autoregressive flows (Papamakarios, Pavlakou & Murray 2017, DOI 10.48550/arXiv.1705.07057),
neural spline flows (Durkan, Bekasov, Murray & Papamakarios 2019, DOI 10.48550/arXiv.1906.04032),
mixtures of Gaussians, and zuko's flows, as built by `sbi.neural_nets.posterior_nn`.
"""

from typing import Any

from hpcvbi.infer.estimator import Architecture, Estimator

COMPONENTS = 8  # of a Gaussian mixture
NETWORKS = ("maf", "maf_rqs", "nsf", "mdn", "zuko_maf", "zuko_nsf", "zuko_ncsf", "zuko_gf")


def build(architecture: Architecture) -> Any:
    """Return an untrained network with the generator's next weights."""
    import torch
    from sbi.neural_nets import posterior_nn

    # An autoregressive flow of one variable has affine steps only: a Gaussian.
    single = architecture.n_params == 1 and architecture.network == "maf"
    make = posterior_nn(
        "mdn" if single else architecture.network,
        z_score_theta="none",
        z_score_x="none",
        hidden_features=architecture.hidden,
        num_transforms=architecture.transforms,
        num_components=COMPONENTS,
    )
    net = make(torch.zeros(2, architecture.n_params), torch.zeros(2, architecture.n_features))
    # The first variable of an autoregressive step does not see the features. sbi permutes at random
    # between the steps, so that in one of ten networks some variable is always first and learns
    # nothing; turning the order by one makes each variable first in its turn.
    for name, part in net.state_dict().items():
        if name.endswith("_permutation"):
            part.copy_(torch.roll(torch.arange(architecture.n_params), 1))
    return net


def log_density(net: Any, z: Any, x: Any) -> Any:
    """Log density (row,) of rows `z` given one `x`."""
    return net.log_prob(z[:, None], x)[:, 0]


FLOW = Estimator(
    networks=NETWORKS,
    build=build,
    losses=lambda net, z, x: net.loss(z, x),
    log_density=log_density,
    sample=lambda net, n, x: net.sample((n,), x)[:, 0],
)
