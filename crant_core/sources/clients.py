"""The real caveclient, bounded.

It sets no time-outs, and when a server does not say which versions of an API it speaks, caveclient goes on with an old
one without a word. Its parts make their sessions while they are constructed and use them at once, so `requests` is
replaced inside `caveclient.base`, once for the process; only clients of this module notice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import requests
from caveclient import base
from caveclient.frameworkclient import CAVEclientFull
from requests import Response, Session

from crant_core.datasets import Dataset
from crant_core.errors import CrantError
from crant_core.sources.failures import is_transient
from crant_core.sources.sessions import BoundedSession

_PARTS = ("info", "chunkedgraph", "materialize", "annotation", "schema", "l2cache", "skeleton", "state")
_failures: ContextVar[list[Exception] | None] = ContextVar("failures", default=None)
_lock = threading.Lock()


class _Requests(ModuleType):
    """Stands for `requests` in `caveclient.base`: like it, except while one of our clients makes a part."""

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    def Session(self) -> Session:  # noqa: N802 - requests' name
        return requests.Session() if _failures.get() is None else BoundedSession()

    def get(self, url: str, **kwargs: Any) -> Response:
        failures = _failures.get()
        if failures is None:
            return requests.get(url, **kwargs)  # noqa: S113 - not ours to bound
        try:
            return _get_versions(url, **kwargs)
        except (requests.RequestException, CrantError) as error:
            failures.append(error)
            raise


def _get_versions(url: str, **kwargs: Any) -> Response:
    with BoundedSession() as session:
        response = session.get(url, **kwargs)
    if is_transient(response.status_code):
        response.raise_for_status()
    if response.ok:
        response.json()  # a proxy's page would be taken for a server that speaks no version
    return response


class BoundedClient(CAVEclientFull):  # type: ignore[misc] # caveclient ships no types
    """A CAVEclient all of whose parts have bounded sessions, from the first request of their construction on."""


def _part(name: str) -> property:
    original: property = getattr(CAVEclientFull, name)

    def part(client: CAVEclientFull) -> Any:
        made = getattr(client, f"_{name}")
        return _make(client, name, original) if made is None else made

    return property(part, doc=original.__doc__)


for _name in _PARTS:
    setattr(BoundedClient, _name, _part(_name))


def _make(client: CAVEclientFull, name: str, original: property) -> Any:
    with _making() as failures:
        part = original.__get__(client)
    if failures:
        setattr(client, f"_{name}", None)  # it speaks the version that caveclient fell back to
        raise failures[0]
    return part


@contextmanager
def _making() -> Iterator[list[Exception]]:
    with _lock:
        if not isinstance(base.requests, _Requests):
            base.requests = _Requests("requests")
    failures: list[Exception] = []
    before = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(before)


def connect(dataset: Dataset, token: str) -> BoundedClient:
    """Connect to a datastack, and make the parts that every job needs.

    Raises
    ------
    requests.RequestException
    SourceError
        Terms of service are not accepted.
    """
    client = BoundedClient(
        datastack_name=dataset.datastack,
        server_address=dataset.server,
        auth_token=token,
        info_cache={dataset.datastack: _describe(dataset, token)},
    )
    for name in _PARTS[:3]:
        getattr(client, name)
    return client


def _describe(dataset: Dataset, token: str) -> dict[str, Any]:
    """Ask for the datastack's description; a wrong token, a dead server or unaccepted terms of service show here."""
    with BoundedSession() as session:
        url = f"{dataset.server}/info/api/v2/datastack/full/{dataset.datastack}"
        response = session.get(url, headers={"Authorization": f"Bearer {token}"})
    response.raise_for_status()
    description: dict[str, Any] = response.json()
    return description
