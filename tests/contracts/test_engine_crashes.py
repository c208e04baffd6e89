"""What becomes of units whose workers die: halved until the guilty item stands alone, and nothing twice."""

from __future__ import annotations

from itertools import pairwise

import pytest

from crant_core.errors import (
    DataMissing,
    Internal,
    LeaseLost,
    MeshNotFound,
    SourceUnavailable,
    StoreUnavailable,
    TimeLimit,
    WorkerLost,
)
from crant_core.jobs.model import ItemState, JobState, Role, UnitState
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.retrying import patience
from crant_core.jobs.tables import AttemptRow, JobRow, UnitRow
from tests.engine import Engine, an_outcome


def keys(unit: ClaimedUnit) -> list[str]:
    return [item.key for item in unit.items]


def run_with_poison(engine: Engine, job: JobRow, poison: str, flush: int) -> int:
    """Do a job whose worker dies at one item, having recorded what it did before, some items at a time."""
    deaths = 0
    for _ in range(200):
        unit = engine.claim_next()
        if unit is None:
            engine.pass_time(61)
        elif unit.role == "finish":
            engine.units.complete_finish(unit, [])
            return deaths
        elif poison in keys(unit):
            before = keys(unit).index(poison) // flush * flush
            engine.units.record(unit, [an_outcome(item) for item in unit.items[:before]])
            engine.units.give_back(unit.token, WorkerLost())
            deaths += 1
        else:
            engine.units.complete_run(unit, [an_outcome(item) for item in unit.items])
    raise AssertionError("never ends")


@pytest.mark.parametrize("flush", [1, 250, 10_000])
def test_a_poisonous_item_in_a_unit_of_a_thousand_stands_alone_in_the_end(engine: Engine, flush: int) -> None:
    job = engine.planned([str(n) for n in range(1000)], items_per_unit=1000)
    deaths = run_with_poison(engine, job, "637", flush)
    job = engine.see(job)
    assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 999, 1)
    [item] = engine.jobs.items(job.id, state=ItemState.FAILED)
    assert (item.key, item.state, item.error_code, item.crashes) == ("637", "quarantined", "quarantined", 3)
    assert deaths <= 13, "ten halvings, three times alone"
    assert engine.jobs.error_counts(job.id) == {"quarantined": 1}


def test_the_quarantine_can_be_lifted(engine: Engine) -> None:
    job = engine.planned(["1"])
    run_with_poison(engine, job, "1", 1)
    assert engine.see(job).state == JobState.FAILED
    engine.control.retry(job.id)
    assert engine.run_all(job).state == JobState.SUCCEEDED


def test_a_unit_whose_lease_ran_out_is_halved_too(engine: Engine) -> None:
    job = engine.planned(["1", "2", "3"], items_per_unit=3)
    zombie = engine.claimed()
    engine.pass_time(61)
    engine.pass_time(1)
    halves = [engine.claimed(), engine.claimed()]
    assert [keys(half) for half in halves] == [["1", "2"], ["3"]]
    with pytest.raises(LeaseLost):
        engine.units.complete_run(zombie, [an_outcome(item) for item in zombie.items])
    for half in halves:
        engine.units.complete_run(half, [an_outcome(item) for item in half.items])
    assert engine.see(job).state == JobState.FINISHING
    assert engine.jobs.events(job.id)[-4].type in ("unit_split", "item_succeeded")


def test_a_worker_that_died_after_its_last_item_leaves_nothing_to_do(engine: Engine) -> None:
    job = engine.planned(["1", "2"], items_per_unit=2)
    unit = engine.claimed()
    engine.units.record(unit, [an_outcome(item) for item in unit.items])
    engine.units.give_back(unit.token, WorkerLost())
    assert engine.see(job).state == JobState.FINISHING
    with engine.database.reading() as session:
        assert session.get_one(UnitRow, unit.id).state == UnitState.DONE


def test_a_single_item_that_takes_too_long_fails_at_once(engine: Engine) -> None:
    job = engine.planned(["1"])
    engine.units.give_back(engine.claimed().token, TimeLimit())
    assert engine.jobs.error_counts(job.id) == {"time_limit": 1}
    assert engine.see(job).state == JobState.FINISHING


