"""Fitted networks restored from a float32 vector and a text that names its parts; nothing is
pickled. Several make an equal-weight mixture.
"""

from typing import Any

import numpy as np

from hpcvbi.core.errors import StoreMismatch
from hpcvbi.infer.estimator import Architecture, Estimator

CHUNK = 16384  # rows evaluated at once; bounds memory


def layout_of(net: Any) -> str:
    """Return name and shape of each part of a network, a line each."""
    return "\n".join(f"{name} {list(part.shape)}" for name, part in net.state_dict().items())


def _restore(
    estimator: Estimator, architecture: Architecture, weights: np.ndarray, layout: str
) -> Any:
    import torch

    net = estimator.build(architecture)
    if layout_of(net) != layout:
        raise StoreMismatch(
            f"the stored network is not the one that {architecture} builds with the installed sbi: "
            "run with the settings and the versions written in the store, or infer again into a "
            "new output folder"
        )
    wanted = sum(part.numel() for part in net.state_dict().values())
    if weights.shape != (wanted,) or not np.isfinite(weights).all():
        raise StoreMismatch(
            f"the stored network has {weights.size} weights, not {wanted} finite ones: restore the "
            "store from a copy, or infer again into a new output folder"
        )
    filled, start = {}, 0
    for name, part in net.state_dict().items():
        piece = weights[start : start + part.numel()]
        start += part.numel()
        filled[name] = torch.tensor(piece).reshape(part.shape).to(part.dtype)
    net.load_state_dict(filled)
    return net.eval()


class Ensemble:
    """An equal-weight mixture of fitted networks; use it inside `isolated` only."""

    def __init__(
        self, estimator: Estimator, architecture: Architecture, weights: np.ndarray, layout: str
    ) -> None:
        self.n_params, self.estimator = architecture.n_params, estimator
        self.nets = [_restore(estimator, architecture, member, layout) for member in weights]

    def log_density(self, z: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Log density (row,) of scaled parameters `z` (row, param) given one scaled `x`
        (feature,), up to a constant where the method's densities are.
        """
        import torch

        condition = torch.tensor(x[None], dtype=torch.float32)
        out = np.empty((len(self.nets), len(z)))
        with torch.no_grad():
            for start in range(0, len(z), CHUNK):
                rows = torch.tensor(z[start : start + CHUNK], dtype=torch.float32)
                for member, net in enumerate(self.nets):
                    found = self.estimator.log_density(net, rows, condition)
                    out[member, start : start + CHUNK] = found.detach().numpy()
        return np.logaddexp.reduce(out, axis=0) - np.log(len(self.nets))

    def sample(self, n: int, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` scaled parameters (row, param) given one scaled `x` (feature,), members in
        random order.
        """
        import torch

        draw = self.estimator.sample
        assert draw is not None
        condition = torch.tensor(x[None], dtype=torch.float32)
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        shares = rng.multinomial(n, np.full(len(self.nets), 1.0 / len(self.nets)))
        with torch.no_grad():
            drawn = [
                draw(net, int(share), condition).numpy()
                for net, share in zip(self.nets, shares, strict=True)
                if share
            ]
        return np.concatenate(drawn).astype(float)[rng.permutation(n)]
