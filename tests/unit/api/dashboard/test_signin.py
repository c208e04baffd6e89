from __future__ import annotations

import pytest
from fastapi import FastAPI

from api.dashboard.signin import same_site_path
from api.deps import COOKIE
from crant_core.jobs.model import Scope
from tests.unit.api.dashboard.conftest import Browser


@pytest.fixture
def token(app: FastAPI) -> str:
    return app.state.services.tokens.create("alice", [Scope.READ])


@pytest.mark.parametrize(
    ("path", "login"),
    [
        ("/", "/login?next=/"),
        ("/?state=running&before=7", "/login?next=/%3Fstate%3Drunning%26before%3D7"),
        ("/jobs/abc", "/login?next=/jobs/abc"),
        ("/jobs/abc/report", "/login?next=/jobs/abc/report"),
    ],
)
def test_pages_lead_strangers_to_the_sign_in(stranger: Browser, path: str, login: str) -> None:
    response = stranger.get(path)
    assert (response.status_code, response.headers["location"]) == (303, login)


def test_a_cookie_that_is_no_token_leads_to_the_sign_in(app: FastAPI) -> None:
    assert Browser(app, "crant_old").get("/").status_code == 303


def test_the_form_keeps_where_one_was_going(stranger: Browser) -> None:
    response = stranger.get("/login?next=/jobs/abc")
    assert response.status_code == 200
    assert '<input type="hidden" name="next" value="/jobs/abc">' in response.text


def test_a_good_token_signs_in(stranger: Browser, token: str) -> None:
    response = stranger("POST", "/login", data={"token": f" {token}\n", "next": "/jobs/abc"})
    assert (response.status_code, response.headers["location"]) == (303, "/jobs/abc")
    assert stranger.get("/").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(stranger: Browser, token: str) -> None:
    cookie = stranger("POST", "/login", data={"token": token}).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={token};")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"httponly", "path=/", "samesite=strict"}


def test_over_https_the_cookie_never_travels_in_the_clear(app: FastAPI, token: str) -> None:
    cookie = Browser(app, site="https://crant.test")("POST", "/login", data={"token": token}).headers["set-cookie"]
    assert "; secure" in cookie.lower()


@pytest.mark.parametrize("wrong", ["", "crant_wrong", "<b>"])
def test_a_wrong_token_gives_the_form_again(stranger: Browser, wrong: str) -> None:
    response = stranger("POST", "/login", data={"token": wrong, "next": "/jobs/abc"})
    assert response.status_code == 401
    assert "That token was not accepted" in response.text
    assert 'value="/jobs/abc"' in response.text
    assert "set-cookie" not in response.headers
    assert "<b>" not in response.text


@pytest.mark.parametrize(
    "target",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "\\\\evil.test", "javascript:alert(1)", "/\t/evil.test", "",
     "jobs"],
)  # fmt: skip
def test_signing_in_never_leads_elsewhere(stranger: Browser, token: str, target: str) -> None:
    response = stranger("POST", "/login", data={"token": token, "next": target})
    assert response.headers["location"] == "/"
    assert 'name="next" value="/"' in stranger.get("/login", params={"next": target}).text


def test_paths_of_this_site_are_kept() -> None:
    assert same_site_path("/?state=failed&before=3") == "/?state=failed&before=3"


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_forms_of_other_sites_are_refused(stranger: Browser, token: str, path: str) -> None:
    response = stranger("POST", path, data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


def test_signing_out_forgets_the_token(alice: Browser) -> None:
    assert alice.get("/").status_code == 200
    response = alice("POST", "/logout")
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert f'{COOKIE}=""; ' in response.headers["set-cookie"]
    assert "Max-Age=0" in response.headers["set-cookie"]


def test_a_token_that_may_not_read_gets_a_page_that_says_so(app: FastAPI) -> None:
    token = app.state.services.tokens.create("writer", [Scope.SUBMIT])
    response = Browser(app, token).get("/")
    assert response.status_code == 403
    assert "ask for a token with the scope read" in response.text
    assert 'href="/login"' in response.text
