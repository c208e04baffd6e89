"""What the dispatcher asks the database: who leads, which leases ran out, which units to offer next.

Messages are hints: they may be lost, doubled or late. Units reach the broker through a window, in turns over owners
and over each owner's jobs, so that a million items neither flood the broker nor starve a five-neuron job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, Select, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from crant_core.errors import WorkerLost
from crant_core.jobs.model import Role, UnitState
from crant_core.jobs.repository.units import UnitRepository
from crant_core.jobs.tables import JobRow, LeaderRow, UnitRow

_LEADER = "dispatcher"
_REIGN = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class DueUnit:
    """A unit to offer to the broker."""

    id: int
    role: Role
    position: int
    job_id: str
    kind: str


class DispatchRepository:
    """Finds the units to offer, for one dispatcher at a time."""

    def __init__(self, units: UnitRepository, *, window: int, rehint_seconds: float) -> None:
        self.units = units
        self.database = units.database
        self.window = window
        self.rehint = timedelta(seconds=rehint_seconds)

    def lead(self, holder: str) -> bool:
        """Become or stay the one dispatcher; it loses the post when silent for five seconds."""
        now = self.database.now()
        free = or_(LeaderRow.holder == holder, LeaderRow.until < now)
        crown = update(LeaderRow).where(LeaderRow.name == _LEADER, free).values(holder=holder, until=now + _REIGN)
        try:
            with self.database.writing() as session:
                if session.execute(crown.returning(LeaderRow.name)).one_or_none():
                    return True
                if session.get(LeaderRow, _LEADER) is None:
                    session.add(LeaderRow(name=_LEADER, holder=holder, until=now + _REIGN))
                    return True
                return False
        except IntegrityError:  # two candidates made the first row at one moment
            return False

    def step_down(self, holder: str) -> None:
        """Leave the post, so that the next dispatcher need not wait."""
        gone = update(LeaderRow).where(LeaderRow.name == _LEADER, LeaderRow.holder == holder)
        with self.database.writing() as session:
            session.execute(gone.values(until=self.database.now() - _REIGN))

    def expire(self) -> int:
        """Take back units whose worker has been silent for longer than its lease."""
        over = UnitRow.lease_until < self.database.now()
        with self.database.reading() as session:
            tokens = list(session.scalars(select(UnitRow.token).where(UnitRow.state == UnitState.RUNNING, over)))
        error = WorkerLost("the worker was silent for longer than its lease")
        return sum(self.units.give_back(token, error) for token in tokens if token is not None)

    def due(self) -> list[DueUnit]:
        """Mark the next units as offered and return them; never more than the window has room for."""
        now = self.database.now()
        with self.database.reading() as session:
            room = self.window - session.scalars(_outstanding(now - self.rehint)).one()
            rows = session.execute(_next(now, now - self.rehint, room)).all() if room > 0 else []
        if rows:
            self._mark([row.id for row in rows], now)
        return [_due_unit(row) for row in rows]

    def withdraw(self, unit_ids: Iterable[int]) -> None:
        """Take offers back that did not reach the broker, so that they are made again at once."""
        self._mark(list(unit_ids), None)

    def _mark(self, unit_ids: list[int], at: datetime | None) -> None:
        with self.database.writing() as session:
            session.execute(update(UnitRow).where(UnitRow.id.in_(unit_ids)).values(hint_at=at))


def _outstanding(since: datetime) -> Select[int]:
    return select(func.count()).where(UnitRow.state == UnitState.QUEUED, UnitRow.hint_at > since)


def _next(now: datetime, stale: datetime, room: int) -> Select[int, str, int, str, str]:
    """Take turns: the first unit of every job before the second of any, and so over the owners."""
    turn_in_job = func.row_number().over(partition_by=UnitRow.job_id, order_by=UnitRow.id).label("turn")
    columns = (UnitRow.id, UnitRow.role, UnitRow.position, JobRow.id.label("job_id"), JobRow.kind)
    ready = (
        select(*columns, JobRow.owner, JobRow.priority, turn_in_job)
        .join(JobRow, JobRow.id == UnitRow.job_id)
        .where(UnitRow.state == UnitState.QUEUED, _ready(now, stale))
        .subquery()
    )
    turn_of_owner = func.row_number().over(
        partition_by=ready.c.owner, order_by=(ready.c.priority.desc(), ready.c.turn, ready.c.id)
    )
    named = (ready.c.id, ready.c.role, ready.c.position, ready.c.job_id, ready.c.kind)
    return select(*named).order_by(turn_of_owner, ready.c.priority.desc(), ready.c.id).limit(room)


def _ready(now: datetime, stale: datetime) -> ColumnElement[bool]:
    waited = or_(UnitRow.not_before.is_(None), UnitRow.not_before <= now)
    unheard = or_(UnitRow.hint_at.is_(None), UnitRow.hint_at <= stale)
    return waited & unheard


def _due_unit(row: Row[int, str, int, str, str]) -> DueUnit:
    return DueUnit(id=row.id, role=Role(row.role), position=row.position, job_id=row.job_id, kind=row.kind)
