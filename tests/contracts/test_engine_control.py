"""What people do to jobs: cancel, pause, resume, retry; and deadlines and dependencies, which act by themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from crant_core.errors import LeaseLost, MeshNotFound, NotFound, SourceUnavailable, WrongState
from crant_core.jobs.model import JOB_TRANSITIONS, ItemState, JobState, Role
from crant_core.jobs.tables import JobRow
from tests.engine import Engine, an_outcome


def states(engine: Engine, job: JobRow) -> list[str]:
    return [item.state for item in engine.jobs.items(job.id)]


def counts(job: JobRow) -> tuple[int, int, int, int]:
    return job.total, job.succeeded, job.failed, job.cancelled


class TestCancel:
    def test_what_is_done_stays_and_the_rest_is_taken_away(self, engine: Engine) -> None:
        job = engine.planned(["1", "2", "3", "4"], items_per_unit=2)
        running = engine.claimed()
        engine.units.record(running, [an_outcome(running.items[0])])
        job = engine.control.cancel(job.id)
        assert (job.state, counts(job)) == (JobState.CANCELLED, (4, 1, 0, 3))
        assert states(engine, job) == ["succeeded", "cancelled", "cancelled", "cancelled"]
        with pytest.raises(LeaseLost):
            engine.units.record(running, [an_outcome(running.items[1])])
        assert engine.units.taken_away([running.token, "other"]) == {running.token}
        assert not engine.units.is_held(running)
        assert engine.units.give_back(running.token, SourceUnavailable()) is False
        assert engine.claim_next() is None
        assert engine.jobs.events(job.id)[-1].type == "cancelled"

    def test_before_the_plan_there_is_nothing_to_be_done(self, engine: Engine) -> None:
        job = engine.control.cancel(engine.submit().id)
        assert (job.state, counts(job)) == (JobState.CANCELLED, (0, 0, 0, 0))
        assert engine.claim_next() is None

    def test_a_plan_that_is_being_made_is_refused(self, engine: Engine) -> None:
        job = engine.submit()
        unit = engine.claimed()
        engine.plans.begin(unit)
        engine.control.cancel(job.id)
        with pytest.raises(LeaseLost):
            engine.plan(unit, [])


class TestPause:
    def test_nothing_new_is_started_and_what_runs_is_done(self, engine: Engine) -> None:
        job = engine.planned(["1", "2"])
        running = engine.claimed()
        offered = engine.dispatch.due()
        assert engine.control.pause(job.id).state == JobState.PAUSED
        assert [engine.units.claim(unit.id, "late", "w") for unit in offered] == [None]
        assert engine.claim_next() is None
        engine.units.complete_run(running, [an_outcome(item) for item in running.items])
        assert (engine.see(job).state, engine.see(job).succeeded) == (JobState.PAUSED, 1)
        engine.pass_time(31)
        job = engine.control.resume(job.id)
        assert job.state == JobState.RUNNING
        assert engine.run_all(job).state == JobState.SUCCEEDED

    @pytest.mark.parametrize("retryable", [True, False])
    def test_a_paused_plan_can_end_well_or_badly(self, engine: Engine, retryable: bool) -> None:
        job = engine.submit()
        unit = engine.claimed()
        engine.control.pause(job.id)
        if retryable:
            engine.plan(unit, [])
            assert engine.see(job).state == JobState.PAUSED
            assert engine.control.resume(job.id).state == JobState.FINISHING
        else:
            engine.units.give_back(unit.token, NotFound("no such version"))
            assert engine.see(job).state == JobState.FAILED

    def test_the_last_unit_that_ends_meanwhile_leads_to_the_finish_after_it(self, engine: Engine) -> None:
        job = engine.planned(["1"])
        unit = engine.claimed()
        engine.control.pause(job.id)
        engine.units.complete_run(unit, [an_outcome(unit.items[0])])
        assert engine.claim_next() is None
        assert engine.control.resume(job.id).state == JobState.FINISHING
        assert engine.claimed().role == Role.FINISH


class TestRetry:
    def test_what_failed_is_done_again_and_what_succeeded_is_kept(self, engine: Engine) -> None:
        job = engine.planned(["1", "2", "3"])
        job = engine.run_all(job, lambda key: MeshNotFound() if key != "2" else None)
        assert (job.state, counts(job)) == (JobState.PARTIAL, (3, 1, 2, 0))
        job = engine.control.retry(job.id)
        assert (job.state, counts(job)) == (JobState.RUNNING, (3, 1, 0, 0))
        assert job.finished_at is None
        assert states(engine, job) == ["pending", "succeeded", "pending"]
        job = engine.run_all(job)
        assert (job.state, counts(job)) == (JobState.SUCCEEDED, (3, 3, 0, 0))
        assert sorted(a.name for a in engine.jobs.artifacts(job.id)) == ["1.swc", "2.swc", "3.swc", "manifest.json"]
        assert engine.jobs.error_counts(job.id) == {}

    def test_of_a_job_that_runs_the_failed_items_join_the_others(self, engine: Engine) -> None:
        job = engine.planned(["1", "2"])
        engine.run_unit(fail=lambda _: MeshNotFound())
        assert engine.control.retry(job.id).failed == 0
        assert engine.run_all(job).succeeded == 2

    def test_of_a_paused_job_they_wait(self, engine: Engine) -> None:
        job = engine.planned(["1", "2"])
        engine.run_unit(fail=lambda _: MeshNotFound())
        engine.control.pause(job.id)
        assert engine.control.retry(job.id).state == JobState.PAUSED
        engine.control.resume(job.id)
        assert engine.run_all(job).state == JobState.SUCCEEDED

    def test_a_cancelled_job_goes_on(self, engine: Engine) -> None:
        job = engine.planned(["1", "2", "3"])
        engine.run_unit()
        engine.control.cancel(job.id)
        assert engine.control.retry(job.id).state == JobState.RUNNING
        job = engine.run_all(job)
        assert (job.state, counts(job)) == (JobState.SUCCEEDED, (3, 3, 0, 0))

    def test_a_job_without_a_plan_gets_one(self, engine: Engine) -> None:
        job = engine.submit()
        engine.units.give_back(engine.claimed().token, NotFound("no such version"))
        job = engine.control.retry(job.id)
        assert (job.state, job.error_code) == (JobState.PLANNING, None)
        assert engine.claimed().role == Role.PLAN

    def test_a_plan_begun_before_the_cancel_is_made_from_nothing(self, engine: Engine) -> None:
        job = engine.submit()
        unit = engine.claimed()
        engine.plans.begin(unit)
        engine.plans.add(unit, 0, [])
        engine.control.cancel(job.id)
        engine.control.retry(job.id)
        engine.plan(engine.claimed(), [])
        assert engine.run_all(job).state == JobState.SUCCEEDED

    def test_a_finish_that_failed_is_made_again(self, engine: Engine) -> None:
        job = engine.planned(["1"])
        engine.run_unit()
        engine.units.give_back(engine.claimed().token, NotFound("an artifact is gone"))
        assert engine.see(job).state == JobState.FAILED
        assert engine.control.retry(job.id).state == JobState.FINISHING
        assert engine.run_all(job).state == JobState.SUCCEEDED


def in_state(engine: Engine, state: JobState) -> JobRow:
    """A job in any state, come there as jobs do."""
    fails = {JobState.SUCCEEDED: "", JobState.PARTIAL: "1", JobState.FAILED: "12"}
    if state in fails:
        return engine.run_all(engine.planned(["1", "2"]), lambda key: MeshNotFound() if key in fails[state] else None)
    ways: dict[JobState, Callable[[], JobRow]] = {
        JobState.WAITING: lambda: engine.submit(after=[engine.submit().id]),
        JobState.PLANNING: engine.submit,
        JobState.RUNNING: lambda: engine.planned(["1"]),
        JobState.FINISHING: lambda: finishing(engine),
        JobState.PAUSED: lambda: engine.control.pause(engine.planned(["1"]).id),
        JobState.CANCELLED: lambda: engine.control.cancel(engine.planned(["1"]).id),
    }
    return ways[state]()


def finishing(engine: Engine) -> JobRow:
    job = engine.planned(["1"])
    engine.run_unit()
    return engine.see(job)


ALLOWED = {
    "cancel": {s for s in JobState if not s.ended},
    "pause": {JobState.WAITING, JobState.PLANNING, JobState.RUNNING, JobState.FINISHING},
    "resume": {JobState.PAUSED},
    "retry": {JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED},
}


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("action", ALLOWED)
def test_each_works_where_it_makes_sense_and_changes_nothing_elsewhere(
    engine: Engine, action: str, state: JobState
) -> None:
    job = in_state(engine, state)
    assert job.state == state
    act: Callable[[str], JobRow] = getattr(engine.control, action)
    if state in ALLOWED[action]:
        new = JobState(act(job.id).state)
        assert new in JOB_TRANSITIONS[state]
    else:
        before = [event.id for event in engine.jobs.events(job.id)]
        with pytest.raises(WrongState, match=f"is {state}"):
            act(job.id)
        assert engine.see(job).state == state
        assert [event.id for event in engine.jobs.events(job.id)] == before


def test_a_job_that_is_late_fails_and_keeps_what_it_has(engine: Engine) -> None:
    deadline = engine.database.now() + timedelta(seconds=100)
    job = engine.planned(["1", "2"], deadline=deadline)
    engine.run_unit()
    running = engine.claimed()
    engine.pass_time(50)
    assert engine.see(job).state == JobState.RUNNING
    engine.units.renew([running.token])
    engine.pass_time(51)
    job = engine.see(job)
    assert (job.state, job.error_code, counts(job)) == (JobState.FAILED, "deadline_exceeded", (2, 1, 0, 1))
    assert engine.units.taken_away([running.token]) == {running.token}
    assert engine.control.retry(job.id).deadline is None
    assert engine.run_all(job).state == JobState.SUCCEEDED


class TestAfter:
    def test_a_job_waits_for_all_it_comes_after(self, engine: Engine) -> None:
        first, second = engine.planned(["1"]), engine.planned(["1", "2"])
        last = engine.submit(after=[first.id, second.id])
        assert last.state == JobState.WAITING
        assert engine.jobs.after(last.id) == sorted([first.id, second.id])
        engine.run_all(first)
        engine.pass_time(1)
        assert engine.see(last).state == JobState.WAITING
        engine.run_all(second, lambda key: MeshNotFound() if key == "1" else None)
        engine.pass_time(1)
        assert engine.see(last).state == JobState.PLANNING, "a partial job has results to go on with"
        assert engine.claimed().job.id == last.id

    @pytest.mark.parametrize("how", ["fails", "cancelled"])
    def test_it_fails_with_one_of_them_and_can_be_tried_again(self, engine: Engine, how: str) -> None:
        first = engine.planned(["1"])
        last = engine.submit(after=[first.id])
        if how == "fails":
            engine.run_all(first, lambda _: MeshNotFound())
        else:
            engine.control.cancel(first.id)
        engine.pass_time(1)
        job = engine.see(last)
        assert (job.state, job.error_code) == (JobState.FAILED, "dependency_failed")
        assert first.id in (job.error_message or "")
        engine.control.retry(first.id)
        assert engine.control.retry(last.id).state == JobState.WAITING
        engine.run_all(first)
        engine.pass_time(1)
        assert engine.see(last).state == JobState.PLANNING

    def test_chains_end_one_after_the_other(self, engine: Engine) -> None:
        first = engine.planned(["1"])
        second = engine.submit(after=[first.id])
        third = engine.submit(after=[second.id])
        engine.control.cancel(first.id)
        engine.pass_time(1)
        engine.pass_time(1)
        assert [engine.see(job).error_code for job in (second, third)] == ["dependency_failed"] * 2


def test_retried_items_forget_what_happened_to_them(engine: Engine) -> None:
    job = engine.planned(["1"])
    engine.run_all(job, lambda _: MeshNotFound("none"))
    engine.control.retry(job.id)
    [item] = engine.jobs.items(job.id)
    assert (item.state, item.error_code, item.traceback, item.attempts) == (ItemState.PENDING, None, None, 0)


def test_what_succeeded_is_not_waited_for_but_submitted_anew(engine: Engine) -> None:
    with pytest.raises(WrongState) as refused:
        engine.control.retry(in_state(engine, JobState.SUCCEEDED).id)
    assert refused.value.hint == "nothing of it has failed; to do all again, submit it with reuse false"
