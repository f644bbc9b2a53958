"""What a neural method knows of its networks: how one is built, what it loses on data, and what it
says of the posterior.

A network is handled by functions, so that a method is a table of four. Scaled parameters `z` have
shape (row, param), scaled features `x` (row, feature), both float32 tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """What is needed to build a network without data; `varying` are the columns of the features
    that are not constant. See `embedding.py` for what compresses the features.
    """

    n_params: int
    n_features: int
    network: str
    hidden: int
    transforms: int
    embedding: str = "none"
    embedding_size: int = 20
    channels: int = 1
    varying: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Estimator:
    """One way to learn a posterior by a network.

    `networks` are the names that `build` knows. `losses(net, z, x)` returns a loss per row, shape
    (row,). `log_density(net, z, x)` is that of rows `z` given one `x` (1, feature), and
    `sample(net, n, x)` returns rows of z (n, param); where `sample` is None, `log_density` is the
    likelihood of `x` up to a factor, and is sampled on the cube.
    """

    networks: tuple[str, ...]
    build: Callable[[Architecture], Any]
    losses: Callable[[Any, Any, Any], Any]
    log_density: Callable[[Any, Any, Any], Any]
    sample: Callable[[Any, int, Any], Any] | None
