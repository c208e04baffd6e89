"""Addresses on this machine: free ports, and whether something answers."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx

_PATIENCE = 2.0


def free_port(wanted: int, host: str) -> int:
    """Return the wanted port if nobody listens there, else any free one. 0 asks for any."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {host}")


def answers(url: str) -> bool:
    """Say whether an address answers 200."""
    try:
        return httpx.get(url, timeout=_PATIENCE, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def ticks(url: str) -> bool:
    """Say whether the service at this address hears its clock."""
    try:
        beat = httpx.get(f"{url}/readyz", timeout=_PATIENCE, trust_env=False).json().get("beat")
    except (httpx.HTTPError, ValueError):
        return False
    return bool(beat and beat["ticks"])


def redis_answers(path: Path) -> bool:
    """Say whether a Redis answers on this socket and has loaded its data."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_PATIENCE)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
