"""Jobs made of jobs: started once, counted together, stopped and started again together."""

from __future__ import annotations

import pytest

from crant_core.errors import LeaseLost, MeshNotFound, SourceUnavailable, WrongState
from crant_core.jobs.model import JobState, Role
from crant_core.jobs.repository.pipelines import NewStep, PipelineRepository
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.tables import JobRow
from tests.engine import NOON, Engine, a_file

STEPS = [
    NewStep(name="one", kind="update_ids", code_version=1),
    NewStep(name="two", kind="skeletonize", code_version=1, after=("one",)),
    NewStep(name="three", kind="synapses", code_version=1, after=("one",)),
    NewStep(name="four", kind="attach_synapses", code_version=1, after=("two",)),
]


@pytest.fixture
def pipelines(engine: Engine) -> PipelineRepository:
    return engine.dispatch.pipelines


def started(engine: Engine, steps: list[NewStep] = STEPS, **fields: object) -> JobRow:
    job = engine.submit(kind="skeletonize", **fields)
    engine.dispatch.pipelines.start(engine.claim_plan(job), NOON, steps, [1, 2], None)
    return engine.see(job)


def do(engine: Engine, unit: ClaimedUnit, fail: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Plan, run and finish as a worker does; steps in `fail` fail as a whole, items named `bad` fail."""
    if unit.role == Role.PLAN:
        if unit.job.step in fail:
            engine.units.give_back(unit.token, MeshNotFound("nothing there"))
            return
        engine.dispatch.pipelines.feed(unit, [1, 2], {"step": unit.job.step})
        keys = ["1", "bad"] if f"item of {unit.job.step}" in fail else ["1", "2"]
        engine.plan(unit, [NewItem(key=key, error=MeshNotFound() if key == "bad" else None) for key in keys])
    elif unit.role == Role.RUN:
        from tests.engine import an_outcome

        engine.units.complete_run(unit, [an_outcome(item) for item in unit.items], seconds=1)
    else:
        engine.units.complete_finish(unit, [a_file("manifest.json")])


def do_all(engine: Engine, job: JobRow, fail: set[str] = frozenset()) -> JobRow:  # type: ignore[assignment]
    for _ in range(100):
        engine.pass_time(2)
        unit = engine.claim_next()
        if unit is not None:
            do(engine, unit, fail)
        elif JobState(engine.see(job).state).ended:
            return engine.see(job)
    raise AssertionError("it does not end")


def states(engine: Engine, job: JobRow) -> dict[str, str]:
    return {row.step or "": row.state for row in engine.dispatch.pipelines.steps(job.id)}


def test_steps_are_started_with_the_plan_and_wait_for_each_other(engine, pipelines) -> None:
    job = started(engine, priority=3, label="night", reuse=False)
    assert job.state == JobState.RUNNING
    assert states(engine, job) == {"one": "planning", "two": "waiting", "three": "waiting", "four": "waiting"}
    for step in pipelines.steps(job.id):
        assert (step.owner, step.priority, step.label, step.reuse) == ("alice", 3, "night", False)
        assert (step.timestamp, step.dataset, step.parent_id) == (NOON.timestamp, job.dataset, job.id)
    assert engine.jobs.input_ids(job) == [1, 2]


def test_a_pipeline_ends_when_its_steps_have_and_counts_their_items(engine, pipelines) -> None:
    job = do_all(engine, started(engine))
    assert (job.state, job.total, job.succeeded, job.failed) == (JobState.SUCCEEDED, 8, 8, 0)
    assert set(states(engine, job).values()) == {"succeeded"}
    assert [row.parameters for row in pipelines.steps(job.id)] == [{"step": step.name} for step in STEPS]


def test_while_its_steps_run_a_pipeline_has_no_unit_to_do(engine) -> None:
    job = started(engine)
    engine.pass_time(2)
    unit = engine.claimed()
    assert unit.job.parent_id == job.id
    assert engine.claim_next() is None
    assert engine.see(job).state == JobState.RUNNING


def test_a_pipeline_without_steps_is_finished_at_once(engine) -> None:
    job = started(engine, steps=[])
    assert job.state == JobState.FINISHING
    engine.units.complete_finish(engine.claimed(), [])
    assert engine.see(job).state == JobState.SUCCEEDED


def test_a_plan_that_was_taken_away_starts_no_steps(engine, pipelines) -> None:
    job = engine.submit(kind="skeletonize")
    unit = engine.claim_plan(job)
    engine.units.give_back(unit.token, SourceUnavailable())
    with pytest.raises(LeaseLost):
        pipelines.start(unit, NOON, STEPS, [1], None)
    assert pipelines.steps(job.id) == []


def test_a_failed_item_makes_it_partial_and_later_steps_go_on(engine) -> None:
    job = do_all(engine, started(engine), fail={"item of one"})
    assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 7, 1)
    assert states(engine, job)["four"] == "succeeded"


def test_a_failed_step_fails_those_after_it_and_no_others(engine) -> None:
    job = do_all(engine, started(engine), fail={"two"})
    assert states(engine, job) == {"one": "succeeded", "two": "failed", "three": "succeeded", "four": "failed"}
    assert (job.state, job.total, job.succeeded, job.failed) == (JobState.PARTIAL, 6, 4, 2)
    assert [row.error_code for row in engine.dispatch.pipelines.steps(job.id)][3] == "dependency_failed"


def test_a_retry_makes_what_failed_anew_and_what_comes_after_it(engine, pipelines) -> None:
    job = do_all(engine, started(engine), fail={"two"})
    before = {row.step: row.id for row in pipelines.steps(job.id)}
    engine.control.retry(job.id)
    after = {row.step: row.id for row in pipelines.steps(job.id)}
    assert {name for name in before if before[name] != after[name]} == {"two", "four"}
    assert states(engine, job) == {"one": "succeeded", "two": "waiting", "three": "succeeded", "four": "waiting"}
    job = do_all(engine, job)
    assert (job.state, job.total, job.succeeded, job.failed) == (JobState.SUCCEEDED, 8, 8, 0)


def test_a_step_is_retried_with_its_pipeline_only(engine, pipelines) -> None:
    job = do_all(engine, started(engine), fail={"two"})
    with pytest.raises(WrongState, match="retry that one"):
        engine.control.retry(pipelines.steps(job.id)[1].id)


def test_cancel_reaches_every_step_and_a_retry_starts_them_again(engine) -> None:
    job = started(engine)
    engine.pass_time(2)
    unit = engine.claimed()
    engine.control.cancel(job.id)
    assert engine.see(job).state == JobState.CANCELLED
    assert set(states(engine, job).values()) == {"cancelled"}
    assert engine.units.taken_away([unit.token]) == {unit.token}
    engine.pass_time(2)
    assert engine.claim_next() is None
    engine.control.retry(job.id)
    assert do_all(engine, job).state == JobState.SUCCEEDED


def test_cancel_reaches_paused_steps(engine) -> None:
    job = started(engine)
    engine.control.pause(job.id)
    engine.control.cancel(job.id)
    assert set(states(engine, job).values()) == {"cancelled"}


def test_a_paused_pipeline_holds_its_steps_and_goes_on_from_there(engine) -> None:
    job = started(engine)
    engine.control.pause(job.id)
    assert set(states(engine, job).values()) == {"paused"}
    engine.pass_time(2)
    assert engine.claim_next() is None
    engine.control.resume(job.id)
    assert do_all(engine, job).state == JobState.SUCCEEDED


def test_steps_of_a_pipeline_that_is_paused_while_it_is_planned_wait_for_it(engine) -> None:
    job = engine.submit(kind="skeletonize")
    unit = engine.claim_plan(job)
    engine.control.pause(job.id)
    engine.dispatch.pipelines.start(unit, NOON, STEPS, [1], None)
    engine.pass_time(2)
    assert engine.claim_next() is None
    engine.control.resume(job.id)
    assert do_all(engine, job).state == JobState.SUCCEEDED


def test_a_deadline_ends_the_steps_too(engine) -> None:
    from datetime import timedelta

    job = started(engine, deadline=engine.database.now() + timedelta(seconds=60))
    engine.pass_time(70)
    assert engine.see(job).error_code == "deadline_exceeded"
    assert all(JobState(state).ended for state in states(engine, job).values())


def test_a_dispatcher_that_comes_later_ends_what_another_one_left(engine) -> None:
    job = started(engine)
    fresh = Engine(engine.database)
    assert do_all(fresh, job).state == JobState.SUCCEEDED
