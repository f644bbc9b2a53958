"""What becomes of what was handed to the cluster."""

from dataclasses import dataclass

from hpcvbi.cluster.learning import Learned
from hpcvbi.core.block import Block, BlockReport


@dataclass(frozen=True)
class Failure:
    """A block that raised, never ended, or lost its worker; `cause` says it in words.

    It is not `blamed` where it only waited its turn on a worker that died, where others were at
    work there too (then it is tried alone), or where the whole job died.
    """

    block: Block
    error: BaseException
    cause: str
    blamed: bool = True


@dataclass(frozen=True)
class Notice:
    """Something that happened to the cluster, in words."""

    text: str


Outcome = BlockReport | Failure | Learned | Notice
