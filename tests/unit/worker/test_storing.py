"""Files are stored while the next items are worked on; what is recorded is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from crant_core.errors import LeaseLost, StoreUnavailable
from crant_core.jobs.model import JobState
from crant_core.kinds.base import File, ItemResult
from tests.unit.worker.house import House
from worker import storing
from worker.storing import Storing, ended

_SECONDS = 20


def _file(size: int) -> File:
    return File(name="a", media_type="text/plain", data=b"x" * size)


def test_an_item_is_worked_on_while_the_files_of_the_one_before_are_stored(
    house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = threading.Event()
    put, run = house.store.put, science.run
    first, waited = threading.Lock(), []

    def slow(data: bytes) -> str:
        if first.acquire(blocking=False):  # and never released: the others do not wait
            waited.append(second.wait(_SECONDS))
        return put(data)

    def told(context: Any, key: str) -> Any:
        if key == "2":
            second.set()
        return run(context, key)

    monkeypatch.setattr(house.store, "put", slow)
    science.run = told
    assert house.finish(ids=[1, 2], kind="neuropil_matrices").state == JobState.SUCCEEDED
    assert waited == [True]


def test_nothing_is_recorded_before_it_is_stored(
    house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, recorded = house.runner.units.complete_run, []

    def check(unit: Any, outcomes: Any, **options: Any) -> None:
        recorded.extend(house.store.missing({file.sha256: file.size}) for one in outcomes for file in one.files)
        record(unit, outcomes, **options)

    monkeypatch.setattr(house.runner.units, "complete_run", check)
    house.finish(ids=[1, 2, 3], kind="neuropil_matrices")
    assert recorded == [set(), set(), set()]


def test_whose_files_cannot_be_stored_is_tried_again_and_the_others_are_done(
    clocked: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, refused = clocked.store.put, threading.Lock()

    def full(data: bytes) -> str:
        if refused.acquire(blocking=False):
            raise StoreUnavailable("no space left")
        return put(data)

    monkeypatch.setattr(clocked.store, "put", full)
    job = clocked.engine.submit(ids=[1, 2, 3], kind="neuropil_matrices")
    clocked.work_through_pauses()
    assert clocked.engine.see(job).state == JobState.SUCCEEDED
    assert sorted(item.attempts for item in clocked.engine.jobs.items(job.id)) == [0, 0, 1]


def test_files_that_are_made_one_by_one_are_each_stored_before_the_next(house: House, science: SimpleNamespace) -> None:
    def made(metrics: dict[str, Any]) -> Iterator[File]:
        for number in range(3):
            assert len(list(house.store.stored())) == number
            yield File(name=f"{number}.txt", media_type="text/plain", data=bytes([number]))
            metrics["made"] = number + 1

    def run(context: Any, key: str) -> ItemResult:
        metrics: dict[str, Any] = {}
        return ItemResult(metrics=metrics, files=made(metrics))

    science.run = run
    job = house.engine.submit(ids=[1], kind="neuropil_matrices")
    house.work()
    [item] = house.engine.jobs.items(job.id)
    assert item.metrics["made"] == 3
    assert [file.name for file in house.engine.jobs.item_artifacts(job.id)] == ["0.txt", "1.txt", "2.txt"]


@pytest.mark.parametrize(("error", "how"), [(SoftTimeLimitExceeded(), "time_limit"), (LeaseLost(), "lease_lost")])
def test_a_unit_that_ends_while_files_are_made_is_no_fault_of_its_item(
    house: House, science: SimpleNamespace, error: Exception, how: str
) -> None:
    def made() -> Iterator[File]:
        yield _file(1)
        raise error

    science.run = lambda context, key: ItemResult(files=made())
    job = house.engine.submit(ids=[1, 2], kind="neuropil_matrices")
    house.work(1)
    house.dispatcher.turn()
    [unit] = house.queue.offered
    assert house.runner.execute(unit.id, "token", "test") == how
    assert [item.attempts for item in house.engine.jobs.items(job.id)] == [0, 0]


def test_what_waits_for_the_store_is_bounded_and_one_of_any_size_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_MOST_BYTES", 10)
    may_end, going, most = threading.Event(), [], []

    def store() -> Any:
        going.append(1)
        most.append(len(going))
        may_end.wait(0.05)
        going.pop()
        return "stored"

    with Storing() as files:
        futures = [files.later([_file(size)], store) for size in (4, 4, 100, 6, 1)]
    assert [future.result() for future in futures] == ["stored"] * 5
    assert max(most) <= 2


def test_what_has_no_files_is_known_at_once() -> None:
    outcome: Any = "nothing to store"
    with Storing() as files:
        assert files.later([], lambda: outcome).done()
    assert ended(outcome).result() == outcome
