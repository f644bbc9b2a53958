"""From a file to a Study or a Trial."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from hpcvbi.config.document import Document
from hpcvbi.config.site import SECTION, Layer, layered
from hpcvbi.config.study import Study
from hpcvbi.config.trial import Trial
from hpcvbi.config.yaml_lines import LARGEST, parse
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.files import read_regular

Kind = TypeVar("Kind", bound=Document)


def load(path: str | Path, layers: Sequence[Layer] | None = ()) -> Study:
    """Read a study file, and the files that it names.

    `layers` lie on its section `cluster`, see `site`. None leaves the section out, for those who
    start nothing and need no profile.

    Raises
    ------
    ConfigError
        Not readable, no plain YAML, or no valid study; one line `FILE:LINE: key.path: what is
        wrong` for everything found.
    """
    return _load(path, Study, layers)


def load_trial(path: str | Path) -> Trial:
    """Read the file of a trial, and the files that it names; ConfigError as `load` raises it."""
    return _load(path, Trial)


def _load(path: str | Path, kind: type[Kind], layers: Sequence[Layer] | None = ()) -> Kind:
    try:
        raw = read_regular(path, LARGEST)
    except OSError as error:
        what = "study file" if kind is Study else "file"
        raise ConfigError(f"cannot read the {what} {path}: {error.strerror}") from None
    data, source = parse(raw, str(path))
    if kind is Study and "monitors" in data and "cohort" not in data:
        raise source.at_line(1, f"no study but a trial: hpcvbi simulate {path}")
    if kind is Trial and "cohort" in data:
        raise source.at_line(1, f"no trial but a study: hpcvbi run {path}")
    if layers is None:
        data.pop(SECTION, None)
    else:
        data, source = layered(data, source, layers)
    document = kind.parsed(data, source)
    document._written = raw.decode("utf-8-sig")
    document.read_texts(Path(path).parent)
    return document
