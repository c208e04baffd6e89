"""An outage of the jobs database costs waiting, and no item."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError

from crant_core.jobs.model import JobState
from tests.unit.worker.house import House
from worker import runner as runner_module

GONE = Exception("server closed the connection")
OUTAGES = [OperationalError("SELECT 1", {}, GONE), InterfaceError("SELECT 1", {}, GONE)]


@pytest.fixture(autouse=True)
def looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_CHECK_SECONDS", 0)


def broken_once(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, error: Exception, at: int = 1) -> list[int]:
    """Let one call of a method raise; return the calls."""
    calls: list[int] = []
    real: Callable[..., Any] = getattr(where, name)

    def call(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == at:
            raise error
        return real(*given, **named)

    monkeypatch.setattr(where, name, call)
    return calls


@pytest.mark.parametrize("error", OUTAGES)
@pytest.mark.parametrize("name", ["is_awaited", "is_held", "record", "complete_run", "take_known", "complete_finish"])
def test_whatever_is_asked_of_it_meanwhile(
    clocked: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    run = science.run
    science.run = lambda context, key: (context.check(), run(context, key))[1]
    monkeypatch.setattr("worker.outbox._MOST", 2)
    calls = broken_once(monkeypatch, clocked.runner.units, name, error)
    job = clocked.engine.submit(ids=range(1, 61), kind="neuropil_matrices")
    clocked.work_through_pauses()
    assert len(calls) > 1
    assert (clocked.engine.see(job).state, clocked.engine.see(job).failed) == (JobState.SUCCEEDED, 0)


@pytest.mark.parametrize("error", OUTAGES)
def test_one_that_meets_an_item_leaves_it_for_later(clocked: House, science: SimpleNamespace, error: Exception) -> None:
    run, met = science.run, []

    def meet(context: Any, key: str) -> Any:
        if key == "7" and not met:
            met.append(key)
            raise error
        return run(context, key)

    science.run = meet
    job = clocked.engine.submit(ids=range(1, 11), kind="neuropil_matrices")
    clocked.work_through_pauses()
    assert (clocked.engine.see(job).state, clocked.engine.see(job).failed) == (JobState.SUCCEEDED, 0)
    assert "database_unavailable" in str([event.data for event in clocked.engine.jobs.events(job.id)])


def test_one_where_nobody_waits_gives_the_unit_back(
    clocked: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = broken_once(monkeypatch, clocked.runner, "_earlier", OUTAGES[0])
    job = clocked.engine.submit(ids=range(1, 11), kind="neuropil_matrices")
    clocked.work_through_pauses()
    assert len(calls) > 1
    assert (clocked.engine.see(job).state, clocked.engine.see(job).failed) == (JobState.SUCCEEDED, 0)
