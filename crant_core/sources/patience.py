"""Repeated attempts below the sessions, where urllib3 makes them: the limiter hears of each, and none waits for hours.

urllib3 itself repeats what a server refused with `Retry-After`, as often as caveclient says, and sleeps as long as the
server says, without a word to anybody.
"""

from __future__ import annotations

from inspect import signature
from typing import Any, Self

from urllib3 import BaseHTTPResponse, Retry

from crant_core.errors import SourceUnavailable
from crant_core.sources.limits import limiter, retry_after_of

_PORTS = {"http": 80, "https": 443}


class HeedingRetry(Retry):
    """urllib3's rules, under which the limiter hears of each refusal and says how long is waited."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        """Count an attempt.

        Raises
        ------
        SourceUnavailable
            The server wants to be left alone for longer than the limiter lets a request wait.
        urllib3.exceptions.MaxRetryError
        """
        if response is not None and _pool is not None:
            _heed(response, _server_of(_pool))
        return super().increment(method, url, response, error, _pool, _stacktrace)


def heeding(rules: Retry) -> HeedingRetry:
    """Return the same rules, heeding the limiter."""
    names = [name for name in signature(Retry.__init__).parameters if name != "self"]
    return HeedingRetry(**{name: getattr(rules, name) for name in names})


def _heed(response: BaseHTTPResponse, server: str) -> None:
    seconds = retry_after_of(response.headers)
    limiter().report(server, response.status, seconds)
    if seconds is not None and seconds > limiter().longest_wait:
        response.drain_conn()  # or the connection never goes back to the others
        message = f"{server} answered {response.status} and wants to be left alone for {seconds:.0f} s"
        error = SourceUnavailable(message, value=response.status)
        error.retry_after = seconds
        raise error


def _server_of(pool: Any) -> str:
    """Name a server as its addresses do: usual ports are left out."""
    return str(pool.host) if pool.port in (None, _PORTS.get(pool.scheme)) else f"{pool.host}:{pool.port}"
