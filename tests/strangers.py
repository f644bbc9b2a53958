"""Somebody who has no business with a Dask server tries to talk to it."""

import contextlib
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path

import dask.config
import pytest
from distributed import Client, Security


def refused_everywhere(address: str) -> None:
    """Assert that a server refuses a foreign certificate, none, and plain connections."""
    host, port = address.removeprefix("tls://").split(":")
    with pytest.raises(OSError, match=r"(?i)certificate|tls|ssl|timed out|in:"):
        Client(address, security=Security.temporary(), timeout="3s", set_as_default=False)
    plainly = dask.config.set({"distributed.comm.require-encryption": False})
    with plainly, pytest.raises(OSError):
        Client(address.replace("tls://", "tcp://"), timeout="3s", set_as_default=False)
    bare = ssl.create_default_context()
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    with (
        pytest.raises(OSError, match=r"(?i)ssl|reset|closed"),
        socket.create_connection((host, int(port)), timeout=5) as raw,
        bare.wrap_socket(raw) as wrapped,
    ):
        wrapped.send(b"x")
        if not wrapped.recv(1):
            raise OSError("closed")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n" * 100)


def serving_beyond_loopback(pids: Iterable[int]) -> list[str]:
    """Addresses beyond loopback at which one of the processes answers to plain HTTP."""
    found = []
    for host, port in listening(pids):
        if host == "127.0.0.1":
            continue
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as raw:
            raw.settimeout(2)
            raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if raw.recv(4) == b"HTTP":
                found.append(f"{host}:{port}")
    return found


def listening(pids: Iterable[int]) -> set[tuple[str, int]]:
    """Every TCP socket that a process listens on."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and words[9] in inodes:
            address, port = words[1].split(":")
            host = socket.inet_ntoa(bytes.fromhex(address)[::-1])
            found.add((host, int(port, 16)))
    return found
