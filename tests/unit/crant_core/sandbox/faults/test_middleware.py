"""The middleware as an ASGI server sees it: cheap, transparent, and nothing escapes its log."""

from __future__ import annotations

import asyncio

import pytest

from crant_core.sandbox.faults.controller import Controller
from crant_core.sandbox.faults.middleware import Faults
from crant_core.sandbox.faults.rules import Rule

PIECES = [
    {"type": "http.request", "body": b"1234", "more_body": True},
    {"type": "http.request", "body": b"5678", "more_body": False},
]
HEADERS = [(b"host", b"h"), (b"user-agent", b"u"), (b"accept", b"*/*"), (b"content-length", b"8")]


def _scope(headers=HEADERS, kind="http"):
    return {"type": kind, "method": "POST", "path": "/roots", "query_string": b"", "headers": headers}


def _receiver(*messages: dict):
    left = iter(messages)

    async def receive():
        return next(left)

    return receive


async def _echo(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def _discard(message):
    pass


async def _call(app, receive, send=_discard):
    await app(_scope(), receive, send)


def test_the_application_gets_the_whole_body_in_one_piece():
    controller, sent = Controller(), []

    async def keep(message):
        sent.append(message)

    asyncio.run(_call(Faults(_echo, controller), _receiver(*PIECES), keep))
    assert sent[-1]["body"] == b"12345678"
    assert controller.log.entries()[0].bytes_in == 8


def test_a_body_that_is_not_announced_is_left_to_the_application():
    controller = Controller()
    asyncio.run(Faults(_echo, controller)(_scope(headers=[]), _receiver(PIECES[1]), _discard))
    assert (controller.log.entries()[0].bytes_in, controller.log.entries()[0].bytes_out) == (0, 4)


def test_a_client_that_leaves_in_its_own_body_reaches_no_service_and_is_logged():
    controller = Controller()
    asyncio.run(_call(Faults(_unreachable, controller), _receiver(PIECES[0], {"type": "http.disconnect"})))
    assert [entry.status for entry in controller.log.entries()] == [None]


async def _unreachable(scope, receive, send):
    raise AssertionError


def test_a_refused_request_reaches_no_service():
    controller = Controller()
    controller.add([Rule(status=503)])
    asyncio.run(_call(Faults(_unreachable, controller), _receiver(*PIECES)))
    assert [entry.status for entry in controller.log.entries()] == [503]


def test_an_entry_is_there_before_the_client_can_know_that_the_answer_is_whole():
    controller, seen = Controller(), []

    async def look(message):
        seen.append(len(controller.log.entries()))

    asyncio.run(_call(Faults(_echo, controller), _receiver(*PIECES), look))
    assert seen == [0, 1]


def test_an_error_of_the_application_goes_on_and_is_logged_as_500():
    controller = Controller()
    with pytest.raises(AssertionError):
        asyncio.run(_call(Faults(_unreachable, controller), _receiver(*PIECES)))
    assert [entry.status for entry in controller.log.entries()] == [500]


def test_a_lifespan_is_passed_on_unlogged():
    controller, seen = Controller(), []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(Faults(app, controller)({"type": "lifespan"}, _receiver(), _discard))
    assert seen == ["lifespan"]
    assert controller.log.entries() == []
