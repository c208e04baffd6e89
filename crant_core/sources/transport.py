"""cloud-volume's HTTP, bounded: it calls `requests.get` and cloud-files' shared transport, both without time-outs.

Neither has a place for one, so what they call is replaced inside their modules, once for the process. Every volume in
the process is bounded from then on; nothing else about them changes.
"""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import requests
import tenacity
from requests import Response

from crant_core.sources.failures import may_pass
from crant_core.sources.sessions import BoundedAdapter, BoundedSession

RETRY_SECONDS = 30.0  # after which no other attempt begins; cloud-volume makes up to 7, up to a minute apart
_ATTEMPTS = 7
_REPEATED = ("get_file", "head", "exists", "save_file")
_lock = threading.Lock()


class BoundedRequests(ModuleType):
    """Stands for the module `requests` where its functions are called without time-outs."""

    def __init__(self) -> None:
        super().__init__("requests", requests.__doc__)

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    def get(self, url: str, params: Any = None, **kwargs: Any) -> Response:
        """Ask for something, as `requests.get` does."""
        with BoundedSession() as session:
            return session.get(url, params=params, **kwargs)

    def post(self, url: str, data: Any = None, json: Any = None, **kwargs: Any) -> Response:
        """Send something, as `requests.post` does."""
        with BoundedSession() as session:
            return session.post(url, data=data, json=json, **kwargs)


def bound_cloudvolume() -> None:
    """Bound all requests of cloud-volume and cloud-files over HTTP in this process; doing it again changes nothing."""
    from cloudfiles.interfaces import HttpInterface

    with _lock:
        if isinstance(HttpInterface.adaptor, BoundedAdapter):
            return
        _bound_graphene()
        for name in _REPEATED:
            rules = getattr(HttpInterface, name).retry
            rules.stop, rules.retry = is_enough, tenacity.retry_if_exception(may_pass)
        HttpInterface.adaptor = BoundedAdapter()  # last, because it says that all is done


def _bound_graphene() -> None:
    from cloudvolume.datasource.graphene import metadata
    from cloudvolume.datasource.graphene.mesh import unsharded
    from cloudvolume.frontends import graphene

    for module in (metadata, unsharded, graphene):
        module.requests = BoundedRequests()
    graphene.retry = tenacity.retry(
        reraise=True,
        stop=is_enough,
        wait=tenacity.wait_random_exponential(0.5, 60.0),
        retry=tenacity.retry_if_exception(may_pass),
    )


def is_enough(state: tenacity.RetryCallState) -> bool:
    """Say whether a request was tried often or long enough."""
    seconds = (state.seconds_since_start or 0) + state.upcoming_sleep
    return state.attempt_number >= _ATTEMPTS or seconds >= RETRY_SECONDS
