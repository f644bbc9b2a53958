"""The program of each of srun's tasks: Dask's own worker, on its node's scratch and its own GPU.

What follows `--` is for Dask.
"""

import argparse
import os
import sys

from hpcvbi.cluster.devices import VISIBLE, device_of
from hpcvbi.cluster.node import check_interface, scratch_of
from hpcvbi.core.errors import ClusterError


def main() -> None:
    """Work until the scheduler goes; exit code 2 and one line where the node does not fit."""
    parser = argparse.ArgumentParser(prog="hpcvbi.cluster.work")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--interface")
    parser.add_argument("--scratch")
    parser.add_argument("words", nargs="*")
    asked = parser.parse_args()
    words = list(asked.words)
    try:
        check_interface(asked.interface)
        if asked.interface:
            words += ["--interface", asked.interface]
        if scratch := scratch_of(asked.scratch):
            words += ["--local-directory", scratch]
        if asked.gpu:
            os.environ[VISIBLE] = device_of(int(os.environ.get("SLURM_LOCALID", "0")))
    except ClusterError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    from distributed.cli.dask_worker import main as dask_worker

    dask_worker(words)


if __name__ == "__main__":
    main()
