"""A cohort of one's own: one folder per person, with plain tables.

    <folder>/<person>/weights.*     (to, from) connection strengths
    <folder>/<person>/lengths.*     (to, from) tract lengths [mm]
    <folder>/<person>/bold.*        (time, region) recording; may be absent
    <folder>/<person>/labels.txt    one region name per line; may be absent, or lie in <folder>
    <folder>/<person>/connectivity.zip   instead of these three: a connectome of The Virtual Brain
                                    (see `cohort.tvb_zip`)
    <folder>/<person>/maps.csv      regional maps (see `cohort.maps`); may be absent, or lie in
                                    <folder>: a map in both places is the person's own
    <folder>/participants.tsv       consent and terms of use (see `cohort.participants`); may be
                                    absent

`*` is csv, tsv, txt, npy, npz or mat (see `cohort.matrix`). Links are followed as long as they stay
in <folder>, or lead into the objects of the git-annex that <folder> is a part of: a cohort that
somebody else made cannot name other files of its reader.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hpcvbi.brain.connectome import Connectome
from hpcvbi.cohort.maps import read_maps
from hpcvbi.cohort.matrix import READERS, check_suffix, read_matrix
from hpcvbi.cohort.participants import NAME, Participant, read_participants
from hpcvbi.cohort.person import Person, chosen
from hpcvbi.cohort.pseudonyms import read_pseudonyms
from hpcvbi.cohort.text import check_label, read_lines
from hpcvbi.cohort.tvb_zip import read_connectivity
from hpcvbi.core.errors import DataError
from hpcvbi.core.identifier import check_id


def read(
    people: tuple[str, ...] | str = "all",
    *,
    folder: str,
    tr: float,
    labels: str | None = None,
    homotopic: str | None = None,
    pseudonyms: str | None = None,
) -> tuple[Person, ...]:
    """Return these people, or all in `folder`, sorted.

    Parameters
    ----------
    tr : repetition time of the recordings [s].
    labels : file in `folder` with one region name per line, the same for all people.
    homotopic : "alternating" where regions 2k and 2k+1 are left and right; None where unknown.
    pseudonyms : file with the folder of each pseudonym (see `cohort.pseudonyms`); None where the
        folders' names are the people's ids.

    Raises
    ------
    DataError
        A file is missing, twice there, too large, or holds what is no number; it says which and
        where.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"there is no folder {root} (below {Path.cwd()})")
    if pseudonyms is None:
        sources = {name: name for name in _folders(root)}
    else:
        sources = read_pseudonyms(Path(pseudonyms))
    asked = chosen(people, sorted(sources), pseudonyms or str(root))
    if not asked:
        raise DataError(f"{root} holds no folder of a person; it needs one, with weights.csv in it")
    for person in asked:
        check_id(person)
        _inside(root, root / sources[person])
    table = read_participants(root)
    return tuple(
        replace(
            _read_person(root, root / sources[person], person, tr, labels, homotopic),
            consent=said.consent,
            terms=said.terms,
        )
        for person in asked
        for said in [_said(table, root, person, sources[person])]
    )


def _folders(root: Path) -> list[str]:
    try:
        return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot read {root}: {error.strerror}") from error


def _said(
    table: Mapping[str, Participant] | None, root: Path, person: str, source: str
) -> Participant:
    if table is None:
        return Participant()
    if source not in table:
        raise DataError(f"{root / NAME} has no row for {person}: add it, or leave the person out")
    return table[source]


@dataclass(frozen=True, eq=False)
class Network:
    """A connectome, and the regional maps that lie beside it, by name."""

    connectome: Connectome
    maps: Mapping[str, np.ndarray]


