"""The Zarr v3 codec `hpcvbi.sealed`: what other codecs make, encrypted as in `store.seal`.

    "codecs": [{"name": "hpcvbi.sealed", "configuration":
        {"path": "<person>/<group>/<array>", "key": "<name of the key>", "codecs": [...]}}]

It is an array-to-bytes codec around a chain of others, because zarr tells only such a codec where
its bytes lie: a bytes-to-bytes codec sees neither path nor chunk key, and could not refuse a chunk
that was swapped. Sharding stays inside, so that parts of a shard are read and decrypted alone.

zarr finds it by the entry point `hpcvbi.sealed` of the group `zarr.codecs`, xarray through zarr.
The key is found as `store.keys` says; it is in no metadata.
"""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

from zarr.abc.codec import (
    ArrayBytesCodec,
    ArrayBytesCodecPartialDecodeMixin,
    ArrayBytesCodecPartialEncodeMixin,
    Codec,
    CodecPipeline,
)
from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    SuffixByteRequest,
)
from zarr.codecs import VLenUTF8Codec as ZarrText
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, BufferPrototype, NDBuffer
from zarr.registry import get_codec_class, get_pipeline_class, register_codec

from hpcvbi.core.errors import KeyRefused, StoreError
from hpcvbi.store import keys
from hpcvbi.store.seal import (
    HEADER,
    SEALED_SEGMENT,
    SEGMENT,
    DataKey,
    plain_length,
    refused,
    seal,
    segments,
    unseal,
)

NAME = "hpcvbi.sealed"


