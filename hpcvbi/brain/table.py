"""The table of a brain's parameters: which are drawn, fixed, mapped over regions, or derived."""

import inspect
from typing import TYPE_CHECKING

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param

if TYPE_CHECKING:
    from hpcvbi.brain.brain import Brain


def slopes_of(brain: "Brain") -> tuple[Param, ...]:
    """Parameters p_<map> that the regional maps of a brain add."""
    known = {p.name: p for p in brain.model.params}
    slopes = []
    for name, maps in brain.maps.items():
        if name not in known:
            raise ConfigError(
                f"maps of {name!r}: {brain.model.name} has the parameters {', '.join(known)}"
            )
        unit, n = known[name].unit, brain.connectome.n_regions
        for label, values in maps.items():
            if np.shape(values) != (n,) or not np.isfinite(values).all():
                raise ConfigError(
                    f"map {label} of {name} must be {n} finite numbers, one per region"
                )
            slopes.append(
                Param(
                    f"{name}_{label}",
                    0.0,
                    unit,
                    -1e9,
                    1e9,
                    Uniform(-1.0, 1.0),
                    f"change of {name} per unit of the map {label}",
                )
            )
    return tuple(slopes)


def parameter_table(brain: "Brain", theta: np.ndarray) -> dict[str, np.ndarray]:
    """Every parameter by name, each broadcastable to (draw, region); see `Brain.parameters`."""
    theta = np.asarray(theta, float)
    brain.space.check(theta)
    table: dict[str, np.ndarray] = {}
    for p in brain.params:
        if p.name in brain.space.names:
            table[p.name] = theta[:, [brain.space.names.index(p.name)]]
        else:
            default = brain.speed if p.name == "speed" else p.default
            table[p.name] = np.asarray(brain.values.get(p.name, default), float).reshape(1, -1)
    for name, maps in brain.maps.items():
        for label, values in maps.items():
            table[name] = table[name] + table[f"{name}_{label}"] * np.asarray(values, float)
    for p in brain.model.params:
        if p.name in brain.maps:
            p.check(table[p.name])
    known = {**table, "strength": brain.connectome.strength.reshape(1, -1)}
    for derived in brain.model.derived:
        if derived.name in brain.values:
            table[derived.name] = np.asarray(brain.values[derived.name], float).reshape(1, -1)
            continue
        names = inspect.signature(derived.formula).parameters
        table[derived.name] = derived.formula(**{name: known[name] for name in names})
    return table


def check_reach(brain: "Brain") -> None:
    """Raise ConfigError where the priors of a mapped parameter and its slopes leave its bounds."""
    for p in brain.model.params:
        if p.name not in brain.maps:
            continue
        low, high = _reach(brain, p.name, p.default)
        for label, values in brain.maps[p.name].items():
            slopes = [np.ravel(end) for end in _reach(brain, f"{p.name}_{label}", 0.0)]
            ends = np.stack(slopes) * np.asarray(values, float)
            low, high = low + ends.min(axis=0), high + ends.max(axis=0)
        low, high = np.broadcast_arrays(low, high)
        if (low < p.low).any() or (high > p.high).any():
            worst = int(np.argmax(np.maximum(p.low - low, high - p.high)))
            region = brain.connectome.labels[worst if low.size > 1 else 0]
            raise ConfigError(
                f"{p.name} with its maps reaches from {low.min():g} to {high.max():g} {p.unit} "
                f"(worst in region {region}), outside [{p.low:g}, {p.high:g}]: narrow the priors "
                f"of {p.name} and of {', '.join(f'{p.name}_{m}' for m in brain.maps[p.name])}"
            )


def _reach(brain: "Brain", name: str, default: float) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value that a draw can give to a parameter."""
    for drawn in brain.space.params:
        if drawn.name == name:
            assert drawn.prior is not None
            low, high = drawn.prior.quantile(np.array([0.0, 1.0]))
            return np.asarray(low), np.asarray(high)
    value = np.asarray(brain.values.get(name, default), float)
    return value, value
