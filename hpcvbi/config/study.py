"""The study file as one frozen tree: what is inferred, from whose data, with what, and how."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from hpcvbi.cohort import Person
from hpcvbi.config.clusters import Cluster, Local
from hpcvbi.config.document import Document
from hpcvbi.config.network import ConnectomeSection, Parameter
from hpcvbi.config.section import distinct
from hpcvbi.config.sections import (
    BoldSection,
    Encryption,
    FeaturesSection,
    Inference,
    Limits,
    MeasurementNoise,
    NeurolibHcp,
    Simulation,
    Tables,
    Yardsticks,
)
from hpcvbi.config.source import Source
from hpcvbi.core.errors import ConfigError

_NO_PART = {"name", "purpose", "output", "cluster", "limits", "encryption"}
"""Keys that alter no result; of `encryption`, the cipher counts, which alters the files."""


class Study(Document):
    """One study file. Two studies with equal `sha256` have the same results, bit for bit."""

    name: str
    purpose: str | None = None
    """What the study is for, in the words of the people's consent; null where none is stated."""
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
    block: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Draws per block: one task, one shard. Null: 32 to 1024, from the number of draws in a round,
    the work of each and the size of what is kept of it; results do not depend on it.
    """
    keep: Annotated[tuple[Literal["fc", "fc_model", "bold"], ...], AfterValidator(distinct)] = ()
    """What is stored of every draw besides features; `fc_model` is without measurement noise."""
    bits: Annotated[int, Field(ge=1, le=23)] | None = None
    """Bits of the mantissa that `keep` stores, 10 for an error of at most 2^-11 of each number: of
    BOLD that fluctuates by a hundredth of its mean, 10 bits keep 3 or 4. Null for exact. Features
    are computed before, and learning sees no difference.
    """
    encryption: Encryption | None = None
    """Whether people's data are encrypted in the store; null for no."""
    cluster: Cluster = Local()
    limits: Limits = Limits()

    @classmethod
    def parsed(cls, data: Mapping[str, Any], source: Source) -> Self:
        """Return the study that a parsed file describes; ConfigError says all that is wrong."""
        study = super().parsed(data, source)
        study.check_priors(study.parameters, "parameters")
        if study.bits is not None and not study.keep:
            with study.at("bits"):
                raise ConfigError("round what `keep` names, and it names nothing: leave them out")
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
        values = self.model_dump(mode="json", exclude=_NO_PART)
        if values["cohort"].get("pseudonyms", "") is None:
            del values["cohort"]["pseudonyms"]
        if self.inference.reuse is None:
            del values["inference"]["reuse"]
        if not self.inference.cohort:
            del values["inference"]["cohort"]
        if self.simulation.backend == "cpu":
            del values["simulation"]["backend"]
        if self.encryption is not None:
            values["encryption"] = {"cipher": self.encryption.cipher}
        texts = {name: text.split("\n") for name, text in self.texts.items()}
        return {**values, "texts": texts} if texts else values

    @property
    def sha256(self) -> str:
        """Identity of the study: SHA-256 of `canonical` as JSON with sorted keys."""
        return _digest(self.canonical())


def identity(
    study: Study, people: Sequence[Person], fingerprint: Callable[[str], str] = str
) -> tuple[dict[str, Any], str]:
    """Return what a store is the store of, and its SHA-256: the study and everybody's data.

    Who they are stands in `people` alone: the study there names "all", for naming each is the same.
    `fingerprint` turns the SHA-256 of a person's data into what may be written down of it.
    """
    canonical = study.canonical()
    canonical["cohort"] = {**canonical["cohort"], "people": "all"}
    known = {p.id: fingerprint(p.sha256) for p in people}
    manifest = {"study": canonical, "people": known}
    return manifest, _digest(manifest)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
