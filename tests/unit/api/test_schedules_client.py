"""Schedules from Python and from the terminal, against the application behind a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from crant_core.cli import app as crant
from crant_core.cli.schedules import seconds_of
from crant_core.client import Crant, ServiceProblem
from crant_core.errors import InvalidInput, NotFound
from crant_core.jobs.model import JobState, Scope
from tests.engine import ROOT


@pytest.fixture
def service(app: FastAPI, live: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crant]:
    token = app.state.services.tokens.create("alice", (Scope.READ, Scope.SUBMIT))
    found = Crant(live, token)
    monkeypatch.setattr("crant_core.cli.schedules.Crant", lambda: found)
    yield found
    found.http.close()


def make(service: Crant, name: str = "nightly", **more: Any) -> Any:
    usual: dict[str, Any] = {"cron": "0 2 * * *", "zone": "Europe/Berlin", "formats": ["swc"]}
    return service.schedules.create(name, "skeletonize", dataset="demo", ids=[ROOT], **usual | more)


class TestPython:
    def test_made_found_changed_run_and_removed(self, service: Crant) -> None:
        schedule = make(service, priority=2, overlap="queue")
        assert (schedule.view.job.params, schedule.view.job.priority) == ({"formats": ["swc"]}, 2)
        assert [one.id for one in service.schedules] == [schedule.id]
        found = service.schedules["nightly"]
        assert (found.id, service.schedules[schedule.id].id) == (schedule.id, schedule.id)
        assert found.change(priority=5, every_seconds=3600).job.priority == 5
        assert (found.view.cron, found.view.job.given) == (None, 1)
        job = found.run()
        assert (job.view.state, job.view.schedule_id) == (JobState.PLANNING, schedule.id)
        assert [run.job for run in found.runs()] == [job.id]
        assert list(found.skips()) == []
        assert found.refresh().last_run is not None
        assert (found.disable().next_runs, found.enable().enabled) == ([], True)
        found.delete()
        with pytest.raises(NotFound, match="nightly"):
            service.schedules["nightly"]

    def test_a_preview_makes_nothing(self, service: Crant) -> None:
        slots = service.schedules.preview("x", "skeletonize", dataset="demo", ids=[ROOT], cron="0 2 * * *")
        assert len(slots) == 5
        assert list(service.schedules) == []

    def test_what_the_service_refuses_is_an_error(self, service: Crant) -> None:
        with pytest.raises(ServiceProblem, match="fields"):
            make(service, cron="nightly")


class TestTerminal:
    def run(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(crant, ["schedules", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    def test_from_making_to_removing(self, service: Crant) -> None:
        about = ["skeletonize", str(ROOT), "-d", "demo", "-p", "heal=false"]
        timing = ["--cron", "0 2 * * *", "--zone", "America/New_York", "--jitter", "10m"]
        slots = self.run("create", "nightly", *about, *timing, "--dry-run")
        assert slots.count("T02:00:00-0") == 5
        shown = self.run("create", "nightly", *about, *timing)
        assert "0 2 * * * America/New_York" in shown
        assert "nightly" in self.run("list")
        edited = json.loads(self.run("edit", "nightly", "--every", "6h", "-p", 'formats=["parquet"]', "--json"))
        assert (edited["every_seconds"], edited["job"]["given"]) == (21_600, 1)
        assert edited["job"]["params"] == {"heal": False, "formats": ["parquet"]}
        assert json.loads(self.run("disable", "nightly", "--json"))["enabled"] is False
        assert "disabled" in self.run("list")
        assert "every 6h" in self.run("enable", "nightly")
        job = json.loads(self.run("run", "nightly", "--json"))["id"]
        assert job in self.run("runs", "nightly")
        assert [run["job"] for run in json.loads(self.run("runs", "nightly", "--json"))["runs"]] == [job]
        assert job in self.run("show", "nightly")
        self.run("delete", "nightly")
        assert json.loads(self.run("list", "--json")) == []


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("6h", 21_600), ("1d", 86_400), ("75", 75), ("30s", 30)])
def test_spans_are_written_as_people_do(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-6h", "6 hours", "٦h"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        seconds_of(text)
