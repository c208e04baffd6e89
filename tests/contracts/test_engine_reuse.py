"""Nothing is computed twice: results are found again, shared while they are made, and made again only by force."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import event

from crant_core.errors import MeshNotFound, WorkerLost
from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.estimates import EstimateRepository
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.tables import JobRow
from tests.engine import Engine, an_outcome


def planned(engine: Engine, names: str, *, owner: str = "alice", reuse: bool = True) -> JobRow:
    """A job whose items can serve others: one unit."""
    job = engine.submit(owner=owner, reuse=reuse)
    items = [NewItem(key=name, address=f"address of {name}", metrics={"by": owner}) for name in names]
    engine.plan(engine.claim_plan(job), items, 100)
    return engine.see(job)


def taken(engine: Engine, job: JobRow, token: str) -> ClaimedUnit:
    """Claim the job's unit, and what it has to do."""
    due = {unit.job_id: unit.id for unit in engine.dispatch.due()}
    engine.dispatch.withdraw(due.values())
    unit = engine.units.claim(due[job.id], token, "w")
    assert unit is not None
    return engine.units.take_known(unit)


def keys(unit: ClaimedUnit) -> str:
    return "".join(item.key for item in unit.items)


def complete(engine: Engine, unit: ClaimedUnit) -> None:
    engine.units.complete_run(unit, [an_outcome(item) for item in unit.items])


def test_a_result_that_exists_is_taken_when_a_job_is_planned(engine: Engine) -> None:
    first = planned(engine, "ab")
    complete(engine, taken(engine, first, "t1"))
    second = planned(engine, "bcd", owner="bob")
    assert (second.total, second.succeeded, second.reused, second.uncut) == (3, 1, 1, 2)
    unit = taken(engine, second, "t2")
    assert keys(unit) == "cd"
    complete(engine, unit)
    [b, c, _] = engine.jobs.items(second.id)
    assert (b.state, b.metrics, c.metrics) == ("succeeded", {"by": "bob", "n_nodes": 3}, {"by": "bob", "n_nodes": 3})
    files = {file.name: (file.item_id, file.sha256) for file in engine.jobs.artifacts(second.id)}
    assert files["b.swc"] == (b.id, "a" * 64)
    assert set(files) == {"b.swc", "c.swc", "d.swc"}


def test_results_are_counted_exactly_however_many_are_asked_for_and_in_few_words(engine: Engine) -> None:
    made = planned(engine, "ab,'\\\"é{")
    complete(engine, taken(engine, made, "t1"))
    being_made = taken(engine, planned(engine, "xyz"), "t2")
    names = (f"address of {name}" for name in itertools.chain("ab,'\\\"é{", keys(being_made), range(25_000)))
    with statements(engine.database) as sent:
        assert EstimateRepository(engine.database).known(names) == made.total
    assert len(sent) <= 5
    assert max(map(len, sent)) < 1000


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The text of each statement that is sent."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def test_a_job_of_which_all_is_known_goes_straight_to_its_finish(engine: Engine) -> None:
    complete(engine, taken(engine, planned(engine, "ab"), "t1"))
    again = planned(engine, "ba")
    assert (again.state, again.succeeded, again.reused) == (JobState.FINISHING, 2, 2)


def test_by_force_everything_is_computed_and_the_newest_result_counts(engine: Engine) -> None:
    complete(engine, taken(engine, planned(engine, "a"), "t1"))
    forced = planned(engine, "a", reuse=False)
    unit = engine.claim_run(forced)
    engine.units.complete_run(unit, [an_outcome(unit.items[0], metrics={"n_nodes": 99})])
    last = planned(engine, "a")
    assert engine.jobs.items(last.id)[0].metrics["n_nodes"] == 99


def test_what_another_unit_is_making_is_waited_for(engine: Engine) -> None:
    first, second = planned(engine, "ab"), planned(engine, "bc", owner="bob")
    maker = taken(engine, first, "t1")
    waiter = taken(engine, second, "t2")
    assert (keys(maker), keys(waiter)) == ("ab", "c")
    complete(engine, waiter)
    assert engine.see(second).state == JobState.RUNNING
    complete(engine, maker)
    engine.pass_time(3)
    waiter = taken(engine, second, "t3")
    assert keys(waiter) == ""
    complete(engine, waiter)
    second = engine.see(second)
    assert (second.state, second.succeeded, second.reused) == (JobState.FINISHING, 2, 1)


def test_a_claim_of_somebody_dead_or_who_failed_is_taken_over(engine: Engine) -> None:
    first, second = planned(engine, "ab"), planned(engine, "ab", owner="bob")
    maker = taken(engine, first, "t1")
    engine.units.record(maker, [an_outcome(maker.items[0], MeshNotFound())])
    waiter = taken(engine, second, "t2")
    assert keys(waiter) == "", "the maker is still at it"
    complete(engine, waiter)
    engine.units.give_back(maker.token, WorkerLost())
    engine.pass_time(3)
    assert keys(taken(engine, second, "t3")) == "ab"


def test_a_cancelled_job_gives_its_claims_up(engine: Engine) -> None:
    first, second = planned(engine, "a"), planned(engine, "a", owner="bob")
    taken(engine, first, "t1")
    engine.control.cancel(first.id)
    assert keys(taken(engine, second, "t2")) == "a"


def test_of_many_units_at_once_one_makes_each_result(engine: Engine) -> None:
    jobs = [planned(engine, "abcdefgh"[shift:] + "abcdefgh"[:shift], owner=f"o{shift}") for shift in range(6)]
    units = [engine.claim_run(job) for job in jobs]
    with ThreadPoolExecutor(6) as pool:
        shares = list(pool.map(engine.units.take_known, units))
    assert sorted("".join(map(keys, shares))) == list("abcdefgh")


def test_items_without_an_address_are_nobody_elses(engine: Engine) -> None:
    for _ in range(2):
        job = engine.planned(["a"])
        unit = engine.units.take_known(engine.claim_run(job))
        assert keys(unit) == "a"
        complete(engine, unit)
