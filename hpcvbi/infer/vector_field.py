"""Posteriors that are the end of an ordinary differential equation, whose right side is a network.

    dz/dt = v(z, t; x),   z(1) ~ N(0, 1),   z(0) ~ q(z | x)
    log q(z(0) | x) = log N(z(1)) + integral of trace(dv/dz) dt

Solved by the classical Runge-Kutta method on the times t_k = (k / STEPS)^2, which are dense where
the posterior takes shape. Steps are fixed, not adaptive: the work is bounded, and what comes out
for a point does not depend on the points beside it. The trace is exact: its cost grows with the
number of parameters.

Chen, Rubanova, Bettencourt & Duvenaud (2018), Neural ordinary differential equations,
DOI 10.48550/arXiv.1806.07366.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hpcvbi.infer.estimator import Architecture, Estimator

NETWORKS = ("mlp", "ada_mlp")
STEPS = 12
REPEATS = 8
"""Random times per row: their mean loss is less noisy, and small batches cost hardly more."""


def estimator(
    build: Callable[[Architecture], Any], losses: Callable[[Any, Any, Any], Any]
) -> Estimator:
    """Return the estimator of a network that `build` returns and that is a field by its losses."""
    return Estimator(NETWORKS, build, losses, log_density, sample)


def settings(architecture: Architecture) -> dict[str, Any]:
    """Return what sbi's builders of vector fields are told."""
    return {
        "model": architecture.network,
        "z_score_theta": "none",
        "z_score_x": "none",
        "hidden_features": architecture.hidden,
        "num_layers": architecture.transforms,
        "sinusoidal_max_freq": 10.0,  # a field that is rough in time would need more steps
    }


def noisy(z: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """Return rows of `z` and `x`, repeated, with times (row,) and noise (row, param) for each,
    drawn on the CPU.
    """
    import torch

    z, x = z.repeat(REPEATS, 1), x.repeat(REPEATS, 1)
    times = torch.rand(len(z)).to(z.device)
    return z, x, times, torch.randn(z.shape).to(z.device)


def per_row(losses: Any) -> Any:
    """Return the mean over the repeats of each row."""
    return losses.reshape(REPEATS, -1).mean(0)


def _times(net: Any) -> Any:
    import torch

    return net.t_min + (net.t_max - net.t_min) * torch.linspace(0.0, 1.0, STEPS + 1) ** 2


def _solve(field: Any, start: tuple[Any, ...], times: Any) -> tuple[Any, ...]:
    """Follow `field(time, *parts)` from the first time to the last."""

    def moved(parts: tuple[Any, ...], by: tuple[Any, ...], step: Any) -> tuple[Any, ...]:
        return tuple(part + step * slope for part, slope in zip(parts, by, strict=True))

    parts = start
    for now, then in pairwise(times):
        step = then - now
        k1 = field(now, *parts)
        k2 = field(now + step / 2, *moved(parts, k1, step / 2))
        k3 = field(now + step / 2, *moved(parts, k2, step / 2))
        k4 = field(then, *moved(parts, k3, step))
        slope = tuple(
            (a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True)
        )
        parts = moved(parts, slope, step)
    return parts


def sample(net: Any, n: int, x: Any) -> Any:
    """Draw rows of z (n, param) given one `x`."""
    import torch

    start = net.mean_base + net.std_base * torch.randn(n, net.input_shape[0])

    def field(time: Any, z: Any) -> tuple[Any]:
        return (net.ode_fn(z, x, time),)

    return _solve(field, (start,), _times(net).flip(0))[0]


def log_density(net: Any, z: Any, x: Any) -> Any:
    """Log density (row,) of rows `z` given one `x`."""
    import torch

    def field(time: Any, z: Any, _: Any) -> tuple[Any, Any]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            velocity = net.ode_fn(z, x, time)
            trace = torch.zeros(len(z))
            for param in range(z.shape[1]):
                total = velocity[:, param].sum()
                trace += torch.autograd.grad(total, z, retain_graph=True)[0][:, param]
        return velocity.detach(), trace

    end, change = _solve(field, (z, torch.zeros(len(z))), _times(net))
    base = torch.distributions.Normal(net.mean_base, net.std_base)
    return base.log_prob(end).sum(1) + change
