"""Models that hpcvbi does not bring: from a Python file, or from an installed package.

    path/to/file.py:name     the `Model` that the file calls `name`
    name                     the `Model` that an installed package announces in its entry points,
                             group `hpcvbi.models`

The file is executed, on purpose and with all rights of whoever runs it: a model is code. It has to
stand alone, but for installed packages: its text is its identity, and is all that workers get.
"""

import hashlib
import importlib.util
import re
import sys
import traceback
import types
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from hpcvbi.brain.model import Model
from hpcvbi.core.errors import ConfigError
from hpcvbi.models import MODELS

GROUP = "hpcvbi.models"
_REFERENCE = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_][A-Za-z0-9_]*)")


def file_of(reference: str) -> str | None:
    """Return the file that `reference` names, None where it is the name of a model."""
    found = _REFERENCE.fullmatch(reference)
    return found["file"] if found else None


def check_reference(reference: str) -> None:
    """Raise ConfigError unless `reference` has the form of a file or names a model."""
    if reference in MODELS or file_of(reference):
        return
    if ".py" in reference:
        raise ConfigError(f"{reference!r}: write path/to/file.py:name, name being the model in it")
    announced = entry_points(group=GROUP)
    if reference not in announced.names:
        known = [*MODELS, *sorted(announced.names)]
        near = get_close_matches(reference, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"there is no {reference!r}; {hint}Known: {', '.join(known)}, or path/to/file.py:name"
        )


def source_of(reference: str) -> str | None:
    """Text of the module in which an installed package declares a model; None for other models."""
    if reference in MODELS or file_of(reference):
        return None
    found = importlib.util.find_spec(_announced(reference).module)
    if found is None or found.origin is None:
        raise ConfigError(f"the package that announces the model {reference!r} has no such module")
    return Path(found.origin).read_text(encoding="utf-8")


def model_of(reference: str, texts: Mapping[str, str]) -> Model:
    """Return the model that `reference` names.

    Parameters
    ----------
    texts : content of the file that `reference` names, by its name there; of an installed model,
        the text of its module.

    Raises
    ------
    ConfigError
        There is none, or its code fails; then file and line are named.
    """
    if reference in MODELS:
        return MODELS[reference]
    file = file_of(reference)
    if file is None:
        if texts.get(reference) != source_of(reference):
            raise ConfigError(f"the installed package with the model {reference!r} has changed")
        found = _announced(reference).load()
    else:
        name = reference[len(file) + 1 :]
        content = vars(_executed(texts[file], file))
        if name not in content:
            models = [key for key, value in content.items() if isinstance(value, Model)]
            known = ", ".join(models) or "it has none"
            raise ConfigError(f"{file} has no model {name!r}; its models: {known}")
        found = content[name]
    if not isinstance(found, Model):
        raise ConfigError(
            f"{reference} is {type(found).__name__}, no Model: write {reference.split(':')[-1]} = "
            f"Model(name=..., dfun=..., state=..., ...)"
        )
    return found


def _announced(reference: str) -> EntryPoint:
    found = tuple(entry_points(group=GROUP, name=reference))
    if not found:
        raise ConfigError(f"no installed package announces a model {reference!r}")
    return found[0]


@lru_cache(maxsize=64)
def _executed(text: str, file: str) -> types.ModuleType:
    """Execute a file once per process: equal texts give the same functions, and so one kernel."""
    module = types.ModuleType(f"hpcvbi_model_{hashlib.sha256(text.encode()).hexdigest()[:16]}")
    module.__file__ = file
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, file, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise ConfigError(
            f"{file}:{_line(error, file)}: {type(error).__name__}: {error}"
        ) from error
    return module


def _line(error: BaseException, file: str) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 1
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return (frames[-1].lineno if frames else None) or 1
