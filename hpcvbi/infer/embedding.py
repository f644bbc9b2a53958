"""Networks that compress features before a posterior is learned from them, trained with it.

    none   the features as they are
    mlp    two layers over all features, in any order
    cnn    features are a recording, (channel, time) one channel after the other: causal dilated
           convolutions over time, averaged over it and standardised over the rows of a batch
    fc     features are the upper triangle of a symmetric matrix of regions, row by row without its
           diagonal: convolutions over the whole matrix

What is averaged over time differs little from row to row: without the standardising, a recording's
power is learned and hardly anything else.

van den Oord et al. (2016), WaveNet: a generative model for raw audio,
DOI 10.48550/arXiv.1609.03499; Ioffe & Szegedy (2015), Batch normalization, DOI
10.48550/arXiv.1502.03167; the networks are those of `sbi.neural_nets.embedding_nets`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.infer.estimator import Architecture, Estimator

SHORTEST = 8  # time points
SMALLEST = 4  # regions
DEEPEST = 5  # causal layers: the last one sees 32 time points
FEATURE_BY_FEATURE = ("none", "mlp")
"""Embeddings whose features may be bent each in its own way; the others compare neighbours."""


def check_embedding(architecture: Architecture) -> None:
    """ConfigError unless the features can be what the embedding takes them for."""
    if architecture.embedding not in EMBEDDINGS:
        raise ConfigError(
            f"there is no embedding {architecture.embedding!r}. Known: {', '.join(EMBEDDINGS)}"
        )
    _FITS.get(architecture.embedding, lambda _: None)(architecture)


def embedded(estimator: Estimator) -> Estimator:
    """Return an estimator that sees its features through the embedding of the architecture; each
    row of features is embedded once, however many parameters it is seen beside.
    """

    def build(architecture: Architecture) -> Any:
        whole = architecture.embedding == "none"
        seen = architecture.n_features if whole else architecture.embedding_size
        net = estimator.build(replace(architecture, n_features=seen))
        net.add_module("compressed", EMBEDDINGS[architecture.embedding](architecture))
        return net

    draw = estimator.sample
    return replace(
        estimator,
        build=build,
        losses=lambda net, z, x: estimator.losses(net, z, net.compressed(x)),
        log_density=lambda net, z, x: estimator.log_density(net, z, net.compressed(x)),
        sample=draw and (lambda net, n, x: draw(net, n, net.compressed(x))),
    )


def _none(architecture: Architecture) -> Any:
    from torch import nn

    return nn.Identity()


def _mlp(architecture: Architecture) -> Any:
    from sbi.neural_nets.embedding_nets import FCEmbedding

    return FCEmbedding(
        architecture.n_features, architecture.embedding_size, num_hiddens=architecture.hidden
    )


def _cnn(architecture: Architecture) -> Any:
    from sbi.neural_nets.embedding_nets import CausalCNNEmbedding
    from torch import nn

    time, width = architecture.n_features // architecture.channels, 16
    return CausalCNNEmbedding(
        (time,),
        in_channels=architecture.channels,
        num_conv_layers=min(DEEPEST, (time - 1).bit_length()),
        out_channels_per_layer=None,
        pool_kernel_size=1,
        aggregator=nn.Sequential(
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            _standardised(width),
            nn.Linear(width, architecture.embedding_size),
        ),
    )


def _standardised(width: int) -> Any:
    import torch

    class Standardised(torch.nn.BatchNorm1d):
        """Columns of mean 0 and variance 1 over a batch; one row alone is scaled as those before
        it were.
        """

        def forward(self, input: Any) -> Any:
            if len(input) > 1:
                return super().forward(input)
            return torch.nn.functional.batch_norm(
                input, self.running_mean, self.running_var, eps=self.eps
            )

    return Standardised(width, affine=False)


def _fc(architecture: Architecture) -> Any:
    import torch
    from sbi.neural_nets.embedding_nets import CNNEmbedding

    regions = _regions(architecture.n_features)
    places = np.zeros((regions, regions), int)
    places[np.triu_indices(regions, 1)] = np.arange(architecture.n_features) + 1

    class Matrix(torch.nn.Module):
        """Features (row, feature) as matrices (row, region * region), zero on the diagonal."""

        def __init__(self) -> None:
            super().__init__()
            places_of = torch.tensor((places + places.T).ravel())
            self.register_buffer("places", places_of, persistent=False)

        def forward(self, x: Any) -> Any:
            return torch.nn.functional.pad(x, (1, 0))[:, self.get_buffer("places")]

    convolved = CNNEmbedding(
        (regions, regions),
        num_linear_units=architecture.hidden,
        output_dim=architecture.embedding_size,
        kernel_size=3,
    )
    return torch.nn.Sequential(Matrix(), convolved)


def _regions(features: int) -> int:
    """Regions of a matrix whose upper triangle has so many entries; 0 where none has."""
    regions = (1 + round(np.sqrt(1 + 8 * features))) // 2
    return regions if regions * (regions - 1) // 2 == features else 0


def _fits_time(architecture: Architecture) -> None:
    time, rest = divmod(architecture.n_features, architecture.channels)
    if rest or time < SHORTEST:
        raise ConfigError(
            f"embedding cnn takes features of the shape (channel, time), at least {SHORTEST} time "
            f"points: {architecture.n_features} features are not {architecture.channels} channels "
            "of as many each. Write their number as channels, or another embedding"
        )


def _fits_matrix(architecture: Architecture) -> None:
    if _regions(architecture.n_features) < SMALLEST:
        raise ConfigError(
            "embedding fc takes the upper triangle of a matrix, regions * (regions - 1) / 2 "
            f"features of at least {SMALLEST} regions, not {architecture.n_features}. Keep all "
            "pairs of regions and nothing else, or write another embedding"
        )


EMBEDDINGS: dict[str, Callable[[Architecture], Any]] = {
    "none": _none,
    "mlp": _mlp,
    "cnn": _cnn,
    "fc": _fc,
}
_FITS: dict[str, Callable[[Architecture], None]] = {"cnn": _fits_time, "fc": _fits_matrix}
