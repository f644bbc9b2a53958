"""Groups of a study: what its people have in common, from their stored posteriors alone.

    group = pool_people("results/study")["all"]
    group.centre                        # (draw, param): of the group, in natural units
    two = pool_people("results/study", {"sub01": "patients", "sub02": "controls", ...})
    difference(two["patients"], two["controls"]).probability

Nothing is written: a group belongs to nobody's data, and would outlive a withdrawal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcvbi.campaign import record
from hpcvbi.core.errors import StoreError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.core.space import Space
from hpcvbi.infer.hierarchy import Pooled, contrast, pool
from hpcvbi.store import Store
from hpcvbi.store.reading import folder_of

EVERYBODY = "all"
"""Name of the group where none is given."""


@dataclass(frozen=True, eq=False)
class Group:
    """People pooled into one group; parameters are those of `space`, in its order."""

    name: str
    people: tuple[str, ...]
    space: Space
    pooled: Pooled

    @property
    def centre(self) -> np.ndarray:
        """The group's median in natural units, (draw, param)."""
        return self.space.from_unit(self.pooled.centre_u)

    @property
    def spread(self) -> np.ndarray:
        """Half the width of the central 68 % of the group in natural units, (draw, param)."""
        low, high = map(self.space.from_unit, self.pooled.range_u)
        return (high - low) / 2

    @property
    def theta(self) -> np.ndarray:
        """Draws of each person in the group's light in natural units, (person, draw, param)."""
        return self.space.from_unit(self.pooled.people_u)


@dataclass(frozen=True, eq=False)
class Difference:
    """First group less second: medians in natural units, and the probability of more than 0."""

    first: str
    second: str
    centre: np.ndarray  # (draw, param)
    probability: np.ndarray  # (param,)


def pool_people(
    store: Path | str, groups: Mapping[str, str] | None = None, draws: int = 1000
) -> dict[str, Group]:
    """Pool the people of a store that have a posterior, each group by itself, by name.

    `groups` gives people's groups; who is not in it, and who has no posterior, is left out. Without
    it, all are one group. The same store gives the same bits.

    Raises
    ------
    StoreError
        There is no store, it is damaged, or nobody of a group has a posterior.
    """
    opened = Store.open(folder_of(store))
    able = sorted(person for person, group in opened.done_puts() if group == "posterior")
    if groups is None:
        groups = dict.fromkeys(able, EVERYBODY)
    members = {
        label: tuple(person for person in able if groups.get(person) == label)
        for label in sorted(set(groups.values()))
    }
    lacking = [label for label, people in members.items() if not people]
    if lacking or not members:
        raise StoreError(
            f"nobody of {', '.join(lacking) or 'the study'} has a posterior in {opened.folder}: "
            f"finish the study, and name people as it does: {', '.join(able) or 'nobody yet'}"
        )
    return {label: _pooled(opened, label, people, draws) for label, people in members.items()}


def left_out(
    store: Path | str, found: Mapping[str, Group], groups: Mapping[str, str] | None = None
) -> list[str]:
    """Who of the study, or of `groups`, is in no group that `pool_people` found."""
    pooled = {person for group in found.values() for person in group.people}
    people = {*Store.open(folder_of(store)).study.get("people", ()), *(groups or ())}
    return sorted(people - pooled)


def difference(first: Group, second: Group) -> Difference:
    """Compare two groups of a study that have no person in common."""
    if both := sorted(set(first.people) & set(second.people)):
        raise StoreError(f"{', '.join(both)} are in {first.name} and in {second.name}")
    found = contrast(first.pooled, second.pooled)
    draws = len(found.difference)
    centre = first.centre[:draws] - second.centre[:draws]
    return Difference(first.name, second.name, centre, found.probability)


def _pooled(store: Store, label: str, people: tuple[str, ...], draws: int) -> Group:
    found = [store.get(person, "posterior") for person in people]
    for person, (_, about) in zip(people, found, strict=True):
        if store.is_stale(person, "posterior"):
            raise StoreError(
                f"the posterior of {person} was built on somebody who has withdrawn: run the study "
                "again"
            )
        if about["kind"] != record.POSTERIOR:
            raise StoreError(
                f"the samples of {person} are no posterior but the {about['kind']} of an "
                "optimiser: their width means nothing; pool people inferred by another algorithm"
            )
    space = record.space_of(found[0][1])
    samples = [_samples(person, of, space) for person, (of, _) in zip(people, found, strict=True)]
    fewest = min(len(each) for each in samples)
    u = np.array([each[np.linspace(0, len(each) - 1, fewest).astype(int)] for each in samples])
    # a seed of its own: differences of groups must not move alike
    seed = derive_seed("group", store.study["study"]["seed"], label)
    return Group(label, people, space, pool(u, seed, draws, people))


def _samples(person: str, found: Mapping[str, np.ndarray], space: Space) -> np.ndarray:
    if absent := [name for name in space.names if name not in found]:
        raise StoreError(f"the posterior of {person} has no {', '.join(absent)}")
    return space.to_unit(np.column_stack([found[name].ravel() for name in space.names]))
