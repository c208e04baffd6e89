"""What tests of the runner live in: engine, store, source and runner in one process; a test gives the science."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.queue import MemoryQueue
from crant_core.jobs.tables import JobRow
from crant_core.sources.testing import MemorySource
from tests.engine import Engine
from worker.dispatcher import Dispatcher
from worker.runner import Runner


class House:
    """Engine, store, source and runner in one process; the science is given by the test."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.engine = Engine(database)
        self.store = CloudStore(f"file://{folder}/artifacts")
        self.source = MemorySource(versions={7: datetime(2026, 1, 1, tzinfo=UTC)})
        self.runner = Runner(self.engine.units, self.engine.jobs, self.store, lambda name: self.source)
        self.queue = MemoryQueue()
        self.dispatcher = Dispatcher(self.engine.dispatch, self.queue, "test")

    def work(self, rounds: int = 10) -> None:
        """Offer and do until nothing is due."""
        for _ in range(rounds):
            self.dispatcher.turn()
            self.queue.deliver(lambda unit, token: self.runner.execute(unit, token, "test"))

    def work_through_pauses(self) -> None:
        """Offer and do everything, the time passing as fast as needed."""
        for _ in range(40):
            self.work(1)
            self.engine.database.pass_time(40)

    def finish(self, **fields: object) -> JobRow:
        """Submit a job, work until nothing is due, and look at it."""
        job = self.engine.submit(**fields)
        self.work()
        return self.engine.see(job)
