"""A person: an identifier, a connectome and, where there is one, a recording."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hpcvbi.brain.connectome import Connectome
from hpcvbi.core.errors import DataError
from hpcvbi.core.identifier import check_id


@dataclass(frozen=True, eq=False)
class Person:
    """One member of a cohort, checked.

    Parameters
    ----------
    id : a pseudonym that matches `core.identifier.ID_PATTERN`.
    connectome : as the source gives it, neither symmetrised nor normalised.
    bold : (time, region) resting-state fMRI, finite, any unit; None if not recorded.
    tr_s : time between volumes [s].
    homotopic : (pair, 2), left and right region of each homotopic pair, 0-based, or None.
    terms : under which terms the data may be used; "" if the source does not say.
    consent : what the person consented to, purposes apart by `;`; "" if the source does not say.
    maps : regional annotations such as myelin, by name, each (region,) and finite.
    """

    id: str
    connectome: Connectome
    bold: np.ndarray | None
    tr_s: float
    homotopic: np.ndarray | None = None
    terms: str = ""
    consent: str = ""
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_id(self.id)
        if not (np.isfinite(self.tr_s) and self.tr_s > 0):
            raise DataError(f"person {self.id}: TR must be positive [s], got {self.tr_s!r}")
        if self.bold is not None:
            object.__setattr__(self, "bold", self._checked(np.array(self.bold, dtype=float)))
        if self.homotopic is not None:
            pairs = np.array(self.homotopic, dtype=np.int64)
            pairs.setflags(write=False)
            object.__setattr__(self, "homotopic", pairs)
        for name, values in self.maps.items():
            if np.shape(values) != (self.connectome.n_regions,) or not np.isfinite(values).all():
                raise DataError(
                    f"person {self.id}: map {name} must be {self.connectome.n_regions} finite "
                    f"numbers, one per region"
                )

    def _checked(self, bold: np.ndarray) -> np.ndarray:
        labels = self.connectome.labels
        if bold.ndim != 2 or bold.shape[1] != len(labels):
            turned = "; it looks transposed" if len(labels) in bold.shape[:1] else ""
            raise DataError(
                f"person {self.id}: bold must have shape (time, {len(labels)} regions), "
                f"got {bold.shape}{turned}"
            )
        if len(bold) < 2:
            raise DataError(f"person {self.id}: bold has {len(bold)} volumes, needs 2 at least")
        if not np.isfinite(bold).all():
            time, region = np.argwhere(~np.isfinite(bold))[0]
            raise DataError(
                f"person {self.id}: bold[{time}, {region}] ({labels[region]}) is "
                f"{bold[time, region]}, not a finite number"
            )
        if (flat := np.ptp(bold, axis=0) == 0).any():
            raise DataError(
                f"person {self.id}: bold of {labels[int(flat.argmax())]} does not vary; leave out "
                f"regions that were not recorded, in weights and lengths too"
            )
        bold.setflags(write=False)
        return bold

    @property
    def tr_ms(self) -> float:
        """Time between volumes [ms], free of binary rounding: 1.1 s are 1100 ms."""
        return round(self.tr_s * 1000.0, 6)

    @property
    def sha256(self) -> str:
        """Digest of all numbers and labels, to tell whether a store was made from the same data."""
        digest = hashlib.sha256(repr((self.id, self.tr_s, self.connectome.labels)).encode())
        arrays = (self.connectome.weights, self.connectome.lengths, self.bold, self.homotopic)
        for array in arrays:
            digest.update(repr(None if array is None else array.shape).encode())
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        for name in sorted(self.maps):
            digest.update(repr(name).encode() + np.asarray(self.maps[name], float).tobytes())
        return digest.hexdigest()


def chosen(people: tuple[str, ...] | str, known: list[str], where: str) -> tuple[str, ...]:
    """Return the ids asked for, "all" being every known one; DataError where one is not there."""
    if people == "all":
        return tuple(known)
    there = set(known)
    for person in people:
        check_id(person)
        if person not in there:
            shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
            raise DataError(f"{where} has no person {person!r}; it has {shown or 'nobody'}")
    return tuple(people)
