"""Parts of a study become one store: their people's rounds and what was learned from them.

Everything stays but the judgement, which compares people: the run that follows makes it for
everybody, simulates nothing, and the store is that of one driver, byte for byte.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hpcvbi.campaign.extension import MOVES
from hpcvbi.campaign.identity import manifest_of
from hpcvbi.campaign.parts import check_alone
from hpcvbi.campaign.whole import JUDGEMENT, lacking
from hpcvbi.cohort import Person
from hpcvbi.config import Study, check, identity, taking_part
from hpcvbi.core.errors import ConfigError, StoreError, StoreMismatch
from hpcvbi.store import (
    KeySource,
    Store,
    fingerprint,
    is_sealed,
    parts_in,
    storage_faults,
    tombstones,
    unlock,
)
from hpcvbi.store.lock import DriverLock
from hpcvbi.store.manifest import differences, without
from hpcvbi.store.merging import Copied, merge_parts
from hpcvbi.store.parts import PARTS, has_store

_SHOWN = 20


@dataclass(frozen=True)
class Merged:
    """What a merge did: from which `parts` it `copied` what.

    `lacking` says who is not whole and why; `left` are the people who have withdrawn from the study
    and whom a part still holds, by its folder.
    """

    parts: tuple[Path, ...]
    copied: Copied
    lacking: tuple[str, ...]
    left: Mapping[Path, tuple[str, ...]]


def merge(study: Study, stores: Sequence[Path] = (), some: bool = False) -> Merged:
    """Copy what the parts of a study hold into its store; by default all in `parts` of its output.

    With `some`, people may be missing or not finished. The same again completes a merge that was
    killed, and else changes nothing.

    Raises
    ------
    ConfigError, DataError : no parts; somebody is missing, in two parts, or cannot take part.
    StoreMismatch : a store is of another study, or two hold different results of a person.
    StoreBusy : a driver is at work in one of them.
    StoreError : a part is damaged, there is no room, a withdrawal comes first.
    """
    check_alone(study)
    output = Path(study.output).resolve()
    folders = _folders(output, stores)
    with ExitStack() as held:
        for folder in folders:
            Store.open(folder)
            with storage_faults(folder):
                held.enter_context(DriverLock(folder))
        parts = [Store.open(folder) for folder in folders]
        withdrawn = {name for place in (output, *folders) for name in tombstones(place)}
        people = taking_part(study, withdrawn)
        check(study, people)
        known = {person.id: person for person in people}
        for part in parts:
            _check_part(study, part, known, withdrawn)
        share = {part.folder: sorted(known.keys() & part.study["people"]) for part in parts}
        _check_disjoint(share)
        lines = _lacking(study, output, parts, share, known)
        if lines and not some:
            raise ConfigError(
                "this is not yet the whole study:\n  " + "\n  ".join(lines[:_SHOWN])
                + ("\n  ..." if len(lines) > _SHOWN else "") + "\nRun these parts to their end, or "
                "add --partial: the run that follows then computes what is lacking"
            )  # fmt: skip
        manifest, sha256 = manifest_of(study, people)
        copied = merge_parts(
            output, manifest, sha256, [(p, share[p.folder]) for p in parts], leave=(JUDGEMENT,)
        )
    left = {p.folder: tuple(sorted(withdrawn & p.study["people"].keys())) for p in parts}
    return Merged(
        parts=tuple(folders),
        copied=copied,
        lacking=tuple(lines),
        left={folder: names for folder, names in left.items() if names},
    )


def _folders(output: Path, stores: Sequence[Path]) -> list[Path]:
    folders = [Path(store).resolve() for store in stores] or parts_in(output)
    if not folders:
        raise ConfigError(
            f"there is no part in {output / PARTS}: `hpcvbi run STUDY --part 1/N` makes one, or "
            "name the stores: hpcvbi merge STUDY STORE..."
        )
    for folder in folders:
        if folder == output:
            raise ConfigError(f"{folder} is the study's own output, no part of it: leave it out")
    if twice := [folder for folder in folders if folders.count(folder) > 1]:
        raise ConfigError(f"{twice[0]} is named twice")
    return folders


def _check_part(
    study: Study, part: Store, known: Mapping[str, Person], gone: Collection[str]
) -> None:
    """Raise StoreMismatch, with what differs, unless a store is of people of this study."""
    section = study.encryption
    if section is not None and is_sealed(part.folder):
        with study.at("encryption"):
            unlock(part.folder, KeySource(section.key_file, section.key_variable).read())
    theirs = part.study.get("people")
    if not isinstance(theirs, dict):
        raise StoreError(f"{part.folder} holds no study that hpcvbi wrote")
    same = tuple(known[name] for name in theirs if name in known)
    wanted, _ = identity(study, same, partial(fingerprint, part.folder))
    stored = without(part.study, gone)
    lines = [line for line in differences(stored, wanted) if line.split(":")[0] not in MOVES]
    if lines:
        raise StoreMismatch(
            f"{part.folder} is no part of this study:\n  " + "\n  ".join(lines[:_SHOWN])
            + "\nNothing was touched. Name the parts of this study: hpcvbi merge STUDY STORE..."
        )  # fmt: skip


def _check_disjoint(share: Mapping[Path, Sequence[str]]) -> None:
    where: dict[str, Path] = {}
    for folder, names in share.items():
        for name in names:
            if (other := where.setdefault(name, folder)) != folder:
                raise ConfigError(
                    f"{name} is in {other} and in {folder}: name parts that share nobody, hpcvbi "
                    "merge STUDY STORE..."
                )


def _lacking(
    study: Study,
    output: Path,
    parts: Sequence[Store],
    share: Mapping[Path, Sequence[str]],
    known: Mapping[str, Person],
) -> list[str]:
    """Say who is in no part, and who is not finished in theirs; not who is whole in the study."""
    have: set[str] = set()
    if has_store(output):
        found = lacking(study, Store.open(output), known)
        have = {name for name, groups in found.items() if set(groups) <= {JUDGEMENT}}
    lines = []
    for part in parts:
        done = {str(event["chain"]) for event in part.events("failed")} | have
        lines += [
            f"{name} is not finished in {part.folder}"
            for name in share[part.folder]
            if name not in done and not part.is_marked(name, JUDGEMENT)
        ]
    there = {name for names in share.values() for name in names} | have
    return [*lines, *(f"{name} is in no part" for name in known if name not in there)]
