"""Sums of counts on every database, however many processes add to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from crant_core.jobs.counting import Tally
from crant_core.jobs.database import Database
from crant_core.jobs.repository.counters import CounterRepository


def test_many_writers_lose_nothing(database: Database) -> None:
    sums = CounterRepository(database)

    def count(number: int) -> None:
        tally = Tally()
        for kind in ("a", "b", "c")[:: 1 if number % 2 else -1]:
            tally.add("crant_items_total", kind=kind, state="succeeded")
            tally.observe("crant_item_seconds", 0.25, kind=kind)
        sums.add(tally.take())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(40)))
    found = {(name, *labels.values()): value for name, labels, value in sums.sums()}
    assert {found["crant_items_total", kind, "succeeded"] for kind in "abc"} == {40.0}
    assert {found["crant_item_seconds", kind, "0.5"] for kind in "abc"} == {40.0}
    assert {found["crant_item_seconds", kind, "sum"] for kind in "abc"} == {10.0}


def test_nothing_to_add_asks_nobody(database: Database) -> None:
    sums = CounterRepository(database)
    sums.add({})
    assert list(sums.sums()) == []
