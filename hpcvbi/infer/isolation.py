"""torch as learning uses it: one thread, float32, a seed of its own, nothing of the caller's
touched.

Fitting runs on the GPU where torch finds one, by deterministic algorithms; all that is random is
drawn on the CPU, and fitted networks are evaluated there. Bits are the same on one kind of device,
not on CPU and GPU.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


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


def device_of(torch: Any) -> Any:
    """Return where to fit: a GPU if there is one that this process may use, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    # cuBLAS reads it when it is first used, and without it is not deterministic
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device("cuda")


@contextmanager
def deterministic(torch: Any, device: Any) -> Iterator[None]:
    """Refuse what has no deterministic algorithm on a GPU, and take sums along splines by another
    way there; on the CPU everything used has one.
    """
    if device.type == "cpu":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with _sums_by_products(torch):
            yield
    finally:
        torch.use_deterministic_algorithms(before)


def _sums_by_products(torch: Any) -> Any:
    """Return a context in which running sums are products with a triangle of ones: splines take
    them over a few bins, and torch has no deterministic algorithm for them on a GPU.
    """

    class SumsByProducts(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            summing = func in (torch.cumsum, torch.Tensor.cumsum)
            return (running_sum if summing else func)(*args, **(kwargs or {}))

    def running_sum(x: Any, dim: int) -> Any:
        triangle = x.new_ones(x.shape[dim], x.shape[dim]).triu()
        return (x.movedim(dim, -1) @ triangle).movedim(-1, dim)

    return SumsByProducts()


@contextmanager
def numpy_seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's own generator, for libraries that draw from nothing else; restore it after."""
    before = np.random.get_state()
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))
    try:
        yield
    finally:
        np.random.set_state(before)
