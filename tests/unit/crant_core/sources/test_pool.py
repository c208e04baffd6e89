from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler

import pytest
import requests
from cloudfiles import CloudFiles

from crant_core.errors import CrantError, SourceUnavailable
from crant_core.sources import pool
from crant_core.sources.failures import translated
from crant_core.sources.pool import connections
from crant_core.sources.sessions import BoundedSession
from crant_core.sources.transport import BoundedRequests, bound_cloudvolume
from tests.fixtures.answering import Answer, saying, server
from tests.unit.crant_core.sources.test_sessions import BODY, PACKED


class Ports:
    """The clients' ends of connections: one port, one connection."""

    def __init__(self, answer: Answer) -> None:
        self.seen: list[int] = []
        self._answer = answer

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append(handler.client_address[1])
        self._answer(handler)


@pytest.fixture
def small(monkeypatch):
    """A pool of two connections."""
    monkeypatch.setattr(pool, "CONNECTIONS", 2)
    monkeypatch.setattr(pool, "_pools", {})
    yield connections()
    connections().clear()


def test_sessions_stand_ins_and_cloud_files_use_the_same_connection(small):
    bound_cloudvolume()
    ports = Ports(saying(BODY))
    with server(ports) as url:
        for _ in range(2):
            with BoundedSession() as session:
                session.get(url)
        BoundedRequests().get(url)
        assert CloudFiles(f"{url}/bucket").get("object") == BODY
    assert len(ports.seen) == 4
    assert len(set(ports.seen)) == 1


def test_closing_a_session_leaves_the_others_their_connections(small):
    ports = Ports(saying(BODY))
    with server(ports) as url, BoundedSession() as other:
        other.get(url)
        with BoundedSession() as session:
            session.get(url)
        other.get(url)
        session.get(url)  # a closed one of requests goes on, too
    assert len(set(ports.seen)) == 1


def test_more_threads_than_connections_take_turns(small):
    everybody = threading.Barrier(2, timeout=10)
    ports = Ports(lambda handler: (everybody.wait(), saying(BODY)(handler)))  # proves that both are used at once
    with server(ports) as url, ThreadPoolExecutor(10) as threads:
        bodies = list(threads.map(lambda _: BoundedRequests().get(url).content, range(20)))
    assert bodies == [BODY] * 20
    assert len(set(ports.seen)) == 2


def cut(handler: BaseHTTPRequestHandler) -> None:
    saying(PACKED[:-9], length=len(PACKED), Content_Encoding="gzip")(handler)


def moved(handler: BaseHTTPRequestHandler) -> None:
    target = saying(BODY) if handler.path == "/there" else saying(b"gone", 302, Location="/there")
    target(handler)


@pytest.mark.parametrize(
    "answer",
    [
        saying(BODY),
        saying(b""),
        saying(b"", 204),
        saying(b"", 304),
        saying(b"busy", 503),
        saying(b"", Warning='201 - "Limited query to 5 rows'),
        saying(PACKED[:-9], Content_Encoding="gzip"),
        cut,
        moved,
    ],
    ids=["whole", "empty", "no content", "not modified", "busy", "limited", "cut gzip", "cut body", "moved"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_answer_gives_its_connection_back(small, answer, method, monkeypatch):
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.5)
    with server(answer) as url, BoundedSession() as session:
        for _ in range(4):  # a pool of two would be empty by then
            with suppress(requests.RequestException, CrantError):  # but not urllib3's EmptyPoolError
                session.request(method, url, stream=True, allow_redirects=True)


def test_who_gets_no_connection_in_time_is_told_that_it_may_work_later(small, monkeypatch):
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.05)
    release = threading.Event()
    arrived = threading.Semaphore(0)

    def waiting(handler: BaseHTTPRequestHandler) -> None:
        arrived.release()
        release.wait(10)
        saying(BODY)(handler)

    with server(waiting) as url, ThreadPoolExecutor(2) as threads, ExitStack() as finally_:
        finally_.callback(release.set)
        for _ in range(2):
            threads.submit(BoundedRequests().get, url)
            arrived.acquire()
        with pytest.raises(SourceUnavailable), translated(url):
            BoundedRequests().get(url)


def test_what_is_asked_of_certificates_keeps_connections_apart():
    adapter = BoundedSession().get_adapter("https://x")
    request = requests.Request("GET", "https://example.org/").prepare()
    strict, lax, strict_again = (
        adapter.get_connection_with_tls_context(request, verify) for verify in (True, False, True)
    )
    assert strict is strict_again
    assert strict is not lax
    adapter.cert_verify(lax, "https://example.org/", verify=False, cert=None)
    adapter.cert_verify(strict, "https://example.org/", verify=True, cert=None)
    assert (strict.cert_reqs, lax.cert_reqs) == ("CERT_REQUIRED", "CERT_NONE")


def test_connections_through_a_proxy_are_shared_and_bounded_too(monkeypatch):
    monkeypatch.setattr(pool, "_proxies", {})
    first, second = (BoundedSession().get_adapter("http://x") for _ in range(2))
    manager = first.proxy_manager_for("http://proxy:3128")
    assert second.proxy_manager_for("http://proxy:3128") is manager
    assert manager.connection_pool_kw["maxsize"] == pool.CONNECTIONS
    assert manager.connection_pool_kw["block"]


def test_a_proxy_is_used(monkeypatch):
    monkeypatch.setattr(pool, "_proxies", {})
    asked = []

    def noting(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        saying(BODY)(handler)

    with server(noting) as url, BoundedSession() as session:
        assert session.get("http://far.invalid/a", proxies={"http": url}).content == BODY
    assert asked == ["http://far.invalid/a"]
    pool.proxies().clear()


def test_threads_that_are_first_get_one_pool(monkeypatch):
    monkeypatch.setattr(pool, "_pools", {})
    together = threading.Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: (together.wait(), connections())[1], range(8)))
    assert len(set(map(id, found))) == 1


FORKED = """
import os, sys
from crant_core.sources.pool import connections
from crant_core.sources.transport import BoundedRequests
mine = connections()
parents = BoundedRequests().get(sys.argv[1]).text
child = os.fork()
if not child:
    same = connections() is mine
    answer = BoundedRequests().get(sys.argv[1]).text  # over a connection of its own
    os._exit(0 if not same and answer == parents else 1)
_, status = os.waitpid(child, 0)
assert BoundedRequests().get(sys.argv[1]).text == parents
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_fork_gets_connections_of_its_own_and_the_parent_keeps_its():
    ports = Ports(saying(BODY))
    with server(ports) as url:
        ran = subprocess.run(
            [sys.executable, "-c", FORKED, url], capture_output=True, text=True, timeout=60, check=False
        )
    assert ran.returncode == 0, ran.stderr
    parent, child, parent_again = ports.seen
    assert parent == parent_again != child


def test_the_pool_is_bounded_and_waits():
    assert connections().connection_pool_kw["maxsize"] == pool.CONNECTIONS == 64
    assert connections().connection_pool_kw["block"]
    assert os.getpid() in pool._pools
