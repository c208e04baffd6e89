"""Schedules over HTTP: made, looked at, changed, run by hand, removed; and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.limits import RateLimit
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.repository.ticks import BEAT
from tests.engine import ROOT, Engine
from tests.unit.api.conftest import DEMO, Caller, caller
from tests.unit.api.test_jobs import problem
from worker.schedules import Schedules

JOB = {"kind": "skeletonize", "dataset": "demo", "params": {"ids": [str(ROOT)], "formats": ["swc"]}}
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
OTHERS = {"url": "mailto://me:secret@example.org", "on": ["failure"], "changed_percent": None}


@pytest.fixture(autouse=True)
def clock(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """What the database takes for now; a test moves it."""
    now = [NOON]
    monkeypatch.setattr(app.state.services.database, "now", lambda: now[0])
    app.state.services.limits = RateLimit(0)
    return now


def body(**changes: Any) -> dict[str, Any]:
    cron = {} if "every_seconds" in changes else {"cron": "0 2 * * *", "zone": "America/New_York"}
    return {"name": "projection neurons", "job": JOB} | cron | changes


def make(who: Caller, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return who("POST", "/v1/schedules", headers=headers or {}, json=body(**changes))


def made(who: Caller, **changes: Any) -> dict[str, Any]:
    answer = make(who, **changes)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestMaking:
    def test_it_says_when_it_runs_next_here_and_there(self, alice: Caller) -> None:
        answer = make(alice)
        view = answer.json()
        assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/schedules/{view['id']}")
        assert view["next_slot"] == "2026-11-02T07:00:00Z"
        first = view["next_runs"][0]
        assert (first["slot"], first["local"]) == ("2026-11-02T07:00:00Z", "2026-11-02T02:00:00-05:00")
        assert len(view["next_runs"]) == 5
        assert view["job"] | {"input": ""} == {
            "kind": "skeletonize", "dataset": "demo", "params": {"formats": ["swc"]}, "input": "", "given": 1,
            "at": "live", "label": "", "priority": 0, "reuse": True,
        }  # fmt: skip
        assert (view["enabled"], view["overlap"], view["catch_up"], view["last_run"]) == (True, "skip", "once", None)

    def test_a_preview_stores_nothing_and_shows_summer_time(self, alice: Caller, clock: list[datetime]) -> None:
        clock[0] = datetime(2026, 3, 27, 12, tzinfo=UTC)
        request = body(cron="0 2 * * *", zone="Europe/Berlin")
        answer = alice("POST", "/v1/schedules?dry_run=true", json=request)
        local = [run["local"] for run in answer.json()["next_runs"]]
        assert answer.status_code == 200
        assert local[:3] == ["2026-03-28T02:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]
        assert alice("GET", "/v1/schedules").json() == {"schedules": [], "next": None}

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"cron": "61 2 * * *"}, "invalid_parameters"),
            ({"cron": None}, "invalid_parameters"),
            ({"cron": "* * * * *", "every_seconds": 3600}, "invalid_parameters"),
            ({"zone": "Mars/Olympus"}, "invalid_parameters"),
            ({"every_seconds": 3600, "zone": "Mars/Olympus"}, "invalid_parameters"),
            ({"every_seconds": 59}, "invalid_input"),
            ({"every_seconds": 3600, "jitter_seconds": 3600}, "invalid_parameters"),
            ({"overlap": "sometimes"}, "invalid_input"),
            ({"name": ""}, "invalid_input"),
            ({"job": JOB | {"kind": "nonsense"}}, "unknown_kind"),
            ({"job": JOB | {"dataset": "nonsense"}}, "unknown_dataset"),
            ({"job": JOB | {"at": "yesterday"}}, "invalid_time"),
            ({"job": JOB | {"params": {"ids": [1.5]}}}, "invalid_id"),
            ({"job": JOB | {"params": {"ids": [str(ROOT)], "formats": ["obj"]}}}, "invalid_parameters"),
            ({"job": JOB | {"params": {"input": "none"}}}, "invalid_parameters"),
        ],
    )
    def test_what_could_never_run_is_refused_at_once(self, alice: Caller, changes: dict[str, Any], code: str) -> None:
        problem(make(alice, **changes), 422, code)

    def test_a_name_is_taken_once_and_a_request_is_repeated_safely(self, alice: Caller, bob: Caller) -> None:
        first = make(alice, {"Idempotency-Key": "k"})
        again = make(alice, {"Idempotency-Key": "k"})
        assert (again.json()["id"], again.headers["Idempotent-Replay"]) == (first.json()["id"], "true")
        problem(make(alice, {"Idempotency-Key": "k"}, priority=None), 422, "invalid_input")
        problem(make(alice, {"Idempotency-Key": "k"}, overlap="queue"), 409, "idempotency_mismatch")
        problem(make(alice), 409, "name_taken")
        assert make(bob).status_code == 201

    def test_skeletons_of_a_job_that_goes_on_are_refused(self, alice: Caller) -> None:
        job = alice.submit(ROOT).json()
        attach = {"kind": "attach_synapses", "dataset": "demo", "params": {"skeletons": job["id"]}}
        problem(make(alice, job=attach), 422, "invalid_parameters")

    def test_an_uploaded_list_is_named(self, alice: Caller) -> None:
        headers = {"Content-Type": "text/csv"}
        uploaded = alice("POST", "/v1/inputs", headers=headers, content=f"{ROOT}\n{ROOT + 1}\n").json()["id"]
        view = made(alice, job=JOB | {"params": {"input": uploaded}})
        assert (view["job"]["input"], view["job"]["given"]) == (uploaded, 2)


class TestLooking:
    def test_one_sees_ones_own(self, app: FastAPI, alice: Caller, bob: Caller) -> None:
        view = made(alice)
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/run"), ("GET", "/runs")):
            more = {"json": {}} if method == "PATCH" else {}
            problem(bob(method, f"/v1/schedules/{view['id']}{path}", **more), 404, "not_found")
        assert bob("GET", "/v1/schedules").json()["schedules"] == []
        admin = caller(app, "root", Scope.READ, Scope.ADMIN)
        assert [one["id"] for one in admin("GET", "/v1/schedules").json()["schedules"]] == [view["id"]]

    def test_addresses_are_kept_and_not_shown_again(self, app: FastAPI, alice: Caller) -> None:
        view = made(alice, notify=[OTHERS])
        assert view["notify"] == [OTHERS | {"url": "mailto://…"}], "they may hold passwords"
        alice("PATCH", f"/v1/schedules/{view['id']}", json={"enabled": False})
        [row] = app.state.services.schedules.all(Viewer(owner="alice"))
        assert row.notify == [OTHERS]

    def test_a_run_tells_those_whom_its_schedule_names(self, alice: Caller) -> None:
        view = made(alice, notify=[OTHERS])
        job = alice("POST", f"/v1/schedules/{view['id']}/run").json()
        assert [(one["url"], one["on"]) for one in job["notify"]] == [("mailto://…", ["failure"])]

    def test_nobody_can_be_told_at_what_is_no_address(self, alice: Caller) -> None:
        found = problem(make(alice, notify=[{"url": "carrier-pigeon://roof:secret"}]), 422, "invalid_parameters")
        assert "secret" not in str(found)

    def test_a_token_that_only_reads_changes_nothing(self, app: FastAPI, alice: Caller) -> None:
        view, reader = made(alice), caller(app, "alice", Scope.READ)
        assert reader("GET", f"/v1/schedules/{view['id']}").status_code == 200
        problem(make(reader), 403, "access_denied")
        problem(reader("POST", f"/v1/schedules/{view['id']}/run"), 403, "access_denied")

    def test_it_is_told_when_nothing_changed(self, alice: Caller) -> None:
        path = f"/v1/schedules/{made(alice)['id']}"
        etag = alice("GET", path).headers["ETag"]
        assert alice("GET", path, headers={"If-None-Match": etag}).status_code == 304
        alice("PATCH", path, json={"enabled": False})
        assert alice("GET", path, headers={"If-None-Match": etag}).status_code == 200

    def test_lists_come_in_pages(self, alice: Caller) -> None:
        names = [made(alice, name=f"number {number}")["name"] for number in range(3)]
        first = alice("GET", "/v1/schedules?limit=2").json()
        rest = alice("GET", first["next"]).json()
        assert [one["name"] for one in first["schedules"] + rest["schedules"]] == names
        assert rest["next"] is None


class TestChanging:
    def change(self, who: Caller, view: dict[str, Any], **patch: Any) -> httpx.Response:
        return who("PATCH", f"/v1/schedules/{view['id']}", json=patch)

    def test_what_is_left_out_stays(self, alice: Caller) -> None:
        view = made(alice, notify=[OTHERS])
        changed = self.change(alice, view, job={"priority": 5}, overlap="queue").json()
        assert (changed["job"]["priority"], changed["overlap"]) == (5, "queue")
        for name in ("name", "cron", "zone", "next_slot", "notify", "enabled"):
            assert changed[name] == view[name], name
        assert changed["job"] == view["job"] | {"priority": 5}

    def test_an_interval_takes_the_place_of_cron(self, alice: Caller) -> None:
        changed = self.change(alice, made(alice), every_seconds=7200).json()
        assert (changed["cron"], changed["every_seconds"]) == (None, 7200)
        assert changed["next_slot"] == "2026-11-01T14:00:00Z"
        assert self.change(alice, changed, cron="5 * * * *").json()["every_seconds"] is None

    def test_disabled_it_has_no_next_runs(self, alice: Caller) -> None:
        changed = self.change(alice, made(alice), enabled=False).json()
        assert (changed["next_slot"], changed["next_runs"]) == (None, [])

    @pytest.mark.parametrize(
        ("patch", "code"),
        [
            ({"cron": "never"}, "invalid_parameters"),
            ({"every_seconds": 5}, "invalid_parameters"),
            ({"name": None}, "invalid_parameters"),
            ({"job": {"kind": "nonsense"}}, "unknown_kind"),
            ({"job": {"color": "red"}}, "invalid_parameters"),
            ({"colour": "red"}, "invalid_input"),
        ],
    )
    def test_nonsense_is_refused_and_changes_nothing(self, alice: Caller, patch: dict[str, Any], code: str) -> None:
        view = made(alice)
        problem(self.change(alice, view, **patch), 422, code)
        assert alice("GET", f"/v1/schedules/{view['id']}").json() == view


class TestRunning:
    def look(self, app: FastAPI, clock: list[datetime], at: datetime) -> None:
        clock[0] = at
        Schedules(app.state.services.jobs, [DEMO], tick_seconds=10, grace_seconds=300).look("test")

    def test_runs_and_what_was_left_out_are_listed(
        self, app: FastAPI, alice: Caller, clock: list[datetime], engine: Engine
    ) -> None:
        view, slot = made(alice), datetime(2026, 11, 2, 7, tzinfo=UTC)
        self.look(app, clock, slot)
        self.look(app, clock, slot + timedelta(days=1))
        path = f"/v1/schedules/{view['id']}"
        [run] = alice("GET", f"{path}/runs").json()["runs"]
        assert (run["slot"], run["state"]) == ("2026-11-02T07:00:00Z", "planning")
        job = alice("GET", f"/v1/jobs/{run['job']}").json()
        assert (job["schedule_id"], job["slot"], job["label"]) == (view["id"], run["slot"], "projection neurons")
        [skip] = alice("GET", f"{path}/skips").json()["skips"]
        assert (skip["slot"], skip["reason"], skip["count"]) == ("2026-11-03T07:00:00Z", "overlap", 1)
        assert run["job"] in skip["detail"]
        seen = alice("GET", path).json()
        assert (seen["last_run"]["job"], seen["last_slot"]) == (run["job"], "2026-11-03T07:00:00Z")

    def test_by_hand_it_runs_now_and_waits_for_the_same_slot(self, alice: Caller) -> None:
        view = made(alice)
        path = f"/v1/schedules/{view['id']}"
        answer = alice("POST", f"{path}/run", headers={"Idempotency-Key": "now"})
        job = answer.json()
        assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{job['id']}")
        assert (job["slot"], job["schedule_id"], job["given"]) == (None, view["id"], 1)
        again = alice("POST", f"{path}/run", headers={"Idempotency-Key": "now"})
        assert (again.json()["id"], again.headers["Idempotent-Replay"]) == (job["id"], "true")
        busy = problem(alice("POST", f"{path}/run"), 409, "wrong_state")
        assert job["id"] in busy["detail"]
        assert alice("GET", path).json()["next_slot"] == view["next_slot"]

    def test_deleted_its_runs_are_still_jobs(self, alice: Caller) -> None:
        path = f"/v1/schedules/{made(alice)['id']}"
        job = alice("POST", f"{path}/run").json()
        assert alice("DELETE", path).status_code == 204
        problem(alice("GET", path), 404, "not_found")
        assert alice("GET", f"/v1/jobs/{job['id']}").json()["schedule_id"] == job["schedule_id"]
        assert make(alice).status_code == 201, "its name is free"


def test_whether_beat_ticks_is_told_and_decides_nothing(app: FastAPI, alice: Caller, clock: list[datetime]) -> None:
    assert alice("GET", "/readyz").json()["beat"] == {"ticks": False, "last": None}
    app.state.services.ticks.note(BEAT, "here")
    assert alice("GET", "/readyz").json()["beat"] == {"ticks": True, "last": NOON.isoformat()}
    clock[0] += timedelta(seconds=61)
    answer = alice("GET", "/readyz").json()
    assert (answer["beat"]["ticks"], "beat" in answer["checks"]) == (False, False)
