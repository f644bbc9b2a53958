"""The study file as one frozen tree: what is inferred, from whose data, with what, and how."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError

from hpcvbi.cohort import Person
from hpcvbi.config.messages import explain
from hpcvbi.config.sections import (
    BoldSection,
    ConnectomeSection,
    CouplingSection,
    FeaturesSection,
    Inference,
    Local,
    MeasurementNoise,
    ModelSection,
    NeurolibHcp,
    NoiseSection,
    Parameter,
    Section,
    Simulation,
    Tables,
    Yardsticks,
    distinct,
)
from hpcvbi.config.source import Key, Source


class Study(Section):
    """One study file. Two studies with equal `sha256` have the same results, bit for bit."""

    name: str
    output: str
    """Folder of the results, relative to the working directory."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    cohort: Annotated[NeurolibHcp | Tables, Field(discriminator="kind")]
    connectome: ConnectomeSection = ConnectomeSection()
    model: ModelSection
    coupling: CouplingSection = CouplingSection()
    noise: NoiseSection | None = None
    measurement_noise: MeasurementNoise | None = None
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    simulation: Simulation = Simulation()
    bold: BoldSection
    features: FeaturesSection
    inference: Inference = Inference()
    yardsticks: Yardsticks
    block: Annotated[int, Field(ge=1, le=65_536)] = 32
    """Draws per block: one task, one shard."""
    keep: Annotated[tuple[Literal["fc", "fc_model", "bold"], ...], AfterValidator(distinct)] = ()
    """What is stored of every draw besides features; `fc_model` is without measurement noise."""
    cluster: Local = Local()

    _source: Source = PrivateAttr(default=Source("study"))

    @classmethod
    def parsed(cls, data: Mapping[str, Any], source: Source) -> Self:
        """Return the study that a parsed file describes; ConfigError says all that is wrong."""
        given = _tuples(data)
        try:
            study = cls.model_validate(given)
        except ValidationError as error:
            raise explain(error, cls, given, source) from None
        study._source = source
        for name, parameter in study.parameters.items():
            with study.at("parameters", name):
                parameter.build()
        return study

    @classmethod
    def from_dict(cls, canonical: Mapping[str, Any]) -> Self:
        """Return the study that `canonical` was called on, its name and output unknown."""
        unknown = {"name": "study", "output": "."}
        return cls.parsed({**unknown, **canonical}, Source("the stored study"))

    def canonical(self) -> dict[str, Any]:
        """Return all that alters results or their layout, defaults filled in, as JSON values."""
        return self.model_dump(mode="json", exclude={"name", "output", "cluster"})

    @property
    def sha256(self) -> str:
        """Identity of the study: SHA-256 of `canonical` as JSON with sorted keys."""
        return _digest(self.canonical())

    def at(self, *path: Key) -> AbstractContextManager[None]:
        """Name file, line and key `path` in the errors raised inside the `with` block."""
        return self._source.at(*path)


def identity(study: Study, people: Sequence[Person]) -> tuple[dict[str, Any], str]:
    """Return what a store is the store of, and its SHA-256: the study and everybody's data."""
    manifest = {"study": study.canonical(), "people": {p.id: p.sha256 for p in people}}
    return manifest, _digest(manifest)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
