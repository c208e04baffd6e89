"""Refreshes over HTTP: what is asked for, their steps, who is told, and what changed between two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from typer.testing import CliRunner

from crant_core.cli import refreshes
from crant_core.client import Crant
from crant_core.jobs.model import Role, Scope
from crant_core.jobs.repository.pipelines import NewStep
from crant_core.jobs.tables import JobRow
from crant_core.refresh.run import Run, files
from tests.engine import NOON, ROOT, Engine
from tests.unit.api.conftest import Caller, stored
from tests.unit.api.test_jobs import problem
from tests.unit.crant_core.refresh.test_comparing import AFTER, BEFORE

SECRET = "hunter2secret"
HOOK = f"json://user:{SECRET}@lab.example/hook"
CRITERIA = {"cell_class": "ALPN"}


def refreshed(app: FastAPI, engine: Engine, run: Run, previous: str | None = None, **fields: Any) -> JobRow:
    """Do a refresh to its end, which leaves a run behind."""
    job = engine.submit(kind="refresh", **fields)
    engine.dispatch.pipelines.start(engine.claim_plan(job), NOON, [], [1], previous)
    made = [stored(app, name, data, "application/json") for name, data in files(run).items()]
    engine.units.complete_finish(engine._claim(job, Role.FINISH), made)
    return engine.see(job)


def test_a_refresh_takes_criteria_or_ids_and_checks_its_steps(alice: Caller) -> None:
    job = alice.submit(kind="refresh", params={"criteria": CRITERIA, "steps": ["skeletonize"]})
    assert job.status_code == 202, job.text
    assert job.json()["params"]["criteria"] == CRITERIA
    assert alice.submit(ROOT, kind="refresh").status_code == 202
    for wrong in (
        {},
        {"steps": ["attach_synapses"], "criteria": CRITERIA},
        {"skeletonize": {"waves": 3}, "criteria": CRITERIA},
        {"attach_synapses": {"skeletons": "abc"}, "criteria": CRITERIA},
    ):
        problem(alice.submit(kind="refresh", params=wrong), 422, "invalid_parameters")
    problem(alice.submit(ROOT, kind="refresh", params={"criteria": CRITERIA}), 422, "invalid_parameters")


def test_a_pipeline_and_its_steps_lead_to_each_other(alice: Caller, engine: Engine) -> None:
    parent = engine.submit(kind="refresh")
    steps = [NewStep(name=name, kind=name, code_version=1) for name in ("update_ids", "skeletonize")]
    engine.dispatch.pipelines.start(engine.claim_plan(parent), NOON, steps, [1], None)
    links = {link["rel"]: link["href"] for link in alice("GET", f"/v1/jobs/{parent.id}").json()["links"]}
    listed = alice("GET", links["steps"]).json()["jobs"]
    assert {one["step"] for one in listed} == {"update_ids", "skeletonize"}
    assert {one["parent_id"] for one in listed} == {parent.id}
    up = {link["rel"]: link["href"] for link in listed[0]["links"]}["up"]
    assert alice("GET", up).json()["id"] == parent.id
    shown = alice("GET", f"/jobs/{parent.id}")
    assert [f"/jobs/{one['id']}" in shown.text for one in listed] == [True, True]
    assert f"/jobs/{parent.id}" in alice("GET", f"/jobs/{listed[0]['id']}").text
    page = alice("GET", f"/v1/jobs?parent={parent.id}&limit=1").json()
    assert f"parent={parent.id}" in page["next"]
    assert len(alice("GET", page["next"]).json()["jobs"]) == 1


def test_addresses_of_notifications_are_never_repeated(alice: Caller) -> None:
    answer = alice.submit(ROOT, notify=[{"url": HOOK, "on": ["failure", "changed"], "changed_percent": 5}])
    assert answer.status_code == 202, answer.text
    again = alice("GET", f"/v1/jobs/{answer.json()['id']}")
    assert SECRET not in answer.text + again.text
    [told] = again.json()["notify"]
    assert (told["url"], told["on"], told["state"]) == ("json://…", ["failure", "changed"], "waiting")
    for wrong in ({"url": f"nonsense://{SECRET}"}, {"url": HOOK, "on": []}, {"url": HOOK, "when": SECRET[:3]}):
        refused = alice.submit(ROOT, notify=[wrong])
        assert refused.status_code == 422
        assert SECRET not in refused.text


@pytest.mark.parametrize(
    ("field", "near"), [("cell_clas", "cell_class"), ("Side", "side"), ("timestamp", "there are:"), ("regexp", "regex")]
)
def test_misspelt_fields_of_criteria_are_refused_when_they_are_submitted(alice: Caller, field: str, near: str) -> None:
    job = {"kind": "refresh", "dataset": "demo", "params": {"criteria": {field: "ALPN", "side": "left"}}}
    for path, body in (("/v1/jobs", job), ("/v1/schedules", {"name": "night", "every_seconds": 3600, "job": job})):
        refused = alice("POST", path, json=body)
        assert refused.status_code == 422
        problem = refused.json()
        assert problem["code"] == "invalid_parameters"
        assert f"no field '{field}'" in problem["detail"]
        assert near in refused.text


def test_criteria_may_say_how_they_are_compared(alice: Caller) -> None:
    params = {"criteria": {"cell_class": "AL.*", "regex": True, "exact": False}}
    answer = alice("POST", "/v1/jobs", json={"kind": "refresh", "dataset": "demo", "params": params})
    assert answer.status_code == 202, answer.text


def test_the_client_sends_addresses_as_they_are(app, live: str) -> None:
    client = Crant(live, app.state.services.tokens.create("alice", [Scope.READ, Scope.SUBMIT]))
    job = client.submit("skeletonize", dataset="demo", ids=[ROOT], notify=[{"url": HOOK}])
    [row] = app.state.services.notifications.of_job(job.id)
    assert (row.url, row.events) == (HOOK, "finish")
    client.http.close()


def test_two_runs_are_compared_as_json_and_as_a_page(app, alice: Caller, engine: Engine) -> None:
    before = refreshed(app, engine, BEFORE)
    after = refreshed(app, engine, AFTER, previous=before.id)
    told = alice("GET", f"/v1/jobs/{before.id}/diff/{after.id}").json()
    assert told["numbers"]["edited"] == 3
    assert told["lineage"] == "every run"
    page = alice("GET", f"/v1/jobs/{before.id}/diff/{after.id}", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "what changed" in page.text


def test_runs_far_apart_are_followed_through_those_between_them(app, alice: Caller, engine: Engine) -> None:
    first = refreshed(app, engine, BEFORE)
    second = refreshed(app, engine, AFTER, previous=first.id)
    last_run = replace(AFTER, neurons=AFTER.neurons.rename(index={20: 200}), lineage={20: (200, 0.5)})
    last = refreshed(app, engine, last_run, previous=second.id)
    told = alice("GET", f"/v1/jobs/{first.id}/diff/{last.id}").json()
    assert {"old_id": "2", "new_id": "200", "share": 0.375} in told["edited"]
    stranger = refreshed(app, engine, last_run)
    alone = alice("GET", f"/v1/jobs/{first.id}/diff/{stranger.id}").json()
    assert alone["lineage"] == "later run"


def test_only_refreshes_of_ones_own_and_of_one_dataset_are_compared(app, alice: Caller, bob: Caller, engine) -> None:
    before, after = refreshed(app, engine, BEFORE), refreshed(app, engine, AFTER)
    problem(bob("GET", f"/v1/jobs/{before.id}/diff/{after.id}"), 404, "not_found")
    no_run = engine.submit()
    problem(alice("GET", f"/v1/jobs/{before.id}/diff/{no_run.id}"), 404, "not_found")
    elsewhere = refreshed(app, engine, AFTER, dataset="v1dd")
    problem(alice("GET", f"/v1/jobs/{before.id}/diff/{elsewhere.id}"), 422, "invalid_input")


def test_the_command_line_shows_what_changed(app, live: str, engine: Engine, monkeypatch, tmp_path) -> None:
    before = refreshed(app, engine, BEFORE)
    after = refreshed(app, engine, AFTER, previous=before.id)
    client = Crant(live, app.state.services.tokens.create("alice", [Scope.READ]))
    monkeypatch.setattr(refreshes, "Crant", lambda: client)
    command = typer.Typer()
    command.command()(refreshes.diff)
    said = CliRunner().invoke(command, [before.id, after.id])
    assert said.exit_code == 0, said.output
    page = tmp_path / "report.html"
    assert CliRunner().invoke(command, [before.id, after.id, "--html", str(page)]).exit_code == 0
    assert "what changed" in page.read_text()
    client.http.close()
