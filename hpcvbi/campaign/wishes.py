"""What a chain waits for, and whose it is."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.campaign.subjects import Subject
from hpcvbi.config import Study
from hpcvbi.store import Reads

TRAINING = ("theta", "status", "features")
"""What is learned from, of a round."""


@dataclass(frozen=True)
class Simulate:
    """A wish: these draws (draw, param), as a round, and the arrays in `read` (all if None).

    In the background nobody waits for it yet. `by` is whose model it is of, if not the loop's.
    """

    round: str
    theta: np.ndarray
    keep: tuple[str, ...] = ()
    background: bool = False
    read: tuple[str, ...] | None = None
    by: tuple[Study, Subject] | None = None


@dataclass(frozen=True)
class Learn:
    """A wish: the result of a function that may take seconds, computed where there is room.

    `function` is a module's own, or a partial of one, and gets as keywords what `reads` names of
    the person's groups: it is read there from the store, so that no draws travel with the wish.
    """

    label: str
    function: Callable[..., Any]
    reads: Reads


@dataclass(frozen=True)
class Together:
    """A wish: that a chain of everybody be told to its end, once nobody else can still wish it.

    Who is set aside does not wish it any more. `tell` begins the chain, which is named `chain`.
    """

    chain: str
    tell: "Callable[[], Chain]"


Wish = Simulate | Learn | Together
Chain = Generator[Wish, Any, None]
