"""Every network can be fitted on another device than the CPU, which says the same weights.

A GPU is stood for by a second device that refuses what a GPU would: tensors of both devices in one
operation, and operations that torch has no deterministic algorithm for on GPUs.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from second_device import MixedDevices, second_device

from hpcvbi.infer import ALGORITHMS, fitting
from hpcvbi.infer.apt import atomic
from hpcvbi.infer.batches import InMemory, Streamed
from hpcvbi.infer.bend import straight
from hpcvbi.infer.embedding import EMBEDDINGS, embedded
from hpcvbi.infer.estimator import Architecture
from hpcvbi.infer.fitting import Training, fit
from hpcvbi.infer.flow import FLOW
from hpcvbi.infer.isolation import deterministic
from hpcvbi.infer.scaling import Scaling

# torch.use_deterministic_algorithms refuses them on a GPU, forwards or (backward) backwards
NOT_DETERMINISTIC = re.compile(
    "_*(cumsum|cumprod|histc|median|nanmedian|kthvalue|put|bincount|nll_loss|grid_sampler|ctc_loss"
    "|max_unpool|adaptive_max_pool|fractional_max_pool|adaptive_avg_pool.*_backward"
    "|avg_pool3d_backward|reflection_pad.*_backward|upsample_(bi|tri)?(linear|cubic)|embedding_bag)"
)
AS_THEY_ARE = Scaling(np.full(5, -1e9), np.full(5, 1e9), np.zeros(5), np.ones(5), straight(5))
FEATURES = {"none": 5, "mlp": 5, "cnn": 16, "fc": 15}
NEURAL = {name: cls for name, cls in ALGORITHMS.items() if hasattr(cls, "estimator")}
KINDS = {cls.estimator.losses: (name, cls.estimator) for name, cls in reversed(NEURAL.items())}
NETWORKS = [
    pytest.param(estimator, network, "none", id=f"{name}-{network}")
    for name, estimator in KINDS.values()
    for network in estimator.networks
]
THROUGH = [
    pytest.param(estimator, estimator.networks[-1], embedding, id=f"{name} through {embedding}")
    for name, estimator in KINDS.values()
    for embedding in EMBEDDINGS
    if embedding != "none" and name != "nle"  # it learns the features themselves
]


def fitted(estimator, network, embedding="none", table=InMemory):
    """A fit of three epochs to a few draws."""
    n_features = FEATURES[embedding]
    rng = np.random.default_rng(0)
    z = rng.standard_normal((64, 2))
    x = rng.standard_normal((64, n_features)) + z[:, :1]
    architecture = Architecture(
        2, n_features, network, 8, 2, embedding, 10, 2, varying=tuple(range(n_features))
    )
    training = Training(16, 1e-2, 0.1, 0.2, max_epochs=3, stop_after=3)
    return fit(embedded(estimator), architecture, training, table(z, x), seed=1)


def fitted_there(monkeypatch, *arguments):
    """The same on the second device, and the names of what ran there."""
    with second_device() as (device, ran):
        monkeypatch.setattr(fitting, "device_of", lambda _: device)
        return fitted(*arguments), ran


def assert_equal_fits(here, there):
    """They differ by rounding: torch fuses other operations there, and running sums are others."""
    np.testing.assert_allclose(there.curve, here.curve, rtol=0, atol=1e-4)
    np.testing.assert_allclose(there.weights, here.weights, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("estimator", "network", "embedding"), NETWORKS + THROUGH)
def test_a_fit_elsewhere_is_that_of_the_cpu(monkeypatch, estimator, network, embedding):
    here = fitted(estimator, network, embedding)
    there, ran = fitted_there(monkeypatch, estimator, network, embedding)
    assert_equal_fits(here, there)
    assert {"mm", "addmm"} & ran and "_fused_adamw_" in ran
    assert not list(filter(NOT_DETERMINISTIC.match, ran))


def with_marks(z, x):
    """Every second draw is one of the prior, as apt is told."""
    return InMemory(np.column_stack([z, np.arange(len(z)) % 2]), x)


def from_a_store(z, x):
    """Draws that are read chunk by chunk."""
    return Streamed(z, x, np.ones(len(z), bool), np.zeros(2), np.ones(2), AS_THEY_ARE)


@pytest.mark.parametrize(
    ("losses", "table"),
    [
        pytest.param(atomic(4, np.zeros(2), np.ones(2)), with_marks, id="atoms of apt"),
        pytest.param(FLOW.losses, from_a_store, id="draws from a store"),
    ],
)
def test_all_that_learning_needs_goes_to_the_device(monkeypatch, losses, table):
    arguments = replace(FLOW, losses=losses), "maf", "none", table
    here, (there, _) = fitted(*arguments), fitted_there(monkeypatch, *arguments)
    assert_equal_fits(here, there)


def test_what_stays_behind_on_the_cpu_is_refused(monkeypatch):
    class Left(InMemory):
        def batches(self, torch, device, share):
            return super().batches(torch, torch.device("cpu"), share)

    with pytest.raises(MixedDevices, match="both devices"):
        fitted_there(monkeypatch, FLOW, "maf", "none", Left)


def test_the_device_takes_indices_and_single_numbers_from_the_cpu_and_nothing_else():
    rows = torch.tensor([2, 0])
    with second_device() as (device, _):
        x = torch.arange(6.0).reshape(3, 2).to(device)
        np.testing.assert_array_equal((x[rows] + torch.tensor(1.0)).cpu(), [[5, 6], [1, 2]])
        x[rows] = x[rows] * 2.0
        np.testing.assert_array_equal(x.cpu(), [[0, 2], [2, 3], [8, 10]])
        for mixed in (lambda: x + torch.ones(2), lambda: torch.arange(3.0)[rows.to(device)]):
            with pytest.raises(MixedDevices):
                mixed()


def test_the_cpu_has_deterministic_algorithms_without_being_asked():
    with deterministic(torch, torch.device("cpu")):
        assert not torch.are_deterministic_algorithms_enabled()
    with second_device() as (device, ran), deterministic(torch, device):
        assert torch.are_deterministic_algorithms_enabled()
        x = torch.arange(24.0).reshape(2, 3, 4)
        for dim in (0, 1, -1):
            expected = x.numpy().cumsum(dim)
            np.testing.assert_array_equal(torch.cumsum(x.to(device), dim=dim).cpu(), expected)
            np.testing.assert_array_equal(x.to(device).cumsum(dim).cpu(), expected)
        assert "cumsum" not in ran
    assert not torch.are_deterministic_algorithms_enabled()
