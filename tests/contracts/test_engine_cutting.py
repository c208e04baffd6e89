"""Units are cut as they are needed: what the first ones cost sizes the next ones, and the last ones are small."""

from __future__ import annotations

import heapq

import pytest
from sqlalchemy import select

from crant_core.jobs.model import JobState, Role, UnitState
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.tables import JobRow, UnitRow
from tests.engine import NOON, Engine, an_outcome

EACH = 0.5  #: seconds that an item takes


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """An engine with the window that a service has."""
    return Engine(engine.database, window=64)


def planned(engine: Engine, items: int, first_size: int = 1, renewed: float = 0.0) -> JobRow:
    job = engine.submit()
    unit = engine.claim_plan(job)
    engine.plans.begin(unit)
    engine.plans.add(unit, 0, [NewItem(key=str(number)) for number in range(items)])
    engine.plans.complete(unit, NOON, first_size=first_size, largest_size=1000, renewed=renewed)
    return job


def offered(engine: Engine, job: JobRow) -> list[int]:
    """Say which units wait in the broker, the first one first."""
    engine.dispatch.due()
    query = select(UnitRow.id).where(UnitRow.job_id == job.id, UnitRow.state == UnitState.QUEUED)
    with engine.database.reading() as session:
        return list(session.scalars(query.where(UnitRow.hint_at.isnot(None), UnitRow.role == Role.RUN).order_by("id")))


def not_offered(engine: Engine, job: JobRow) -> int:
    query = select(UnitRow.id).where(UnitRow.job_id == job.id, UnitRow.state == UnitState.QUEUED)
    with engine.database.reading() as session:
        return len(session.scalars(query.where(UnitRow.hint_at.is_(None))).all())


def claim(engine: Engine, unit_id: int) -> ClaimedUnit:
    engine.tokens += 1
    unit = engine.units.claim(unit_id, f"token-{engine.tokens}", "worker")
    assert unit is not None
    return unit


def end(engine: Engine, unit: ClaimedUnit) -> None:
    engine.units.complete_run(unit, [an_outcome(item) for item in unit.items], seconds=EACH * len(unit.items))


@pytest.mark.parametrize(("renewed", "items"), [(0.0, 7), (1.0, 20)])
def test_what_is_made_from_results_of_before_is_cut_into_larger_units(
    engine: Engine, renewed: float, items: int
) -> None:
    measured = planned(engine, 1)
    end(engine, claim(engine, offered(engine, measured)[0]))
    engine.run_all(measured)
    first, *_ = offered(engine, planned(engine, 100, renewed=renewed))
    assert len(claim(engine, first).items) == items


def test_before_anything_was_measured_no_more_is_cut_than_workers_need(engine: Engine) -> None:
    job = planned(engine, 1000, first_size=10)
    assert len(offered(engine, job)) == 4
    assert not_offered(engine, job) == 0
    assert engine.see(job).uncut == 960, "the others will be sized by what these cost"


def test_what_the_first_unit_cost_sizes_all_that_were_not_needed_yet(engine: Engine) -> None:
    job = planned(engine, 1000, first_size=10)
    first, *_ = offered(engine, job)
    end(engine, claim(engine, first))
    *_, newest = offered(engine, job)
    assert len(claim(engine, newest).items) == 12 / EACH


def test_of_small_units_as_many_are_cut_as_are_let_in(engine: Engine) -> None:
    measured = planned(engine, 1)
    end(engine, claim(engine, offered(engine, measured)[0]))
    engine.run_all(measured)
    job = planned(engine, 20)  # of half a second each: a second of work in a unit
    assert len(offered(engine, job)) == 5
    assert not_offered(engine, job) <= 1


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_processes_end_together_though_nothing_was_known_of_the_cost(engine: Engine, processes: int) -> None:
    """Each process takes the unit that is next in the broker; the dispatcher looks whenever one ends."""
    job = planned(engine, 100 * processes, first_size=4)
    free = [(0.0, number) for number in range(processes)]
    heapq.heapify(free)
    busy: list[tuple[float, int, ClaimedUnit]] = []
    while engine.see(job).state == JobState.RUNNING:
        for unit_id in offered(engine, job):
            if not free:
                break
            moment, number = heapq.heappop(free)
            unit = claim(engine, unit_id)
            heapq.heappush(busy, (moment + EACH * len(unit.items), number, unit))
        moment, number, unit = heapq.heappop(busy)
        end(engine, unit)
        heapq.heappush(free, (moment, number))
    ideal = EACH * 100
    assert max(moment for moment, _ in free) <= ideal + 2.0
    assert engine.see(job).succeeded == 100 * processes
