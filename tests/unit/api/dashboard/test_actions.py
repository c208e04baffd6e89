from __future__ import annotations

import pytest
from fastapi import FastAPI

from api.dashboard.actions import Action, actions_in
from crant_core.errors import MeshNotFound
from crant_core.jobs.model import JobState, Scope
from tests.unit.api.dashboard.conftest import Browser, Lab, browser_of

FIRST, SECOND = "576460754037774676", "9223372036854775807"


@pytest.fixture
def owner(app: FastAPI) -> Browser:
    return browser_of(app, "alice", Scope.READ, Scope.SUBMIT)


def state_of(lab: Lab, job_id: str) -> str:
    return lab.app.state.services.jobs.get(job_id, lab_viewer()).state


def lab_viewer():
    from crant_core.jobs.repository.jobs import Viewer

    return Viewer(owner="x", sees_all=True)


def test_every_action_of_a_state_is_accepted_by_the_engine_in_that_state(owner: Browser, lab: Lab) -> None:
    job = lab.planned([FIRST])
    for action, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled"), ("retry", "running")):
        assert Action(action) in actions_in(JobState(state_of(lab, job.id)))
        answer = owner("POST", f"/jobs/{job.id}/{action}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
        assert state_of(lab, job.id) == state


def test_failed_items_are_retried_from_the_page(owner: Browser, lab: Lab) -> None:
    job = lab.planned([FIRST, SECOND])
    lab.run(job, **{f"k{FIRST}": MeshNotFound()})
    lab.finish(job)
    assert "Retry 1 failed" in owner.get(f"/jobs/{job.id}").text
    owner("POST", f"/jobs/{job.id}/retry")
    assert state_of(lab, job.id) == "running"


def test_an_action_that_comes_too_late_is_said_on_the_page(owner: Browser, lab: Lab) -> None:
    job = lab.done([FIRST])
    answer = owner("POST", f"/jobs/{job.id}/pause")
    assert answer.headers["location"] == f"/jobs/{job.id}?late=pause"
    assert "too late to pause" in owner.get(answer.headers["location"]).text


def test_another_site_cannot_press_a_button(owner: Browser, lab: Lab) -> None:
    job = lab.planned([FIRST])
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.test"}):
        assert owner("POST", f"/jobs/{job.id}/cancel", headers=headers).status_code == 403
    assert state_of(lab, job.id) == "running"


def test_who_only_reads_sees_no_buttons_and_can_press_none(alice: Browser, lab: Lab) -> None:
    job = lab.planned([FIRST])
    assert "/cancel" not in alice.get(f"/jobs/{job.id}").text
    assert alice("POST", f"/jobs/{job.id}/cancel").status_code == 403
    assert state_of(lab, job.id) == "running"


def test_others_jobs_do_not_exist(app: FastAPI, lab: Lab) -> None:
    job = lab.planned([FIRST])
    bob = browser_of(app, "bob", Scope.READ, Scope.SUBMIT)
    assert bob("POST", f"/jobs/{job.id}/cancel").status_code == 404


def test_a_stranger_is_sent_to_sign_in_and_back_to_the_job(stranger: Browser, lab: Lab) -> None:
    job = lab.planned([FIRST])
    answer = stranger("POST", f"/jobs/{job.id}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next=/jobs/{job.id}")
