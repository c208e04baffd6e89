"""What is wrong with a request is named by its place in it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from tests.engine import ROOT, Engine
from tests.unit.api.conftest import Caller, skeletonized
from tests.unit.api.test_jobs import problem

GOOD: dict[str, Any] = {"kind": "skeletonize", "dataset": "demo", "params": {"ids": [str(ROOT)]}}
CRON = {"name": "n", "cron": "0 2 * * *"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"params": {"ids": [str(ROOT), "5e17"]}}, "params.ids.1"),
        ({"params": {"ids": []}}, "params.ids"),
        ({"params": {"ids": [1] * 100_001}}, "params.ids"),
        ({"params": {"ids": [1], "elsewhere": 2}}, "params.elsewhere"),
        ({"params": {"ids": [1], "wave": 2}}, "params.wave"),
        ({"params": {"input": "a" * 64}}, "params.input"),
        ({"kind": "attach_synapses", "params": {"skeletons": "nowhere"}}, "params.skeletons"),
        ({"kind": "attach_synapses", "params": {"skeletons": "0123456789ab"}}, "params.skeletons"),
        ({"kind": "nothing"}, "kind"),
        ({"dataset": "moon"}, "dataset"),
        ({"at": "yesterday"}, "at"),
        ({"deadline": "2000-01-01T00:00:00Z"}, "deadline"),
        ({"after": ["nowhere"]}, "after"),
        ({"notify": [{"url": "nowhere"}]}, "notify"),
        ({"priority": 99}, "priority"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_problem_names_the_field_that_is_wrong(alice: Caller, wrong: dict[str, Any], field: str) -> None:
    answer = alice("POST", "/v1/jobs", json=GOOD | wrong)
    assert answer.json()["field"] == field
    assert answer.json()["hint"]
    in_schedule = alice("POST", "/v1/schedules", json=CRON | {"job": GOOD | wrong})
    assert in_schedule.is_client_error
    assert problem(answer, answer.status_code, answer.json()["code"])


def test_a_file_tells_its_size_and_type_without_being_sent(alice: Caller, app: FastAPI, engine: Engine) -> None:
    job = skeletonized(app, engine, {str(ROOT): {"swc": b"0123456789"}})
    path = f"/v1/jobs/{job.id}/artifacts/{ROOT}.swc"
    head, whole = alice("HEAD", path), alice("GET", path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")
    assert {name: head.headers[name] for name in ("etag", "accept-ranges", "content-type")} == {
        name: whole.headers[name] for name in ("etag", "accept-ranges", "content-type")
    }
