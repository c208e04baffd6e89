"""What becomes of the units of a worker that is told to stop."""

from __future__ import annotations

import pytest

from crant_core.errors import LeaseLost
from crant_core.jobs.database import Database
from crant_core.jobs.model import Role
from tests.engine import ClockedDatabase, Engine, an_outcome
from worker.handover import Handover


@pytest.fixture
def engine(sqlite: Database, sqlite_url: str) -> Engine:
    return Engine(ClockedDatabase(sqlite_url))


def test_a_unit_that_ends_in_time_is_not_handed_back(engine: Engine) -> None:
    engine.planned(["1"])
    unit, killed = engine.claimed(), []

    def sleep(_: float) -> None:
        engine.database.pass_time(59)
        engine.units.complete_run(unit, [an_outcome(unit.items[0])])

    assert Handover(engine.units, 1, 60, sleep=sleep, kill=killed.append).run({unit.token: 7}) == 0
    assert killed == []


def test_a_unit_that_takes_too_long_is_anothers_at_once_and_its_process_is_ended(engine: Engine) -> None:
    job = engine.planned(["1", "2"], items_per_unit=2)
    unit, killed = engine.claimed(), []
    engine.units.record(unit, [an_outcome(unit.items[0])])
    assert Handover(engine.units, 1, 0, kill=killed.append).run({unit.token: 7, "not begun": None}) == 1
    assert killed == [7]
    other = engine.claimed()
    assert (other.id, [item.key for item in other.items]) == (unit.id, ["2"]), "what was recorded is kept"
    with pytest.raises(LeaseLost):
        engine.units.record(unit, [an_outcome(unit.items[1])])
    engine.units.complete_run(other, [an_outcome(other.items[0])])
    assert engine.see(job).succeeded == 2


def test_a_plan_may_be_handed_back_any_number_of_times(engine: Engine) -> None:
    job = engine.submit()
    for _ in range(10):
        unit = engine.claimed()
        assert unit.role == Role.PLAN
        assert Handover(engine.units, 1, 0, kill=lambda process: None).run({unit.token: 7}) == 1
    assert engine.see(job).state == "planning"


def test_leases_are_kept_while_it_waits(engine: Engine) -> None:
    engine.planned(["1"])
    unit, rounds = engine.claimed(), iter(range(3))

    def sleep(_: float) -> None:
        engine.database.pass_time(50)
        assert engine.dispatch.expire() == 0
        if next(rounds) == 2:
            engine.units.complete_run(unit, [an_outcome(unit.items[0])])

    assert Handover(engine.units, 1, 60, sleep=sleep, kill=lambda process: None).run({unit.token: 7}) == 0