def read_network(folder: Path) -> Network:
    """Return the connectome in a folder with the tables of one person, and its maps."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    # of maps.csv and labels.txt beside the folder, as in a cohort
    return _read_network(folder.resolve().parent, folder, None)


def read_files(
    weights: Path, *, lengths: Path | None, labels: Path | None, maps: Path | None
) -> Network:
    """Return the connectome in single files; without `lengths` they are 0.

    `weights` may be the archive of The Virtual Brain, which brings lengths and names.
    """
    names = None
    if weights.suffix == ".zip":
        strengths, distances, names = read_connectivity(weights)
        if lengths is not None:
            raise DataError(f"{weights} brings the lengths: leave {lengths} out")
    else:
        for path in (weights, lengths):
            if path is not None:
                check_suffix(path)
        strengths = read_matrix(weights)
        distances = np.zeros_like(strengths) if lengths is None else read_matrix(lengths)
    if labels is not None:
        names = _names_in(labels, len(strengths), str(weights))
    names = names or _unnamed(len(strengths))
    try:
        connectome = Connectome(strengths, distances, names)
    except DataError as error:
        raise DataError(f"{weights}: {error}") from error
    return Network(connectome, {} if maps is None else read_maps(maps, names))


def _read_network(root: Path, folder: Path, labels: str | None) -> Network:
    packed = folder / "connectivity.zip"
    if os.path.lexists(packed):
        if twice := _find(root, folder, "weights") or _find(root, folder, "lengths"):
            raise DataError(f"{folder} holds {packed.name} and {twice.name}: keep one of them")
        weights, lengths, names = read_connectivity(_inside(root, packed))
    else:
        weights, lengths = (
            read_matrix(_required(root, folder, stem)) for stem in ("weights", "lengths")
        )
        names = None
    names = names or _labels(root, folder, labels, len(weights))
    tables = [p for p in (root / "maps.csv", folder / "maps.csv") if os.path.lexists(p)]
    maps = [read_maps(_inside(root, path), names) for path in tables]
    try:
        connectome = Connectome(weights, lengths, names)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error
    return Network(connectome, {name: v for table in maps for name, v in table.items()})


def _read_person(
    root: Path, folder: Path, person: str, tr: float, labels: str | None, homotopic: str | None
) -> Person:
    network = _read_network(root, folder, labels)
    bold = _find(root, folder, "bold")
    try:
        return Person(
            id=person,
            connectome=network.connectome,
            bold=None if bold is None else read_matrix(bold),
            tr_s=tr,
            homotopic=None if homotopic is None else _alternating(network.connectome.n_regions),
            maps=network.maps,
        )
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _find(root: Path, folder: Path, stem: str) -> Path | None:
    paths = [folder / f"{stem}{suffix}" for suffix in READERS]
    there = [path for path in paths if os.path.lexists(path)]
    if len(there) > 1:
        raise DataError(f"{folder} holds {' and '.join(p.name for p in there)}: keep one of them")
    return _inside(root, there[0]) if there else None


def _required(root: Path, folder: Path, stem: str) -> Path:
    path = _find(root, folder, stem)
    if path is None:
        raise DataError(f"{folder} holds no {' or '.join(stem + suffix for suffix in READERS)}")
    return path


def _inside(root: Path, path: Path) -> Path:
    """Return `path`; DataError if a link leads out of `root` and its git-annex."""
    home, real = root.resolve(), Path(os.path.realpath(path))
    annexes = (parent / ".git/annex/objects" for parent in (home, *home.parents))
    if not (real.is_relative_to(home) or any(real.is_relative_to(annex) for annex in annexes)):
        raise DataError(
            f"{path} leads out of {root}, to {real}: copy the file there, or name the folder that "
            f"holds both"
        )
    return path


def _labels(root: Path, folder: Path, named: str | None, n_regions: int) -> tuple[str, ...]:
    candidates = [root / named] if named else [folder / "labels.txt", root / "labels.txt"]
    path = next((p for p in candidates if os.path.lexists(p)), None)
    if path is None:
        if named:
            raise DataError(f"there is no file {candidates[0]} with the region names")
        return _unnamed(n_regions)
    return _names_in(_inside(root, path), n_regions, f"{folder}/weights")


def _unnamed(n_regions: int) -> tuple[str, ...]:
    return tuple(f"region_{i:03d}" for i in range(n_regions))


def _names_in(path: Path, n_regions: int, weights: str) -> tuple[str, ...]:
    lines = read_lines(path)
    if len(lines) != n_regions:
        raise DataError(f"{path} names {len(lines)} regions; {weights} has {n_regions}")
    return tuple(check_label(f"{path}, line {n}", line.strip()) for n, line in lines)


def _alternating(n_regions: int) -> np.ndarray:
    if n_regions % 2:
        raise DataError(f"homotopic: alternating needs left and right in turn; got {n_regions}")
    left = np.arange(0, n_regions, 2)
    return np.column_stack([left, left + 1])
