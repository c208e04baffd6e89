"""Faults on the wire, as the real requests and caveclient's own retrying session see them; the log has the attempts."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import requests
import uvicorn
from caveclient.session_config import _patch_session
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox.faults.controller import Controller
from crant_core.sandbox.faults.log import Entry
from crant_core.sandbox.faults.middleware import Faults
from crant_core.sandbox.faults.routes import ROUTES

LEAVES = {"leaf_ids": list(range(72_057_594_037_927_937, 72_057_594_037_927_937 + 200))}
ROOTS = "/segmentation/api/v1/table/t/roots_binary"
NODE = "/segmentation/api/v1/table/t/node/864691135/leaves"
L2 = "/l2cache/api/v1/table/t/attributes"


async def _leaves(request: Request) -> Response:
    return JSONResponse(LEAVES)


async def _echo(request: Request) -> Response:
    return Response(await request.body())


async def _zipped(request: Request) -> Response:
    body = gzip.compress(json.dumps({str(n): {"size_nm3": n} for n in range(100)}).encode())
    return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})


async def _nothing(request: Request) -> Response:
    return Response()


async def _bug(request: Request) -> Response:
    raise ZeroDivisionError


@dataclass
class Service:
    """The running application and its operator's door."""

    url: str
    controller: Controller

    def break_(self, **rule: object) -> list[int]:
        answer = requests.post(f"{self.url}/_sandbox/fault", json=rule, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()["ids"]

    def log(self, **query: object) -> dict:
        return requests.get(f"{self.url}/_sandbox/log", params=query, timeout=5).json()

    def wait_for_entries(self, number: int) -> list[Entry]:
        """The server notices a client that left a little later than the client does."""
        end = time.monotonic() + 5
        while len(self.controller.log.entries()) < number and time.monotonic() < end:
            time.sleep(0.005)
        return self.controller.log.entries()


@pytest.fixture(scope="module", params=["httptools", "h11"])
def running(request) -> Iterator[Service]:
    controller = Controller()
    app = Starlette(
        routes=[
            Route(NODE, _leaves),
            Route(ROOTS, _echo, methods=["POST"]),
            Route(L2, _zipped, methods=["POST"]),
            Route("/empty", _nothing),
            Route("/bug", _bug),
            Route("/healthz", _nothing),
            *ROUTES,
        ],
        middleware=[Middleware(Faults, controller=controller)],
    )
    app.state.sandbox = SimpleNamespace(faults=controller)
    app.router.redirect_slashes = False
    config = uvicorn.Config(app, http=request.param, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        yield Service(f"http://127.0.0.1:{listening.getsockname()[1]}", controller)
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def service(running) -> Service:
    running.controller.clear()
    running.controller.log.clear()
    return running


@pytest.fixture
def plain() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def cave() -> Iterator[requests.Session]:
    """A session that retries as every caveclient does."""
    with requests.Session() as session:
        _patch_session(session)
        yield session


def _statuses(service: Service) -> list[int | None]:
    return [entry.status for entry in service.controller.log.entries()]


class TestRetries:
    def test_503_twice_is_retried_twice_and_the_log_shows_three_attempts_of_one_call(self, service, cave):
        service.break_(name="flaky", path="/roots_binary", status=503, times=2)
        answer = cave.post(service.url + ROOTS, data=b"12345678", timeout=5)
        assert answer.content == b"12345678"
        entries = service.controller.log.entries()
        assert [(entry.status, entry.fault) for entry in entries] == [(503, "flaky"), (503, "flaky"), (200, None)]
        assert len({entry.key for entry in entries}) == 1

    def test_after_four_attempts_the_client_gives_up(self, service, cave):
        service.break_(path="/leaves", status=502)
        assert cave.get(service.url + NODE, timeout=5).status_code == 502
        assert _statuses(service) == [502] * 4

    def test_429_without_retry_after_is_not_retried(self, service, cave):
        service.break_(path="/leaves", status=429, times=1)
        assert cave.get(service.url + NODE, timeout=5).status_code == 429
        assert _statuses(service) == [429]

    def test_429_with_retry_after_is_retried(self, service, cave):
        service.break_(path="/leaves", status=429, times=1, headers={"Retry-After": "0"})
        assert cave.get(service.url + NODE, timeout=5).json() == LEAVES
        assert _statuses(service) == [429, 200]

    def test_500_is_not_retried(self, service, cave):
        service.break_(path="/leaves", status=500, times=1)
        assert cave.get(service.url + NODE, timeout=5).status_code == 500
        assert _statuses(service) == [500]

    def test_only_the_broken_call_among_others_is_attempted_twice(self, service, cave):
        service.break_(path="/roots_binary", status=503, after=1, times=1)
        for body in (b"aaaaaaaa", b"bbbbbbbb", b"cccccccc"):
            cave.post(service.url + ROOTS, data=body, timeout=5)
        keys = [entry.key for entry in service.controller.log.entries()]
        assert len(keys) == 4
        assert keys[1] == keys[2]
        assert len(set(keys)) == 3

    def test_a_reset_in_the_body_is_not_retried_by_the_client(self, service, cave):
        service.break_(path="/leaves", kind="reset", times=1)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            cave.get(service.url + NODE, timeout=5)
        assert _statuses(service) == [200]


class TestBreakages:
    def test_a_reset_ends_the_connection_in_the_middle_of_the_announced_body(self, service, plain):
        service.break_(path="/leaves", kind="reset", keep=10)
        answer = plain.get(service.url + NODE, stream=True, timeout=5)
        whole = len(json.dumps(LEAVES, separators=(",", ":")))
        assert int(answer.headers["Content-Length"]) == whole
        assert answer.raw.read(10) == b'{"leaf_ids'
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match=f"10 bytes read, {whole - 10} more"):
            _ = answer.content
        assert service.wait_for_entries(1)[0].bytes_out == 10

    def test_an_answer_without_a_body_is_reset_too(self, service, plain):
        service.break_(path="/empty", kind="reset")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            plain.get(service.url + "/empty", timeout=5)

    def test_the_next_request_after_a_reset_finds_the_service_well(self, service, plain):
        service.break_(path="/leaves", kind="reset", times=1)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            plain.get(service.url + NODE, timeout=5)
        assert plain.get(service.url + NODE, timeout=5).json() == LEAVES

    def test_requests_does_not_notice_a_truncated_gzip_but_the_json_is_cut(self, service, plain):
        """Nothing in urllib3 checks that the stream ends: raw ids would just be fewer."""
        service.break_(path="/leaves", kind="truncated_gzip")
        answer = plain.get(service.url + NODE, timeout=5)
        assert answer.status_code == 200
        assert 0 < len(answer.content) < len(json.dumps(LEAVES, separators=(",", ":")))
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()

    def test_an_answer_that_was_compressed_is_not_compressed_again_before_it_is_truncated(self, service, plain):
        service.break_(path="/l2cache", kind="truncated_gzip", keep=60)
        answer = plain.post(service.url + L2, timeout=5)
        assert answer.headers["Content-Length"] == "60"
        assert answer.content.startswith(b'{"0": {')

    def test_a_hanging_request_ends_with_the_client_and_leaves_no_status(self, service, plain):
        service.break_(name="stuck", path="/roots_binary", kind="hang")
        with pytest.raises(requests.exceptions.ReadTimeout):
            plain.post(service.url + ROOTS, data=b"12345678", timeout=0.1)
        (entry,) = service.wait_for_entries(1)
        assert (entry.status, entry.fault, entry.bytes_in) == (None, "stuck", 8)
        assert entry.milliseconds < 2000

    def test_a_hanging_get_ends_with_the_client(self, service, plain):
        service.break_(path="/leaves", kind="hang")
        with pytest.raises(requests.exceptions.ReadTimeout):
            plain.get(service.url + NODE, timeout=0.1)
        assert service.wait_for_entries(1)[0].milliseconds < 2000

    def test_a_hanging_request_is_cut_by_the_proxy_at_its_bound(self, service, plain):
        service.break_(path="/leaves", kind="hang", bound=0.1)
        answer = plain.get(service.url + NODE, timeout=5)
        assert answer.status_code == 504
        assert answer.elapsed.total_seconds() >= 0.1
        assert answer.text.startswith("<html>")

    def test_others_are_served_while_one_request_hangs(self, service, plain):
        service.break_(path="/leaves", kind="hang", bound=3)
        hung = threading.Thread(target=requests.get, args=(service.url + NODE,), kwargs={"timeout": 5})
        hung.start()
        assert plain.post(service.url + ROOTS, data=b"12345678", timeout=5).content == b"12345678"
        assert hung.is_alive()
        hung.join()

    def test_a_dripping_answer_outlives_a_read_timeout_shorter_than_it(self, service, plain):
        size = len(json.dumps(LEAVES, separators=(",", ":")))
        service.break_(path="/leaves", kind="drip", bytes_per_second=size / 0.5)
        begin = time.monotonic()
        assert plain.get(service.url + NODE, timeout=0.3).json() == LEAVES
        assert time.monotonic() - begin > 0.45  # longer than the patience for silence

    def test_a_drip_stops_when_the_client_leaves(self, service, plain):
        service.break_(path="/roots_binary", kind="drip", bytes_per_second=100)
        answer = plain.post(service.url + ROOTS, data=b"x" * 10_000, stream=True, timeout=5)
        answer.close()
        (entry,) = service.wait_for_entries(1)
        assert entry.bytes_out < 1000

    def test_blank_members_are_empty_and_the_same_in_every_answer(self, service, plain):
        service.break_(path="/l2cache", kind="blank", share=0.2)
        first, second = (plain.post(service.url + L2, timeout=5).json() for _ in range(2))
        assert first == second
        assert list(first) == [str(n) for n in range(100)]
        empty = [name for name, values in first.items() if values == {}]
        assert 5 < len(empty) < 40
        assert all(first[name] == {"size_nm3": int(name)} for name in first if name not in empty)

    def test_a_head_is_answered_whole_by_a_rule_about_bodies(self, service, plain):
        service.break_(path="/leaves", kind="drip", bytes_per_second=1)
        answer = plain.head(service.url + NODE, timeout=5)
        assert int(answer.headers["Content-Length"]) == len(json.dumps(LEAVES, separators=(",", ":")))

    def test_headers_and_body_of_a_refusal_are_the_rules(self, service, plain):
        body = {"error": "missing_permission"}
        service.break_(path="/leaves", status=403, headers={"X-Why": "test"}, body=body)
        answer = plain.get(service.url + NODE, timeout=5)
        assert (answer.status_code, answer.json(), answer.headers["X-Why"]) == (403, body, "test")
        assert answer.headers["Content-Type"] == "application/json"

    def test_a_refusal_without_a_body_is_a_proxys_html_page(self, service, plain):
        service.break_(path="/leaves", status=502)
        answer = plain.get(service.url + NODE, timeout=5)
        assert answer.headers["Content-Type"] == "text/html"
        assert "<h1>502 Bad Gateway</h1>" in answer.text

    def test_a_delay_delays_and_is_logged_as_the_rules_time(self, service, plain):
        service.break_(path="/leaves", delay=0.15)
        assert plain.get(service.url + NODE, timeout=5).elapsed.total_seconds() >= 0.15
        (entry,) = service.wait_for_entries(1)
        assert (entry.fault, entry.delayed) == (None, 150)
        assert entry.milliseconds >= 150


class TestLog:
    def test_each_request_is_logged_with_sizes_and_query(self, service, plain):
        plain.post(service.url + ROOTS, data=b"12345678", params={"timestamp": "1.5"}, timeout=5)
        service.wait_for_entries(1)
        (entry,) = service.log()["entries"]
        assert (entry["method"], entry["path"], entry["query"]) == ("POST", ROOTS, "timestamp=1.5")
        assert (entry["status"], entry["bytes_in"], entry["bytes_out"], entry["fault"]) == (200, 8, 8, None)
        assert entry["time"].endswith("+00:00")

    def test_counts_are_per_endpoint_and_entries_are_narrowed_by_path_and_since(self, service, plain):
        for _ in range(2):
            plain.get(service.url + NODE, timeout=5)
        plain.get(service.url + "/empty", timeout=5)
        last = service.wait_for_entries(3)[-1].sequence
        answer = service.log(path="/leaves")
        assert answer["counts"]["/segmentation/api/v1/table/t/node/{id}/leaves"]["statuses"] == {"200": 2}
        assert [entry["path"] for entry in answer["entries"]] == [NODE, NODE]
        assert answer["last"] == last
        assert [entry["path"] for entry in service.log(since=last - 1)["entries"]] == ["/empty"]

    def test_health_and_the_operators_door_are_neither_broken_nor_logged(self, service, plain):
        service.break_(status=503)
        assert plain.get(service.url + "/healthz", timeout=5).status_code == 200
        assert service.log()["entries"] == []

    def test_an_error_of_the_application_is_logged_as_the_500_it_becomes(self, service, plain):
        assert plain.get(service.url + "/bug", timeout=5).status_code == 500
        assert service.wait_for_entries(1)[0].status == 500

    def test_a_cleared_log_is_empty(self, service, plain):
        plain.get(service.url + "/empty", timeout=5)
        service.wait_for_entries(1)
        requests.delete(f"{service.url}/_sandbox/log", timeout=5)
        assert service.log()["entries"] == []

    def test_a_wrong_since_is_422(self, service):
        assert requests.get(f"{service.url}/_sandbox/log?since=x", timeout=5).status_code == 422


class TestOperator:
    def test_rules_are_listed_with_what_they_met_and_removed_by_number(self, service, plain):
        (number,) = service.break_(path="/leaves", status=503, times=1)
        for _ in range(2):
            plain.get(service.url + NODE, timeout=5)
        listed = requests.get(f"{service.url}/_sandbox/fault", timeout=5).json()["rules"]
        rule = {"path": "/leaves", "status": 503, "times": 1}
        assert listed == [{"id": number, "rule": rule, "met": 2, "applied": 1}]
        assert requests.delete(f"{service.url}/_sandbox/fault/{number}", timeout=5).status_code == 200
        assert requests.delete(f"{service.url}/_sandbox/fault/{number}", timeout=5).status_code == 404

    def test_a_list_of_rules_is_taken_whole(self, service):
        rules = [{"path": "/a", "status": 503}, {"path": "/b", "delay": 1}]
        assert requests.post(f"{service.url}/_sandbox/fault", json=rules, timeout=5).json() == {"ids": [0, 1]}

    @pytest.mark.parametrize(
        ("payload", "complaint"),
        [
            (b"{", "Invalid JSON"),
            (b'{"path": "/a"}', "it does nothing"),
            (b'{"status": 999}', "less than or equal to 599"),
            (b'{"status": 503, "pattern": "("}', "regular expression"),
            (b'{"status": 503, "colour": "red"}', "Extra inputs"),
            (b'{"kind": "explode"}', "Input should be"),
            (b'{"status": 503, "headers": {"X": "a\\nb"}}', "String should match"),
        ],
    )
    def test_a_wrong_rule_is_422_with_what_is_wrong_and_changes_nothing(self, service, payload, complaint):
        answer = requests.post(f"{service.url}/_sandbox/fault", data=payload, timeout=5)
        assert answer.status_code == 422
        assert complaint in answer.json()["detail"][0]["msg"]
        assert requests.get(f"{service.url}/_sandbox/fault", timeout=5).json()["rules"] == []

    def test_a_list_with_one_wrong_rule_is_refused_whole(self, service):
        rules = [{"status": 503}, {"path": "/b"}]
        answer = requests.post(f"{service.url}/_sandbox/fault", json=rules, timeout=5)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][0] == 1
        assert requests.get(f"{service.url}/_sandbox/fault", timeout=5).json()["rules"] == []

    def test_a_profile_replaces_what_was_in_force(self, service):
        service.break_(status=503)
        choice = {"name": "truncate", "seed": 3, "scale": 0.01}
        assert requests.post(f"{service.url}/_sandbox/profile", json=choice, timeout=5).json() == {"ids": []}
        listed = requests.get(f"{service.url}/_sandbox/fault", timeout=5).json()
        assert listed == {"profile": "truncate", "row_limit": 1000, "edit_every": None, "rules": []}
        requests.delete(f"{service.url}/_sandbox/fault", timeout=5)
        assert requests.get(f"{service.url}/_sandbox/fault", timeout=5).json()["profile"] == "fast"

    def test_an_unknown_profile_is_422_and_names_those_there_are(self, service):
        answer = requests.post(f"{service.url}/_sandbox/profile", json={"name": "sunny"}, timeout=5)
        assert answer.status_code == 422
        assert "fast, realistic, bad_day" in answer.json()["detail"][0]["msg"]
