"""How fast servers may be asked, and how large neurons may be.

The library asks freely; who runs many processes says what they may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

from crant_core.errors import NeedsMemory


class Limiter(Protocol):
    """Says when a request may be sent, and hears what came of it.

    Attributes
    ----------
    longest_wait : float
        Seconds of `Retry-After` that are waited for within a request; of more, the request fails and says so.
    """

    longest_wait: float

    def wait(self, server: str) -> None:
        """Return when one more request may be sent to a server (its host and port)."""

    def report(self, server: str, status: int, retry_after: float | None) -> None:
        """Hear a server's answer, and the seconds it wants to be left alone for, if it said so."""


class Unlimited:
    """Every request at once, as many at a time as there are connections: see `pool`."""

    longest_wait = inf  # who calls the library has nothing else to do meanwhile

    def wait(self, server: str) -> None:
        """Return at once."""

    def report(self, server: str, status: int, retry_after: float | None) -> None:
        """Ignore it."""


_installed: list[Limiter] = [Unlimited()]
_largest: list[int | None] = [None]
_sent, _received, _counting = [0], [0], Lock()


def install(limiter: Limiter) -> None:
    """Use this limiter for all requests of this process from now on."""
    _installed[:] = [limiter]


def limiter() -> Limiter:
    """Return the limiter of this process."""
    return _installed[0]


def allow_meshes(vertices: int | None) -> None:
    """Let this process work on meshes of so many vertices at most from now on; None: on any."""
    _largest[:] = [vertices]


def check_size(root: int, vertices: int) -> None:
    """Refuse a mesh that is too large for this process.

    Raises
    ------
    NeedsMemory
    """
    most = _largest[0]
    if most is not None and vertices > most:
        raise NeedsMemory(f"the mesh of {root} has {vertices:,} vertices; here {most:,} are the most", value=root)


def note_request() -> None:
    """Count a request of this process."""
    with _counting:
        _sent[0] += 1


def requests_sent() -> int:
    """Return how many requests this process has sent; the difference of two answers is what happened between them."""
    return _sent[0]


def note_received(size: int) -> None:
    """Count bytes of an answer to a request of this process."""
    with _counting:
        _received[0] += size


def bytes_received() -> int:
    """Return how many bytes of answers this process has received, without headers; as `requests_sent` is to be used."""
    return _received[0]


def server_of(url: str) -> str:
    """Return host and port of an address."""
    return urlsplit(url).netloc


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds; a date, which no CAVE server sends, is ignored."""
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
