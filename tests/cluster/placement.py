"""Prints the node and the device of every worker of a cluster: placement.py STUDY FOLDER."""

import json
import os
import sys

from hpcvbi.cluster import enter, start
from hpcvbi.config import load


def place() -> tuple[str, str]:
    return os.environ["SLURMD_NODENAME"], os.environ.get("CUDA_VISIBLE_DEVICES", "")


if __name__ == "__main__":
    study, folder = sys.argv[1:]
    with enter(lambda: load(study)) as loaded:
        executor = start(loaded, folder)
        found = executor._client.run(place)
        print("placed", json.dumps(sorted(found.values())), flush=True)
        executor.close()