@pytest.mark.parametrize("error", [SourceUnavailable("503"), StoreUnavailable("disk is full"), DataMissing("soon")])
def test_what_may_pass_is_tried_a_number_of_times_with_longer_pauses(engine: Engine, error: Exception) -> None:
    job = engine.planned(["1"])
    starts, limit = [], patience(error.code)
    for _ in range(limit.attempts):
        while (unit := engine.claim_next()) is None:
            engine.pass_time(limit.first)
        starts.append(engine.database.moment)
        assert unit.items[0].attempts == len(starts) - 1
        engine.units.complete_run(unit, [an_outcome(unit.items[0], error)])
    pauses = [(b - a).total_seconds() for a, b in pairwise(starts)]
    assert all(pause <= min(limit.longest, limit.first * 2**n) + limit.first for n, pause in enumerate(pauses))
    assert max(pauses) > min(pauses)
    assert engine.jobs.error_counts(job.id) == {error.code: 1}


def test_a_message_that_came_twice_does_not_cut_a_pause_short(engine: Engine) -> None:
    # Units that had waited in the broker for long had been offered many times; each offer was a try without a pause.
    engine.planned(["1"])
    unit = engine.claimed()
    engine.units.complete_run(unit, [an_outcome(unit.items[0], SourceUnavailable("503"))])
    assert engine.units.claim(unit.id, "the same offer again", "w") is None
    engine.pass_time(3)
    assert engine.units.claim(unit.id, "and again", "w") is not None


def test_items_that_may_pass_wait_while_the_others_of_their_unit_are_done(engine: Engine) -> None:
    job = engine.planned(["1", "2", "3"], items_per_unit=3)
    unit = engine.claimed()
    engine.units.record(unit, [an_outcome(unit.items[0], SourceUnavailable()), an_outcome(unit.items[1])])
    engine.units.complete_run(unit, [an_outcome(unit.items[2], MeshNotFound())])
    assert (engine.see(job).succeeded, engine.see(job).failed) == (1, 1)
    assert engine.claim_next() is None
    engine.pass_time(3)
    again = engine.claimed()
    assert keys(again) == ["1"]
    engine.units.complete_run(again, [an_outcome(again.items[0])])
    assert engine.see(job).state == JobState.FINISHING
    with engine.database.reading() as session:
        assert [row.outcome for row in session.query(AttemptRow).filter_by(unit_id=unit.id)] == ["postponed", "done"]


def test_an_error_that_does_not_pass_fails_the_open_items_of_its_unit(engine: Engine) -> None:
    job = engine.planned(["1", "2"], items_per_unit=2)
    unit = engine.claimed()
    engine.units.record(unit, [an_outcome(unit.items[0])])
    engine.units.give_back(unit.token, Internal("a bug"))
    assert engine.jobs.error_counts(job.id) == {"internal": 1}
    assert engine.see(job).state == JobState.FINISHING


def test_a_plan_is_tried_three_times_when_its_process_dies(engine: Engine) -> None:
    job = engine.submit()
    for _ in range(3):
        assert engine.see(job).state == JobState.PLANNING
        engine.units.give_back(engine.claimed().token, WorkerLost())
        engine.pass_time(60)
    assert (engine.see(job).state, engine.see(job).error_code) == (JobState.FAILED, "worker_lost")


def test_two_sweepers_take_a_unit_back_once(engine: Engine) -> None:
    job = engine.planned(["1", "2"], items_per_unit=2)
    unit = engine.claimed()
    engine.database.pass_time(61)
    other = Engine(engine.database)
    assert engine.dispatch.expire() + other.dispatch.expire() == 1
    assert engine.units.give_back(unit.token, WorkerLost()) is False
    with engine.database.reading() as session:
        assert [row.state for row in session.query(UnitRow).filter_by(job_id=job.id, role="run")].count("queued") == 2


def wanting(seconds: float, error: SourceUnavailable) -> SourceUnavailable:
    error.retry_after = seconds
    return error


def test_a_server_that_wants_to_be_left_alone_is_left_alone(engine: Engine) -> None:
    asked = wanting(1200, SourceUnavailable("429"))
    job = engine.planned(["1", "2"], items_per_unit=2)
    unit = engine.claim_run(job)
    engine.units.complete_run(unit, [an_outcome(unit.items[0], asked), an_outcome(unit.items[1])])
    engine.pass_time(1199)
    assert engine.claim_next() is None
    engine.pass_time(1200 * 0.1 + 2)
    again = engine.claimed()
    engine.units.give_back(again.token, asked)  # as when the items of a unit are prepared together
    engine.pass_time(1199)
    assert engine.claim_next() is None
    engine.pass_time(1200 * 0.1 + 2)
    assert engine.claimed().items


def test_a_plan_is_put_off_as_long_as_the_server_wants(engine: Engine) -> None:
    plan = engine.claim_plan(engine.submit())
    engine.units.give_back(plan.token, wanting(1200, SourceUnavailable("503")))
    engine.pass_time(1199)
    assert engine.claim_next() is None
    engine.pass_time(1200 * 0.1 + 2)
    assert engine.claimed().role == Role.PLAN
