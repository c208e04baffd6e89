"""Submitting jobs that work on another job's skeletons."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from crant_core.jobs.model import JobState, Scope
from tests.engine import ALICE, ROOT, Engine
from tests.unit.api.conftest import Caller, caller
from tests.unit.api.test_jobs import problem

IDS = [str(ROOT), str(ROOT + 1)]


def attach(who: Caller, job: str, *ids: str, kind: str = "attach_synapses", **body: Any) -> Any:
    return who.submit(*ids, kind=kind, params={"skeletons": job}, **body)


def skeletons(who: Caller) -> str:
    return str(who.submit(*IDS).json()["id"])


@pytest.mark.parametrize("kind", ["attach_synapses", "neuron_to_segments"])
def test_it_takes_the_ids_of_the_other_job_and_waits_for_it(alice: Caller, engine: Engine, kind: str) -> None:
    made = skeletons(alice)
    job = attach(alice, made, kind=kind).json()
    assert (job["given"], job["after"], job["state"]) == (2, [made], "waiting")
    assert engine.jobs.input_ids(engine.jobs.get(job["id"], ALICE)) == [ROOT, ROOT + 1]
    assert job["params"]["skeletons"] == made


def test_ids_of_its_own_are_a_choice(alice: Caller, engine: Engine) -> None:
    job = attach(alice, skeletons(alice), IDS[1]).json()
    assert engine.jobs.input_ids(engine.jobs.get(job["id"], ALICE)) == [ROOT + 1]


def test_it_need_not_wait_for_a_job_that_has_ended(alice: Caller, engine: Engine) -> None:
    made = skeletons(alice)
    engine.plan(engine.claim_plan(engine.jobs.get(made, ALICE)), [])
    engine.units.complete_finish(engine.claimed(), [])
    assert JobState(engine.jobs.get(made, ALICE).state).ended
    job = attach(alice, made).json()
    assert (job["after"], job["state"]) == ([], "planning")


def test_a_dry_run_says_how_many_items_that_would_be(alice: Caller) -> None:
    made = skeletons(alice)
    request = {"kind": "attach_synapses", "dataset": "demo", "params": {"skeletons": made}}
    found = alice("POST", "/v1/jobs?dry_run=true", json=request).json()
    assert (found["given"], found["items"]) == (2, 2)


def test_jobs_of_others_do_not_exist_even_for_administrators(alice: Caller, bob: Caller, app: FastAPI) -> None:
    admin = caller(app, "root", *Scope)
    made = skeletons(alice)
    for who in (bob, admin):
        body = problem(attach(who, made), 422, "invalid_parameters")
        assert f"no job {made} of yours" in str(body["detail"])
    assert bob("GET", "/v1/jobs").json()["jobs"] == []


def test_a_job_without_skeletons_is_refused(alice: Caller) -> None:
    other = alice.submit(*IDS, kind="synapse_counts").json()["id"]
    body = problem(attach(alice, other), 422, "invalid_parameters")
    assert "synapse_counts" in str(body["detail"])
    assert "skeletonize" in str(body["hint"])


def test_a_job_that_came_to_nothing_is_refused(alice: Caller) -> None:
    made = skeletons(alice)
    alice("POST", f"/v1/jobs/{made}/cancel")
    assert "cancelled" in str(problem(attach(alice, made), 422, "invalid_parameters")["detail"])


@pytest.mark.parametrize("name", ["../etc", "", "ABC", 12])
def test_what_is_no_job_id_is_refused(alice: Caller, name: Any) -> None:
    problem(attach(alice, name), 422, "invalid_parameters")


def test_neither_ids_nor_a_job_is_refused(alice: Caller) -> None:
    body = problem(alice.submit(kind="attach_synapses"), 422, "invalid_parameters")
    assert "neither ids nor skeletons" in str(body["detail"])
