"""People who come with the token that they have for CAVE; its login service is the offline CAVE's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from caveclient.auth import AuthClient
from caveclient.skeletonservice import SkeletonClient
from fastapi import FastAPI

from api.cave import CaveLogin
from api.main import create_app
from crant_core.errors import AccessDenied, SourceUnavailable, TokenInvalid
from crant_core.jobs.database import Database
from crant_core.jobs.model import Scope
from crant_core.jobs.settings import Settings
from tests.engine import ROOT
from tests.fixtures.sandbox import Sandbox
from tests.unit.api.conftest import DEMO, Caller, caller
from tests.unit.api.dashboard.conftest import Browser
from tests.unit.api.test_jobs import problem

MEMBERS = {"sandbox": [Scope.READ, Scope.SUBMIT]}
WHO = "user@sandbox.invalid"


@pytest.fixture
def app(sqlite: Database, sqlite_url: str, tmp_path: Path, sandbox: Sandbox) -> Iterator[FastAPI]:
    settings = Settings(
        database_url=sqlite_url,
        broker_url="memory://",
        artifacts_url=f"file://{tmp_path}/artifacts",
        datasets=[DEMO],
        log_level="CRITICAL",
        middle_auth_url=f"{sandbox.url}/auth/",
        middle_auth_scopes=MEMBERS,
    )
    app = create_app(settings)
    yield app
    app.state.services.close()


def test_a_token_of_cave_is_its_accounts_and_allows_what_its_groups_do(app: FastAPI, sandbox: Sandbox) -> None:
    member = Caller(app, sandbox.token)
    assert member("GET", "/v1/me").json() == {"owner": WHO, "scopes": ["read", "submit"]}
    job = member.submit(ROOT).json()
    assert job["owner"] == WHO
    assert member("POST", f"/v1/jobs/{job['id']}/cancel").status_code == 200
    problem(member("POST", "/v1/tokens", json={"owner": "x"}), 403, "access_denied")
    problem(caller(app, "bob", Scope.READ)("GET", f"/v1/jobs/{job['id']}"), 404, "not_found")


def test_tokens_of_ours_stay_good_and_wrong_ones_of_either_sort_are_refused(app: FastAPI) -> None:
    assert caller(app, "bob", Scope.READ)("GET", "/v1/me").json()["owner"] == "bob"
    for wrong in ("crant_wrong", "0" * 32, "ü".encode().hex()):
        problem(Caller(app, wrong)("GET", "/v1/me"), 401, "token_invalid")


def test_people_sign_in_with_it(app: FastAPI, sandbox: Sandbox) -> None:
    browser = Browser(app)
    assert browser("POST", "/login", data={"token": sandbox.token}).status_code == 303
    assert WHO in browser.get("/").text


def test_caveclients_skeletons_come_with_the_token_that_it_has_already(live: str, sandbox: Sandbox) -> None:
    skeletons = SkeletonClient(live, DEMO.datastack, AuthClient(token=sandbox.token))
    assert skeletons.skeletons_exist(root_ids=[ROOT], log_warning=False) is False


@pytest.mark.parametrize("scopes", [{}, {"others": [Scope.ADMIN]}])
def test_an_account_in_no_group_that_is_let_in_is_told_so(
    sandbox: Sandbox, scopes: dict[str, list[Scope]], app: FastAPI
) -> None:
    app.state.services.cave = CaveLogin(f"{sandbox.url}/auth", scopes)
    problem(Caller(app, sandbox.token)("GET", "/v1/me"), 403, "access_denied")
    assert "in no group" in Browser(app)("POST", "/login", data={"token": sandbox.token}).text


def test_everybody_with_an_account_can_be_let_in(sandbox: Sandbox) -> None:
    assert CaveLogin(f"{sandbox.url}/auth", {"*": [Scope.READ]}).identify(sandbox.token).scopes == {Scope.READ}


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], httpx.Response]) -> list[str]:
    asked: list[str] = []

    def get(url: str, **_: object) -> httpx.Response:
        asked.append(url)
        return answer()

    monkeypatch.setattr("api.cave.httpx.get", get)
    return asked


def test_cave_is_asked_once_in_five_minutes_and_about_a_wrong_token_twice_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    login = CaveLogin("http://cave/auth", MEMBERS, clock=lambda: now[0])
    asked = answering(monkeypatch, lambda: httpx.Response(200, json={"email": "A@b.org", "groups": ["sandbox"]}))
    assert {login.identify("token").owner for _ in range(3)} == {"a@b.org"}
    now[0] = 299
    login.identify("token")
    assert asked == ["http://cave/auth/api/v1/user/cache"]
    answering(monkeypatch, lambda: httpx.Response(401, json={"error": "invalid_token"}))
    now[0] = 301
    for _ in range(3):
        with pytest.raises(TokenInvalid):
            login.identify("token")
    asked = answering(monkeypatch, lambda: httpx.Response(302, headers={"Location": "http://cave/sign-in"}))
    now[0] = 330
    with pytest.raises(TokenInvalid):
        login.identify("token")
    assert asked == []
    now[0] = 332
    with pytest.raises(TokenInvalid):
        login.identify("token")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "body", ['{"groups": ["sandbox"]}', '{"email": 7}', '["x"]', "<html>", '{"email": "' + "a" * 129 + '"}']
)
def test_an_answer_that_names_nobody_lets_nobody_in(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    answering(monkeypatch, lambda: httpx.Response(200, text=body))
    with pytest.raises(TokenInvalid):
        CaveLogin("http://cave/auth", {"*": [Scope.ADMIN]}).identify("token")


def test_where_cave_is_down_that_is_said_and_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    login = CaveLogin("http://127.0.0.1:9/auth", MEMBERS)
    with pytest.raises(SourceUnavailable, match="no answer"):
        login.identify("token")
    answering(monkeypatch, lambda: httpx.Response(503, text="<html>"))
    with pytest.raises(SourceUnavailable, match="503"):
        login.identify("token")
    answering(monkeypatch, lambda: httpx.Response(200, json={"email": "a@b.org", "groups": []}))
    with pytest.raises(AccessDenied):
        login.identify("token")
