"""Callers who stop sending, or send a byte now and then: they are sent away, and others are served meanwhile."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI

from crant_core.jobs.model import Scope
from tests.unit.api.conftest import Caller, caller

FORM = b'--x\r\nContent-Disposition: form-data; name="ids"\r\n\r\n1'
SENDERS = {
    "/v1/jobs": ("application/json", b"{"),
    "/v1/inputs": ("text/csv", b"1"),
    "/new/skeletonize": ("multipart/form-data; boundary=x", FORM),
}


@contextmanager
def begun(live: str, who: Caller, path: str) -> Iterator[socket.socket]:
    """A request whose headers and first bytes have arrived."""
    media_type, first = SENDERS[path]
    token = who.headers["Authorization"].removeprefix("Bearer ")
    lines = (
        *(f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", f"Cookie: crant_token={token}"),
        *(f"Content-Type: {media_type}", "Content-Length: 100000", "", ""),
    )
    host, port = live.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode() + first)
        yield connection


def refused(connection: socket.socket) -> bytes:
    """What is answered, up to the end of the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:  # bytes of ours were still on their way
        pass
    answer = b"".join(parts)
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"connection: close" in answer.lower()
    return answer


@pytest.mark.parametrize("path", SENDERS)
def test_a_caller_who_stops_sending_is_sent_away(live: str, alice: Caller, path: str) -> None:
    with begun(live, alice, path) as connection:
        answer = refused(connection)
    told = answer.partition(b"\r\n\r\n")[2]
    assert b"request_timeout" in told
    if path.startswith("/v1"):
        assert json.loads(told)["code"] == "request_timeout"


@pytest.mark.parametrize("path", SENDERS)
def test_a_byte_now_and_then_is_no_sending(live: str, app: FastAPI, path: str) -> None:
    who, sent = caller(app, "slow", Scope.READ, Scope.SUBMIT), 0
    with begun(live, who, path) as connection:
        connection.settimeout(0.25)
        while sent < 100:  # more than is meant to be borne, a good deal below the length that was announced
            try:
                answer = connection.recv(65536)
                break
            except TimeoutError:
                connection.sendall(b"1")
                sent += 1
            if sent == 3:
                assert httpx.get(f"{live}/v1/me", headers=who.headers, trust_env=False).status_code == 200
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert 3 < sent < 50


def test_a_long_body_may_take_its_time_as_long_as_it_comes(live: str, alice: Caller) -> None:
    def lines() -> Iterator[bytes]:
        for _ in range(12):  # longer in all than a pause may be
            time.sleep(0.25)
            yield b"576460752303423577\n" * 5_000

    headers = alice.headers | {"Content-Type": "text/csv"}
    answer = httpx.post(f"{live}/v1/inputs", content=lines(), headers=headers, timeout=30, trust_env=False)
    assert (answer.status_code, answer.json()["count"]) == (201, 60_000)
