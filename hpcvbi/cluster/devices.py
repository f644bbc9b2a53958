"""One GPU for each worker that has one: SLURM's choice, or the device of its number on the node.

`CUDA_VISIBLE_DEVICES` has to be right before numba.cuda or torch is imported, so it is set in the
process that starts the worker's.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from hpcvbi.core.errors import ClusterError

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver has a folder for each device."""


def device_of(worker: int, environ: Mapping[str, str] = os.environ, driver: Path = _DRIVER) -> str:
    """Return what `CUDA_VISIBLE_DEVICES` is for worker number `worker` of its node.

    A single device is SLURM's own choice and stays; of several, each worker takes one.

    Raises
    ------
    ClusterError : there is none, or there are more workers than devices.
    """
    visible = [name for name in environ.get(VISIBLE, "").split(",") if name.strip()]
    if VISIBLE not in environ and "SLURM_JOB_ID" not in environ and driver.is_dir():
        visible = [str(number) for number in range(len(list(driver.iterdir())))]
    if not visible:
        raise ClusterError(
            f"cluster.gpus is 1, and node {node_of(environ)} gives this process no GPU: ask for "
            "them (#SBATCH --gpus-per-task=1), or write gpus: 0"
        )
    granted = environ.get("SLURM_GPUS_ON_NODE", "")
    count = int(granted) if len(visible) == 1 and granted.isdecimal() else len(visible)
    if worker >= count and (len(visible) > 1 or granted):
        raise ClusterError(
            f"node {node_of(environ)} has {count} GPU{'s' * (count != 1)} for more workers than "
            "that: start one worker per GPU (#SBATCH --ntasks-per-node as --gpus-per-node; of an "
            "MPI launch, ranks 0 and 1 need none)"
        )
    return visible[worker] if len(visible) > 1 else visible[0]


def node_of(environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the node: SLURM's where it has one, which may differ from the host's."""
    return environ.get("SLURMD_NODENAME") or os.uname().nodename
