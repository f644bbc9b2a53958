"""The study file as one frozen tree: what is inferred, from whose data, with what, and how."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from hpcvbi.cohort import Person
from hpcvbi.config.document import Document
from hpcvbi.config.network import ConnectomeSection, Parameter
from hpcvbi.config.section import distinct
from hpcvbi.config.sections import (
    BoldSection,
    FeaturesSection,
    Inference,
    Limits,
    Local,
    MeasurementNoise,
    NeurolibHcp,
    Simulation,
    Tables,
    Yardsticks,
)
from hpcvbi.config.source import Source


class Study(Document):
    """One study file. Two studies with equal `sha256` have the same results, bit for bit."""

    name: str
    cohort: Annotated[NeurolibHcp | Tables, Field(discriminator="kind")]
    connectome: ConnectomeSection = ConnectomeSection()
    measurement_noise: MeasurementNoise | None = None
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    """What is inferred, `speed`, slopes of maps and amplitudes of stimuli included."""
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
    limits: Limits = Limits()

    @classmethod
    def parsed(cls, data: Mapping[str, Any], source: Source) -> Self:
        """Return the study that a parsed file describes; ConfigError says all that is wrong."""
        study = super().parsed(data, source)
        study.check_priors(study.parameters, "parameters")
        return study

    @classmethod
    def from_dict(cls, canonical: Mapping[str, Any]) -> Self:
        """Return the study that `canonical` was called on, its name and output unknown."""
        given = {"name": "study", "output": ".", **canonical}
        texts = given.pop("texts", {})
        study = cls.parsed(given, Source("the stored study"))
        study._texts.update({name: "\n".join(lines) for name, lines in texts.items()})
        return study

    def canonical(self) -> dict[str, Any]:
        """Return all that alters results or their layout, defaults filled in, as JSON values; with
        the lines of the files that the study names.
        """
        values = self.model_dump(mode="json", exclude={"name", "output", "cluster", "limits"})
        texts = {name: text.split("\n") for name, text in self.texts.items()}
        return {**values, "texts": texts} if texts else values

    @property
    def sha256(self) -> str:
        """Identity of the study: SHA-256 of `canonical` as JSON with sorted keys."""
        return _digest(self.canonical())


def identity(study: Study, people: Sequence[Person]) -> tuple[dict[str, Any], str]:
    """Return what a store is the store of, and its SHA-256: the study and everybody's data."""
    manifest = {"study": study.canonical(), "people": {p.id: p.sha256 for p in people}}
    return manifest, _digest(manifest)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
