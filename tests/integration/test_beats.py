"""Real beats on a real broker: two by accident, one killed, and none that is heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crant_core.jobs.model import Queue
from crant_core.jobs.repository.firing import FiringRepository, job_of
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.repository.schedules import ScheduleRepository
from crant_core.jobs.repository.ticks import BEAT, LOOK, TickRepository
from crant_core.jobs.schedule_tables import ScheduleRow
from tests.contracts.schedules import a_schedule
from tests.engine import ClockedDatabase
from tests.fixtures.service import Service, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
EVERYBODY = Viewer(owner="", sees_all=True)


class Clerk:
    """Makes schedules that are due already, as somebody did an hour ago. Their runs wait behind a job that is held."""

    def __init__(self, service: Service, past: ClockedDatabase) -> None:
        self.service = service
        self.ticks = TickRepository(service.engine.database)
        self.now = ScheduleRepository(service.engine.database)
        self.then = ScheduleRepository(past)
        self.firing = FiringRepository(service.engine.jobs)
        self.held = service.engine.submit()
        service.engine.control.pause(self.held.id)

    def due(self, *names: str) -> list[ScheduleRow]:
        schedules = [a_schedule(name=name, every_seconds=3600, zone="UTC", overlap="queue") for name in names]
        made = [self.then.create(one, "alice", body_hash="0" * 64)[0] for one in schedules]
        for one in made:
            self.firing.run_now(one, replace(job_of(one, 4, Queue.CPU, {}, owner="alice"), after=[self.held.id]))
        return made

    def slots(self, schedule: ScheduleRow) -> list[datetime]:
        return [run.slot for run in self.now.runs(schedule.id) if run.slot]

    def runs(self) -> dict[str, int]:
        return {one.name: len(self.slots(one)) for one in self.now.all(EVERYBODY)}

    def wait_for(self, schedules: list[ScheduleRow]) -> None:
        until(lambda: all(self.slots(one) for one in schedules), self.service.logs)

    def wait_for_ticks(self, count: int) -> None:
        """Wait until schedules were looked at so many times more."""
        for _ in range(count):
            last = self.ticks.last(LOOK)
            until(lambda last=last: self.ticks.last(LOOK) != last, self.service.logs)  # type: ignore[misc]


@pytest.fixture
def clerk(service: Service, database_url: str) -> Iterator[Clerk]:
    past = ClockedDatabase(database_url)
    past.moment = datetime.now(UTC) - timedelta(hours=1, minutes=5)
    yield Clerk(service, past)
    past.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_two_beats_fire_once_one_is_enough_and_without_any_a_worker_stands_in(service: Service, clerk: Clerk) -> None:
    beats = [service.start_beat(), service.start_beat()]
    names = [f"number {number}" for number in range(20)]
    schedules = clerk.due(*names)
    service.start_worker(processes=1)
    until(lambda: all(b"service.tick" in log.read_bytes() for log in service.folder.glob("beat-*.log")), service.logs)
    clerk.wait_for(schedules)
    clerk.wait_for_ticks(3)
    assert clerk.runs() == dict.fromkeys(names, 1), service.logs()
    assert clerk.ticks.last(BEAT) is not None

    beats[0].kill()
    clerk.wait_for(clerk.due("one beat is dead"))

    service.processes[0].kill()  # the broker: the other beat is not heard any more
    clerk.wait_for(clerk.due("no beat is heard"))

    service.start_redis()
    clerk.wait_for_ticks(1)
    assert set(clerk.runs().values()) == {1}
