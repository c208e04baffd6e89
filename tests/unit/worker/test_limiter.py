"""The limiter that all workers share, on a real Redis; time is the test's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from crant_core.sources import limits
from crant_core.sources.sessions import BoundedSession
from worker.limiter import RedisLimiter, of_broker

CAVE = "cave.test"


class Office:
    """Workers with a clock in common, whose sleep moves it."""

    def __init__(self, socket: str) -> None:
        self.client = redis.Redis(unix_socket_path=socket)
        self.client.flushall()
        self.moment = 1000.0
        self.workers = [RedisLimiter(self.client, clock=lambda: self.moment, sleep=self.sleep) for _ in range(3)]

    def sleep(self, seconds: float) -> None:
        self.moment += seconds

    def seconds_for(self, requests: int) -> float:
        """How long it takes all workers together to send so many requests."""
        began = self.moment
        for number in range(requests):
            self.workers[number % 3].wait(CAVE)
        return self.moment - began

    def steady(self, rate: int) -> None:
        """Send so many requests per second for some seconds."""
        for _ in range(3 * rate):
            self.workers[0].wait(CAVE)
            self.moment += 1 / rate


@pytest.fixture
def office(server: str) -> Iterator[Office]:
    office = Office(server)
    yield office
    office.client.close()


def test_nothing_is_held_back_before_a_server_complains(office: Office) -> None:
    assert office.seconds_for(500) == 0
    office.workers[0].report(CAVE, 200, None)
    office.workers[0].report(CAVE, 500, None)
    assert office.seconds_for(500) == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_complaint_to_one_halves_the_rate_of_all(office: Office, status: int) -> None:
    office.steady(20)
    office.workers[1].report(CAVE, status, None)
    assert office.seconds_for(50) == pytest.approx(5, rel=0.1)
    office.workers[2].report(CAVE, status, None)
    assert office.seconds_for(25) == pytest.approx(5, rel=0.15)


def test_a_burst_of_complaints_is_one(office: Office) -> None:
    office.steady(20)
    for worker in office.workers:
        worker.report(CAVE, 429, None)
    assert office.seconds_for(50) == pytest.approx(5, rel=0.1)


def test_a_server_is_left_alone_for_as_long_as_it_wants(office: Office) -> None:
    office.steady(20)
    office.workers[0].report(CAVE, 503, 30.0)
    assert office.seconds_for(1) >= 30


def test_the_rate_recovers_slowly(office: Office) -> None:
    office.steady(20)
    office.workers[0].report(CAVE, 429, None)
    office.moment += 100
    office.seconds_for(30)  # what has piled up meanwhile
    assert office.seconds_for(100) == pytest.approx(5, rel=0.15), "ten in a second more after a hundred seconds"


def test_servers_are_apart(office: Office) -> None:
    office.steady(20)
    office.workers[0].report("other.test", 429, 60.0)
    assert office.seconds_for(100) == 0


def test_without_redis_work_goes_on(tmp_path: Path) -> None:
    nobody = of_broker(f"redis+socket://{tmp_path}/none.sock?virtual_host=0")
    assert nobody is not None
    nobody.wait(CAVE)
    nobody.report(CAVE, 429, 5.0)


def test_only_a_redis_can_share(server: str) -> None:
    assert of_broker("memory://") is None
    assert of_broker("redis://localhost:6379/0") is not None


def test_every_request_of_the_sources_asks_and_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []

    class Listening:
        def wait(self, server: str) -> None:
            heard.append(server)

        def report(self, server: str, status: int, retry_after: float | None) -> None:
            heard.append((server, status, retry_after))

    def answer(_: object, request: requests.PreparedRequest, **__: object) -> requests.Response:
        response = requests.Response()
        response.request = request
        response.status_code, response.headers["Retry-After"], response._content = 429, "7", b""
        return response

    monkeypatch.setattr(limits, "_installed", [Listening()])
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answer)
    monkeypatch.setattr("crant_core.sources.sessions.read_within", lambda response, seconds: 0)
    monkeypatch.setattr("crant_core.sources.sessions.check_complete", lambda response, size: None)
    BoundedSession().get("https://cave.test/x")
    assert heard == ["cave.test", ("cave.test", 429, 7.0)]
