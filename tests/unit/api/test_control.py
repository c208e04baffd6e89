"""Changing jobs over HTTP, and asking what one would be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from crant_core.errors import MeshNotFound
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.kinds.addresses import addresses
from crant_core.kinds.registry import get_kind
from crant_core.kinds.skeletonize.spec import SkeletonizeOptions
from crant_core.times import TimeBase
from tests.engine import NOON, ROOT, Engine
from tests.unit.api.conftest import DEMO, Caller, caller
from tests.unit.api.test_jobs import problem

ACTIONS = ("cancel", "pause", "resume", "retry")


def test_a_job_is_paused_resumed_cancelled_and_retried(alice: Caller) -> None:
    here = f"/v1/jobs/{alice.submit(ROOT).json()['id']}"
    steps = [("pause", "paused"), ("resume", "planning"), ("cancel", "cancelled"), ("retry", "planning")]
    for action, state in steps:
        response = alice("POST", f"{here}/{action}")
        assert (response.status_code, response.json()["state"]) == (200, state)


@pytest.mark.parametrize("action", ["resume", "retry"])
def test_what_makes_no_sense_is_a_conflict(alice: Caller, action: str) -> None:
    job = alice.submit(ROOT).json()["id"]
    body = problem(alice("POST", f"/v1/jobs/{job}/{action}"), 409, "wrong_state")
    assert (body["value"], "planning" in body["detail"], bool(body["hint"])) == ("planning", True, True)


@pytest.mark.parametrize("action", ACTIONS)
def test_only_the_owner_may_and_only_with_the_scope(app: FastAPI, alice: Caller, bob: Caller, action: str) -> None:
    path = f"/v1/jobs/{alice.submit(ROOT).json()['id']}/{action}"
    problem(bob("POST", path), 404, "not_found")
    problem(caller(app, "alice", Scope.READ)("POST", path), 403, "access_denied")
    problem(Caller(app, None)("POST", path), 401, "token_missing")
    assert caller(app, "root", Scope.ADMIN)("POST", path).status_code in (200, 409)


def test_a_job_can_come_after_others_of_ones_own(alice: Caller, bob: Caller) -> None:
    first = alice.submit(ROOT).json()["id"]
    job = alice.submit(ROOT, after=[first]).json()
    assert (job["state"], job["after"]) == ("waiting", [first])
    problem(alice.submit(ROOT, after=["nonsense"]), 422, "invalid_input")
    problem(bob.submit(ROOT, after=[first]), 422, "invalid_input")


def test_a_deadline_has_a_zone_and_lies_ahead(alice: Caller) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert alice.submit(ROOT, deadline=ahead).json()["deadline"] == ahead.replace("+00:00", "Z")
    problem(alice.submit(ROOT, deadline="2026-01-01T00:00:00Z"), 422, "invalid_input")
    problem(alice.submit(ROOT, deadline="2099-01-01T00:00:00"), 422, "invalid_input")


def test_counts_say_what_was_cancelled_and_failed(alice: Caller, engine: Engine) -> None:
    job = engine.planned(["1", "2", "3"])
    engine.run_unit()
    engine.run_unit(fail=lambda _: MeshNotFound())
    counts = alice("POST", f"/v1/jobs/{job.id}/cancel").json()["counts"]
    assert counts == {"total": 3, "succeeded": 1, "failed": 1, "cancelled": 1, "reused": 0}


def test_a_stream_from_before_a_retry_goes_on_to_the_end(alice: Caller, engine: Engine) -> None:
    job = engine.planned(["1"])
    engine.control.cancel(job.id)
    engine.control.retry(job.id)
    engine.control.cancel(job.id)
    stream = alice("GET", f"/v1/jobs/{job.id}/events", headers={"Accept": "text/event-stream"})
    assert stream.text.count('"type":"cancelled"') == 2


class TestDryRun:
    def dry(self, alice: Caller, *ids: int, **body: object) -> dict[str, object]:
        request = {"kind": "skeletonize", "dataset": "demo", "params": {"ids": list(map(str, ids))}} | body
        response = alice("POST", "/v1/jobs?dry_run=true", json=request)
        assert response.status_code == 200
        assert alice("GET", "/v1/jobs").json()["jobs"] == []
        answer: dict[str, object] = response.json()
        return answer

    def test_without_measurements_it_says_so(self, alice: Caller) -> None:
        assert self.dry(alice, ROOT, ROOT, ROOT + 1) == {
            "given": 3, "items": 2, "known": 0, "to_compute": 2, "bytes": None, "work": None, "measured_items": 0,
            "unmeasured": "no item of this kind was done on this dataset by this release yet",
        }  # fmt: skip

    def test_of_a_pipeline_it_says_why_nothing_is_known(self, alice: Caller) -> None:
        answer = self.dry(alice, ROOT, kind="refresh")
        assert (answer["bytes"], answer["work"]) == (None, None)
        assert "other jobs" in str(answer["unmeasured"])

    def test_bytes_are_said_as_they_were_measured(self, alice: Caller, engine: Engine) -> None:
        unit = done(engine, SkeletonizeOptions().model_dump(mode="json"), owner="bob")
        answer = self.dry(alice, ROOT + 2)
        assert (answer["bytes"], answer["work"] is None) == (None, False)
        assert answer["unmeasured"] == "bytes were not counted when such items were done"
        engine.units.note_cost(unit.token, seconds=4.0, requests=9, received=3001)
        answer = self.dry(alice, ROOT + 2)
        assert answer["bytes"] == {"low": 500, "expected": 1500, "high": 4502}
        assert answer["unmeasured"] is None
        assert self.dry(alice, ROOT)["bytes"] == {"low": 0, "expected": 0, "high": 0}, "it is known"

    def test_a_job_says_what_it_took(self, alice: Caller, engine: Engine) -> None:
        job = engine.planned(["1", "2"])
        for received in (10, 3 * 10**9):
            unit = engine.run_unit(seconds=2.0)
            engine.units.note_cost(unit.token, seconds=2.0, requests=4, received=received)
        assert alice("GET", f"/v1/jobs/{job.id}").json()["spent"] == {
            "seconds": 4.0, "requests": 8, "received": 3 * 10**9 + 10,
        }  # fmt: skip
        assert alice("GET", "/v1/jobs").json()["jobs"][0]["spent"] is None, "lists do not add up attempts"
        tries = alice("GET", f"/v1/jobs/{job.id}/attempts").json()
        assert [one["received"] for one in tries if one["received"]] == [3 * 10**9, 10]

    def test_it_knows_results_and_costs(self, alice: Caller, bob: Caller, engine: Engine) -> None:
        done(engine, SkeletonizeOptions().model_dump(mode="json"), owner="bob")
        answer = self.dry(alice, ROOT, ROOT + 1, ROOT + 2)
        assert (answer["items"], answer["known"], answer["to_compute"]) == (3, 2, 1)
        assert answer["work"] == {"low": pytest.approx(2 / 3), "expected": pytest.approx(2), "high": pytest.approx(6)}
        assert answer["measured_items"] == 2
        assert self.dry(alice, ROOT, reuse=False)["known"] == 0
        assert self.dry(alice, ROOT, params={"ids": [str(ROOT)], "min_twig": 10})["known"] == 0

    def test_what_depends_on_a_time_to_come_is_not_known(self, alice: Caller) -> None:
        matrices = {"kind": "neuropil_matrices"}
        assert self.dry(alice, ROOT, at="mat", **matrices)["known"] is None
        assert self.dry(alice, ROOT, at="2026-01-01T00:00:00Z", **matrices)["known"] == 0

    def test_a_table_is_one_item_with_ids_and_without(self, alice: Caller) -> None:
        whole = self.dry(alice, kind="export_table", params={"table": "cells"})
        some = self.dry(alice, kind="export_table", params={"table": "cells", "ids": ["5", "6"], "id_column": "id"})
        assert [(one["given"], one["items"], one["to_compute"]) for one in (whole, some)] == [(0, 1, 1), (2, 1, 1)]

    def test_bad_input_is_refused_as_ever(self, alice: Caller) -> None:
        request = {"kind": "skeletonize", "dataset": "demo", "params": {"ids": ["x"]}}
        problem(alice("POST", "/v1/jobs?dry_run=true", json=request), 422, "invalid_id")


def done(engine: Engine, parameters: dict[str, object], owner: str) -> ClaimedUnit:
    """A job of two skeletons that took two seconds each."""
    kind = get_kind("skeletonize")
    moment = TimeBase(asked="live", timestamp=NOON.timestamp)
    address: Callable[[str], str | None] = addresses(kind, DEMO, parameters, moment)
    engine.submit(owner=owner, parameters=parameters, code_version=kind.code_version)
    keys = [str(ROOT), str(ROOT + 1)]
    engine.plan(engine.claimed(), [NewItem(key=key, address=address(key)) for key in keys], 2)
    return engine.run_unit(seconds=4.0)
