"""Where a study runs beyond what its file says: a site's profile, and the option `--cluster`.

    study file  <  profile  <  --cluster

are layers of the section `cluster`. One rule: a layer of another `kind` than what lies below
replaces it as a whole, otherwise its keys go on top. What results is checked once, with the study.

A profile NAME is the file NAME.yaml in `$XDG_CONFIG_HOME/hpcvbi` (`~/.config/hpcvbi` where that is
not set) and holds one mapping, `cluster`. There stand accounts, partitions and modules, so that
a study file can be passed on.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcvbi.config.source import Key, Source
from hpcvbi.config.yaml_lines import LARGEST, parse
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.files import read_regular

SECTION = "cluster"
VARIABLE = "HPCVBI_PROFILE"
"""Environment variable that names a profile where no option does."""
DEFAULT = "default"
"""Profile that is used, if there is one, where neither option nor variable names another."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Layer:
    """Keys of the section `cluster`, and where they were written."""

    keys: Mapping[str, Any]
    source: Source


@dataclass(frozen=True)
class Site:
    """Layers on the section `cluster` of a study file, the uppermost last.

    `asked` are the options that asked for them, as words of a command. `unasked` names the profile
    that none asked for, and why it is used.
    """

    layers: tuple[Layer, ...] = ()
    asked: tuple[str, ...] = ()
    unasked: str | None = None


def site_of(profile: str | None = None, cluster: str | None = None) -> Site:
    """Return what the options `--profile` and `--cluster` lay on a study.

    Parameters
    ----------
    profile : a profile's name, or a path that ends in .yaml; if absent the variable HPCVBI_PROFILE
        counts, and then the profile `default`, if there is one.
    cluster : a kind (`slurm`), or a mapping in braces (`{jobs: 8}`).

    Raises
    ------
    ConfigError
        There is no such profile, it is no plain YAML, or has other keys than `cluster`.
    """
    unasked, layers = None, []
    if profile is not None:
        layers.append(_profile(profile, "--profile"))
    elif named := os.environ.get(VARIABLE):
        layers.append(_profile(named, VARIABLE))
        unasked = f"profile {_path(named, VARIABLE)}, which {VARIABLE} names"
    elif os.path.lexists(default := profiles() / f"{DEFAULT}.yaml"):
        layers.append(_read(default))
        unasked = f"profile {default}, which is used where none is named"
    if cluster is not None:
        layers.append(_written(cluster))
    options = {"--profile": profile, "--cluster": cluster}
    asked = (word for name, value in options.items() if value is not None for word in (name, value))
    return Site(tuple(layers), tuple(asked), unasked)


def profiles() -> Path:
    """Return the folder of the profiles."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    # a relative path there is to be ignored, as the XDG Base Directory Specification says
    home = given if os.path.isabs(given) else os.path.expanduser("~/.config")
    return Path(home) / "hpcvbi"


def layered(
    data: Mapping[str, Any], source: Source, layers: Sequence[Layer]
) -> tuple[Mapping[str, Any], Source]:
    """Return a study's data with `layers` on its section `cluster`, and where its keys stand."""
    written = data.get(SECTION, {})
    if not layers or not isinstance(written, Mapping):
        return data, source
    section: dict[str, Any] = {}
    places: dict[tuple[Key, ...], str] = {(SECTION,): source.place(SECTION)}
    for layer in (Layer(written, source), *layers):
        kind = section.get("kind")
        if kind is not None and layer.keys.get("kind", kind) != kind:
            section, places = {}, {}
        if layer.keys and (not section or "kind" in layer.keys):
            # of a key that is missing, the place of the section is the nearest that there is
            places[SECTION,] = layer.source.place(SECTION)
        section = _on_top(section, layer.keys, (SECTION,), layer.source, places)
    if not section:
        return data, source
    lines = {path: line for path, line in source.lines.items() if path[:1] != (SECTION,)}
    return {**data, SECTION: section}, Source(source.file, lines, places)


def _on_top(
    below: Mapping[str, Any],
    above: Mapping[str, Any],
    path: tuple[Key, ...],
    source: Source,
    places: dict[tuple[Key, ...], str],
) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        here, under = (*path, key), merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            merged[key] = _on_top(under, value, here, source, places)
            continue
        for old in [p for p in places if p[: len(here)] == here]:
            del places[old]
        places |= {p: source.place(*p) for p in (here, *_beneath(source, here))}
        merged[key] = value
    return merged


def _beneath(source: Source, path: tuple[Key, ...]) -> Iterator[tuple[Key, ...]]:
    return (known for known in source.lines if known[: len(path)] == path)


def _path(profile: str, asked_by: str) -> Path:
    if profile.endswith(".yaml"):
        return Path(profile)
    if not _NAME.fullmatch(profile):
        raise ConfigError(
            f"{asked_by}: {profile!r} is no profile: write the name of a file in {profiles()}, "
            "without its .yaml, or a path that ends in .yaml"
        )
    return profiles() / f"{profile}.yaml"


def _profile(profile: str, asked_by: str) -> Layer:
    path = _path(profile, asked_by)
    if not os.path.lexists(path):
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        there = f"known: {', '.join(known)}" if known else "there is none at all"
        raise ConfigError(f"{asked_by}: there is no profile {path} ({there})")
    return _read(path)


def _read(path: Path) -> Layer:
    try:
        raw = read_regular(path, LARGEST)
    except OSError as error:
        raise ConfigError(f"cannot read the profile {path}: {error.strerror}") from None
    data, source = parse(raw, str(path), "a profile")
    for key in data:
        if key != SECTION:
            raise ConfigError(source.describe((key,), f"unknown key; valid here: {SECTION}"))
    section = data.get(SECTION)
    if not isinstance(section, Mapping):
        what = "is missing" if SECTION not in data else "must be a mapping: lines of `key: value`"
        raise ConfigError(source.describe((SECTION,), what))
    return Layer(section, source)


def mapping(text: str, option: str) -> dict[str, Any]:
    """Return the mapping in braces that an option of the command line gives; ConfigError if it is
    none.
    """
    return parse(text.encode(errors="surrogateescape"), option, option)[0]


def _written(cluster: str) -> Layer:
    """What the option `--cluster` says; it has no lines."""
    source, text = Source("--cluster"), cluster.strip()
    if re.fullmatch(r"\w+", text):
        return Layer({"kind": text}, source)
    if not text.startswith("{"):
        raise ConfigError(
            f"--cluster: {cluster!r} is neither a kind, such as slurm, nor a mapping in braces, "
            "such as '{jobs: 8}'"
        )
    return Layer(mapping(text, source.file), source)
