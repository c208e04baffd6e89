"""What the OpenAPI document promises: examples that work, and no answer that is a bug of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.limits import RateLimit
from api.main import create_app
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.settings import Settings
from crant_core.kinds.registry import all_kinds
from tests.engine import ROOT, Engine
from tests.unit.api.conftest import DEMO, Caller, caller
from tests.unit.api.test_jobs import problem

#: one route waits for workers until it is answered
_WAITS = "async/get_skeleton", "precomputed/skeleton/{skvn}/{root}/{form}"
_METHODS = ("get", "post", "delete")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
_FIT = [  # what is right somewhere, or nearly
    "1",
    "0",
    "-1",
    "4",
    "True",
    "flatdict",
    "csv",
    "meshes",
    "crant_demo",
    str(ROOT),
    str(2**63),
    "a~b",
    "..",
    "\0",
]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, found[method])
        for path, found in document["paths"].items()
        for method in _METHODS
        if method in found and not any(part in path for part in _WAITS)
    ]


def value(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, nearly right ones, and any."""
    known = st.sampled_from(schema["enum"]) if "enum" in schema else st.nothing()
    return known | st.sampled_from(_FIT) | st.text(max_size=12) | st.integers(-3, 2**64).map(str)


def body(document: dict[str, Any], operation: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Bodies of the documented schema with a field or two of any value, and any JSON."""
    content = operation["requestBody"]["content"].get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    fields = document["components"]["schemas"].get(name, {}).get("properties", {})
    examples = [found["value"] for found in content.get("examples", {}).values()] or [{}]
    odd = st.dictionaries(st.sampled_from(sorted(fields) or ["x"]), _JSON | st.sampled_from(_FIT), max_size=3)
    return st.builds(lambda right, changed: right | changed, st.sampled_from(examples), odd) | _JSON


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def test_every_kind_has_an_example_that_is_accepted(app: FastAPI, document: dict[str, Any], alice: Caller) -> None:
    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"].keys() == {*all_kinds(), "uploaded"}
    for name in all_kinds():
        answer = alice("POST", "/v1/jobs", json=content["examples"][name]["value"])
        assert answer.status_code == 202, (name, answer.text)


def test_operations_are_described_and_their_errors_are_problems(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"], path
        if path.startswith(("/v1/", "/precomputed/", "/skeletoncache/")):
            assert "4XX" in operation["responses"], (method, path)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_is_answered_without_a_bug(
    app: FastAPI, document: dict[str, Any], engine: Engine, data: st.DataObject
) -> None:
    app.state.services.limits = RateLimit(0)
    everything = Viewer(owner="", sees_all=True)
    known = [job.id for job in engine.jobs.recent(everything)] or [engine.planned(["1", "2"]).id]
    method, path, operation = data.draw(st.sampled_from(operations(document)))
    accept = data.draw(st.sampled_from(["*/*", "text/csv", "application/json", "q=,;"]))
    path, query, headers = drawn(data, path, operation.get("parameters", []), known[-1])
    content = json.dumps(data.draw(body(document, operation))) if "requestBody" in operation else None
    answer = caller(app, "fuzz", Scope.ADMIN)(
        method.upper(),
        path,
        params=query,
        headers={"Accept": accept, "Content-Type": "application/json"} | headers,
        content=content,
    )
    if path != "/readyz":  # no worker is alive
        assert answer.status_code < 500, answer.text
        assert answer.status_code < 400 or answer.json()["code"]


def drawn(
    data: st.DataObject, path: str, parameters: list[dict[str, Any]], job: str
) -> tuple[str, dict[str, str], dict[str, str]]:
    """Fill in parameters: the path's always, the others sometimes."""
    places: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}, "cookie": {}}
    for parameter in parameters:
        name, where = parameter["name"], parameter["in"]
        known = st.just("JOB") if name in ("job_id", "ref") else st.nothing()
        if where == "path" or data.draw(st.booleans()):
            places[where][name] = str(data.draw(known | value(parameter["schema"]), label=name))
    for name, text in places["path"].items():
        path = path.replace(f"{{{name}}}", _quoted(job if text == "JOB" else text))
    headers = {name: text.encode("ascii", "ignore").decode() for name, text in places["header"].items()}
    return path, places["query"], {name: text for name, text in headers.items() if text.isprintable()}


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace")) or "x"


def test_numbers_that_no_database_takes_are_refused(document: dict[str, Any], alice: Caller, engine: Engine) -> None:
    job, asked = engine.planned(["1"]).id, 0
    nightly = document["paths"]["/v1/schedules"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    schedule = alice("POST", "/v1/schedules", json=nightly["nightly"]["value"]).json()["id"]
    for method, path, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if method == "get" and parameter["name"] in ("after", "before"):
                asked += 1
                address = path.replace("{job_id}", job).replace("{schedule_id}", schedule)
                problem(alice("GET", f"{address}?{parameter['name']}={2**63}"), 422, "invalid_input")
                assert alice("GET", f"{address}?{parameter['name']}={2**63 - 1}").status_code == 200
    assert asked >= 4


def test_what_postgresql_cannot_hold_is_refused(migrated_postgres_url: str, tmp_path: Path) -> None:
    app = create_app(
        Settings(
            database_url=migrated_postgres_url,
            broker_url="memory://",
            artifacts_url=f"file://{tmp_path}",
            datasets=[DEMO],
            log_level="CRITICAL",
        )
    )
    somebody = caller(app, "alice", Scope.ADMIN)
    for path in ("/v1/jobs/%00", "/v1/jobs/%00/artifacts/%00", "/precomputed/jobs/%00~x/info", "/v1/inputs/%00"):
        assert somebody("GET", path).status_code in (404, 422)
    problem(somebody.submit(ROOT, label="\0"), 422, "invalid_input")
    problem(somebody.submit(ROOT, after=["\0"]), 422, "invalid_input")
    app.state.services.close()
