"""Zarr's codec `zstd`, which expands a chunk only if it says that it fits its array.

A few hundred bytes can claim, and become, any number of gigabytes. The size that a frame has once
it is expanded stands in its header (RFC 8878, section 3.1.1.1), and whoever writes a store with
hpcvbi writes it there.
"""

import math
from typing import Any

import zarr
from zarr.codecs import ZstdCodec
from zarr.registry import register_codec

from hpcvbi.store.trust import LARGEST_TEXT

_MAGIC = b"\x28\xb5\x2f\xfd"
_LONGEST_HEADER = 18


class BoundedZstd(ZstdCodec):
    """Decodes as zstd does; ValueError where a frame claims more than its chunk holds."""

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        claimed = frame_size(chunk_bytes[:_LONGEST_HEADER].to_bytes())
        dtype = chunk_spec.dtype.to_native_dtype()
        numbers = math.prod(chunk_spec.shape) * dtype.itemsize
        # of text, the array's shape does not tell the size
        largest = LARGEST_TEXT if dtype.kind in "OT" else numbers
        if claimed > largest:
            raise ValueError(f"a chunk claims {claimed} bytes, and {largest} fit its array")
        return super()._decode_sync(chunk_bytes, chunk_spec)


def frame_size(header: bytes) -> int:
    """Return what a frame of zstd says that it expands to; ValueError if it does not say."""
    if header[:4] != _MAGIC or len(header) < 6:
        raise ValueError("no frame of zstd")
    flags = header[4]
    single = bool(flags & 0x20)
    start = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    width = (1 if single else 0, 2, 4, 8)[flags >> 6]
    raw = header[start : start + width]
    if not width or len(raw) < width:
        raise ValueError("a frame of zstd that does not say its size")
    return int.from_bytes(raw, "little") + (256 if width == 2 else 0)


register_codec("zstd", BoundedZstd)
zarr.config.set({"codecs.zstd": f"{BoundedZstd.__module__}.{BoundedZstd.__qualname__}"})
