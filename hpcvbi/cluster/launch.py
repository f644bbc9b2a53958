"""How often this command was launched at once, in the words of mpiexec's and srun's environment.

Read before MPI is loaded: a launcher that does not belong to the MPI library starts processes that
all believe to be alone, and its environment is all that tells.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

_LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH, Intel MPI, Cray, srun --mpi=pmi2
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # srun; a batch script is in no step
)


@dataclass(frozen=True)
class Launch:
    """Number `rank` of `size` processes."""

    rank: int = 0
    size: int = 1


def launched(environ: Mapping[str, str] = os.environ) -> Launch:
    """Return what the launcher says; one of one where there is none."""
    for rank, size in _LAUNCHERS:
        words = environ.get(rank, ""), environ.get(size, "")
        if all(word.isdecimal() for word in words):
            return Launch(int(words[0]), int(words[1]))
    return Launch()
