"""Sealing: AES-256-GCM over the bytes of a chunk, bound to the place where they lie.

    chunk    header (mark, version, length of the plain text), segment, segment, ...
    segment  nonce (12), cipher text (at most 1 MiB), tag (16)
    nonce    first 96 bits of HMAC-SHA256(nonce key, associated data, plain text)
    associated data   array path, chunk key, number of the segment, length of the plain text

So a flipped bit, a chunk or a segment from another place, and a shortened chunk are refused. What
is refused here no more than by any cipher is an older version of the same chunk in the same place:
the ledger's digest sees that.

The nonce is a function of place and content (a synthetic one, as in RFC 5297), because the same
block must have the same bytes whenever it is simulated again. Two different plain texts share a
nonce with probability < q² / 2⁹⁷ for q segments: 2⁻³³ for 2³² segments (4 PB) of one person, the
bound of NIST SP 800-38D (doi:10.6028/NIST.SP.800-38D) for random nonces. An onlooker learns that a
rewritten chunk is the same as before, sizes, and nothing else.
"""

import hmac
import json
import math
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hpcvbi.core.errors import StoreError

SEGMENT = 2**20
HEADER = struct.Struct("<4sB3xQ")
_MARK, _VERSION, _NONCE, _TAG = b"HVBS", 1, 12, 16
SEALED_SEGMENT = _NONCE + SEGMENT + _TAG


@dataclass(frozen=True)
class DataKey:
    """A person's 256-bit key; what is used are keys derived from it (HKDF, RFC 5869)."""

    secret: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        """Name of the key, from which nothing follows about it."""
        return self.derived("id")[:8].hex()

    @cached_property
    def nonce_key(self) -> bytes:
        """What synthetic nonces are made with."""
        return self.derived("nonce")

    @cached_property
    def cipher(self) -> Any:
        """AES-256-GCM under the key's own encryption key."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self.derived("encrypt"))

    def derived(self, purpose: str) -> bytes:
        """Return the 256-bit key for `purpose`."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), 32, salt=None, info=f"hpcvbi {purpose}".encode()).derive(self.secret)

    def blind(self, digest: str) -> str:
        """Return a digest of the same length that says nothing to those without the key."""
        keyed = hmac.digest(self.derived("digest"), digest.encode(), "sha256").hex()
        return keyed[: len(digest)]


def seal(key: DataKey, place: str, plain: memoryview) -> bytes:
    """Encrypt the bytes of the chunk at `place` (array path and chunk key)."""
    length = len(plain)
    parts = [HEADER.pack(_MARK, _VERSION, length)]
    for number in range(segments(length)):
        piece = plain[number * SEGMENT : (number + 1) * SEGMENT]
        about = _about(place, number, length)
        maker = hmac.new(key.nonce_key, len(about).to_bytes(8, "little") + about, "sha256")
        maker.update(piece)
        nonce = maker.digest()[:_NONCE]
        parts += [nonce, key.cipher.encrypt(nonce, piece, about)]
    return b"".join(parts)


def plain_length(header: bytes, place: str) -> int:
    """Return what a header claims; the segments' tags tell whether it is true."""
    try:
        mark, version, length = HEADER.unpack(header[: HEADER.size])
    except struct.error:
        raise refused(place) from None
    if (mark, version) != (_MARK, _VERSION):
        raise refused(place)
    return length


def segments(length: int) -> int:
    """Number of segments; an empty text has one, so that its length too has a tag."""
    return max(1, math.ceil(length / SEGMENT))


def unseal(key: DataKey, place: str, data: memoryview, first: int, length: int) -> bytes:
    """Decrypt consecutive segments of a chunk, of which `first` is the number of the first.

    Raises
    ------
    StoreError
        They are not what was sealed at this place with this key.
    """
    from cryptography.exceptions import InvalidTag

    plain = []
    for number in range(first, first + max(1, math.ceil(len(data) / SEALED_SEGMENT))):
        start = (number - first) * SEALED_SEGMENT
        piece = data[start : start + SEALED_SEGMENT]
        nonce, text = bytes(piece[:_NONCE]), piece[_NONCE:]
        try:
            plain.append(key.cipher.decrypt(nonce, text, _about(place, number, length)))
        except (InvalidTag, ValueError):
            raise refused(place) from None
    return b"".join(plain)


def refused(place: str) -> StoreError:
    """Return the error about a chunk that fails its check."""
    return StoreError(
        f"{place} fails its authentication: its bytes were changed or cut, or belong to another "
        "place or key"
    )


def _about(place: str, number: int, length: int) -> bytes:
    return json.dumps(["hpcvbi sealed 1", place, number, length]).encode()
