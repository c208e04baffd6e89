"""How much work waits in the broker and is being done: what the dispatcher goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from crant_core.jobs.model import UnitState
from crant_core.jobs.repository.moments import is_past, is_since
from crant_core.jobs.tables import JobRow, UnitRow

_AHEAD_SECONDS = 5.0  #: of work that may wait in the broker for each unit that is being done
_AHEAD_UNITS = 4  #: units that may wait in any case: workers must not idle until somebody looks again
_UNKNOWN_SECONDS = 10.0  #: what a unit is taken to cost before anything was measured


@dataclass
class View:
    """Units by where they are, at one look.

    Attributes
    ----------
    window : int
        Units that may wait in the broker at most; half of them may be one job's.
    offered, running, waiting : mapping of str to int
        Units of each job that wait in the broker, are being done, and are due but not offered.
    seconds : float
        Work that waits in the broker.
    """

    window: int
    offered: Mapping[str, int]
    running: Mapping[str, int]
    waiting: Mapping[str, int]
    seconds: float
    admitted: int = 0

    @property
    def room(self) -> int:
        """Units that could be offered now if they cost nothing."""
        return max(0, self.window - sum(self.offered.values()))

    def room_of(self, job: JobRow) -> int:
        """Units of one job that could be offered now."""
        return max(0, min(self.room, max(1, self.window // 2) - self.offered.get(job.id, 0)))

    def queued(self, job: JobRow) -> int:
        """Units of one job that are cut and not offered."""
        return self.waiting.get(job.id, 0)

    def busy(self, job: JobRow) -> int:
        """Units of one job that wait in the broker or are being done."""
        return self.offered.get(job.id, 0) + self.running.get(job.id, 0)

    def admits(self, cost: float | None, *, urgent: bool) -> bool:
        """Count a unit in, if there is room for what it costs; the first of a job is always let in."""
        ahead, slots = sum(self.offered.values()) + self.admitted, max(1, sum(self.running.values()))
        few = ahead < max(_AHEAD_UNITS, slots)
        if ahead >= self.window or not (few or urgent or self.seconds < slots * _AHEAD_SECONDS):
            return False
        self.admitted += 1
        self.seconds += _UNKNOWN_SECONDS if cost is None else cost
        return True


def look(session: Session, *, window: int, now: datetime, stale: datetime) -> View:
    """Count the units that are not over."""
    cost = func.sum(func.coalesce(UnitRow.cost, _UNKNOWN_SECONDS))
    heard = is_since(UnitRow.hint_at, stale, now)
    is_due = or_(UnitRow.not_before.is_(None), is_past(UnitRow.not_before, now))
    offered = select(UnitRow.job_id, func.count(), cost).where(UnitRow.state == UnitState.QUEUED, heard)
    found = session.execute(offered.group_by(UnitRow.job_id)).all()
    return View(
        window=window,
        offered={job_id: count for job_id, count, _ in found},
        running=_count(session, UnitRow.state == UnitState.RUNNING),
        waiting=_count(session, (UnitRow.state == UnitState.QUEUED) & UnitRow.hint_at.is_(None) & is_due),
        seconds=sum(seconds for _, _, seconds in found),
    )


def _count(session: Session, which: ColumnElement[bool]) -> dict[str, int]:
    rows = session.execute(select(UnitRow.job_id, func.count()).where(which).group_by(UnitRow.job_id))
    return {job_id: count for job_id, count in rows}  # noqa: C416 - rows are no tuples to mypy
