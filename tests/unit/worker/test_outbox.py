"""Outcomes are recorded when they have come, and those that have not are not waited for before the end."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from worker import outbox
from worker.outbox import Outbox
from worker.storing import ended


class Units:
    """Notes what is recorded."""

    def __init__(self) -> None:
        self.recorded: list[list[Any]] = []

    def record(self, unit: Any, outcomes: Any) -> None:
        self.recorded.append(list(outcomes))

    def complete_run(self, unit: Any, outcomes: Any, **_: Any) -> None:
        self.recorded.append([*outcomes, "end"])


@pytest.fixture
def units() -> Units:
    return Units()


@pytest.fixture
def box(units: Units) -> Outbox:
    some: Any = units
    unit: Any = SimpleNamespace()
    return Outbox(some, unit, lambda call: call)


def outcome(name: str) -> Future[Any]:
    some: Any = name
    return ended(some)


def test_who_is_late_is_recorded_later(box: Outbox, units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_SECONDS", 0)
    late: Future[Any] = Future()
    box.add(late)
    box.add(outcome("b"))
    late.set_result("a")
    box.add(outcome("c"))
    assert units.recorded == [["b"], ["a", "c"]]
    box.close()
    assert units.recorded[2:] == [["end"]]


def test_many_are_waited_for(box: Outbox, units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_MOST", 3)
    for name in "abcd":
        box.add(outcome(name))
    assert units.recorded == [["a", "b", "c"]]
    box.flush()
    assert units.recorded[1:] == [["d"]]
