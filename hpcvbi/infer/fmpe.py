"""Flow matching posterior estimation (FMPE): a velocity that carries noise to the posterior along
straight lines.

    loss = mean over params of (v(z_t, t; x) - (e - z))^2,   z_t = (1 - t) z + t e,   e ~ N(0, 1)

One round; later rounds, if asked for, simulate the prior cut to a box (`proposals.py`), because a
density costs an integral (`vector_field.py`).

Lipman, Chen, Ben-Hamu, Nickel & Le (2023), Flow matching for generative modeling,
DOI 10.48550/arXiv.2210.02747; Wildberger et al. (2023), Flow matching for scalable simulation-based
inference, DOI 10.48550/arXiv.2305.17161.
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
    from sbi.neural_nets import posterior_flow_nn

    make = posterior_flow_nn(gaussian_baseline=True, **vector_field.settings(architecture))
    return make(torch.zeros(2, architecture.n_params), torch.zeros(2, architecture.n_features))


def losses(net: Any, z: Any, x: Any) -> Any:
    """Mean squared error (row,) of the velocity at a random time."""
    z, x, times, noise = vector_field.noisy(z, x)
    between = (1.0 - times[:, None]) * z + times[:, None] * noise
    wrong = net(between, x, times) - (noise - z)
    return vector_field.per_row((wrong**2).mean(1))


@dataclass(frozen=True)
class Fmpe(Neural):
    """Settings of FMPE; see `Neural`. transforms: layers of the network."""

    estimator: ClassVar[Estimator] = vector_field.estimator(build, losses)
    proposals: ClassVar[Proposals] = BY_BOX

    rounds: int = 1
    network: str = "mlp"
