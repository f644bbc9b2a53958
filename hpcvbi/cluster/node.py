"""What a scheduler or a worker finds on its node: memory, scratch, interface, free ports."""

import os
import random
import re
import socket
from collections.abc import Mapping

from distributed.system import MEMORY_LIMIT
from distributed.utils import get_ip_interface

from hpcvbi.cluster.devices import node_of
from hpcvbi.core.errors import ClusterError

_MB = 2**20


def memory_share(
    processes: int, threads: int, environ: Mapping[str, str] = os.environ, total: int = MEMORY_LIMIT
) -> int:
    """Return the memory [bytes] of one of `processes` on this node, each with `threads` cores: its
    part of `total`, or of what SLURM has granted where that is less.
    """
    shares = [total // processes]
    if (per_core := environ.get("SLURM_MEM_PER_CPU", "")).isdecimal():
        shares.append(int(per_core) * _MB * threads)
    if (per_node := environ.get("SLURM_MEM_PER_NODE", "")).isdecimal():
        shares.append(int(per_node) * _MB // processes)
    return min(share for share in shares if share > 0)  # SLURM writes 0 for a node's whole memory


def threads_of(cpus: int | None, environ: Mapping[str, str] = os.environ) -> int:
    """Return the threads of a worker: `cpus`, or as many as SLURM gives a task, or one."""
    granted = environ.get("SLURM_CPUS_PER_TASK", "")
    return cpus or (int(granted) if granted.isdecimal() and int(granted) else 1)


def scratch_of(scratch: str | None) -> str | None:
    """Return the folder with this node's variables filled in; ClusterError where one is not set."""
    if scratch is None:
        return None
    filled = os.path.expandvars(os.path.expanduser(scratch))
    if left := re.search(r"\$\w+|\$\{\w+\}", filled):
        raise ClusterError(
            f"cluster.scratch names {left[0]}, which is not set on node {node_of()}: name a folder "
            "that is there, or leave it out"
        )
    return filled


def check_interface(interface: str | None) -> None:
    """Raise ClusterError where this node has no such network interface, with an IPv4 address."""
    if interface is None:
        return
    try:
        get_ip_interface(interface)
    except ValueError:
        names = ", ".join(name for _, name in socket.if_nameindex())
        raise ClusterError(
            f"cluster.interface is {interface}, and node {node_of()} has {names}: write one that "
            "all nodes have, or leave it out"
        ) from None


def ports_of(ports: str | None) -> list[int]:
    """Return the ports of a range `50000-50999`; [0], any, of None."""
    if ports is None:
        return [0]
    low, _, high = ports.partition("-")
    return list(range(int(low), int(high) + 1))


def free_port(ports: str | None) -> int:
    """Return a port of the range on which nobody listens here; ClusterError if there is none."""
    candidates = ports_of(ports)
    for port in random.sample(candidates, len(candidates)):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise ClusterError(
        f"cluster.ports is {ports}, and on node {node_of()} all of them are taken: write a wider "
        "range"
    )
