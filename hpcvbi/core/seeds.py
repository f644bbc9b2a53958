"""Seeds as a function of what they are for, never of when or where they are used."""

import hashlib

import numpy as np


def derive_seed(*labels: str | int) -> int:
    """Return the 63-bit seed that belongs to these labels, e.g. ("noise", study seed, person,
    round).
    """
    text = "\x1f".join(f"{type(label).__name__}:{label}" for label in labels)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(*labels: str | int) -> np.random.Generator:
    """Return the NumPy generator that belongs to these labels."""
    return np.random.Generator(np.random.PCG64(derive_seed(*labels)))
