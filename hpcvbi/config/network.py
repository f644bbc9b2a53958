"""The sections that declare a brain network model, the same in every kind of file."""

from typing import Annotated, Literal

from pydantic import Field

from hpcvbi.brain.brain import MOST_REFINEMENTS
from hpcvbi.brain.coupling import COUPLINGS
from hpcvbi.brain.noise import Noise, OrnsteinUhlenbeck, WhiteNoise
from hpcvbi.config.section import Names, Positive, Section, Value, one_of, passes
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import PRIORS, Prior
from hpcvbi.models.load import check_reference

NOISES: dict[str, type[WhiteNoise] | type[OrnsteinUhlenbeck]] = {
    "white": WhiteNoise,
    "ornstein_uhlenbeck": OrnsteinUhlenbeck,
}
Scheme = Literal["euler", "heun", "rk4", "sra1"]


class ConnectomeSection(Section):
    """What is done to a connectome before it is simulated."""

    symmetrise: bool = True
    """Take the mean of both directions."""
    self_connections: bool = False
    """Keep the diagonal."""
    normalise: Literal["spectral_radius", "max", "none"] = "spectral_radius"
    """What the weights are divided by."""


class ModelSection(Section):
    """The neural mass model on every region."""

    name: Annotated[str, passes(check_reference)]
    """One of hpcvbi's own; or `path/to/file.py:name`, relative to this file, a Python file that is
    executed; or what an installed package announces in its entry points `hpcvbi.models`.
    """
    values: dict[str, Value] = Field(default_factory=dict)
    """Like `values` of the file."""
    maps: dict[str, Names] = Field(default_factory=dict)
    """Regional maps of parameters, `{w: [myelin]}`: w_i = w + w_myelin * myelin_i, with a further
    parameter `w_myelin`, 0 unless it is given or inferred.
    """


class CouplingSection(Section):
    """How regions act on each other."""

    kind: Annotated[str, one_of(COUPLINGS)] = "linear"
    of: Names | None = None
    """State variables or outputs that leave a region; null for what the model sends by default."""
    speed: Annotated[float, Field(ge=0.05, le=1000.0)] | None = None
    """Conduction speed [mm/ms]; null for no delays. Where `speed` is inferred, any number here."""
    rounding: Literal["floor", "round"] = "floor"
    """How a delay becomes a whole number of steps."""
    step: Positive | None = None
    """Time between two evaluations of the coupling [ms], a multiple of dt; null for every step."""


class NoiseSection(Section):
    """Noise in the neural equations; its strength is the parameter `sigma`."""

    on: Names
    """State variables that receive it."""
    kind: Literal["white", "ornstein_uhlenbeck"] = "white"
    """Ornstein-Uhlenbeck noise has the correlation time `tau_noise`."""
    separate: bool = False
    """A parameter `sigma_<variable>` for each variable in `on`, instead of one `sigma`."""

    def build(self) -> Noise:
        """Return the noise."""
        return NOISES[self.kind](self.on, self.separate)


class Parameter(Section):
    """What is believed of a parameter; `{}` for the prior that its declaration gives."""

    prior: Annotated[str, one_of(PRIORS)] | None = None
    low: float | None = None
    """In the unit of the parameter."""
    high: float | None = None
    """In the unit of the parameter."""

    @property
    def missing(self) -> str | None:
        """The first key that is needed and not there."""
        given = (self.prior, self.low, self.high)
        absent = [key for key, value in zip(("prior", "low", "high"), given, strict=True)
                  if value is None]  # fmt: skip
        return absent[0] if 0 < len(absent) < len(given) else None

    def build(self, default: Prior | None) -> Prior:
        """Return the prior distribution; ConfigError where there is none."""
        if self.prior is not None and self.low is not None and self.high is not None:
            return PRIORS[self.prior](self.low, self.high)
        if default is None:
            raise ConfigError("has no prior of its own: write prior, low and high")
        return default


class Integration(Section):
    """How the equations are integrated."""

    dt: Positive = 1.0
    """Integration step [ms]."""
    scheme: Scheme = "euler"
    """`rk4` is for equations without white noise, `sra1` for additive noise."""
    refine: Annotated[int, Field(ge=0, le=MOST_REFINEMENTS)] = 0
    """How often dt may be halved for a draw that diverges, on the same noise path."""
    dtype: Literal["float32", "float64"] = "float32"
