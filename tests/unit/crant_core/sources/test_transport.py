from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import pytest
import requests
from cloudfiles import CloudFiles
from cloudfiles.interfaces import HttpInterface

from crant_core.errors import DataMissing, SourceError, Truncated
from crant_core.sources import transport
from crant_core.sources.failures import may_pass
from crant_core.sources.sessions import BoundedAdapter
from crant_core.sources.transport import bound_cloudvolume
from tests.fixtures.answering import saying, server
from tests.unit.crant_core.sources.test_failures import http_error


def test_doing_it_again_changes_nothing():
    bound_cloudvolume()
    before = HttpInterface.adaptor
    bound_cloudvolume()
    assert HttpInterface.adaptor is before
    assert isinstance(before, BoundedAdapter)


def test_every_module_of_graphene_that_makes_requests_is_bounded():
    from cloudvolume.datasource.graphene import metadata
    from cloudvolume.datasource.graphene.mesh import unsharded
    from cloudvolume.frontends import graphene

    bound_cloudvolume()
    for module in (metadata, unsharded, graphene):
        assert isinstance(module.requests, transport.BoundedRequests)
        assert module.requests.HTTPError is requests.HTTPError


def test_the_stand_in_asks_as_requests_does():
    asked = []

    def noting(handler: BaseHTTPRequestHandler) -> None:
        asked.append((handler.command, handler.path, handler.headers.get("Content-Type")))
        saying(b"[]")(handler)

    stand_in = transport.BoundedRequests()
    with server(noting) as url:
        assert stand_in.get(f"{url}/a", params={"verify": True}, data='{"start_layer": 2}').json() == []
        assert stand_in.post(f"{url}/b", data=b"x", params={"t": 1}).content == b"[]"
        assert stand_in.post(f"{url}/c", json=[1]).ok
    assert asked == [("GET", "/a?verify=True", None), ("POST", "/b?t=1", None), ("POST", "/c", "application/json")]


@pytest.mark.parametrize(("status", "seconds"), [(401, 30.0), (410, 30.0), (503, 0.0)])
def test_an_object_is_not_asked_for_without_end(status, seconds, monkeypatch):
    bound_cloudvolume()
    monkeypatch.setattr(transport, "RETRY_SECONDS", seconds)
    asked = []

    def noting(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        saying(b"", status)(handler)

    with server(noting) as url, pytest.raises(requests.HTTPError):
        CloudFiles(f"{url}/bucket").get("object")
    assert asked == ["/bucket/object"]


def test_a_busy_bucket_is_asked_again():
    bound_cloudvolume()
    answers = iter([saying(b"", 503), saying(b"mesh")])

    def next_one(handler: BaseHTTPRequestHandler) -> None:
        next(answers)(handler)

    with server(next_one) as url:
        assert CloudFiles(f"{url}/bucket").get("object") == b"mesh"


@pytest.mark.parametrize(
    ("attempt", "seconds", "sleep", "enough"),
    [(1, 0.0, 0.0, False), (1, 29.0, 0.9, False), (1, 29.0, 1.0, True), (6, 0.0, 0.0, False), (7, 0.0, 0.0, True)],
)
def test_attempts_end_by_number_and_before_the_time_is_over(attempt, seconds, sleep, enough):
    state = SimpleNamespace(attempt_number=attempt, seconds_since_start=seconds, upcoming_sleep=sleep)
    assert transport.is_enough(state) is enough


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (http_error(503), True),
        (http_error(429), True),
        (http_error(400), False),
        (http_error(401), False),
        (requests.ReadTimeout(), True),
        (SourceError("terms"), False),
        (Truncated(), False),
        (DataMissing(), True),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_will_not_pass_is_not_repeated(error, passes):
    assert may_pass(error) is passes
