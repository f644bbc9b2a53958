"""What decides the bits of a block: the code of hpcvbi and of what it computes and writes with."""

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("numpy", "numba", "zarr")


@lru_cache(maxsize=1)
def versions() -> str:
    """Return versions in words, hpcvbi's with the first digits of its source's SHA-256."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    python = ".".join(platform.python_version_tuple()[:2])
    own = f"hpcvbi {version('hpcvbi')} ({digest.hexdigest()[:8]})"
    return ", ".join([own, *(f"{name} {version(name)}" for name in PACKAGES), f"Python {python}"])
