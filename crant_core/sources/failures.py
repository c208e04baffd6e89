"""What CAVE's clients raise, in this project's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import requests
import urllib3

from crant_core.errors import CrantError, SourceError, SourceUnavailable
from crant_core.sources.limits import retry_after_of

_TRANSIENT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.JSONDecodeError,  # a proxy's HTML page where JSON was due
    requests.exceptions.RetryError,
    urllib3.exceptions.HTTPError,  # cloud-files reads the raw stream
)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LONGEST = 300


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Raise `SourceUnavailable` for what may work later and `SourceError` for what will not.

    Parameters
    ----------
    server : str
        Named in messages.
    """
    try:
        yield
    except requests.HTTPError as error:
        raise _from_status(error, server) from error
    except _TRANSIENT as error:
        raise SourceUnavailable(f"{server} did not answer: {_brief(error)}") from error
    except requests.RequestException as error:
        raise SourceError(f"{server} cannot be asked: {_brief(error)}") from error


def may_pass(error: BaseException) -> bool:
    """Say whether the same request, repeated at once, may succeed."""
    if isinstance(error, CrantError):
        return error.retryable
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return is_transient(error.response.status_code)
    if isinstance(error, requests.RequestException):
        return isinstance(error, _TRANSIENT)  # an address that is none stays none
    return isinstance(error, Exception)


def is_transient(status: int) -> bool:
    """Say whether an HTTP status speaks of a busy server."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _from_status(error: requests.HTTPError, server: str) -> SourceError:
    status = 0 if error.response is None else error.response.status_code
    if status in _REFUSED:
        hint = "the token is wrong, expired, or lacks permission for this dataset"
        return SourceError(f"{server} refused the token with {status}", value=status, hint=hint)
    if is_transient(status):
        wait = None if error.response is None else retry_after_of(error.response.headers)
        found = SourceUnavailable(f"{server} answered {status}: {_brief(error)}", value=status)
        found.retry_after = wait
        return found
    return SourceError(f"{server} answered {status}: {_brief(error)}", value=status)


def _brief(error: Exception) -> str:
    """Keep messages storable: servers put whole HTML pages and tracebacks into theirs."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
