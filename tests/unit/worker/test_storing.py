"""Files are stored while the next items are worked on; what is recorded is stored."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from crant_core.errors import StoreUnavailable
from crant_core.jobs.model import JobState
from crant_core.kinds.base import File
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
    waited = []

    def slow(data: bytes) -> str:
        if not waited:
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
    put, refused = clocked.store.put, []

    def full(data: bytes) -> str:
        if not refused:
            refused.append(data)
            raise StoreUnavailable("no space left")
        return put(data)

    monkeypatch.setattr(clocked.store, "put", full)
    job = clocked.engine.submit(ids=[1, 2, 3], kind="neuropil_matrices")
    clocked.work_through_pauses()
    assert clocked.engine.see(job).state == JobState.SUCCEEDED
    assert sorted(item.attempts for item in clocked.engine.jobs.items(job.id)) == [0, 0, 1]


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
