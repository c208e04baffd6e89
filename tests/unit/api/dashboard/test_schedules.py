"""The schedules' pages: what they show, and what their forms and buttons do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from api.dashboard.forms import fields_of, filled_from
from api.dashboard.timing import filled_timing, timing_from
from crant_core.errors import InvalidInput
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.kinds.registry import all_kinds, get_kind
from tests.engine import ROOT
from tests.unit.api.conftest import DEMO
from tests.unit.api.dashboard.conftest import Browser, browser_of
from worker.schedules import Schedules

ALICE = Viewer(owner="alice")
NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    now = [NOON]
    monkeypatch.setattr(app.state.services.database, "now", lambda: now[0])
    return now


@pytest.fixture
def owner(app: FastAPI) -> Browser:
    return browser_of(app, "alice", Scope.READ, Scope.SUBMIT)


def filled(**values: str) -> dict[str, tuple[None, str]]:
    usual = {
        "dataset": "demo", "reuse": "on", "ids": str(ROOT), "formats": "swc", "when-name": "nightly",
        "when-cron": "0 2 * * *", "when-zone": "America/New_York", "when-enabled": "on", "when-overlap": "queue",
    }  # fmt: skip
    return {name: (None, value) for name, value in (usual | values).items() if value}


def send(who: Browser, path: str = "/schedules/new/skeletonize", **values: str) -> httpx.Response:
    return who("POST", path, files=filled(**values))


def only(app: FastAPI) -> ScheduleRow:
    [schedule] = app.state.services.schedules.all(ALICE)
    assert isinstance(schedule, ScheduleRow)
    return schedule


def made(app: FastAPI, who: Browser, **values: str) -> ScheduleRow:
    answer = send(who, do="submit", **values)
    assert answer.status_code == 303, answer.text
    schedule = only(app)
    assert answer.headers["location"] == f"/schedules/{schedule.id}"
    return schedule


class TestForm:
    def test_every_kind_has_one_with_a_label_for_each_control(self, owner: Browser) -> None:
        for name in all_kinds():
            page = owner.get(f"/schedules/new/{name}").text
            ids = set(re.findall(r'<(?:input|select|textarea)[^>]*\bid="([^"]+)"', page))
            wrapped = set(re.findall(r'<label><input type="checkbox" id="([^"]+)"', page))
            assert ids <= set(re.findall(r'<label[^>]* for="([^"]+)"', page)) | wrapped
            assert {"when-cron", "when-zone"} <= ids

    def test_a_preview_shows_five_slots_in_the_zone_and_stores_nothing(self, app: FastAPI, owner: Browser) -> None:
        page = send(owner, do="check").text
        for day, offset in (("Sun 2026-11-01", "-0500"), ("Mon 2026-11-02", "-0500"), ("Thu 2026-11-05", "-0500")):
            assert f"{day} 02:00 {offset}" in page
        assert page.count("<li>") == 5
        assert app.state.services.schedules.all(ALICE) == []

    def test_what_was_previewed_is_made(self, app: FastAPI, owner: Browser) -> None:
        schedule = made(app, owner, label="projection neurons")
        assert (schedule.cron, schedule.zone, schedule.overlap) == ("0 2 * * *", "America/New_York", "queue")
        assert (schedule.enabled, schedule.label, schedule.parameters["formats"]) == (
            True,
            "projection neurons",
            ["swc"],
        )

    def test_sent_twice_it_is_made_once(self, app: FastAPI, owner: Browser) -> None:
        for _ in range(2):
            made(app, owner, key="the form's")

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"when-cron": "every night"}, "fields"),
            ({"when-zone": "Mars/Olympus"}, "Mars/Olympus"),
            ({"when-cron": "", "when-every": "x"}, "is no number"),
            ({"when-cron": "", "when-every": "inf"}, "is no number"),
            ({"when-every": "6"}, "either cron or an interval"),
            ({"when-name": ""}, "name"),
            ({"when-notify": "mailto://"}, "no JSON"),
            ({"ids": "5.76E+17"}, "5.76E+17"),
        ],
    )
    def test_what_is_wrong_is_said_and_what_was_filled_in_stays(
        self, app: FastAPI, owner: Browser, values: dict[str, str], said: str
    ) -> None:
        answer = send(owner, do="submit", label="stays", **values)
        assert answer.status_code == 422
        assert said in answer.text
        assert 'value="stays"' in answer.text
        assert app.state.services.schedules.all(ALICE) == []

    def test_a_change_keeps_the_ids_that_it_does_not_name(self, app: FastAPI, owner: Browser) -> None:
        schedule = made(app, owner)
        path = f"/schedules/{schedule.id}/edit"
        assert "It works on 1 ids" in owner.get(path).text
        assert "It would run" in send(owner, path, do="check", ids="").text
        answer = send(owner, path, do="submit", ids="", **{"when-cron": "", "when-every": "90", "when-unit": "minutes"})
        assert answer.status_code == 303, answer.text
        changed = only(app)
        assert (changed.input_id, changed.cron, changed.every_seconds) == (schedule.input_id, None, 5400)

    def test_a_form_says_what_the_schedule_says(self, app: FastAPI, owner: Browser) -> None:
        schedule = made(app, owner, **{"when-cron": "", "when-every": "36", "when-jitter": "1.5"})
        said = timing_from(filled_timing(schedule), [])
        assert (said["every_seconds"], said["jitter_seconds"], said["enabled"]) == (129_600, 90, True)
        kind = get_kind("skeletonize")
        given = filled_from(kind, {"heal": False, "min_twig": 5.0})
        as_default = {field.name: field.given for field in fields_of(kind)}
        assert given == as_default | {"heal": [], "min_twig": ["5.0"]}

    def test_an_unknown_unit_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="unit"):
            timing_from({"when-every": ["1"], "when-unit": ["fortnights"]}, [])


class TestPages:
    def test_the_list_says_what_comes_and_whether_the_clock_ticks(self, app: FastAPI, owner: Browser) -> None:
        assert "No schedules yet" in owner.get("/schedules").text
        made(app, owner)
        page = owner.get("/schedules").text
        assert "nightly" in page
        assert "Sun 2026-11-01 02:00 -0500" in page
        assert "does not tick" in page
        app.state.services.ticks.note("beat", "here")
        assert "does not tick" not in owner.get("/schedules").text

    def test_a_schedule_shows_its_runs_and_what_was_left_out(
        self, app: FastAPI, owner: Browser, clock: list[datetime]
    ) -> None:
        schedule = made(
            app, owner, **{"when-overlap": "skip", "when-notify": '[{"url": "json://me:secret@lab.example"}]'}
        )
        for nights in (0, 1):
            clock[0] = datetime(2026, 11, 1, 7, tzinfo=UTC) + timedelta(days=nights)
            Schedules(app.state.services.jobs, [DEMO], tick_seconds=10, grace_seconds=300).look("test")
        [job] = app.state.services.schedules.runs(schedule.id)
        page = owner.get(f"/schedules/{schedule.id}").text
        assert f"/jobs/{job.id}" in page
        assert f"its run {job.id} has not ended" in page
        assert "json://…" in page
        assert "secret" not in page

    def test_others_do_not_see_it(self, app: FastAPI, owner: Browser, bob: Browser) -> None:
        schedule = made(app, owner)
        assert bob.get(f"/schedules/{schedule.id}").status_code == 404
        assert "nightly" not in bob.get("/schedules").text

    def test_addresses_are_kept_and_not_shown_again(self, app: FastAPI, owner: Browser) -> None:
        address = '[{"url": "json://me:secret@lab.example"}]'
        path = f"/schedules/{made(app, owner, **{'when-notify': address}).id}/edit"
        assert "secret" not in owner.get(path).text
        send(owner, path, do="submit", label="changed")
        told = {"url": "json://me:secret@lab.example", "on": ["finish"], "changed_percent": None}
        assert (only(app).label, only(app).notify) == ("changed", [told])
        send(owner, path, do="submit", **{"when-notify": "[]"})
        assert only(app).notify == []


class TestButtons:
    def press(self, app: FastAPI, who: Browser, action: str) -> httpx.Response:
        return who("POST", f"/schedules/{only(app).id}/{action}")

    def test_run_now_leads_to_the_job_and_says_when_it_is_too_early(self, app: FastAPI, owner: Browser) -> None:
        made(app, owner, **{"when-overlap": "skip"})
        first = self.press(app, owner, "run")
        [job] = app.state.services.schedules.runs(only(app).id)
        assert (first.status_code, first.headers["location"]) == (303, f"/jobs/{job.id}")
        again = self.press(app, owner, "run").headers["location"]
        assert "An earlier run has not ended" in owner.get(again).text

    def test_disabled_and_enabled(self, app: FastAPI, owner: Browser) -> None:
        made(app, owner)
        self.press(app, owner, "disable")
        assert (only(app).enabled, only(app).next_slot) == (False, None)
        assert "disabled" in owner.get("/schedules").text
        self.press(app, owner, "enable")
        assert only(app).next_slot is not None

    def test_deleted(self, app: FastAPI, owner: Browser) -> None:
        made(app, owner)
        assert self.press(app, owner, "delete").headers["location"] == "/schedules"
        assert app.state.services.schedules.all(ALICE) == []

    def test_nobody_else_and_no_other_site_may(self, app: FastAPI, owner: Browser, alice: Browser) -> None:
        schedule = made(app, owner)
        assert alice("POST", f"/schedules/{schedule.id}/delete").status_code == 403, "she may only read"
        foreign = owner("POST", f"/schedules/{schedule.id}/delete", headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        assert only(app).id == schedule.id
