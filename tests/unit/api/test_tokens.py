"""Who may do what, how often, and that secrets stay secret."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from fastapi import FastAPI

from api.limits import RateLimit
from crant_core.errors import RateLimited
from crant_core.jobs.logs import configure
from crant_core.jobs.model import Scope
from tests.engine import ROOT
from tests.unit.api.conftest import Caller, caller
from tests.unit.api.test_jobs import problem


def test_administrators_make_tokens_which_are_shown_once(app: FastAPI, alice: Caller) -> None:
    admin = caller(app, "root", Scope.ADMIN)
    made = admin("POST", "/v1/tokens", json={"owner": "carol", "scopes": ["read"], "days": 30, "label": "laptop"})
    assert made.status_code == 201
    carol = Caller(app, made.json()["token"])
    assert carol("GET", "/v1/me").json() == {"owner": "carol", "scopes": ["read"]}
    [listed] = carol("GET", "/v1/tokens").json()
    assert (listed["id"], listed["label"], listed["scopes"]) == (made.json()["id"], "laptop", ["read"])
    assert made.json()["token"] not in admin("GET", "/v1/tokens").text
    left = datetime.fromisoformat(listed["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    assert datetime.now(UTC) - datetime.fromisoformat(listed["last_used_at"]) < timedelta(minutes=5)
    problem(alice("POST", "/v1/tokens", json={"owner": "alice", "scopes": ["admin"]}), 403, "access_denied")


def test_a_revoked_token_is_worth_nothing(app: FastAPI, alice: Caller, bob: Caller) -> None:
    [mine] = alice("GET", "/v1/tokens").json()
    problem(bob("DELETE", f"/v1/tokens/{mine['id']}"), 404, "not_found")
    assert alice("DELETE", f"/v1/tokens/{mine['id']}").status_code == 204
    problem(alice("GET", "/v1/me"), 401, "token_invalid")
    assert len(caller(app, "root", Scope.ADMIN)("GET", "/v1/tokens").json()) == 2


def test_a_lab_may_let_everybody_read_and_nobody_else_change(app: FastAPI, alice: Caller, bob: Caller) -> None:
    job = alice.submit(ROOT).json()["id"]
    services = app.state.services
    services.settings = services.settings.model_copy(update={"lab_read": True})
    assert bob("GET", f"/v1/jobs/{job}").status_code == 200
    assert [found["id"] for found in bob("GET", "/v1/jobs").json()["jobs"]] == [job]
    problem(bob("POST", f"/v1/jobs/{job}/cancel"), 404, "not_found")
    problem(bob.submit(ROOT, after=[job]), 422, "invalid_input")


def test_a_token_that_asks_too_often_is_told_when_to_come_back(app: FastAPI, alice: Caller, bob: Caller) -> None:
    app.state.services.limits = RateLimit(3)
    assert [alice("GET", "/v1/me").status_code for _ in range(3)] == [200] * 3
    refused = alice("GET", "/v1/me")
    problem(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert bob("GET", "/v1/me").status_code == 200


def test_the_bucket_fills_again() -> None:
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    for _ in range(60):
        limit.count("a")
    with pytest.raises(RateLimited) as refused:
        limit.count("a")
    assert refused.value.value == 1
    now[0] += 1
    limit.count("a")
    with pytest.raises(RateLimited):
        limit.count("a")
    now[0] += 3600
    for _ in range(60):
        limit.count("a")
    with pytest.raises(RateLimited):
        limit.count("a")
    for _ in range(100):
        RateLimit(0).count("a")


def test_no_log_line_has_a_token(app: FastAPI, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    configure(app.state.services.settings.model_copy(update={"log_level": "DEBUG"}))
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(written))
    monkeypatch.setattr(app.state.services.jobs, "recent", lambda *_, **__: 1 / 0)
    token = alice.headers["Authorization"].removeprefix("Bearer ")
    problem(alice("GET", f"/v1/jobs?token={token}", headers={"Cookie": f"crant_token={token}"}), 500, "internal")
    configure(app.state.services.settings)
    assert "request_failed" in written.getvalue()
    assert token not in written.getvalue()


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "..%5c..%5cx", "%00", "a" * 3000, "%ff"])
def test_paths_lead_nowhere(alice: Caller, name: str) -> None:
    job = alice.submit(ROOT).json()["id"]
    for path in (f"/v1/jobs/{job}/artifacts/{name}", f"/v1/jobs/{name}", f"/static/{name}", f"/v1/inputs/{name}"):
        assert alice("GET", path).status_code in (404, 422), path
