"""Conditional density estimators: the only file that imports torch and sbi, and only when
something is fitted or evaluated.

Masked autoregressive flows (Papamakarios, Pavlakou & Murray 2017, DOI 10.48550/arXiv.1705.07057)
as built by `sbi.neural_nets.posterior_nn`, fitted by maximum likelihood: the first-round loss of
neural posterior estimation. The fit is a plain loop with decoupled weight decay (Loshchilov &
Hutter 2019, DOI 10.48550/arXiv.1711.05101) and early stopping; sbi's trainer offers no weight
decay, which a few hundred draws need, and it writes log files, prints and drops incomplete
batches.

A fitted network is a float32 vector and a text that names its parts; nothing is pickled.

Fitting runs on the GPU where torch finds one, by deterministic algorithms; all that is random is
drawn on the CPU, and fitted networks are evaluated there. Bits are the same on one kind of device,
not on CPU and GPU.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.core.errors import StoreMismatch

CHUNK = 16384  # rows evaluated at once; bounds memory
COMPONENTS = 8  # of the Gaussian mixture that replaces the flow for a single parameter
LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class Architecture:
    """What is needed to build a network without data."""

    n_params: int
    n_features: int
    hidden: int
    transforms: int


@dataclass(frozen=True)
class Training:
    """How a network is fitted; `weight_decay` is that for 256 rows and falls with their number."""

    batch: int
    learning_rate: float
    weight_decay: float
    validation: float
    max_epochs: int
    stop_after: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """One fitted network: flat weights, the text that says what they are, and how the fit went."""

    weights: np.ndarray
    layout: str
    epochs: int
    loss: float
    validation_loss: float


def _device(torch: Any) -> Any:
    """Return where to fit: a GPU if there is one that this process may use, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    # cuBLAS reads it when it is first used, and without it is not deterministic
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device("cuda")


@contextmanager
def _deterministic(torch: Any, device: Any) -> Iterator[None]:
    """Refuse what has no deterministic algorithm on a GPU; on the CPU everything used has one."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cuda")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def isolated(seed: int) -> Iterator[Any]:
    """Yield torch with one thread, float32 and its CPU generator seeded; restore the caller's
    settings after.
    """
    import torch

    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    torch.set_num_threads(1)  # bits depend on the number, and small matrices are slower with two
    torch.set_default_dtype(torch.float32)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPUs as well
    try:
        yield torch
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_rng_state(torch_state)
        np.random.set_state(numpy_state)


def _build(architecture: Architecture) -> Any:
    import torch
    from sbi.neural_nets import posterior_nn

    # An autoregressive flow of one variable has affine steps only: a Gaussian.
    build = posterior_nn(
        "mdn" if architecture.n_params == 1 else "maf",
        z_score_theta="none",
        z_score_x="none",
        hidden_features=architecture.hidden,
        num_transforms=architecture.transforms,
        num_components=COMPONENTS,
    )
    net = build(torch.zeros(2, architecture.n_params), torch.zeros(2, architecture.n_features))
    # The first variable of an autoregressive step does not see the features. sbi permutes at random
    # between the steps, so that in one of ten networks some variable is always first and learns
    # nothing; turning the order by one makes each variable first in its turn.
    for name, part in net.state_dict().items():
        if name.endswith("_permutation"):
            part.copy_(torch.roll(torch.arange(architecture.n_params), 1))
    return net


def _layout(net: Any) -> str:
    return "\n".join(f"{name} {list(part.shape)}" for name, part in net.state_dict().items())


def fit(
    architecture: Architecture, training: Training, z: np.ndarray, x: np.ndarray, seed: int
) -> Fitted:
    """Fit the density of scaled parameters `z` (row, param) given scaled features `x` (row,
    feature).
    """
    with isolated(seed) as torch, _deterministic(torch, device := _device(torch)):
        net = _build(architecture).to(device)
        z = torch.tensor(z, dtype=torch.float32, device=device)
        x = torch.tensor(x, dtype=torch.float32, device=device)
        order = torch.randperm(len(z))
        held_out = max(1, round(training.validation * len(z)))
        check, learn = order[:held_out].to(device), order[held_out:]
        optimiser = torch.optim.AdamW(
            net.parameters(),
            lr=training.learning_rate,
            weight_decay=training.weight_decay * 256 / len(z),
        )
        best, kept, loss, since, epoch = np.inf, _copy(net), np.nan, 0, 0
        while epoch < training.max_epochs and since < training.stop_after:
            epoch += 1
            net.train()
            total = 0.0
            for rows in learn[torch.randperm(len(learn))].to(device).split(training.batch):
                optimiser.zero_grad(set_to_none=True)
                losses = net.loss(z[rows], x[rows])
                losses.mean().backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
                optimiser.step()
                total += float(losses.sum().detach())
            net.eval()
            with torch.no_grad():
                now = float(net.loss(z[check], x[check]).mean())
            since += 1
            if now < best:
                best, kept, loss, since = now, _copy(net), total / len(learn), 0
        weights = np.concatenate([part.cpu().numpy().ravel().astype(np.float32) for part in kept])
        return Fitted(weights, _layout(net), epoch, loss, best)


def _copy(net: Any) -> list[Any]:
    return [part.detach().clone() for part in net.state_dict().values()]


def _restore(architecture: Architecture, weights: np.ndarray, layout: str) -> Any:
    import torch

    net = _build(architecture)
    if _layout(net) != layout:
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


class Mixture:
    """An equal-weight mixture of fitted networks; use it inside `isolated` only."""

    def __init__(self, architecture: Architecture, weights: np.ndarray, layout: str) -> None:
        self.n_params = architecture.n_params
        self.nets = [_restore(architecture, member, layout) for member in weights]

    def log_density(self, z: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Log density (row,) of scaled parameters `z` (row, param) given one scaled `x`
        (feature,).
        """
        import torch

        condition = torch.tensor(x[None], dtype=torch.float32)
        out = np.empty((len(self.nets), len(z)))
        with torch.no_grad():
            for start in range(0, len(z), CHUNK):
                rows = torch.tensor(z[start : start + CHUNK, None], dtype=torch.float32)
                for member, net in enumerate(self.nets):
                    out[member, start : start + CHUNK] = net.log_prob(rows, condition)[:, 0].numpy()
        return np.logaddexp.reduce(out, axis=0) - np.log(len(self.nets))

    def sample(self, n: int, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` scaled parameters (row, param) given one scaled `x` (feature,), members in
        random order.
        """
        import torch

        condition = torch.tensor(x[None], dtype=torch.float32)
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        shares = rng.multinomial(n, np.full(len(self.nets), 1.0 / len(self.nets)))
        with torch.no_grad():
            drawn = [
                net.sample((int(share),), condition)[:, 0].numpy()
                for net, share in zip(self.nets, shares, strict=True)
                if share
            ]
        return np.concatenate(drawn).astype(float)[rng.permutation(n)]
