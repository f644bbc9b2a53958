"""Neural posterior score estimation (NPSE): the gradient of the log density of ever noisier
parameters, and the flow that undoes the noise.

    loss = |s_t score(z_t, t; x) + e|^2,   z_t = m_t z + s_t e,   e ~ N(0, 1),   m_t^2 + s_t^2 = 1

One round; later rounds, if asked for, simulate the prior cut to a box (`proposals.py`), because a
density costs an integral (`vector_field.py`).

Song et al. (2021), Score-based generative modeling through stochastic differential equations,
DOI 10.48550/arXiv.2011.13456; Sharrock, Simons, Liu & Beaumont (2024), Sequential neural score
estimation, DOI 10.48550/arXiv.2210.04872.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from hpcvbi.infer import vector_field
from hpcvbi.infer.estimator import Architecture, Estimator
from hpcvbi.infer.neural import Neural
from hpcvbi.infer.proposals import BY_BOX, Proposals


def build(architecture: Architecture) -> Any:
    """Return an untrained network with the generator's next weights."""
    import torch
    from sbi.neural_nets import posterior_score_nn

    make = posterior_score_nn(sde_type="vp", **vector_field.settings(architecture))
    return make(torch.zeros(2, architecture.n_params), torch.zeros(2, architecture.n_features))


def losses(net: Any, z: Any, x: Any) -> Any:
    """Squared error (row,) of the noise that the score says was added."""
    z, x, times, noise = vector_field.noisy(z, x)
    times = net.t_min + (net.t_max - net.t_min) * times
    spread = net.std_fn(times)
    wrong = spread * net(net.mean_fn(z, times) + spread * noise, x, times) + noise
    return vector_field.per_row((wrong**2).sum(1))


@dataclass(frozen=True)
class Npse(Neural):
    """Settings of NPSE; see `Neural`. transforms: layers of the network."""

    estimator: ClassVar[Estimator] = vector_field.estimator(build, losses)
    proposals: ClassVar[Proposals] = BY_BOX

    rounds: int = 1
    network: str = "mlp"
