"""Looks for schedules that are due, and has their jobs made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import structlog

from crant_core.datasets import Dataset, get_dataset
from crant_core.errors import CrantError
from crant_core.jobs.database import OUTAGE
from crant_core.jobs.model import Queue
from crant_core.jobs.repository.firing import FiringRepository, job_of
from crant_core.jobs.repository.inputs import InputRepository
from crant_core.jobs.repository.jobs import JobRepository, NewJob
from crant_core.jobs.repository.ticks import LOOK, TickRepository
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.slots import reckoning
from crant_core.kinds.base import MAX_INLINE_IDS
from crant_core.kinds.checking import checked_again
from crant_core.times import parse_at

log = structlog.get_logger()


class Schedules:
    """Deals with the slots that have come. Any number of these may do so at the same time.

    Parameters
    ----------
    jobs : JobRepository
    datasets : sequence of Dataset
        Those of the settings; presets are known.
    tick_seconds, grace_seconds : float
        As in the settings.
    """

    def __init__(
        self, jobs: JobRepository, datasets: Sequence[Dataset], *, tick_seconds: float, grace_seconds: float
    ) -> None:
        self.firing = FiringRepository(jobs)
        self.database = jobs.database
        self.inputs = InputRepository(self.database)
        self.ticks = TickRepository(self.database)
        self.datasets = datasets
        self.grace = timedelta(seconds=grace_seconds)
        self.tick_seconds = tick_seconds

    def look(self, holder: str) -> int:
        """Make the jobs of all slots that have come, and count them. An error of one schedule is its own."""
        made = 0
        for schedule in self.firing.due():
            with structlog.contextvars.bound_contextvars(schedule=schedule.id):
                made += self._fire(schedule)
        self.ticks.note(LOOK, holder)
        return made

    def is_overdue(self) -> bool:
        """Say whether nobody has looked for so long that somebody else must."""
        return self.ticks.is_silent(LOOK, self.tick_seconds)

    def _fire(self, schedule: ScheduleRow) -> bool:
        try:
            found = reckoning(schedule, self.database.now(), self.grace)
        except CrantError as error:
            log.warning("timetable unreadable", action="schedule_disabled", code=error.code, error=str(error))
            self.firing.disable(schedule, error)
            return False
        try:
            job = self.firing.fire(schedule, found, self._job(schedule))
        except OUTAGE:
            raise  # an outage: the next look does it
        except Exception:
            log.exception("schedule not run", action="schedule_broken")  # it stays due; the others go on
            return False
        if job is not None:
            log.info("schedule run", action="schedule_fired", job=job.id, slot=str(found.run))
        return job is not None

    def _job(self, schedule: ScheduleRow) -> NewJob | CrantError:
        """Describe the job, checked by its kind as it is now; or say why there can be none."""
        try:
            get_dataset(schedule.dataset, self.datasets)
            parse_at(schedule.at)
            ids = self.inputs.ids(schedule.input_id, MAX_INLINE_IDS)
            kind, parameters = checked_again(schedule.kind, schedule.parameters, ids)
        except CrantError as error:
            log.warning("job of schedule refused", action="schedule_invalid", code=error.code, error=str(error))
            return error
        return job_of(schedule, kind.code_version, Queue(kind.queue), parameters, owner=schedule.owner)


class StandIn:
    """Looks for schedules while beat's ticks do not arrive: beat is dead, or so is the broker, or all workers are busy.

    Parameters
    ----------
    schedules : Schedules
    holder : str
        Who this is.
    seconds : float
        Between two looks whether it is needed.
    guard : context manager, optional
        Held while the database is used.
    clock : callable, optional
        Seconds that only grow.
    """

    def __init__(
        self,
        schedules: Schedules,
        holder: str,
        seconds: float,
        guard: AbstractContextManager[Any] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.schedules, self.holder, self.seconds = schedules, holder, seconds
        self.guard = guard or nullcontext()
        self.clock = clock
        self.next = clock()

    def turn(self) -> int:
        """Look if it is time, and nobody else has; return how many jobs were made."""
        if self.clock() < self.next:
            return 0
        self.next = self.clock() + self.seconds
        with self.guard:
            return self.schedules.look(self.holder) if self.schedules.is_overdue() else 0
