"""Which queue units wait in, and that queues do not wait for each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import column, insert, literal, null, select, table, text

from crant_core.errors import NeedsMemory, WorkerLost
from crant_core.jobs.model import ItemState, Queue
from crant_core.jobs.tables import JobRow
from tests.engine import ALICE, ClockedDatabase, Engine


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    database = ClockedDatabase(migrated_url)
    yield Engine(database, window=64)
    database.close()


def offered(engine: Engine) -> Counter[Queue]:
    engine.dispatch.lead("test")
    return Counter(unit.queue for unit in engine.dispatch.due())


def test_units_wait_in_the_queue_of_their_job(engine: Engine) -> None:
    engine.submit(queue=Queue.IO)
    engine.submit()
    assert offered(engine) == {Queue.IO: 1, Queue.CPU: 1}


def test_a_queue_that_nobody_serves_holds_up_no_other(engine: Engine) -> None:
    engine.planned([str(n) for n in range(100)], queue=Queue.HEAVY)
    stuck = offered(engine)
    assert stuck == {Queue.HEAVY: 4}, "a few, as nobody knows what they cost"
    assert offered(engine) == {}
    engine.planned([str(n) for n in range(100)])
    assert offered(engine) == {Queue.CPU: 4}


def test_what_needs_more_memory_goes_to_the_heavy_queue_and_its_siblings_do_not(engine: Engine) -> None:
    job = engine.planned(["1", "2"], items_per_unit=1)
    engine.run_unit(lambda key: NeedsMemory("large"))
    engine.database.pass_time(5)
    assert offered(engine) == {Queue.HEAVY: 1, Queue.CPU: 1}
    [heavy] = [item for item in engine.jobs.items(job.id) if item.attempts]
    assert (heavy.state, heavy.error_code) == (ItemState.PENDING, "needs_memory")


def test_what_kills_its_process_alone_is_tried_where_there_is_more_memory(engine: Engine) -> None:
    engine.planned(["1", "2"], items_per_unit=2)
    unit = engine.claimed()
    assert unit.queue == Queue.CPU
    engine.units.give_back(unit.token, WorkerLost())
    engine.database.pass_time(60)
    halves = [engine.claimed(), engine.claimed()]
    assert {half.queue for half in halves} == {Queue.CPU}, "nobody knows which it was"
    engine.units.give_back(halves[0].token, WorkerLost())
    engine.database.pass_time(60)
    assert engine.claimed().queue == Queue.HEAVY


def test_the_view_says_how_much_each_queue_has_to_do(engine: Engine) -> None:
    def load() -> dict[str, int]:
        with engine.database.reading() as session:
            return {queue: int(units) for queue, units in session.execute(text("SELECT queue, units FROM queue_load"))}

    assert load() == {}
    job = engine.planned([str(n) for n in range(10)], items_per_unit=3)
    assert load() == {"cpu": 4}, "as many units as it will be cut into"
    engine.submit(queue=Queue.IO)
    engine.claimed()
    assert load() == {"cpu": 4, "io": 1}
    engine.control.cancel(job.id)
    assert load() == {"io": 1}


def test_a_worker_of_the_release_before_can_write(engine: Engine) -> None:
    """It knows nothing of queues: what it inserts waits in the usual one."""
    job = engine.planned(["1"])
    known = [found.name for found in JobRow.__table__.columns if found.name not in ("queue", "traceparent")]
    jobs = table("jobs", *map(column, known))
    changed = {"number": literal(999), "id": literal("old"), "idempotency_key": null()}
    copied = select(*(changed.get(name, jobs.c[name]) for name in known))
    unit = {"id": 999, "job_id": job.id, "role": "run", "position": 77, "state": "queued", "attempt": 0}
    with engine.database.writing() as session:
        session.execute(insert(jobs).from_select(known, copied))
        session.execute(insert(table("units", *map(column, unit))).values(unit))
    assert engine.jobs.get("old", ALICE).queue == Queue.CPU
    assert offered(engine) == {Queue.CPU: 2}
