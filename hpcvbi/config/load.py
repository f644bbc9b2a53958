"""From a study file to a Study."""

from pathlib import Path

from hpcvbi.config.study import Study
from hpcvbi.config.yaml_lines import LARGEST, parse
from hpcvbi.core.errors import ConfigError


def load(path: str | Path) -> Study:
    """Read a study file.

    Raises
    ------
    ConfigError
        Not readable, no plain YAML, or no valid study; one line `FILE:LINE: key.path: what is
        wrong` for everything found.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the study file {path}: {error.strerror}") from None
    data, source = parse(raw, str(path))
    return Study.parsed(data, source)
