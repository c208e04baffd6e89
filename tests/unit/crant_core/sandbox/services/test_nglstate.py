"""The state service's rarer answers; what caveclient does with it is in the contract tests."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from crant_core.sandbox.answers import Refusal, refuse
from crant_core.sandbox.links import StateStore
from crant_core.sandbox.services import nglstate
from crant_core.sandbox.state import State
from tests.unit.crant_core.sandbox.services.asgi import Http


@pytest.fixture
def http() -> Http:
    app = Starlette(routes=nglstate.ROUTES, exception_handlers={Refusal: refuse})
    app.state.sandbox = State(token="", graph=None)
    return Http(app)


def test_the_answer_is_the_address_as_a_json_string(http):
    answer = http.post("/nglstate/api/v1/post", content="{}")
    assert answer.json() == "http://testserver/nglstate/api/v1/5000000000000001"


def test_the_old_addresses_and_the_raw_ones_give_the_same_bytes(http):
    http.post("/nglstate/post", content='{"a":  1}')
    for path in ("/nglstate/", "/nglstate/raw/", "/nglstate/api/v1/", "/nglstate/api/v1/raw/"):
        assert http.get(f"{path}5000000000000001").content == b'{"a":  1}'


def test_what_is_not_json_is_400(http):
    assert http.post("/nglstate/api/v1/post", content="{").status_code == 400
    assert http.get("/nglstate/api/v1/5000000000000001").status_code == 500


def test_the_version_is_not_taken_for_a_number(http):
    assert http.get("/nglstate/api/v1/version").json() == "0.7.2"


def test_numbers_that_are_taken_are_skipped():
    store = StateStore(scenes={5_000_000_000_000_002: b"{}"})
    assert store.new_id() == 5_000_000_000_000_003
    store.properties[5_000_000_000_000_003] = b"{}"
    assert store.new_id() == 5_000_000_000_000_004
