"""How much work waits in the broker and is being done: what the dispatcher goes by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from crant_core.jobs.model import Queue, UnitState
from crant_core.jobs.repository.moments import is_past, is_since
from crant_core.jobs.sizing import unit_size
from crant_core.jobs.tables import JobRow, UnitRow

_AHEAD_SECONDS = 5.0  #: of work that may wait in the broker for each unit that is being done
_AHEAD_UNITS = 4  #: units that may wait in any case: workers must not idle until somebody looks again
_INSTANT = 1e-3  #: seconds that a unit takes at least
_UNKNOWN_SECONDS = 10.0  #: what a unit is taken to cost before anything was measured


@dataclass
class Line:
    """What stands in line in one queue of the broker.

    Attributes
    ----------
    offered, running : int
        Units that wait in the broker, and that are being done.
    seconds : float
        Work that waits in the broker.
    """

    offered: int = 0
    running: int = 0
    seconds: float = 0.0

    def room(self, cost: float | None) -> int:
        """Say how many units of such a cost would be let in, one at least."""
        slots, each = max(1, self.running), _UNKNOWN_SECONDS if cost is None else cost
        by_work = math.ceil((slots * _AHEAD_SECONDS - self.seconds) / max(each, _INSTANT))
        return max(1, max(_AHEAD_UNITS, slots) - self.offered, by_work)

    def admits(self, window: int, cost: float | None, *, urgent: bool) -> bool:
        """Count a unit in, if there is room for what it costs; the first of a job is always let in."""
        slots = max(1, self.running)
        few = self.offered < max(_AHEAD_UNITS, slots)
        if self.offered >= window or not (few or urgent or self.seconds < slots * _AHEAD_SECONDS):
            return False
        self.offered += 1
        self.seconds += _UNKNOWN_SECONDS if cost is None else cost
        return True


@dataclass
class View:
    """Units by where they are, at one look.

    Attributes
    ----------
    window : int
        Units that may wait in each of the broker's queues at most; half of them may be one job's.
    offered, running, waiting : mapping of str to int
        Units of each job that wait in the broker, are being done, and are due but not offered.
    lines : mapping of Queue to Line
    """

    window: int
    offered: Mapping[str, int]
    running: Mapping[str, int]
    waiting: Mapping[str, int]
    lines: Mapping[Queue, Line] = field(default_factory=lambda: {queue: Line() for queue in Queue})

    @property
    def seconds(self) -> float:
        """Work that waits in the broker."""
        return sum(line.seconds for line in self.lines.values())

    @property
    def room(self) -> int:
        """Units that could be offered now, in the emptiest queue, if they cost nothing."""
        return max(0, self.window - min(line.offered for line in self.lines.values()))

    def room_of(self, job: JobRow) -> int:
        """Units of one job that could be offered now."""
        return max(0, min(self.room, max(1, self.window // 2) - self.offered.get(job.id, 0)))

    def queued(self, job: JobRow) -> int:
        """Units of one job that are cut and not offered."""
        return self.waiting.get(job.id, 0)

    def missing(self, job: JobRow) -> int:
        """Units to be cut of a job, so that there are as many as would be let in: those cut later are cut better."""
        line = self.lines[Queue(job.queue)]
        size = unit_size(
            job.item_seconds,
            left=job.uncut,
            first=job.first_size,
            largest=job.largest_size,
            processes=line.running,
        )
        cost = None if job.item_seconds is None else job.item_seconds * size
        return min(self.room_of(job), line.room(cost)) - self.queued(job)

    def busy(self, job: JobRow) -> int:
        """Units of one job that wait in the broker or are being done."""
        return self.offered.get(job.id, 0) + self.running.get(job.id, 0)

    def admits(self, queue: Queue, cost: float | None, *, urgent: bool) -> bool:
        """Count a unit in, if there is room in its queue."""
        return self.lines[queue].admits(self.window, cost, urgent=urgent)


def look(session: Session, *, window: int, now: datetime, stale: datetime) -> View:
    """Count the units that are not over."""
    heard = is_since(UnitRow.hint_at, stale, now)
    is_due = or_(UnitRow.not_before.is_(None), is_past(UnitRow.not_before, now))
    offered = _count(session, (UnitRow.state == UnitState.QUEUED) & heard)
    running = _count(session, UnitRow.state == UnitState.RUNNING)
    waiting = _count(session, (UnitRow.state == UnitState.QUEUED) & UnitRow.hint_at.is_(None) & is_due)
    view = View(window, _by_job(offered), _by_job(running), _by_job(waiting))
    for _, queue, count, seconds in offered:
        view.lines[Queue(queue)].offered += count
        view.lines[Queue(queue)].seconds += seconds
    for _, queue, count, _ in running:
        view.lines[Queue(queue)].running += count
    return view


_Found = list[Row[str, str, int, float]]


def _count(session: Session, which: ColumnElement[bool]) -> _Found:
    queue = func.coalesce(UnitRow.queue, JobRow.queue)
    cost = func.sum(func.coalesce(UnitRow.cost, _UNKNOWN_SECONDS))
    units = select(UnitRow.job_id, queue, func.count(), cost).join(JobRow, JobRow.id == UnitRow.job_id)
    return list(session.execute(units.where(which).group_by(UnitRow.job_id, queue)))


def _by_job(found: _Found) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for job_id, _, count, _ in found:
        counts[job_id] += count
    return counts
