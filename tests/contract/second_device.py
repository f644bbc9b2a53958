"""A second device, in the CPU's memory, for what a GPU would do to a program that uses torch.

Tensors there are as far from those of the CPU as a GPU's are: an operation on both is refused, but
for copies and for the places that a GPU takes from the CPU, too: indices and single numbers. What
each operation computes is what the CPU computes, so results can be compared bit by bit. Views share
their memory, and autograd, optimisers and modules treat tensors as those of any other device.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

aten = torch.ops.aten
NAME = "second"
COPIES = (aten._to_copy.default, aten.copy_.default)
INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
_memory: dict[int, torch.UntypedStorage] = {}
"""The CPU's storage that stands behind a storage of the device, by the address of the latter."""


class MixedDevices(Exception):
    """An operation got tensors of both devices."""


class _Tensor(torch.Tensor):
    """A tensor of the second device whose numbers are those of `held`."""

    @staticmethod
    def __new__(cls, held):
        own = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        _memory[own.untyped_storage()._cdata] = held.untyped_storage()
        return own

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _Device.run(func, args, kwargs or {})


class _Device(TorchDispatchMode):
    """Runs operations of both devices, and keeps the `names` of those of the second."""

    names: ClassVar[set[str]] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.run(func, args, kwargs or {})

    @classmethod
    def run(cls, func, args, kwargs):
        """Do `func` where its tensors are, or where it is asked for."""
        tensors = _tensors((args, kwargs))
        there = any(isinstance(part, _Tensor) for part in tensors)
        if there and func not in COPIES:
            taken = _tensors(args[1]) if func in INDEXED and isinstance(args[0], _Tensor) else []
            free = {id(part) for part in taken}
            behind = [part for part in tensors if not isinstance(part, _Tensor) and part.dim()]
            if any(id(part) not in free for part in behind):
                raise MixedDevices(f"{func} got tensors of both devices")
            cls.names.add(func.overloadpacket.__name__)
        asked = kwargs.get("device")
        if asked is not None:
            kwargs = kwargs | {"device": torch.device("cpu")}
        out = func(*tree_map(_numbers, args), **tree_map(_numbers, kwargs))
        if func is aten.copy_.default:
            return args[0]
        if not (there if asked is None else torch.device(asked).type == NAME):
            return out
        out = tree_map(lambda part: _Tensor(part) if isinstance(part, torch.Tensor) else part, out)
        return return_and_correct_aliasing(func, args, kwargs, out) if there else out


def _tensors(parts):
    return [part for part in tree_leaves(parts) if isinstance(part, torch.Tensor)]


def _numbers(part):
    """The CPU's view of a tensor of the device; anything else as it is."""
    if not isinstance(part, _Tensor):
        return part
    memory = _memory[part.untyped_storage()._cdata]
    with torch._C._DisableTorchDispatch():
        empty = torch.empty(0, dtype=part.dtype)
        return empty.set_(memory, part.storage_offset(), part.size(), part.stride())


def _copied(source, target, non_blocking=False):
    _numbers(target).copy_(_numbers(source))
    return target


def _empty(size, stride, dtype=None, layout=None, device=None, pin_memory=None):
    return _Tensor(torch.empty_strided(size, stride, dtype=dtype))


def _register():
    """Tell torch of the device, once for each process; return what keeps it known."""
    _setup_privateuseone_for_python_backend(NAME)
    library = torch.library.Library("aten", "IMPL")
    # what torch's C++ calls below the level of __torch_dispatch__, in assignments to indices
    library.impl("empty_strided", _empty, "PrivateUse1")
    library.impl("_copy_from", _copied, "PrivateUse1")
    return library


_LIBRARY = _register()


@contextmanager
def second_device() -> Iterator[tuple[torch.device, set[str]]]:
    """Yield the device and the set that gathers the names of the operations that run there."""
    _Device.names = set()
    try:
        with _Device():
            yield torch.device(NAME, 0), _Device.names
    finally:
        _memory.clear()
