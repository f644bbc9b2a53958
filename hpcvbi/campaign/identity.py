"""What a study's store is the store of, as its manifest says it."""

from functools import partial
from pathlib import Path
from typing import Any

from hpcvbi.cohort import Person
from hpcvbi.config import Study, identity
from hpcvbi.store import KeySource, begin, fingerprint


def manifest_of(study: Study, people: tuple[Person, ...]) -> tuple[dict[str, Any], str]:
    """Return a study's manifest and its identity; opens the keys of an encrypted study's store, or
    makes them before there is a store.
    """
    folder, section = Path(study.output), study.encryption
    if section is not None:
        with study.at("encryption"):
            begin(folder, KeySource(section.key_file, section.key_variable))
    return identity(study, people, partial(fingerprint, folder))
