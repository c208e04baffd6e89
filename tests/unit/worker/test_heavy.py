"""What needs more memory than a process may use, as the runner sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.model import ItemState, JobState, Queue
from crant_core.kinds.base import Context, ItemResult, PlannedItem
from crant_core.sources import limits
from crant_core.sources.testing import MemorySource
from tests.engine import ClockedDatabase, Engine
from worker import runner as runner_module
from worker.runner import Runner

LARGE = "22"


@pytest.fixture(autouse=True)
def _any_size_after() -> Iterator[None]:
    yield
    limits.allow_meshes(None)


@pytest.fixture
def engine(sqlite: Database, sqlite_url: str) -> Iterator[Engine]:
    database = ClockedDatabase(sqlite_url)
    yield Engine(database)
    database.close()


@pytest.fixture
def runner(engine: Engine, tmp_path: Path) -> Runner:
    store = CloudStore(f"file://{tmp_path}/artifacts")
    return Runner(engine.units, engine.jobs, store, lambda name: MemorySource(), heavy_vertices=1000)


def science(monkeypatch: pytest.MonkeyPatch, size: int) -> list[str]:
    """A science whose neuron 22 has so many vertices, and the keys that it was asked for."""
    asked: list[str] = []

    def run(context: Context, key: str) -> ItemResult:
        asked.append(key)
        limits.check_size(int(key), size if key == LARGE else 10)
        if key == LARGE and size > 10**6:
            raise MemoryError("no more")
        return ItemResult(metrics={}, files=())

    module = SimpleNamespace(
        plan=lambda context, ids: [PlannedItem(key=str(number)) for number in ids],
        run=run,
        finish=lambda context, items: [],
    )
    monkeypatch.setattr(runner_module, "load_runner", lambda kind: module)
    return asked


def work(engine: Engine, runner: Runner) -> list[Queue]:
    """Offer and do everything, and return the queues that units were offered in."""
    queues: list[Queue] = []
    for number in range(20):
        engine.dispatch.lead("test")
        for due in engine.dispatch.due():
            queues.append(due.queue)
            runner.execute(due.id, f"{due.id}-{number}", "test")
        engine.database.pass_time(5)
    return queues


def test_a_large_neuron_is_done_in_the_heavy_queue_and_the_others_where_they_are(
    engine: Engine, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = science(monkeypatch, 5000)
    job = engine.submit([11, 22, 33])
    assert work(engine, runner).count(Queue.HEAVY) == 1
    ended = engine.see(job)
    assert (ended.state, ended.succeeded) == (JobState.SUCCEEDED, 3)
    assert sorted(asked) == ["11", "22", "22", "33"]


def test_what_fits_nowhere_fails_at_its_second_try(
    engine: Engine, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = science(monkeypatch, 10**7)
    job = engine.submit([11, 22])
    work(engine, runner)
    ended = engine.see(job)
    assert (ended.state, ended.succeeded, ended.failed) == (JobState.PARTIAL, 1, 1)
    [item] = engine.jobs.items(job.id, state=ItemState.FAILED)
    assert (item.key, item.error_code) == (LARGE, "internal")
    assert "no more" in str(item.error_message)
    assert asked.count(LARGE) == 2
