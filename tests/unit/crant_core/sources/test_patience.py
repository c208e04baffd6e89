"""What a real server's 429 and 503 do to a real session with caveclient's rules for repeated attempts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from crant_core.errors import SourceUnavailable
from crant_core.sources import limits
from crant_core.sources.failures import translated
from crant_core.sources.sessions import BoundedSession

CAVECLIENTS = Retry(
    total=3, backoff_factor=0.01, status_forcelist=(502, 503, 504), allowed_methods=frozenset(["GET", "POST"])
)


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """A server that gives the answers of a test in turn: status and `Retry-After`; and 200 when there are none left."""
    told = SimpleNamespace(answers=[], asked=0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.asked += 1
            status, wait = told.answers.pop(0) if told.answers else (200, None)
            self.send_response(status)
            if wait is not None:
                self.send_header("Retry-After", wait)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"done")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    told.name = f"127.0.0.1:{listening.server_port}"
    yield told
    listening.shutdown()
    listening.server_close()


class Hearing:
    """A limiter that writes down what it hears."""

    def __init__(self, longest_wait: float) -> None:
        self.longest_wait = longest_wait
        self.heard: list[tuple[str, int, float | None]] = []

    def wait(self, server: str) -> None:
        """Return at once."""

    def report(self, server: str, status: int, retry_after: float | None) -> None:
        self.heard.append((server, status, retry_after))


@pytest.fixture
def hearing(monkeypatch: pytest.MonkeyPatch) -> Hearing:
    found = Hearing(longest_wait=10)
    monkeypatch.setattr(limits, "_installed", [found])
    return found


def ask(server: SimpleNamespace) -> bytes:
    with BoundedSession() as session, translated(server.name):
        session.mount("http://", HTTPAdapter(max_retries=CAVECLIENTS))
        answer = session.get(f"http://{server.name}/x")
        answer.raise_for_status()
        return bytes(answer.content)


def test_the_limiter_hears_of_attempts_that_are_repeated(server: SimpleNamespace, hearing: Hearing) -> None:
    server.answers = [(503, None), (429, "0")]
    assert ask(server) == b"done"
    assert hearing.heard == [(server.name, 503, None), (server.name, 429, 0.0), (server.name, 200, None)]


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_is_the_callers_and_not_the_processs(
    server: SimpleNamespace, hearing: Hearing, status: int
) -> None:
    server.answers = [(status, "3600")] * 20
    for _ in range(12):  # more than there are connections: each was given back
        with pytest.raises(SourceUnavailable, match="left alone for 3600 s") as caught:
            ask(server)
        server.answers.append((status, "3600"))
    assert (caught.value.retry_after, caught.value.value) == (3600.0, status)
    assert server.asked == 12
    assert set(hearing.heard) == {(server.name, status, 3600.0)}


def test_an_answer_that_nobody_repeats_says_how_long_to_wait(server: SimpleNamespace, hearing: Hearing) -> None:
    server.answers = [(500, "45")]
    with pytest.raises(SourceUnavailable) as caught:
        ask(server)
    assert caught.value.retry_after == 45.0


def test_who_shares_with_nobody_waits_however_long(server: SimpleNamespace) -> None:
    assert limits.Unlimited().longest_wait == inf
    server.answers = [(429, "1")]
    assert ask(server) == b"done"
    assert server.asked == 2
