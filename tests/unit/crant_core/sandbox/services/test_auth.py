"""The door's answers, one by one."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from crant_core.sandbox.auth import TokenAuth
from crant_core.sandbox.services import authservice
from crant_core.sandbox.state import State
from tests.unit.crant_core.sandbox.services.asgi import Http

TOKEN = "0123456789abcdef0123456789abcdef"
GOOD = {"Authorization": f"Bearer {TOKEN}"}
AUTHORIZE = "http://testserver/sticky_auth/api/v1/authorize"


@pytest.fixture
def state() -> State:
    return State(token=TOKEN, graph=None)


@pytest.fixture
def http(state) -> Http:
    async def inside(request):
        return PlainTextResponse("inside")

    app = Starlette(routes=[*authservice.ROUTES, Route("/{path:path}", inside)])
    app.state.sandbox = state
    return Http(TokenAuth(app, state))


def test_the_token_opens(http):
    assert http.get("/info/version", headers=GOOD).text == "inside"


@pytest.mark.parametrize("name", ["X-Requested-With", "Origin"])
def test_a_program_without_a_token_gets_401_no_token(http, name):
    answer = http.get("/info/version", headers={name: "x"})
    assert (answer.status_code, answer.json()) == (401, {"error": "no_token"})


def test_a_wrong_token_gets_401_with_a_challenge(http):
    answer = http.get("/info/version", headers={"Authorization": "Bearer 00"})
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_token"})
    assert answer.headers["www-authenticate"] == f'Bearer realm="{AUTHORIZE}", error="invalid_token"'


def test_another_scheme_gets_400(http):
    answer = http.get("/info/version", headers={"Authorization": f"Token {TOKEN}"})
    assert (answer.status_code, answer.json()) == (400, {"error": "bad_auth_header"})


def test_a_browser_without_a_token_is_sent_to_the_authorize_page_which_is_open(http):
    answer = http.get("/info/version?a=1")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{AUTHORIZE}?redirect=http%3A//testserver/info/version%3Fa%3D1"
    assert http.get(answer.headers["location"]).status_code == 200


def test_the_cookie_opens_for_a_browser_but_not_for_a_program(http):
    http.cookies.set("middle_auth_token", TOKEN)
    assert http.get("/info/version").text == "inside"
    assert http.get("/info/version", headers={"Origin": "x"}).status_code == 401


def test_a_wrong_cookie_leads_to_the_authorize_page(http):
    http.cookies.set("middle_auth_token", "0" * 32)
    assert http.get("/info/version").status_code == 302


def test_a_token_in_the_address_is_moved_to_a_cookie(http):
    answer = http.get(f"/info/version?a=1&middle_auth_token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (302, "http://testserver/info/version?a=1")
    assert http.get(answer.headers["location"]).text == "inside"


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/gcs/a/info",
        "/schema/api/v2/type",
        "/l2cache/api/v1/table_mapping",
        "/l2cache/api/v1/attribute_metadata",
        "/api/v2.1/dtable/app-access-token/",
        "/api2/auth-token/",
        "/api-gateway/api/v2/dtables/x/sql",
        "/dtable-server/api/v1/dtables/x/rows/",
        "/dtable-db/api/v1/query/x/",
    ],
)
def test_public_paths_need_no_token(http, path):
    assert http.get(path).text == "inside"


def test_the_rest_of_the_l2cache_is_closed(http):
    assert http.get("/l2cache/api/v1/table/t/attributes").status_code == 302


def test_a_denied_path_is_403_for_the_right_token_and_401_for_a_wrong_one(http, state):
    state.denied["/segmentation/"] = "missing_permission"
    answer = http.get("/segmentation/table/t/info", headers=GOOD)
    assert (answer.status_code, answer.json()["error"]) == (403, "missing_permission")
    assert http.get("/segmentation/table/t/info", headers={"Authorization": "Bearer 00"}).status_code == 401
    assert http.get("/info/version", headers=GOOD).status_code == 200
    state.denied.clear()
    assert http.get("/segmentation/table/t/info", headers=GOOD).status_code == 200


def test_missing_terms_name_their_form(http, state):
    state.denied["/"] = "missing_tos"
    answer = http.get("/info/version", headers=GOOD).json()
    assert answer["error"] == "missing_tos"
    assert answer["data"]["tos_form_url"] == "http://testserver/sticky_auth/api/v1/tos/1/accept"


def test_a_token_changed_at_run_time_counts_at_once(http, state):
    state.token = "f" * 32
    assert http.get("/info/version", headers=GOOD).status_code == 401
    assert http.get("/info/version", headers={"Authorization": f"Bearer {state.token}"}).status_code == 200


def test_the_pages_do_not_show_the_token(http):
    for path in ("/auth/api/v1/create_token", "/sticky_auth/settings/tokens"):
        page = http.get(path)
        assert page.status_code == 200
        assert TOKEN not in page.text


def test_the_cache_names_permissions_by_datastack(http):
    answer = http.get("/auth/api/v1/user/cache", headers=GOOD).json()
    assert (answer["id"], answer["permissions_v2"]) == (1, {"crant_demo": ["view", "edit"]})
