"""HTTP sessions that cannot hang: caveclient sets no time-out anywhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from crant_core.errors import SourceError

CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0  # between bytes; CAVE's own proxy waits longer, but by then another attempt is worth more


class BoundedAdapter(HTTPAdapter):
    """A transport with time-outs, which also refuses what would make caveclient open a browser."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send with a time-out, unless the caller set one."""
        kwargs["timeout"] = kwargs.get("timeout") or (CONNECT_SECONDS, READ_SECONDS)
        response = super().send(request, *args, **kwargs)
        _check_terms(response)
        return response


def bound(session: Session) -> None:
    """Give a session time-outs, keeping its rules for repeated attempts."""
    for prefix in ("http://", "https://"):
        retries = getattr(session.get_adapter(prefix), "max_retries", 0)
        session.mount(prefix, BoundedAdapter(max_retries=retries))


def _check_terms(response: Response) -> None:
    """Report terms of service that nobody accepted yet; caveclient would open a browser, here on a server."""
    if response.status_code != HTTPStatus.FORBIDDEN or "missing_tos" not in response.text:
        return
    form = response.json().get("data", {}).get("tos_form_url", "the dataset's form")
    raise SourceError("the CAVE server wants its terms of service accepted first", hint=f"open {form}")
