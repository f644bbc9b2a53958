"""What is to be inferred, checked alike by all methods: how many parameters, which features."""

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.infer.draws import Draws


def check_problem(n_params: int, x_observed: np.ndarray) -> np.ndarray:
    """Return the observed features (feature,); ConfigError where nothing can be inferred."""
    x_observed = np.asarray(x_observed, float)
    if x_observed.ndim != 1 or not len(x_observed) or not np.isfinite(x_observed).all():
        raise ConfigError(
            "the observed features must be a vector of finite numbers; leave out features that "
            f"the recording does not have, got {x_observed!r}"
        )
    if n_params < 1:
        raise ConfigError("nothing to infer: give at least one parameter a prior")
    return x_observed


def check_shapes(n_params: int, x_observed: np.ndarray, draws: Draws) -> None:
    """Raise ConfigError unless the draws are of the same problem."""
    if (draws.u.shape[1], draws.x.shape[1]) != (n_params, len(x_observed)):
        raise ConfigError(
            f"u must have shape (draw, {n_params}) and x (draw, {len(x_observed)}), got "
            f"{draws.u.shape} and {draws.x.shape}"
        )
