"""The file of `hpcvbi simulate`: one brain, a few draws, and what is seen of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr

from hpcvbi.config.connectomes import AnyConnectome
from hpcvbi.config.document import Document
from hpcvbi.config.draws import Draws, FromPrior
from hpcvbi.config.monitors import MonitorSection
from hpcvbi.config.network import Integration
from hpcvbi.config.section import NotNegative, Positive, Value, one_of, wrong
from hpcvbi.config.source import Source
from hpcvbi.sim.simulate import BACKENDS

EXAMPLE = Path(__file__).with_name("example.yaml")
"""A file that can be simulated as it is."""
SUFFIXES = (".nc", ".zarr")


class TrialIntegration(Integration):
    """How the equations are integrated, from which state, and by what."""

    duration: Positive
    """Simulated and watched [ms]."""
    burn_in: NotNegative = 0.0
    """Simulated and discarded before that [ms]."""
    backend: Annotated[str, one_of(BACKENDS)] = "cpu"
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Threads of the backend `cpu`; null for one per core. They do not change a bit."""
    initial: Literal["random"] | dict[str, Value] | None = None
    """State at t = 0 and before: random, uniform over what the model declares as range of starts;
    values by state variable, the others at their initial value; null for the initial values.
    """


def _output(path: str) -> str:
    if Path(path).suffix not in SUFFIXES:
        raise wrong(f"must end in .nc (NetCDF) or .zarr (Zarr), got {path!r}")
    return path


class Trial(Document):
    """The file of a trial."""

    output: Annotated[str, AfterValidator(_output)]
    """NetCDF file (.nc) or Zarr folder (.zarr), relative to the working directory."""
    plot: bool = True
    """Draw a picture beside it."""
    connectome: AnyConnectome
    maps: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Regional annotations by name, one number per region, besides those of the connectome."""
    draws: Draws | None = None
    """What is simulated side by side; null for one draw."""
    simulation: TrialIntegration
    monitors: Annotated[tuple[MonitorSection, ...], Field(min_length=1)]

    _folder: Path = PrivateAttr(default=Path("."))

    @classmethod
    def parsed(cls, data: Mapping[str, Any], source: Source) -> Self:
        """Return the trial that a parsed file describes; ConfigError says all that is wrong."""
        trial = super().parsed(data, source)
        if isinstance(trial.draws, FromPrior):
            trial.check_priors(trial.draws.of, "draws", "of")
        return trial

    def read_texts(self, folder: Path) -> None:
        """Read the files that the trial names, relative to `folder`."""
        super().read_texts(folder)
        self._folder = folder

    @property
    def folder(self) -> Path:
        """What paths of data are relative to."""
        return self._folder
