"""How a network is fitted: steps of AdamW on mini-batches, shorter and shorter ones as the held-out
loss of their averaged weights stops falling, until it falls no more.

sbi's trainers offer no weight decay, which a few hundred draws need; they write log files, print,
drop incomplete batches, and hold all draws in memory.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from hpcvbi.infer.batches import Batches, Table
from hpcvbi.infer.ensemble import layout_of
from hpcvbi.infer.estimator import Architecture, Estimator
from hpcvbi.infer.flat_weights import FlatWeights
from hpcvbi.infer.isolation import deterministic, device_of, isolated

SHORTER = 0.3
"""Factor by which steps are shortened, after seven twentieths of the epochs that end the fit."""
AVERAGED = 100
"""Steps that weights are averaged over, or those of `AVERAGED_EPOCHS`, where they are fewer."""
AVERAGED_EPOCHS = 5
STANDARDISED = 20
"""Batches that a layer which standardises columns over a batch takes their means and variances of.
"""


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
    curve: list[float]
    """The held-out loss after each epoch."""


def fit(
    estimator: Estimator, architecture: Architecture, training: Training, table: Table, seed: int
) -> Fitted:
    """Fit a network to scaled draws."""
    with isolated(seed) as torch, deterministic(torch, device := device_of(torch)):
        net = estimator.build(architecture).to(device)
        batches = table.batches(torch, device, training.validation)
        steps = -(-table.rows // training.batch)
        weights = FlatWeights(
            torch,
            net,
            horizon=min(AVERAGED, AVERAGED_EPOCHS * steps),
            decay=training.weight_decay * 256 / table.rows,
        )
        best, kept, loss, curve = np.inf, _copy(net), np.nan, []
        length, since, stalled = training.learning_rate, 0, 0
        while len(curve) < training.max_epochs and since < training.stop_after:
            net.train()
            total, rows = 0.0, 0
            for z, x in batches.epoch(training.batch):
                weights.clear()
                losses = estimator.losses(net, z, x)
                losses.mean().backward()
                weights.step(length)
                total, rows = total + float(losses.sum().detach()), rows + len(z)
            since, stalled = since + 1, stalled + 1
            with weights.averaged():
                _standardise(torch, estimator, net, batches, training.batch)
                now = _held_out(torch, estimator, net, batches)
                if now < best:
                    best, kept, loss, since, stalled = now, _copy(net), total / rows, 0, 0
            curve.append(now)
            if stalled > 7 * training.stop_after // 20:
                length, stalled = SHORTER * length, 0
        flat = np.concatenate([part.cpu().numpy().ravel().astype(np.float32) for part in kept])
        return Fitted(flat, layout_of(net), len(curve), loss, best, curve)


def _standardise(torch: Any, estimator: Estimator, net: Any, batches: Batches, size: int) -> None:
    """Let layers that standardise columns over a batch take means and variances of some rows, seen
    through the averaged weights; those of the steps' batches were seen through other weights.
    """
    layers = [part for part in net.modules() if isinstance(part, torch.nn.BatchNorm1d)]
    if not layers:
        return
    momenta, rows = [layer.momentum for layer in layers], 0
    net.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
    with torch.no_grad():
        for z, x in islice(batches.epoch(size), STANDARDISED):
            rows += len(z)
            for layer in layers:
                layer.momentum = len(z) / rows  # every row counts the same
            estimator.losses(net, z, x)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _held_out(torch: Any, estimator: Estimator, net: Any, batches: Batches) -> float:
    """Mean loss of the held-out rows, with the same random numbers after every epoch."""
    net.eval()
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(0)
    total, rows = 0.0, 0
    with torch.no_grad():
        for z, x in batches.held_out():
            total, rows = total + float(estimator.losses(net, z, x).sum()), rows + len(z)
    torch.set_rng_state(state)
    return total / rows


def _copy(net: Any) -> list[Any]:
    return [part.detach().clone() for part in net.state_dict().values()]
