"""Several studies in one store: rivals, of which a choice says whose model recordings speak for.

A rival is known by its study's `name`. Its draws are the rounds `wave_000_<rival>`, ..., so that a
block names its study.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpcvbi.cohort import Person
from hpcvbi.config.study import Study, identity
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.wave import wave_of

RIVALS = "rivals"
"""Key of the manifest's `study` under which they stand, by name."""
_LONGEST = 40


def named(studies: Sequence[Study]) -> dict[str, Study]:
    """Return studies by what rounds can call them, in this order; ConfigError where two share a
    name, or where there are not two.
    """
    found: dict[str, Study] = {}
    for study in studies:
        name = re.sub(r"\W", "_", study.name, flags=re.ASCII)[:_LONGEST]
        if not name:
            with study.at("name"):
                raise ConfigError("a choice calls models by their studies' names: write one")
        if name in found:
            with study.at("name"):
                raise ConfigError(f"two studies are called {name!r}: give each a name of its own")
        found[name] = study
    if len(found) < 2:
        raise ConfigError("a choice is between two studies at least: name more study files")
    return dict(sorted(found.items()))


def identity_of_choice(
    rivals: Mapping[str, Study],
    settings: Mapping[str, Any],
    people: Sequence[Person],
    fingerprint: Callable[[str], str] = str,
) -> tuple[dict[str, Any], str]:
    """Return what a choice's store is the store of, and its SHA-256; see `identity`."""
    each = {name: identity(study, people, fingerprint)[0] for name, study in rivals.items()}
    first = next(iter(each.values()))
    study = {"choice": dict(settings), RIVALS: {name: of["study"] for name, of in each.items()}}
    if cipher := first["study"].get("encryption"):
        study["encryption"] = cipher
    manifest = {"study": study, "people": first["people"]}
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return manifest, hashlib.sha256(text.encode()).hexdigest()


def is_choice(manifest: Mapping[str, Any]) -> bool:
    """Whether a store with this manifest is that of a choice."""
    return RIVALS in manifest.get("study", {})


def studies_of(manifest: Mapping[str, Any]) -> dict[str, Study]:
    """Return the studies of a store by rival; where there is one, by the empty name."""
    if not is_choice(manifest):
        return {"": Study.from_dict(dict(manifest["study"]))}
    return {name: Study.from_dict(text) for name, text in manifest["study"][RIVALS].items()}


def rival_of(studies: Mapping[str, Study], round: str) -> str:
    """Return whose draws a round's are, by the names that `studies_of` gives."""
    return "" if "" in studies else wave_of(round)[1]