@dataclass(frozen=True)
class SealedCodec(
    ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin, ArrayBytesCodecPartialEncodeMixin
):
    """Encrypts what `codecs` make of a chunk of the array at `path`, with the key named `key`."""

    path: str
    key: str
    codecs: tuple[Codec, ...]
    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the codec that an array's metadata describe."""
        about = data["configuration"]
        inner = tuple(
            get_codec_class(codec["name"]).from_dict(codec) if isinstance(codec, dict) else codec
            for codec in about["codecs"]
        )
        return cls.around(str(about["path"]), str(about["key"]), cast(tuple[Codec, ...], inner))

    @classmethod
    def around(cls, path: str, key: str, codecs: tuple[Codec, ...]) -> Self:
        """Return the codec around a chain of others."""
        return _class_for(cls, codecs)(path, key, codecs)

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in the array's metadata."""
        inner = tuple(codec.to_dict() for codec in self.codecs)
        return {
            "name": NAME,
            "configuration": {"path": self.path, "key": self.key, "codecs": inner},
        }

    def evolve_from_array_spec(self, array_spec: ArraySpec) -> Self:
        """Tell the inner codecs of the array's type."""
        inner, spec = [], array_spec
        for codec in self.codecs:
            evolved = codec.evolve_from_array_spec(array_spec=spec)
            inner.append(evolved)
            spec = evolved.resolve_metadata(spec)
        return replace(self, codecs=tuple(inner))

    def validate(self, **about: Any) -> None:
        """Let the inner codecs refuse an array that they cannot encode."""
        for codec in self.codecs:
            codec.validate(**about)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Never known before: inside there is compression."""
        raise NotImplementedError

    @property
    def _inner(self) -> CodecPipeline:
        return get_pipeline_class().from_codecs(self.codecs)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        raise _placeless()

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        raise _placeless()

    async def _decode_partial_single(
        self, byte_getter: Any, selection: Any, chunk_spec: ArraySpec
    ) -> NDBuffer | None:
        within = _Sealed(self, byte_getter)
        inner, *others = self.codecs
        if isinstance(inner, ArrayBytesCodecPartialDecodeMixin) and not others:
            (part,) = await inner.decode_partial([(within, selection, chunk_spec)])
            return part
        plain = await within.get(chunk_spec.prototype)
        if plain is None:
            return None
        (chunk,) = await self._inner.decode([(plain, chunk_spec)])
        return None if chunk is None else chunk[selection]

    async def _encode_partial_single(
        self, byte_setter: Any, chunk_array: NDBuffer, selection: Any, chunk_spec: ArraySpec
    ) -> None:
        within, chunk = _Sealed(self, byte_setter), chunk_array
        if chunk_array.shape != chunk_spec.shape:
            whole = tuple(slice(0, size) for size in chunk_spec.shape)
            held = await self._decode_partial_single(byte_setter, whole, chunk_spec)
            chunk = _empty(chunk_spec) if held is None else held.copy()
            chunk[selection] = chunk_array
        (plain,) = await self._inner.encode([(chunk, chunk_spec)])
        if plain is None:
            await byte_setter.delete()
        else:
            await within.set(plain)


class VLenUTF8Codec(SealedCodec):
    """The same for text, whose codec zarr (3.1 to 3.4) takes by the name of its class alone."""


def _class_for(kind: type[Any], codecs: tuple[Codec, ...]) -> type[Any]:
    text = any(isinstance(codec, ZarrText) for codec in codecs)
    return VLenUTF8Codec if text else kind


class _Sealed:
    """Plain bytes of one chunk, from and to the sealed ones in a store."""

    def __init__(self, codec: SealedCodec, place: Any) -> None:
        self._store = place
        name = str(place.path).rsplit("/", 1)[-1]
        self._place = f"{codec.path}/{name}"
        located = str(place)
        if not located.endswith(f"/{self._place}"):
            raise refused(located)
        self._key = _key_of(codec, located.removesuffix(f"/{self._place}"))

    async def get(
        self, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return these bytes of the plain text; StoreError unless they are as they were sealed."""
        if byte_range is None:
            held = await self._store.get(prototype)
            if held is None:
                return None
            data = memoryview(held.as_buffer_like()).cast("B")
            length = plain_length(bytes(data[: HEADER.size]), self._place)
            if len(data) != _sealed_length(length):
                raise refused(self._place)
            return prototype.buffer.from_bytes(await self._open(data[HEADER.size :], 0, length))
        header = await self._store.get(prototype, RangeByteRequest(0, HEADER.size))
        if header is None:
            return None
        length = plain_length(header.to_bytes(), self._place)
        start, stop = _bounds(byte_range, length)
        first, last = start // SEGMENT, max(start // SEGMENT + 1, -(-stop // SEGMENT))
        begin = HEADER.size + first * SEALED_SEGMENT
        end = min(HEADER.size + last * SEALED_SEGMENT, _sealed_length(length))
        held = await self._store.get(prototype, RangeByteRequest(begin, end))
        if held is None or len(held) != end - begin:
            raise refused(self._place)
        plain = await self._open(memoryview(held.as_buffer_like()).cast("B"), first, length)
        return prototype.buffer.from_bytes(plain[start - first * SEGMENT : stop - first * SEGMENT])

    async def set(self, value: Buffer) -> None:
        """Seal the plain text and write it."""
        plain = memoryview(value.as_buffer_like()).cast("B")
        data = await asyncio.to_thread(seal, self._key, self._place, plain)
        await self._store.set(type(value).from_bytes(data))

    async def _open(self, data: memoryview, first: int, length: int) -> bytes:
        return await asyncio.to_thread(unseal, self._key, self._place, data, first, length)


def _key_of(codec: SealedCodec, root: str) -> DataKey:
    """Return the key of an array in the hierarchy at `root`, the address of a store.zarr."""
    if (key := keys.key_named(codec.key)) is not None:
        return key
    folder, person = Path(root.removeprefix("file://")).parent, codec.path.split("/", 1)[0]
    key = keys.data_key(folder, person)
    if key.id != codec.key:
        raise KeyRefused(
            f"{codec.path} is sealed with the key {codec.key}; {person}'s key is {key.id}"
        )
    return key


def _bounds(asked: ByteRequest, length: int) -> tuple[int, int]:
    if isinstance(asked, RangeByteRequest):
        return min(asked.start, length), min(asked.end, length)
    if isinstance(asked, OffsetByteRequest):
        return min(asked.offset, length), length
    assert isinstance(asked, SuffixByteRequest)
    return max(0, length - asked.suffix), length


def _sealed_length(length: int) -> int:
    return HEADER.size + length + segments(length) * (SEALED_SEGMENT - SEGMENT)


def _empty(spec: ArraySpec) -> NDBuffer:
    return spec.prototype.nd_buffer.create(
        shape=spec.shape,
        dtype=spec.dtype.to_native_dtype(),
        order=spec.order,
        fill_value=spec.fill_value,
    )


def _placeless() -> StoreError:
    return StoreError(f"the codec {NAME} has to stand first and alone: its chunks have places")


register_codec(NAME, SealedCodec)
