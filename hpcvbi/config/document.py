"""A file as a whole: where its keys stand, and the texts of the files that it names.

A file that is named, a model or a waveform, is read with the document and kept as text: it belongs
to the document's identity, and workers need nothing but the document.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationError

from hpcvbi.config.messages import explain
from hpcvbi.config.network import (
    CouplingSection,
    ModelSection,
    NoiseSection,
    Parameter,
)
from hpcvbi.config.section import Section, Seed, Value
from hpcvbi.config.source import Key, Source
from hpcvbi.config.stimuli import FileSection, StimulusSection
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.files import read_regular
from hpcvbi.models.load import file_of, source_of

LARGEST_TEXT = 2**24
"""Bytes of the largest file that may be named."""


class Document(Section):
    """What all kinds of files declare: a brain network model."""

    output: str
    """Where the results go, relative to the working directory."""
    seed: Seed = 1
    model: ModelSection
    coupling: CouplingSection = CouplingSection()
    noise: NoiseSection | None = None
    stimuli: tuple[StimulusSection, ...] = ()
    values: dict[str, Value] = Field(default_factory=dict)
    """Parameters of the model, the coupling, the noise, the stimuli, ... that keep one value: a
    number, or one number per region. What is absent keeps its default.
    """

    _source: Source = PrivateAttr(default=Source("study"))
    _written: str = PrivateAttr(default="")
    _texts: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def parsed(cls, data: Mapping[str, Any], source: Source) -> Self:
        """Return the document that a parsed file describes; ConfigError says all that is wrong."""
        given = _tuples(data)
        try:
            document = cls.model_validate(given)
        except ValidationError as error:
            raise explain(error, cls, given, source) from None
        document._source = source
        document._check_twice()
        return document

    def at(self, *path: Key) -> AbstractContextManager[None]:
        """Name file, line and key `path` in the errors raised inside the `with` block."""
        return self._source.at(*path)

    @property
    def written(self) -> str:
        """The file as it was written; empty where the document is no file."""
        return self._written

    @property
    def texts(self) -> Mapping[str, str]:
        """Content of the files that the document names, by their names there."""
        return self._texts

    def read_texts(self, folder: Path) -> None:
        """Read the files that the document names, relative to `folder`."""
        with self.at("model", "name"):
            if file := file_of(self.model.name):
                self._texts[file] = _read(folder / file)
            elif (installed := source_of(self.model.name)) is not None:
                self._texts[self.model.name] = installed
        for number, stimulus in enumerate(self.stimuli):
            if isinstance(stimulus.waveform, FileSection):
                with self.at("stimuli", number, "waveform", "file"):
                    self._texts[stimulus.waveform.file] = _read(folder / stimulus.waveform.file)

    def check_priors(self, parameters: Mapping[str, Parameter], *path: Key) -> None:
        """Raise ConfigError where a prior lacks a key or makes no distribution."""
        for name, parameter in parameters.items():
            if parameter.missing:
                with self.at(*path, name, parameter.missing):
                    raise ConfigError("is missing")
            if parameter.prior is not None:
                with self.at(*path, name):
                    parameter.build(None)

    def _check_twice(self) -> None:
        for name in self.values:
            if name in self.model.values:
                with self.at("values", name):
                    raise ConfigError("stands in model.values too: leave one of them out")


def _read(path: Path) -> str:
    try:
        raw = read_regular(path, LARGEST_TEXT)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text (byte {error.start})") from None


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
