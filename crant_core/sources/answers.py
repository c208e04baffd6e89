"""What is checked of every HTTP answer before anyone may use it: that it ended in time, and that it is all there."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from io import BytesIO
from time import monotonic

import requests
import urllib3
from requests import Response

from crant_core.errors import SourceError, Truncated
from crant_core.sources.limits import note_received
from crant_core.sources.watching import watcher

_PIECE = 1 << 18  # bytes asked of a connection at a time
_LIMITED = re.compile(r"Limited query to (\d+) rows")
_limit_expected: ContextVar[bool] = ContextVar("limit_expected", default=False)


@contextmanager
def limit_expected() -> Iterator[None]:
    """Let answers pass that the server cut at a row limit, where a caller asks for so many rows and no more."""
    before = _limit_expected.set(True)
    try:
        yield
    finally:
        _limit_expected.reset(before)


def read_within(response: Response, seconds: float) -> bytes:
    """Read an answer's whole body now, count its bytes, and leave it to be read again.

    A time-out between bytes does not end an answer that drips steadily; this does.

    Parameters
    ----------
    response : Response
        Its connection is free for the next request afterwards.
    seconds : float
        Until the last byte.

    Returns
    -------
    bytes
        The body as it came, maybe compressed.

    Raises
    ------
    requests.ReadTimeout
    requests.exceptions.ChunkedEncodingError
        The connection broke, or the body is shorter than announced.
    """
    try:
        body = b"".join(_pieces(response, monotonic() + seconds))
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error, request=response.request) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error, request=response.request) from error
    response.raw = _again(response, body)
    return body


def check_complete(response: Response, body: bytes) -> None:
    """Refuse a compressed body that stops early: urllib3 gives the part it could unpack, and says nothing.

    Parameters
    ----------
    response : Response
    body : bytes
        As it came.

    Raises
    ------
    requests.exceptions.ContentDecodingError
    """
    if response.status_code != HTTPStatus.OK or response.request.method == "HEAD":
        return
    compressed = response.headers.get("Content-Encoding", "").lower() in {"gzip", "x-gzip"}
    if compressed and not _is_whole_gzip(body):
        message = f"a compressed answer ends after {len(body)} bytes, before it is whole"
        raise requests.exceptions.ContentDecodingError(message, response=response)


def check_roots(response: Response) -> None:
    """Refuse fewer or more root ids than were asked for: a list of bare 8-byte ids has no other sign of its end.

    Raises
    ------
    requests.exceptions.ContentDecodingError
    """
    request = response.request
    path = (request.url or "").partition("?")[0]
    asked = request.body
    if not response.ok or not path.endswith("/roots_binary") or not isinstance(asked, bytes):
        return
    if request.headers.get("Content-Encoding") == "gzip":
        asked = gzip.decompress(asked)
    if len(response.content) != len(asked):
        message = f"{len(response.content) / 8:g} roots came for {len(asked) / 8:g} ids"
        raise requests.exceptions.ContentDecodingError(message, response=response)


def check_rows(response: Response) -> None:
    """Refuse an answer that the server cut at its row limit; caveclient only logs it.

    Raises
    ------
    Truncated
        Its value is the number of rows; not raised inside `limit_expected`.
    """
    found = _LIMITED.search(response.headers.get("Warning", ""))
    if found is None or _limit_expected.get():
        return
    rows = int(found[1])
    raise Truncated(f"the server gave only the first {rows} rows", value=rows, hint="ask for fewer ids at a time")


def check_terms(response: Response) -> None:
    """Report terms of service that nobody accepted yet; caveclient would open a browser, here on a server.

    Raises
    ------
    SourceError
    """
    if response.status_code != HTTPStatus.FORBIDDEN or "missing_tos" not in response.text:
        return
    form = response.json().get("data", {}).get("tos_form_url", "the dataset's form")
    raise SourceError("the CAVE server wants its terms of service accepted first", hint=f"open {form}")


def _pieces(response: Response, end: float) -> Iterator[bytes]:
    size = 0
    try:
        # read1 returns what has arrived; read would wait for a full piece, drop by drop
        while piece := response.raw.read1(_PIECE, decode_content=False):
            size += len(piece)
            yield piece
            if monotonic() > end:
                response.close()
                raise requests.ReadTimeout("the answer came too slowly", request=response.request)
    finally:  # what came before it broke off came all the same
        note_received(size)
        watcher().received(response.request.url or "", size)


def _again(response: Response, body: bytes) -> urllib3.HTTPResponse:
    """Return a raw response as it was before its body was read."""
    raw = response.raw
    return urllib3.HTTPResponse(
        body=BytesIO(body),
        headers=raw.headers,
        status=raw.status,
        version=raw.version,
        reason=raw.reason,
        preload_content=False,
        decode_content=False,
        original_response=getattr(raw, "_original_response", None),  # requests takes cookies from it
        request_method=response.request.method,
    )


def _is_whole_gzip(body: bytes) -> bool:
    if not body:
        return False
    while body:
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            stream.decompress(body)
        except zlib.error:
            return True  # damaged or followed by padding, not cut: whoever unpacks it knows what to say
        if not stream.eof:
            return False
        body = stream.unused_data
    return True
