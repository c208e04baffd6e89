"""The real seatable-api, bounded.

It takes an answer that is no JSON for None, and its requests last as long as bytes arrive. It has no place to change
that, so what its modules know as `requests` is replaced, once for the process; only readings of ours notice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

import requests
from requests import Response

from crant_core.errors import Incomplete, SourceError
from crant_core.sources.transport import BoundedRequests

_NEEDED: dict[str, type] = {
    "api_token": str,
    "access_token": str,
    "dtable_uuid": str,
    "dtable_server": str,
    "results": list,
}
_lock = threading.Lock()
_reading: ContextVar[bool] = ContextVar("reading", default=False)


@contextmanager
def bounded_seatable() -> Iterator[None]:
    """Bound the requests of seatable-api in this context, and let nothing incomplete pass for an answer."""
    _prepare()
    before = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(before)


def _prepare() -> None:
    """Import seatable-api, and bound it; importing it sends everybody's log messages to stdout, which is undone."""
    root = logging.getLogger()
    with _lock:
        handlers, level = root.handlers[:], root.level
        from seatable_api import api_gateway, main

        if not isinstance(main.requests, _Requests):
            api_gateway.requests = main.requests = _Requests()
            root.handlers[:] = handlers
            root.setLevel(level)


class _Requests(BoundedRequests):
    """Stands for `requests` in seatable-api: answers come whole, in time and as JSON, or they are errors."""

    def get(self, url: str, params: Any = None, **kwargs: Any) -> Response:
        if not _reading.get():
            return requests.get(url, params, **kwargs)  # noqa: S113 - not ours to bound
        return _checked(super().get(url, params, **kwargs))

    def post(self, url: str, data: Any = None, json: Any = None, **kwargs: Any) -> Response:
        if not _reading.get():
            return requests.post(url, data, json, **kwargs)  # noqa: S113 - not ours to bound
        return _checked(super().post(url, data, json, **kwargs))


def _checked(response: Response) -> Response:
    """Refuse what seatable-api would take for None, or tell in an error without a type."""
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise requests.HTTPError(_reason(response), response=response)
    answer = response.json()
    told = answer if isinstance(answer, dict) else {}
    if told.get("success") is False:
        raise SourceError(f"SeaTable refused the query: {told.get('error_message')}", value=response.status_code)
    for name in _needed(response.url):
        if not isinstance(told.get(name), _NEEDED[name]):
            raise Incomplete(f"an answer of SeaTable lacks {name}", value=response.url)
    return response


def _needed(url: str) -> Sequence[str]:
    """Return what seatable-api takes from an answer without a look whether it is there."""
    if url.endswith("/temp-api-token/"):
        return ("api_token",)
    return ("access_token", "dtable_uuid", "dtable_server") if url.endswith("/app-access-token/") else ("results",)


def _reason(response: Response) -> str:
    try:
        answer = response.json()
    except requests.exceptions.JSONDecodeError:
        return response.text
    told = answer if isinstance(answer, dict) else {}
    return str(told.get("error_msg") or told.get("error_message") or told.get("detail") or response.text)
