"""The job engine's promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Select

from crant_core.errors import IdempotencyMismatch, LeaseLost, MeshNotFound, NotFound, SourceUnavailable, WorkerLost
from crant_core.jobs.model import ItemState, JobState, Role
from crant_core.jobs.repository import dispatch
from crant_core.jobs.repository.jobs import NewJob, Viewer
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.retrying import patience
from crant_core.jobs.tables import JobRow
from tests.engine import ALICE, NOON, ROOT, Engine, a_file, an_outcome


def event_types(engine: Engine, job_id: str) -> list[str]:
    return [event.type for event in engine.jobs.events(job_id)]


def test_a_job_goes_from_plan_over_run_to_finish(engine: Engine) -> None:
    job = engine.planned(["1", "2", "3"], items_per_unit=2)
    assert (job.state, job.total, job.timestamp) == (JobState.RUNNING, 3, NOON.timestamp)
    assert [len(engine.run_unit().items) for _ in range(2)] == [2, 1]
    assert engine.see(job).state == JobState.FINISHING
    finish = engine.claimed()
    assert finish.role == Role.FINISH
    done = [item for after in (-1, 1) for item in engine.units.done_items(job.id, after=after, limit=2)]
    assert [(item.key, item.metrics, item.files) for item in done] == [
        (key, {"n_nodes": 3}, {f"{key}.swc": a_file(f"{key}.swc").sha256}) for key in "123"
    ]
    engine.units.complete_finish(finish, [a_file("manifest.json")])
    job = engine.see(job)
    assert (job.state, job.succeeded, job.failed) == (JobState.SUCCEEDED, 3, 0)
    assert job.finished_at is not None
    assert engine.claim_next() is None
    assert event_types(engine, job.id) == [
        "submitted",
        "planned",
        "running",
        *["item_succeeded"] * 3,
        "finishing",
        "succeeded",
    ]


def test_ids_above_2_to_53_come_back_exactly(engine: Engine) -> None:
    ids = [2**63 - 1, 2**53 + 1, 1, ROOT, ROOT]
    job = engine.submit(ids)
    assert engine.jobs.input_ids(job) == ids
    assert engine.jobs.input_count(job) == 5


def test_a_failed_item_makes_the_job_partial_and_all_failed_make_it_fail(engine: Engine) -> None:
    partial = engine.planned(["1", "2"])
    engine.run_unit()
    engine.run_unit(fail=lambda key: MeshNotFound(f"no mesh for {key}"))
    engine.units.complete_finish(engine.claimed(), [])
    assert engine.see(partial).state == JobState.PARTIAL
    assert engine.jobs.error_counts(partial.id) == {"mesh_not_found": 1}
    [failed] = engine.jobs.items(partial.id, state=ItemState.FAILED)
    assert (failed.key, failed.error_message, failed.traceback) == ("2", "no mesh for 2", "trace")

    failing = engine.planned(["1"])
    engine.run_unit(fail=lambda _: MeshNotFound())
    engine.units.complete_finish(engine.claimed(), [])
    assert engine.see(failing).state == JobState.FAILED


def test_items_known_to_be_impossible_never_become_units(engine: Engine) -> None:
    job = engine.submit([1, 2])
    engine.plan(engine.claimed(), [NewItem(key=key, error=MeshNotFound()) for key in "12"])
    assert engine.see(job).state == JobState.FINISHING
    assert engine.claimed().role == Role.FINISH


def test_a_unit_is_claimed_once_and_a_token_counts_once(engine: Engine) -> None:
    engine.submit()
    [due] = engine.dispatch.due()
    assert engine.units.claim(due.id, "first", "w1") is not None
    assert engine.units.claim(due.id, "second", "w2") is None
    engine.units.give_back("first", WorkerLost())
    engine.database.pass_time(60)
    assert engine.units.claim(due.id, "first", "w1") is None, "a redelivered message must not hold a lease again"
    assert engine.units.claim(due.id, "third", "w1") is not None


def test_many_workers_claiming_at_once_get_the_unit_once(engine: Engine) -> None:
    engine.submit()
    [due] = engine.dispatch.due()
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: engine.units.claim(due.id, f"t{n}", "w"), range(16)))
    assert sum(claim is not None for claim in claims) == 1


def test_the_last_two_units_ending_at_once_start_one_finish(engine: Engine) -> None:
    job = engine.planned([str(n) for n in range(8)])
    units = [engine.claimed() for _ in range(8)]
    for unit in units:
        engine.units.record(unit, [an_outcome(unit.items[0])])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(engine.units.complete_run, units))
    assert engine.see(job).state == JobState.FINISHING
    assert engine.claimed().role == Role.FINISH
    assert engine.claim_next() is None


def test_a_zombie_can_change_nothing(engine: Engine) -> None:
    job = engine.planned(["1"])
    zombie = engine.claimed()
    engine.database.pass_time(61)
    assert engine.dispatch.expire() == 1
    engine.database.pass_time(61)
    heir = engine.claimed()
    for write in (
        lambda: engine.units.record(zombie, [an_outcome(zombie.items[0], metrics={"n_nodes": 666})]),
        lambda: engine.units.record(zombie, [an_outcome(zombie.items[0], MeshNotFound())]),
        lambda: engine.units.complete_run(zombie),
        lambda: engine.units.complete_run(zombie, [an_outcome(zombie.items[0], metrics={"n_nodes": 666})]),
        lambda: engine.units.take_known(zombie),
    ):
        with pytest.raises(LeaseLost):
            write()
    engine.units.record(heir, [an_outcome(heir.items[0], metrics={"n_nodes": 1})])
    with pytest.raises(LeaseLost, match="ended already"):
        engine.units.record(heir, [an_outcome(heir.items[0], metrics={"n_nodes": 2}, files=[a_file("2.swc")])])
    [item] = engine.jobs.items(job.id)
    assert item.metrics == {"n_nodes": 1}
    assert [artifact.name for artifact in engine.jobs.artifacts(job.id)] == ["1.swc"]
    assert [(a.outcome, a.number) for a in engine.jobs.attempts(job.id) if a.unit_id == heir.id] == [
        (None, 2),
        ("worker_lost", 1),
    ]


def test_a_renewed_lease_does_not_expire(engine: Engine) -> None:
    engine.planned(["1"])
    unit = engine.claimed()
    engine.database.pass_time(59)
    assert engine.units.renew([unit.token, "unknown"]) == 1
    engine.database.pass_time(59)
    assert engine.dispatch.expire() == 0


def test_what_is_done_is_not_done_again_after_a_crash(engine: Engine) -> None:
    engine.planned(["1", "2"], items_per_unit=2)
    first = engine.claimed()
    engine.units.record(first, [an_outcome(first.items[0])])
    engine.units.give_back(first.token, WorkerLost())
    engine.database.pass_time(60)
    assert [item.key for item in engine.claimed().items] == ["2"]


def test_a_unit_that_keeps_failing_is_given_up_with_its_open_items(engine: Engine) -> None:
    job = engine.planned(["1", "2"], items_per_unit=2)
    for _ in range(patience("source_unavailable").attempts):
        assert engine.see(job).state == JobState.RUNNING
        assert engine.units.give_back(engine.claimed().token, SourceUnavailable("503 from CAVE"))
        engine.database.pass_time(301)
    assert engine.jobs.error_counts(job.id) == {"source_unavailable": 2}
    engine.units.complete_finish(engine.claimed(), [])
    assert engine.see(job).state == JobState.FAILED


def test_a_retry_waits_before_it_is_offered_again(engine: Engine) -> None:
    engine.planned(["1"])
    engine.units.give_back(engine.claimed().token, SourceUnavailable())
    assert engine.claim_next() is None
    engine.database.pass_time(2)
    assert engine.claim_next() is not None


def test_a_plan_that_cannot_be_made_fails_the_job_with_its_reason(engine: Engine) -> None:
    job = engine.submit()
    engine.units.give_back(engine.claimed().token, NotFound("no such version"))
    job = engine.see(job)
    assert (job.state, job.error_code, job.error_message) == (JobState.FAILED, "not_found", "no such version")
    assert engine.jobs.events(job.id)[-1].type == "failed"


def test_giving_back_what_one_does_not_hold_does_nothing(engine: Engine) -> None:
    engine.submit()
    assert engine.units.give_back("nobody", WorkerLost()) is False


def test_the_same_key_and_body_are_the_same_job(engine: Engine) -> None:
    new = NewJob(
        kind="skeletonize", code_version=1, dataset="demo", parameters={}, ids=[1], at="live", owner="alice",
        body_hash="x", idempotency_key="k",
    )  # fmt: skip
    (job, is_new), (again, is_new_again) = engine.jobs.submit(new), engine.jobs.submit(new)
    assert (job.id, is_new, is_new_again) == (again.id, True, False)
    with pytest.raises(IdempotencyMismatch):
        engine.submit(owner="alice", body_hash="y", idempotency_key="k")
    assert engine.submit(owner="bob", body_hash="y", idempotency_key="k").id != job.id


def test_the_same_key_sent_many_times_at_once_is_one_job(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: engine.submit([7, 8], idempotency_key="k"), range(8)))
    assert len({job.id for job in jobs}) == 1


def test_owners_see_only_their_own(engine: Engine) -> None:
    job = engine.submit(owner="bob")
    with pytest.raises(NotFound):
        engine.jobs.get(job.id, ALICE)
    assert engine.jobs.recent(ALICE) == []
    assert [row.id for row in engine.jobs.recent(Viewer(owner="root", sees_all=True))] == [job.id]


def test_pages_go_on_where_they_ended(engine: Engine) -> None:
    jobs = [engine.submit().id for _ in range(5)]
    first = engine.jobs.recent(ALICE, limit=3)
    rest = engine.jobs.recent(ALICE, limit=3, before=first[-1].number)
    assert [row.id for row in (*first, *rest)] == jobs[::-1]


def test_work_is_offered_in_turns_and_little_at_a_time(engine: Engine) -> None:
    large = engine.planned([str(n) for n in range(50)], owner="alice")
    small = engine.planned(["a"], owner="alice")
    other = engine.planned(["b", "c"], owner="bob")
    due = engine.dispatch.due()
    assert [unit.job_id for unit in due] == [large.id, other.id, small.id, other.id], "nobody knows what units cost"
    assert [unit.urgent for unit in due] == [True, True, True, False]
    assert engine.dispatch.due() == [], "enough waits in the broker"
    engine.dispatch.withdraw([due[0].id])
    assert [unit.id for unit in engine.dispatch.due()] == [due[0].id]


def test_cheap_units_fill_half_the_window_and_the_rest_is_for_others(engine: Engine) -> None:
    engine.planned(["a"], owner="bob")
    engine.run_unit()  # 0.1 seconds
    engine.units.complete_finish(engine.claimed(), [])
    large = engine.planned([str(n) for n in range(50)], owner="alice")
    assert [unit.job_id for unit in engine.dispatch.due()] == [large.id] * (engine.window // 2)
    small = engine.planned(["b"], owner="alice", at="live")
    due = engine.dispatch.due()
    assert [(unit.job_id, unit.urgent) for unit in due] == [(small.id, True)]


def test_a_unit_claimed_while_the_dispatcher_looks_does_no_harm(engine: Engine, monkeypatch) -> None:
    # Once the dispatcher found a job with work, then no work of it: its thread died, and nothing was offered any more.
    taken, left = engine.planned(["a"], owner="alice"), engine.planned(["b"], owner="bob")
    look = dispatch._units_of

    def claimed_in_between(job: JobRow, ready: ColumnElement[bool], room: int) -> Select[int, str, int]:
        if job.id == taken.id:
            engine.claim_run(taken)
        return look(job, ready, room)

    monkeypatch.setattr(dispatch, "_units_of", claimed_in_between)
    assert left.id in {unit.job_id for unit in engine.dispatch.due()}


def test_a_hint_that_was_lost_is_given_again(engine: Engine) -> None:
    engine.submit()
    [due] = engine.dispatch.due()
    assert engine.dispatch.due() == []
    engine.database.pass_time(31)
    assert engine.dispatch.due() == [due]


def test_one_dispatcher_leads_and_the_next_takes_over(engine: Engine) -> None:
    assert engine.dispatch.lead("a")
    assert engine.dispatch.lead("a")
    assert not engine.dispatch.lead("b")
    assert engine.jobs.work_is_offered()
    engine.database.pass_time(6)
    assert not engine.jobs.work_is_offered()
    assert engine.dispatch.lead("b")
    assert not engine.dispatch.lead("a")
    engine.dispatch.step_down("b")
    assert engine.dispatch.lead("a")


def test_priority_goes_first_among_ones_own(engine: Engine) -> None:
    engine.submit(priority=0)
    urgent = engine.submit(priority=5)
    assert engine.dispatch.due()[0].job_id == urgent.id


def test_items_that_were_not_begun_go_back_to_the_job(engine: Engine) -> None:
    job = engine.planned(["1", "2", "3"], items_per_unit=3)
    unit = engine.claim_run(job)
    engine.units.complete_run(unit, [an_outcome(unit.items[0])], seconds=0.1, rest=unit.items[1:])
    now = engine.see(job)
    assert (now.state, now.succeeded, now.uncut, now.item_seconds) == (JobState.RUNNING, 1, 2, 0.1)
    assert [item.key for item in engine.run_unit().items] == ["2", "3"]
    assert engine.see(job).state == JobState.FINISHING


class TestAwaited:
    """A unit is awaited when a job of which nothing is being done waits for a process."""

    @pytest.fixture
    def unit(self, engine: Engine) -> ClaimedUnit:
        return engine.claim_run(engine.planned(["1", "2"], items_per_unit=2, priority=1))

    @pytest.mark.parametrize(
        ("fields", "is_awaited"),
        [({"owner": "bob"}, True), ({"owner": "bob", "priority": -5}, True), ({"priority": 1}, True), ({}, False)],
        ids=["another owner's", "whatever their priority", "one's own", "but not one that is less urgent"],
    )
    def test_a_job_waits(self, engine: Engine, unit: ClaimedUnit, fields: dict[str, Any], is_awaited: bool) -> None:
        engine.submit(**fields)
        assert not engine.units.is_awaited(unit), "nobody was offered it yet"
        engine.dispatch.lead("test")
        assert len(engine.dispatch.due()) == 1
        assert not engine.units.is_awaited(unit), "somebody free may take it"
        engine.pass_time(1)
        assert engine.units.is_awaited(unit) == is_awaited

    def test_not_for_long(self, engine: Engine, unit: ClaimedUnit) -> None:
        job = engine.planned(["1", "2"], owner="bob")
        engine.dispatch.lead("test")
        first, _ = engine.dispatch.due()
        engine.pass_time(1)
        assert engine.units.is_awaited(unit)
        assert engine.units.claim(first.id, "other", "w")
        assert not engine.units.is_awaited(unit), "the job has a process"
        engine.control.pause(job.id)
        assert not engine.units.is_awaited(unit)


def test_an_offer_is_made_again_soon_only_if_its_message_cannot_be_in_the_broker(engine: Engine) -> None:
    engine.planned(["1"])
    engine.dispatch.lead("test")
    assert len(engine.dispatch.due()) == 1
    engine.pass_time(31)
    assert engine.dispatch.due(in_line=True) == []
    assert len(engine.dispatch.due()) == 1
    engine.pass_time(31)
    engine.dispatch.due(in_line=True)
    engine.pass_time(30 * 20)
    assert len(engine.dispatch.due(in_line=True)) == 1, "the message may be lost all the same"
