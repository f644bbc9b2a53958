"""The public parts of pyABC that ABC-SMC stands on, imported when they are first needed: distances,
summary statistics, epsilon schedules and transitions. Its samplers are not used: they reseed
workers from the operating system, and end a generation at whatever comes first.

Schaelte, Klinger, Alamoudi & Hasenauer (2022), "pyABC: Efficient and robust easy-to-use approximate
Bayesian computation", Journal of Open Source Software 7, 4304, DOI 10.21105/joss.04304.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

from hpcvbi.core.errors import ConfigError

KEY = "x"
"""Name of the vector of all features in what pyABC takes for summary statistics."""


def check_pyabc() -> None:
    """Raise ConfigError where pyABC is not installed."""
    if find_spec("pyabc") is None:
        raise ConfigError("abc_smc needs pyABC: pip install 'hpcvbi[pyabc]'")


def pyabc() -> Any:
    """Return the package, quiet; ConfigError where it is not installed."""
    check_pyabc()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        import pyabc as package  # pyright: ignore[reportMissingImports]
    return package


@contextmanager
def quiet() -> Iterator[None]:
    """Let pyABC say nothing of what is seen in the results."""
    talk = logging.getLogger("ABC")
    level = talk.level
    talk.setLevel(logging.ERROR)
    try:
        yield
    finally:
        talk.setLevel(level)


def named(u: np.ndarray) -> Any:
    """Return draws (row, param) as the table that transitions are fitted to."""
    import pandas as pd

    return pd.DataFrame(u, columns=[f"u{column}" for column in range(u.shape[1])])


def sample_of(u: np.ndarray, z: np.ndarray, accepted: np.ndarray) -> Any:
    """Return draws `u` (row, param) with features `z` (row, feature) as a sample of pyABC."""
    package = pyabc()
    from pyabc.population import Particle, Sample  # pyright: ignore[reportMissingImports]

    sample = Sample(record_rejected=True)
    names = [f"u{column}" for column in range(u.shape[1])]
    for params, row, taken in zip(u.tolist(), z, accepted.tolist(), strict=True):
        parameter = package.Parameter(dict(zip(names, params, strict=True)))
        sample.append(Particle(0, parameter, 1.0, {KEY: row}, 0.0, accepted=taken))
    return sample
