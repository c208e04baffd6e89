"""What API, worker and beat write into their logs at the chattiest level, while people are as careless as can be."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from crant_core.jobs.model import JobState, Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.stack.network import answers, free_port
from tests.fixtures.neurons import live_roots
from tests.fixtures.service import Service, running_service, until

BROKER, WEBHOOK, DATABASE, TYPED = "broker-5ecret", "webhook-5ecret", "database-5ecret", "crant_" + "typed-5ecret" * 3
CARELESS = ("token", "access_token", "middle_auth_token", "key")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def hook() -> Iterator[tuple[str, list[str]]]:
    """A webhook, and the paths at which it was called; it takes nothing."""
    called: list[str] = []

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            called.append(self.path)
            self.send_error(500)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", called
        server.shutdown()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(f"sqlite:///{tmp_path}/crant.sqlite") as service:
        service.broker().config_set("requirepass", BROKER)
        chatty = {"CRANT_LOG_LEVEL": "DEBUG", "CRANT_LOG_JSON": "true", "CRANT_INTERNAL_HOSTS": '["127.0.0.1"]'}
        broker = f"redis+socket://:{BROKER}@{service.socket}?virtual_host=0"
        service.environment |= chatty | {"CRANT_BROKER_URL": broker}
        yield service


def started(service: Service, **environment: str) -> str:
    """An API as somebody starts it who does not know our options: uvicorn writes its own log of requests."""
    port = free_port(0, "127.0.0.1")
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.main:create_app", "--port", str(port)]
    service._start([*command, "--log-level", "debug"], "api", environment)
    until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), service.logs)
    return f"http://127.0.0.1:{port}"


def be_careless(url: str, token: str, address: str, root: int) -> dict[str, str]:
    """Put tokens wherever people put them; returns the job and its key."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        for name in CARELESS:
            http.get("/v1/jobs", params={name: token})
            http.get(f"/{TYPED}", params={name: TYPED}, headers={"Authorization": f"Bearer {TYPED}"})
        http.get("/v1/me", headers={"Cookie": f"crant_token={TYPED}", "Referer": f"{url}/?token={TYPED}"})
        http.post("/login", data={"token": TYPED})
        http.get("/login", params={"next": f"/?token={TYPED}"})
        http.headers["Authorization"] = f"Bearer {token}"
        http.get("/v1/jobs", params={"limit": f"?token={TYPED}"})
        asked = {"kind": "l2_skeletons", "dataset": "demo", "params": {"ids": [str(root)]}}
        for bad in (f"nowhere://{WEBHOOK}", f"json://u:{WEBHOOK}@[", WEBHOOK):
            assert http.post("/v1/jobs", json=asked | {"notify": [{"url": bad}]}).status_code == 422
        job = http.post("/v1/jobs", json=asked | {"notify": [{"url": address}]}).raise_for_status().json()
        key = next(link["href"] for link in job["links"] if "~" in link["href"]).partition("~")[2].partition("/")[0]
        http.get(f"/precomputed/jobs/{job['id']}~{key}/info")
        http.get(f"/precomputed/jobs/{job['id']}~{key}/nothing")
        return {"job": job["id"], "key": key}


@pytest.mark.slow
def test_no_log_has_a_secret(service: Service, hook: tuple[str, list[str]]) -> None:
    token = TokenRepository(service.engine.database).create("alice", [Scope.READ, Scope.SUBMIT])
    address, called = hook
    service.start_worker("worker.main", 1, "--loglevel", "DEBUG")
    made = be_careless(
        started(service), token, f"json://u:{WEBHOOK}@{address}/{WEBHOOK}?+X-Key={WEBHOOK}", live_roots()[0]
    )
    job = service.ended(service.engine.jobs.get(made["job"], Viewer(owner="alice")))
    assert job.state == JobState.SUCCEEDED, service.logs()
    service.start_beat()
    until(lambda: bool(called), service.logs)
    assert WEBHOOK in called[0], "it is the secret that is looked for"
    broken = started(service, CRANT_DATABASE_URL=f"postgresql+psycopg://crant:{DATABASE}@127.0.0.1:1/crant")
    assert httpx.get(f"{broken}/readyz", trust_env=False).status_code == 503
    assert (
        httpx.get(f"{broken}/v1/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code == 503
    )
    service.stop(service.processes[1:])
    secrets = [token, made["key"], BROKER, WEBHOOK, DATABASE, TYPED, *cave_tokens(service)]
    for log in service.folder.glob("*.log"):
        found = [line for line in log.read_text().splitlines() if any(secret in line for secret in secrets)]
        assert found == [], log.name
    written = logs(service.folder, "api")
    assert "/v1/jobs" in written
    assert "uvicorn.access" not in written
    assert "unit_done" in logs(service.folder, "worker")


def cave_tokens(service: Service) -> list[str]:
    return list(json.loads(service.environment["CRANT_CAVE_TOKENS"]).values())


def logs(folder: Path, name: str) -> str:
    return "\n".join(path.read_text() for path in folder.glob(f"{name}-*.log"))
