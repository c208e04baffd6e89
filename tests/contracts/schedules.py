"""What tests of schedules share: schedules on a database whose time a test moves, and those that look for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from crant_core.datasets import Dataset
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.schedules import NewSchedule, ScheduleRepository
from crant_core.jobs.schedule_tables import ScheduleRow, SkipRow
from crant_core.jobs.tables import JobRow
from tests.engine import ALICE, ROOT, ClockedDatabase, Engine
from worker.schedules import Schedules

DEMO = Dataset(name="demo", datastack="crant_demo", server="http://127.0.0.1:1", viewer_resolution=(8, 8, 42))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@dataclass
class Lab:
    """An engine, schedules, and one who looks for them."""

    engine: Engine
    grace_seconds: float = 300
    made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        assert isinstance(self.engine.database, ClockedDatabase)
        self.database = self.engine.database
        self.schedules = ScheduleRepository(self.database)
        self.looker = self.another_looker()

    def another_looker(self) -> Schedules:
        return Schedules(self.engine.jobs, [DEMO], tick_seconds=10, grace_seconds=self.grace_seconds)

    def create(self, owner: str = "alice", **fields: Any) -> ScheduleRow:
        """Make a schedule as the API would: nightly in New York, unless a test says otherwise."""
        return self.schedules.create(a_schedule(**fields), owner, body_hash="0" * 64)[0]

    def look(self, at: datetime | None = None) -> int:
        """Let time come to a moment, and somebody look."""
        if at is not None:
            self.database.moment = at
        return self.looker.look("test")

    def see(self, schedule: ScheduleRow) -> ScheduleRow:
        return self.schedules.get(schedule.id, ALICE)

    def runs(self, schedule: ScheduleRow) -> list[JobRow]:
        """Jobs of a schedule, the first one first."""
        return self.schedules.runs(schedule.id, limit=10_000)[::-1]

    def slots(self, schedule: ScheduleRow) -> list[datetime | None]:
        return [job.slot for job in self.runs(schedule)]

    def skips(self, schedule: ScheduleRow) -> list[tuple[str, datetime, int]]:
        """What was left out, the first first: why, the first slot, and how many."""
        return [(row.reason, row.slot, row.count) for row in self.skip_rows(schedule)]

    def skip_rows(self, schedule: ScheduleRow) -> list[SkipRow]:
        return self.schedules.skips(schedule.id, limit=10_000)[::-1]

    def end(self, job: JobRow) -> None:
        """End a job that was not planned yet, badly."""
        if not JobState(self.engine.see(job).state).ended:
            self.engine.control.cancel(job.id)


def a_schedule(**fields: Any) -> NewSchedule:
    usual: dict[str, Any] = {
        "name": "nightly",
        "kind": "skeletonize",
        "dataset": "demo",
        "parameters": {"formats": ["swc"]},
        "ids": [ROOT],
        "at": "live",
        "notify": [],
        "cron": None if "every_seconds" in fields else "0 2 * * *",
        "zone": "America/New_York",
        "every_seconds": None,
        "overlap": "queue",
        "catch_up": "once",
    }
    return NewSchedule(**usual | fields)
