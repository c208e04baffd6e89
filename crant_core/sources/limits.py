"""How fast servers may be asked. The library asks freely; who runs many processes installs what they share."""

from __future__ import annotations

from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

from requests import Response


class Limiter(Protocol):
    """Says when a request may be sent, and hears what came of it."""

    def wait(self, server: str) -> None:
        """Return when one more request may be sent to a server (its host and port)."""

    def report(self, server: str, status: int, retry_after: float | None) -> None:
        """Hear a server's answer, and the seconds it wants to be left alone for, if it said so."""


class Unlimited:
    """Every request at once, as many at a time as there are connections: see `pool`."""

    def wait(self, server: str) -> None:
        """Return at once."""

    def report(self, server: str, status: int, retry_after: float | None) -> None:
        """Ignore it."""


_installed: list[Limiter] = [Unlimited()]
_sent, _counting = [0], Lock()


def install(limiter: Limiter) -> None:
    """Use this limiter for all requests of this process from now on."""
    _installed[:] = [limiter]


def limiter() -> Limiter:
    """Return the limiter of this process."""
    return _installed[0]


def note_request() -> None:
    """Count a request of this process."""
    with _counting:
        _sent[0] += 1


def requests_sent() -> int:
    """Return how many requests this process has sent; the difference of two answers is what happened between them."""
    return _sent[0]


def server_of(url: str) -> str:
    """Return host and port of an address."""
    return urlsplit(url).netloc


def retry_after_of(response: Response) -> float | None:
    """Read `Retry-After` in seconds; a date, which no CAVE server sends, is ignored."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
