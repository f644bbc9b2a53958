"""How regions act on each other through the connectome.

    channels_j = pre(sent_j, p)                           at the source, before the delay
    total_i    = Σ_j w_ij channel_j(t − d_ij)
    input_i    = post(total_i, channel_i(t), Σ_j w_ij, p)

`pre` maps what the model sends to the quantities that travel; None sends it as it is. Without
`channels`, `pre` is applied to each sent quantity by itself; with it, to all of them at once, and
returns a tuple of that many channels. `post` turns each channel into one input of the model; `mix`,
given instead, takes all totals and all own channels at once and returns a tuple of inputs. All are
scalar functions in the sense of `brain.model`; the parameters that they take are named by their
arguments.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from numpy import cos, exp, sin, tanh

from hpcvbi.brain.scalar import check_scalar
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param


@dataclass(frozen=True)
class Coupling:
    """Coupling through the connectome; see the module docstring for the equation."""

    name: str
    post: Callable[..., object] | None
    params: tuple[Param, ...]
    pre: Callable[..., object] | None = None
    channels: int | None = None
    mix: Callable[..., tuple] | None = None
    inputs: int | None = None

    def __post_init__(self) -> None:
        if (self.post is None) == (self.mix is None):
            raise ConfigError(f"coupling {self.name}: give either post or mix")
        if self.channels is not None and self.pre is None:
            raise ConfigError(f"coupling {self.name}: channels are what `pre` returns; give `pre`")
        if (self.mix is None) != (self.inputs is None):
            raise ConfigError(f"coupling {self.name}: say how many inputs `mix` returns")
        if self.mix is not None and self.channels is None:
            raise ConfigError(f"coupling {self.name}: say how many channels `mix` takes")
        for function in (self.pre, self.post, self.mix):
            if function is not None:
                check_scalar(f"coupling {self.name}", function)
        leading = self._leading()
        written = self._arguments(self.mix or self.post)
        if written[: len(leading)] != leading and self.mix is None:
            raise ConfigError(f"coupling {self.name}: post{written} must begin with {leading}")
        known = {p.name for p in self.params}
        if unknown := set(written[len(leading) :]) - known:
            raise ConfigError(
                f"coupling {self.name}: {sorted(unknown)} are no parameters of it "
                f"({', '.join(sorted(known)) or 'it has none'})"
            )

    def _leading(self) -> tuple[str, ...]:
        if self.mix is None:
            return "total", "own", "strength"
        return self._arguments(self.mix)[: 2 * (self.channels or 0) + 1]

    @staticmethod
    def _arguments(function: Callable[..., object] | None) -> tuple[str, ...]:
        return tuple(inspect.signature(function).parameters) if function else ()

    @property
    def post_params(self) -> tuple[str, ...]:
        """Names of the parameters that `post` or `mix` takes."""
        return self._arguments(self.mix or self.post)[len(self._leading()) :]

    @property
    def pre_params(self) -> tuple[str, ...]:
        """Names of the parameters that `pre` takes."""
        known = {p.name for p in self.params}
        return tuple(name for name in self._arguments(self.pre) if name in known)

    @property
    def takes(self) -> int | None:
        """How many sent quantities fit `pre`; None for any number."""
        if self.channels is None:
            return None
        return len(self._arguments(self.pre)) - len(self.pre_params)

    def n_channels(self, sends: int) -> int:
        """Number of channels when `sends` quantities are sent."""
        return sends if self.channels is None else self.channels

    def n_inputs(self, sends: int) -> int:
        """Number of inputs that the model gets when `sends` quantities are sent."""
        return self.n_channels(sends) if self.inputs is None else self.inputs

    def channels_of(self, sent, values) -> tuple:
        """Channels that the sent quantities give rise to; `values` maps parameters to arrays."""
        if self.pre is None:
            return tuple(sent)
        params = [values[name] for name in self.pre_params]
        if self.channels is None:
            return tuple(self.pre(quantity, *params) for quantity in sent)
        return tuple(self.pre(*sent, *params))  # type: ignore[misc]

    def inputs_of(self, totals, own, strength, values) -> tuple:
        """Inputs of the model from the totals and the own channels."""
        params = [values[name] for name in self.post_params]
        if self.mix is not None:
            return tuple(self.mix(*totals, *own, strength, *params))
        assert self.post is not None
        pairs = zip(totals, own, strict=True)
        return tuple(self.post(total, channel, strength, *params) for total, channel in pairs)


G = Param("G", 1.0, "1", low=0.0, high=1e6, prior=Uniform(0.0, 5.0), doc="global coupling strength")
_RATE_PARAMS = (
    Param("cmin", 0.0, "1", -1e6, 1e6, Uniform(0.0, 0.001), "lowest value of the sigmoid"),
    Param("cmax", 0.005, "1", -1e6, 1e6, Uniform(0.001, 0.01), "highest value of the sigmoid"),
    Param("midpoint", 6.0, "1", -1e6, 1e6, Uniform(3.0, 9.0), "argument at half of the range"),
    Param("steepness", 0.56, "1", -1e6, 1e6, Uniform(0.1, 1.0), "steepness of the sigmoid"),
)


def _linear(total, own, strength, G, offset):
    return G * total + offset


def _scaled(total, own, strength, G):
    return G * total


def _difference(total, own, strength, G):
    return G * (total - strength * own)


def _sigmoid(x, cmin, cmax, midpoint, steepness):
    return cmin + (cmax - cmin) / (1.0 + exp(steepness * (midpoint - x)))


def _sigmoid_of_total(total, own, strength, G, cmin, cmax, midpoint, steepness):
    return G * (cmin + (cmax - cmin) / (1.0 + exp(steepness * (midpoint - total))))


def _hyperbolic_tangent(x, gain, shift, scale):
    return 1.0 + tanh((gain * x - shift) / scale)


def _on_the_circle(theta):
    return sin(theta), cos(theta)


def _phase_difference(total_sin, total_cos, own_sin, own_cos, strength, G):
    # Σ w sin(θ_j − θ_i), by the addition theorem
    return (G * (total_sin * own_cos - total_cos * own_sin),)


LINEAR = Coupling(
    "linear",
    _linear,
    (G, Param("offset", 0.0, "1", -1e6, 1e6, Uniform(-1.0, 1.0), "constant input")),
)
DIFFERENCE = Coupling("difference", _difference, (G,))
SIGMOIDAL = Coupling("sigmoidal", _scaled, (G, *_RATE_PARAMS), pre=_sigmoid)
SIGMOIDAL_AFTER = Coupling("sigmoidal_after", _sigmoid_of_total, (G, *_RATE_PARAMS))
HYPERBOLIC_TANGENT = Coupling(
    "hyperbolic_tangent",
    _scaled,
    (
        G,
        Param("gain", 1.0, "1", -1e6, 1e6, Uniform(0.1, 10.0), "factor of the argument"),
        Param("shift", 0.0, "1", -1e6, 1e6, Uniform(-1.0, 1.0), "shift of the argument"),
        Param("scale", 1.0, "1", 1e-6, 1e6, Uniform(0.1, 10.0), "divisor of the argument"),
    ),
    pre=_hyperbolic_tangent,
)
KURAMOTO = Coupling(
    "kuramoto", None, (G,), pre=_on_the_circle, channels=2, mix=_phase_difference, inputs=1
)

COUPLINGS: dict[str, Coupling] = {
    coupling.name: coupling
    for coupling in (
        LINEAR,
        DIFFERENCE,
        SIGMOIDAL,
        SIGMOIDAL_AFTER,
        HYPERBOLIC_TANGENT,
        KURAMOTO,
    )
}
