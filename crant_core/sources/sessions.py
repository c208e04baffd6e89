"""HTTP sessions that cannot hang, and that let nothing incomplete pass for an answer: caveclient checks neither."""

from __future__ import annotations

import time
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import PoolManager, Retry

from crant_core.sources.answers import check_complete, check_roots, check_rows, check_terms, read_within
from crant_core.sources.limits import limiter, note_request, retry_after_of, server_of
from crant_core.sources.patience import heeding
from crant_core.sources.pool import CONNECTIONS, SERVERS, connections, proxies
from crant_core.sources.watching import watcher

CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0  # between bytes; CAVE's own proxy waits longer, but by then another attempt is worth more
ANSWER_SECONDS = 600.0  # from an answer's first byte to its last, however steadily it drips
_END_IS_SEEN = "gzip"  # of the encodings that requests asks for, urllib3 takes cut deflate and brotli for whole


class BoundedAdapter(HTTPAdapter):
    """A transport with time-outs that hands over whole answers only.

    Answers are read into memory before they are handed over, those of `stream=True` too. It also refuses what would
    make caveclient open a browser. Not bounded: a server that drips its headers, each byte within `READ_SECONDS`; and
    an attempt is bounded, not a request, which caveclient's sessions attempt four times.
    """

    def __init__(self, max_retries: Retry | int | None = 0) -> None:
        super().__init__(SERVERS, CONNECTIONS, max_retries, pool_block=True)
        self.max_retries = heeding(self.max_retries)

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        """Have no connections of its own."""

    @property
    def poolmanager(self) -> PoolManager:
        """The connections of the process, which all adapters share."""
        return connections()

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the connections of the process through a proxy, which all adapters share."""
        self.proxy_manager = proxies()
        return super().proxy_manager_for(proxy, **kwargs)

    def close(self) -> None:
        """Leave the connections to the others."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send with a time-out, unless the caller set one.

        Raises
        ------
        requests.RequestException
            No answer in time, or not a whole one.
        Truncated
        SourceError
            Terms of service are not accepted.
        """
        kwargs["timeout"] = kwargs.get("timeout") or (CONNECT_SECONDS, READ_SECONDS)
        if "deflate" in request.headers.get("Accept-Encoding", ""):
            request.headers["Accept-Encoding"] = _END_IS_SEEN
        limits, server = limiter(), server_of(request.url or "")
        limits.wait(server)
        note_request()
        response = self._send(request, *args, **kwargs)
        limits.report(server, response.status_code, retry_after_of(response.headers))
        check_complete(response, read_within(response, ANSWER_SECONDS))
        for check in (check_roots, check_terms, check_rows):
            check(response)
        return response

    def _send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send, and say what came of it."""
        moment, began, status = time.time(), time.perf_counter(), None
        try:
            response = super().send(request, *args, **kwargs)
            status = response.status_code
            return response
        finally:
            seconds = time.perf_counter() - began
            watcher().answered(request.method or "", request.url or "", status, moment, seconds)


class BoundedSession(Session):
    """A session all of whose transports are bounded, whoever mounts them."""

    def mount(self, prefix: str | bytes, adapter: BaseAdapter) -> None:
        """Mount a bounded transport with the other's rules for repeated attempts."""
        super().mount(prefix, bounded(adapter))


def bound(session: Session) -> None:
    """Give a session time-outs, keeping its rules for repeated attempts."""
    for prefix in ("http://", "https://"):
        session.mount(prefix, bounded(session.get_adapter(prefix)))


def bounded(adapter: BaseAdapter) -> BoundedAdapter:
    """Return a bounded transport that repeats attempts like another."""
    if isinstance(adapter, BoundedAdapter):
        return adapter
    return BoundedAdapter(max_retries=getattr(adapter, "max_retries", 0))
