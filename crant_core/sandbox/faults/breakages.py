"""How a request breaks: one coroutine per kind of breakage."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import ASGIApp, Scope

from crant_core.sandbox.faults.exchange import Answer, Exchange, body_message
from crant_core.sandbox.faults.rules import Kind, Rule

_TICK = 0.05  #: seconds between two drops of a dripping body


@dataclass(frozen=True, slots=True)
class Case:
    """A request to break: who would answer it, who asks, and the rule with its number."""

    app: ASGIApp
    scope: Scope
    exchange: Exchange
    rule: Rule
    index: int

    async def answer(self) -> Answer:
        """Let the application answer, and hold the answer back."""
        answer = Answer()
        await self.app(self.scope, self.exchange.receive, answer.take)
        return answer

    async def give(self, answer: Answer) -> None:
        """Send an answer as if it were whole."""
        await self.exchange.send(answer.start(len(answer.body)))
        await self.exchange.send(body_message(answer.body))


async def break_it(case: Case) -> None:
    """Answer a request the way the rule breaks it; the answer to a HEAD has no body to spoil."""
    kind = case.rule.breakage
    await case.exchange.read(unannounced=True)  # only then does the server report that the client left
    if kind is None or (kind not in _WITHOUT_A_BODY and case.scope["method"] == "HEAD"):
        await case.app(case.scope, case.exchange.receive, case.exchange.send)
    else:
        await _BREAKAGES[kind](case)


async def _status(case: Case) -> None:
    await case.give(_refusal(case.rule))


async def _hang(case: Case) -> None:
    if not await case.exchange.leaves_within(case.rule.bound):
        await case.give(_refusal(Rule(status=HTTPStatus.GATEWAY_TIMEOUT)))


async def _reset(case: Case) -> None:
    answer = await case.answer()
    length = max(1, len(answer.body))  # an empty answer would be whole without its body
    kept = min(length - 1, _kept(case.rule, answer))
    await case.exchange.send(answer.start(length))
    # the server closes the connection of an application that returns before its answer is whole
    await case.exchange.send(body_message(answer.body[:kept], more=True))


async def _truncated_gzip(case: Case) -> None:
    answer = await case.answer()
    if answer.header(b"content-encoding") is None:
        answer.body = gzip.compress(answer.body)
        answer.set_header(b"content-encoding", b"gzip")
    answer.body = answer.body[:-1][: _kept(case.rule, answer)]
    await case.give(answer)


async def _drip(case: Case) -> None:
    answer = await case.answer()
    step = max(1, round(case.rule.bytes_per_second * _TICK))
    await case.exchange.send(answer.start(len(answer.body)))
    for begin in range(0, max(1, len(answer.body)), step):
        if await case.exchange.leaves_within(step / case.rule.bytes_per_second):
            return
        end = begin + step
        await case.exchange.send(body_message(answer.body[begin:end], more=end < len(answer.body)))


async def _blank(case: Case) -> None:
    answer = await case.answer()
    if answer.status == HTTPStatus.OK:
        compressed = answer.header(b"content-encoding") == b"gzip"
        members = json.loads(gzip.decompress(answer.body) if compressed else answer.body)
        text = json.dumps(_blanked(members, case.rule, case.index)).encode()
        answer.body = gzip.compress(text) if compressed else text
    await case.give(answer)


def _kept(rule: Rule, answer: Answer) -> int:
    return len(answer.body) // 2 if rule.keep is None else rule.keep


def _blanked(members: dict[str, object], rule: Rule, index: int) -> dict[str, object]:
    return {
        name: {} if rule.chance(index, f"member {name}").random() < rule.share else value
        for name, value in members.items()
    }


def _refusal(rule: Rule) -> Answer:
    status = rule.status or HTTPStatus.SERVICE_UNAVAILABLE
    media_type, body = _content(rule, status)
    headers = {"content-type": media_type} | {name.lower(): value for name, value in rule.headers.items()}
    return Answer(status, [(name.encode(), value.encode()) for name, value in headers.items()], body)


def _content(rule: Rule, status: int) -> tuple[str, bytes]:
    if rule.body is None and status >= HTTPStatus.BAD_REQUEST:
        return "text/html", _page(status)
    if rule.body is None or isinstance(rule.body, str):
        text = rule.body or ""
        return ("text/html" if text.startswith("<") else "text/plain"), text.encode()
    return "application/json", json.dumps(rule.body).encode()


def _page(status: int) -> bytes:
    """What a proxy in front of the services says."""
    title = f"{status} {_PHRASES.get(status, 'Error')}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


_PHRASES = {entry.value: entry.phrase for entry in HTTPStatus} | {
    503: "Service Temporarily Unavailable",  # nginx's words
    504: "Gateway Time-out",
}
_WITHOUT_A_BODY = ("status", "hang")
_BREAKAGES: dict[Kind, Callable[[Case], Awaitable[None]]] = {
    "status": _status,
    "reset": _reset,
    "truncated_gzip": _truncated_gzip,
    "hang": _hang,
    "drip": _drip,
    "blank": _blank,
}
