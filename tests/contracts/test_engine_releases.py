"""Two releases at once, as in every upgrade: who may do what, and whose results are whose."""

from __future__ import annotations

from typing import Any

from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.units import UnitRepository
from tests.engine import NOON, Engine


def worker_of(engine: Engine, **releases: int) -> UnitRepository:
    return UnitRepository(engine.database, lease_seconds=60, max_attempts=3, releases=releases)


def offered(engine: Engine, **fields: Any) -> int:
    engine.submit(**fields)
    [due] = engine.dispatch.due()
    return due.id


def test_an_older_worker_leaves_newer_jobs_to_newer_workers(engine: Engine) -> None:
    unit = offered(engine, code_version=2)
    assert worker_of(engine, skeletonize=1).claim(unit, "old", "w") is None
    assert worker_of(engine, meshes=7).claim(unit, "older", "w") is None, "it does not even know the kind"
    assert worker_of(engine, skeletonize=2).claim(unit, "new", "w") is not None


def test_a_newer_worker_does_what_was_submitted_to_an_older_release(engine: Engine) -> None:
    unit = offered(engine, code_version=1)
    assert worker_of(engine, meshes=7, skeletonize=2).claim(unit, "new", "w") is not None


def test_a_job_is_of_the_version_that_planned_it_and_older_workers_leave_it_alone(engine: Engine) -> None:
    job = engine.submit(code_version=1)
    plan = engine.claim_plan(job)
    engine.plans.begin(plan, 2)
    engine.plans.add(plan, 0, [NewItem(key="1")])
    engine.plans.complete(plan, NOON, first_size=1, largest_size=1)
    assert engine.see(job).code_version == 2
    [due] = engine.dispatch.due()
    assert worker_of(engine, skeletonize=1).claim(due.id, "old", "w") is None
