from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from api.routes import events as events_module
from crant_core.errors import MeshNotFound
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.recording import StoredFile
from crant_core.kinds.skeletonize.spec import SkeletonizeOptions
from tests.engine import ALICE, ROOT, Engine, an_outcome
from tests.unit.api.conftest import DEMO, Caller, caller

BIG = 2**63 - 1


def problem(response: object, status: int, code: str) -> dict[str, object]:
    """Check the one shape every error has, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:crant:problem:{code}")
    assert body["title"]
    assert body["detail"]
    return body


def test_a_submission_is_accepted_with_the_way_to_it(alice: Caller, engine: Engine) -> None:
    response = alice.submit(str(BIG), ROOT, at="mat_3", label="first", priority=2)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    expected = {"state": "planning", "given": 2, "at": "mat_3", "label": "first", "owner": "alice"}
    assert {name: job[name] for name in expected} == expected
    assert job["params"] == SkeletonizeOptions().model_dump()
    links = {link["rel"]: link["href"] for link in job["links"]}
    assert links["monitor"] == f"http://flower.test/tasks?name=skeletonize%20{job['id']}"
    assert alice("GET", links["self"]).json() == job
    assert engine.jobs.input_ids(engine.jobs.get(job["id"], ALICE)) == [BIG, ROOT]


@pytest.mark.parametrize("number", [2**53 + 1, BIG])
def test_ids_written_as_json_numbers_are_read_exactly(alice: Caller, engine: Engine, number: int) -> None:
    body = f'{{"kind": "skeletonize", "dataset": "demo", "params": {{"ids": [{number}]}}}}'
    response = alice("POST", "/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    job = engine.jobs.get(response.json()["id"], ALICE)
    assert engine.jobs.input_ids(job) == [number]


@pytest.mark.parametrize("bad", [0, -5, 2**63, 5.764e17, "1.5", "", True, None, "abc"])
def test_what_is_no_id_is_refused_and_nothing_is_stored(alice: Caller, bad: object) -> None:
    body = problem(alice.submit(str(ROOT), bad), 422, "invalid_id")
    assert "params.ids.1" in body["detail"]
    assert "string" in body["hint"]
    assert alice("GET", "/v1/jobs").json()["jobs"] == []


def test_a_number_of_thousands_of_digits_is_refused(alice: Caller) -> None:
    content = '{"kind": "skeletonize", "dataset": "demo", "params": {"ids": [1' + "0" * 5000 + "]}}"
    response = alice("POST", "/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    problem(response, 400, "bad_request")


@pytest.mark.parametrize(
    ("change", "status", "code", "told"),
    [
        ({"kind": "skeletonise"}, 422, "unknown_kind", "skeletonize"),
        ({"dataset": "demos"}, 422, "unknown_dataset", "demo"),
        ({"at": "yesterday"}, 422, "invalid_time", "ISO"),
        ({"at": "2999-01-01"}, 422, "invalid_time", "to come"),
        ({"labels": "x"}, 422, "invalid_input", "labels"),
        ({"label": "x" * 201}, 422, "invalid_input", "label"),
        ({"priority": 11}, 422, "invalid_input", "priority"),
        ({"params": {"waves": 0}}, 422, "invalid_parameters", "params.waves"),
        ({"params": {"wave": 1}}, 422, "invalid_parameters", "params.wave"),
        ({"params": {"ids": []}}, 422, "invalid_parameters", "params.ids"),
        ({"params": {"ids": "5"}}, 422, "invalid_parameters", "params.ids"),
        ({"params": {"ids": ["1"] * 100_001}}, 413, "too_many_ids", "100001"),
    ],
)
def test_bad_input_is_told_what_was_wrong(
    alice: Caller, change: dict[str, object], status: int, code: str, told: str
) -> None:
    body = problem(alice.submit(str(ROOT), **change), status, code)
    assert told in f"{body['detail']} {body.get('hint')} {body.get('value')}"
    assert alice("GET", "/v1/jobs").json()["jobs"] == []


def test_100_000_ids_are_accepted_inline(alice: Caller) -> None:
    ids = [str(ROOT + n) for n in range(100_000)]
    response = alice.submit(*ids)
    assert response.status_code == 202
    assert response.json()["given"] == 100_000


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json"}, {"Transfer-Encoding": "chunked"}])
def test_a_body_that_is_too_large_is_refused(alice: Caller, headers: dict[str, str]) -> None:
    async def body() -> object:
        for _ in range(9):
            yield b" " * 2**20

    problem(alice("POST", "/v1/jobs", content=body(), headers=headers), 413, "request_entity_too_large")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"x"', "\xff"])
def test_what_is_no_json_object_is_refused(alice: Caller, content: str) -> None:
    response = alice(
        "POST", "/v1/jobs", content=content.encode("latin-1"), headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 422)
    assert response.json()["code"]


def test_the_same_key_is_the_same_job(alice: Caller, bob: Caller) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = alice.submit(ROOT, headers=key), alice.submit(ROOT, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotent-replay"] == "true"
    problem(alice.submit(ROOT + 1, headers=key), 409, "idempotency_mismatch")
    assert bob.submit(ROOT, headers=key).json()["id"] != first.json()["id"]


def test_tokens_are_needed_and_checked(app: FastAPI, alice: Caller) -> None:
    for path in ("/v1/jobs", "/v1/jobs/x", "/v1/kinds", "/v1/datasets", "/v1/me", "/v1/jobs/x/artifacts/y"):
        response = Caller(app, None)("GET", path)
        problem(response, 401, "token_missing")
        assert response.headers["www-authenticate"] == "Bearer"
        problem(Caller(app, "crant_wrong")("GET", path), 401, "token_invalid")
    assert alice("GET", "/v1/me").json() == {"owner": "alice", "scopes": ["read", "submit"]}


def test_the_dashboards_cookie_reads_but_changes_nothing(app: FastAPI, alice: Caller) -> None:
    cookie = {"Cookie": f"crant_token={alice.headers['Authorization'].removeprefix('Bearer ')}"}
    nobody = Caller(app, None)
    assert nobody("GET", "/v1/me", headers=cookie).status_code == 200
    problem(nobody.submit(ROOT, headers=cookie), 401, "token_missing")


def test_scopes_are_kept(app: FastAPI) -> None:
    reader = caller(app, "eve", Scope.READ)
    problem(reader.submit(ROOT), 403, "access_denied")
    writer = caller(app, "eve", Scope.SUBMIT)
    assert writer.submit(ROOT).status_code == 202
    problem(writer("GET", "/v1/jobs"), 403, "access_denied")


def test_an_expired_token_is_worth_nothing(app: FastAPI) -> None:
    token = app.state.services.tokens.create("old", [Scope.READ], lifetime=timedelta(seconds=-1))
    problem(Caller(app, token)("GET", "/v1/me"), 401, "token_invalid")


def test_jobs_of_others_do_not_exist(app: FastAPI, alice: Caller, bob: Caller) -> None:
    job = alice.submit(ROOT).json()["id"]
    for path in ("", "/items", "/events", "/artifacts", "/artifacts/x", "/attempts"):
        problem(bob("GET", f"/v1/jobs/{job}{path}"), 404, "not_found")
    assert bob("GET", "/v1/jobs").json()["jobs"] == []
    admin = caller(app, "root", Scope.ADMIN)
    assert admin("GET", f"/v1/jobs/{job}").status_code == 200


def test_lists_are_paged(alice: Caller) -> None:
    jobs = [alice.submit(ROOT).json()["id"] for _ in range(5)]
    path, seen = "/v1/jobs?limit=2&state=planning", []
    while path:
        page = alice("GET", path).json()
        seen += [job["id"] for job in page["jobs"]]
        path = page["next"]
    assert seen == jobs[::-1]
    problem(alice("GET", "/v1/jobs?limit=0"), 422, "invalid_input")
    problem(alice("GET", "/v1/jobs?state=asleep"), 422, "invalid_input")


def test_items_are_listed_in_input_order_with_their_errors(alice: Caller, engine: Engine) -> None:
    job = engine.planned([str(BIG), "7"])
    engine.run_unit()
    engine.run_unit(fail=lambda _: MeshNotFound("no mesh for 7"))
    page = alice("GET", f"/v1/jobs/{job.id}/items?limit=1").json()
    assert [(item["key"], item["state"]) for item in page["items"]] == [(str(BIG), "succeeded")]
    page = alice("GET", page["next"]).json()
    assert [(item["key"], item["error_code"]) for item in page["items"]] == [("7", "mesh_not_found")]
    assert alice("GET", f"/v1/jobs/{job.id}").json()["errors"] == {"mesh_not_found": 1}
    assert len(alice("GET", f"/v1/jobs/{job.id}/items?state=failed").json()["items"]) == 1


def test_artifacts_are_served_whole_and_in_ranges(app: FastAPI, alice: Caller, engine: Engine) -> None:
    job = engine.planned(["1"])
    unit, data = engine.claimed(), b"0123456789"
    file = StoredFile(
        name="1.swc", media_type="text/plain", size=10, sha256=app.state.services.store.put(data), meta={}
    )
    engine.units.record(unit, [an_outcome(unit.items[0], files=[file])])
    [listed] = alice("GET", f"/v1/jobs/{job.id}/artifacts").json()["artifacts"]
    assert (listed["name"], listed["size"]) == ("1.swc", 10)
    path = f"/v1/jobs/{job.id}/artifacts/1.swc"
    whole = alice("GET", path)
    assert whole.content == data
    assert whole.headers["etag"] == f'"{file.sha256}"'
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = alice("GET", path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    problem(alice("GET", f"/v1/jobs/{job.id}/artifacts/..%2f..%2fetc"), 404, "not_found")


def test_events_come_as_a_list_or_as_a_stream_that_ends_with_the_job(
    alice: Caller, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "_PAUSE", 0.01)
    job = engine.planned(["1"])
    engine.run_unit()
    engine.units.complete_finish(engine.claimed(), [])
    path = f"/v1/jobs/{job.id}/events"
    listed = alice("GET", path).json()
    types = [event["type"] for event in listed]
    assert types == ["submitted", "planned", "running", "item_succeeded", "finishing", "succeeded"]
    stream = alice("GET", path, headers={"Accept": "text/event-stream"})
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["x-accel-buffering"] == "no"
    assert [line for line in stream.text.splitlines() if line.startswith("id:")] == [f"id: {e['id']}" for e in listed]
    resumed = alice("GET", path, headers={"Accept": "text/event-stream", "Last-Event-ID": str(listed[-2]["id"])})
    assert resumed.text.count("id:") == 1
    nothing = alice("GET", path, headers={"Accept": "text/event-stream", "Last-Event-ID": str(listed[-1]["id"])})
    assert nothing.text.count("id:") == 0


def test_the_catalogue_names_kinds_and_datasets(alice: Caller) -> None:
    kinds = {kind["name"]: kind for kind in alice("GET", "/v1/kinds").json()}
    assert kinds.keys() >= {"skeletonize", "neuropil_matrices"}
    kind = kinds["skeletonize"]
    assert kind["parameters"]["properties"]["waves"]["maximum"] == 10
    assert alice.submit(params=kind["example"]).status_code == 202
    problem(alice("GET", "/v1/kinds/nothing"), 422, "unknown_kind")
    assert "demo" in [dataset["name"] for dataset in alice("GET", "/v1/datasets").json()]


def test_health_is_open_and_readiness_needs_a_worker(app: FastAPI, engine: Engine) -> None:
    nobody = Caller(app, None)
    assert nobody("GET", "/healthz").json() == {"status": "alive"}
    assert nobody("GET", "/readyz").status_code == 503
    engine.dispatch.lead("somebody")
    ready = nobody("GET", "/readyz").json()
    assert (ready["ready"], ready["checks"]) == (True, {"database": True, "worker": True})
    assert ready["beat"] == {"ticks": False, "last": None}


def test_unknown_routes_and_methods_are_problems_too(alice: Caller) -> None:
    problem(alice("GET", "/v1/nothing"), 404, "not_found")
    problem(alice("DELETE", "/v1/jobs"), 405, "method_not_allowed")


def test_a_bug_is_a_problem_that_tells_nothing_of_the_inside(
    alice: Caller, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.state.services.jobs, "recent", lambda *_, **__: 1 / 0)
    body = problem(alice("GET", "/v1/jobs"), 500, "internal")
    assert "ZeroDivision" not in str(body)


def test_the_openapi_document_is_complete(app: FastAPI, alice: Caller) -> None:
    document = alice("GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation.get("summary"), path


def test_the_documentation_needs_no_internet(alice: Caller) -> None:
    page = alice("GET", "/docs").text
    assert "https://" not in page
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert alice("GET", asset).status_code == 200


def test_only_kinds_that_do_without_take_a_job_without_ids(alice: Caller) -> None:
    assert alice.submit().json()["code"] == "invalid_parameters"
    accepted = alice.submit(kind="export_table", params={"table": "cells"})
    assert accepted.status_code == 202
    without = alice("POST", "/v1/jobs", json={"kind": "export_table", "dataset": "demo", "params": {"table": "cells"}})
    assert without.status_code == 202


def test_a_misspelt_neuropil_is_refused_before_anything_is_stored(alice: Caller, app: FastAPI) -> None:
    services = app.state.services
    with_surfaces = DEMO.model_copy(update={"neuropil_source": "precomputed://http://127.0.0.1:1/neuropils"})

    def submit(*names: str) -> httpx.Response:
        return alice.submit(ROOT, kind="neuropil_matrices", params={"neuropils": names})

    assert submit("of_any_name").status_code == 202  # this dataset's surfaces may be files, which only workers see
    services.settings = services.settings.model_copy(update={"datasets": [with_surfaces]})
    told = problem(submit("ellipsoid_body", "fan_shaped_boddy"), 422, "invalid_parameters")
    assert (told["value"], "fan_shaped_body" in str(told["hint"])) == ("fan_shaped_boddy", True)
    assert submit("ellipsoid_body", "nodulus_right").status_code == 202
    assert len(alice("GET", "/v1/jobs").json()["jobs"]) == 2
