"""What the OpenAPI document promises: examples that work, numbers that are taken. The rest: `test_schemathesis`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from api.main import create_app
from crant_core.jobs.model import Scope
from crant_core.jobs.settings import Settings
from crant_core.kinds.registry import all_kinds
from tests.engine import ROOT, Engine
from tests.unit.api.conftest import DEMO, Caller, caller
from tests.unit.api.test_jobs import problem

_METHODS = ("get", "post", "delete")


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, found[method])
        for path, found in document["paths"].items()
        for method in _METHODS
        if method in found
    ]


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
    described = operations(document)
    assert {path for _, path, _ in described} == set(document["paths"])
    for method, path, operation in described:
        assert operation["summary"], path
        if path.startswith(("/v1/", "/precomputed/", "/skeletoncache/")):
            assert "4XX" in operation["responses"], (method, path)


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
