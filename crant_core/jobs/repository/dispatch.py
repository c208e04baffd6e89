"""What the dispatcher asks the database: who leads, which leases ran out, which units to offer next.

Messages are hints: they may be lost, doubled or late. Units reach the broker through a window, in turns over owners
and over each owner's jobs, so that a million items neither flood the broker nor starve a five-neuron job. The window
holds little work, not many units: what waits in the broker waits in line, and nobody can get in front of it any more.
Each queue has a window of its own, as its workers are others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import ColumnElement, Row, Select, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crant_core.errors import WorkerLost
from crant_core.jobs.model import ACTIVE, JobState, Queue, Role, UnitState
from crant_core.jobs.repository.control import ControlRepository
from crant_core.jobs.repository.cutting import cut
from crant_core.jobs.repository.load import View, look
from crant_core.jobs.repository.moments import is_past, is_since
from crant_core.jobs.repository.pipelines import PipelineRepository
from crant_core.jobs.repository.units import UnitRepository
from crant_core.jobs.tables import JobRow, LeaderRow, UnitRow

_LEADER = "dispatcher"
_PATIENT = 20  #: times as long a message is waited for that may be in the broker
_REIGN = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class DueUnit:
    """A unit to offer to the broker."""

    id: int
    role: Role
    position: int
    job_id: str
    kind: str
    urgent: bool = False  #: nothing of its job is running or waiting in the broker: it goes to the front
    queue: Queue = Queue.CPU
    traceparent: str | None = None  #: of its job's submission


class DispatchRepository:
    """Finds the units to offer, for one dispatcher at a time."""

    def __init__(self, units: UnitRepository, *, window: int, rehint_seconds: float) -> None:
        self.units = units
        self.database = units.database
        self.control = ControlRepository(units.database)
        self.pipelines = PipelineRepository(units.database)
        self.window = window
        self.rehint = timedelta(seconds=rehint_seconds)

    def lead(self, holder: str) -> bool:
        """Become or stay the one dispatcher; it loses the post when silent for five seconds."""
        now = self.database.now()
        free = or_(LeaderRow.holder == holder, is_past(LeaderRow.until, now))
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
        over = is_past(UnitRow.lease_until, self.database.now())
        with self.database.reading() as session:
            tokens = list(session.scalars(select(UnitRow.token).where(UnitRow.state == UnitState.RUNNING, over)))
        error = WorkerLost("the worker was silent for longer than its lease")
        return sum(self.units.give_back(token, error) for token in tokens if token is not None)

    def look_after(self) -> int:
        """Fail jobs whose deadline has passed, start those that waited for others, end pipelines; return how many."""
        return self.control.overdue() + self.control.release() + self.pipelines.settle()

    def due(self, *, in_line: bool = False) -> list[DueUnit]:
        """Mark the next units as offered and return them; never more than the window has room for.

        Parameters
        ----------
        in_line : bool
            Messages wait in the broker. Then those of units that nobody has taken are probably among them, and offers
            are made again much later: each is one more message to be taken for nothing.
        """
        now = self.database.now()
        stale = now - self.rehint * (_PATIENT if in_line else 1)
        with self.database.reading() as session:
            view = look(session, window=self.window, now=now, stale=stale)
            jobs = session.scalars(_jobs_with(_ready(now, stale), view.room)).all() if view.room else []
        self._cut(jobs, view)
        with self.database.reading() as session:
            units = _next(session, jobs, _ready(now, stale), view)
        if units:
            self._mark([unit.id for unit in units], now)
        return units

    def _cut(self, jobs: Iterable[JobRow], view: View) -> None:
        """Let every job have as many units as could be offered of it now, and no more."""
        for job in jobs:
            if job.uncut and (missing := view.missing(job)) > 0:
                cut(self.database, job.id, missing, processes=view.lines[Queue(job.queue)].running)

    def withdraw(self, unit_ids: Iterable[int]) -> None:
        """Take offers back that did not reach the broker, so that they are made again at once."""
        self._mark(list(unit_ids), None)

    def _mark(self, unit_ids: list[int], at: datetime | None) -> None:
        with self.database.writing() as session:
            session.execute(update(UnitRow).where(UnitRow.id.in_(unit_ids)).values(hint_at=at))


def since_last_look(session: Session, now: datetime) -> float | None:
    """Return the seconds since a dispatcher last said that it leads; None if there never was one."""
    until = session.scalar(select(LeaderRow.until).where(LeaderRow.name == _LEADER))
    return None if until is None else max(0.0, (now - until + _REIGN).total_seconds())


def _next(session: Session, jobs: Iterable[JobRow], ready: ColumnElement[bool], view: View) -> list[DueUnit]:
    """Take turns over owners; of one owner's units, the first of each job comes before the second of any.

    Each job is asked for a few units only, so that this costs the same whether a job has ten units or a million.
    """
    waiting: dict[str, list[tuple[tuple[int, int, int], _Candidate]]] = {}
    for job in jobs:
        found = enumerate(session.execute(_units_of(job, ready, view.room_of(job))), start=view.busy(job))
        ranked = [
            ((-job.priority, turn, row.id), _Candidate(_due_unit(job, row, turn), row.cost)) for turn, row in found
        ]
        waiting.setdefault(job.owner, []).extend(ranked)
    # Empty is what was claimed since the jobs were found: each query sees the database as it is then.
    queues = [sorted(ranked, key=itemgetter(0)) for ranked in waiting.values() if ranked]
    rounds = zip_longest(*sorted(queues, key=lambda ranked: ranked[0][0]))
    in_turn = (entry[1] for entry in chain.from_iterable(rounds) if entry)
    return [
        candidate.unit
        for candidate in in_turn
        if view.admits(candidate.unit.queue, candidate.cost, urgent=candidate.unit.urgent)
    ]


class _Candidate(NamedTuple):
    unit: DueUnit
    cost: float | None


def _jobs_with(ready: ColumnElement[bool], room: int) -> Select[JobRow]:
    has_some = exists().where(UnitRow.job_id == JobRow.id, UnitRow.state == UnitState.QUEUED, ready)
    has_uncut = (JobRow.state == JobState.RUNNING) & (JobRow.uncut > 0)
    turn_of_owner = func.row_number().over(partition_by=JobRow.owner, order_by=(JobRow.priority.desc(), JobRow.number))
    return select(JobRow).where(JobRow.state.in_(ACTIVE), has_uncut | has_some).order_by(turn_of_owner).limit(room)


def _units_of(job: JobRow, ready: ColumnElement[bool], room: int) -> Select[int, str, int, float | None, str | None]:
    queued = (UnitRow.job_id == job.id, UnitRow.state == UnitState.QUEUED, ready)
    fields = (UnitRow.id, UnitRow.role, UnitRow.position, UnitRow.cost, UnitRow.queue)
    return select(*fields).where(*queued).order_by(UnitRow.id).limit(room)


def _ready(now: datetime, stale: datetime) -> ColumnElement[bool]:
    waited = or_(UnitRow.not_before.is_(None), is_past(UnitRow.not_before, now))
    unheard = or_(UnitRow.hint_at.is_(None), ~is_since(UnitRow.hint_at, stale, now))
    return waited & unheard


def _due_unit(job: JobRow, row: Row[int, str, int, float | None, str | None], turn: int) -> DueUnit:
    return DueUnit(
        id=row.id,
        role=Role(row.role),
        position=row.position,
        job_id=job.id,
        kind=job.kind,
        urgent=turn == 0,
        queue=Queue(row.queue or job.queue),
        traceparent=job.traceparent,
    )
