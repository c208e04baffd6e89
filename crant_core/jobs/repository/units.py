"""Units as workers see them.

The contract: a unit is delivered at least once and takes effect exactly once. `claim` is one conditional UPDATE that
puts the worker's token on the row; every later write locks the row and must find that token still there, or raises
`LeaseLost` and changes nothing. A worker that was thought dead and comes back can therefore do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from crant_core.errors import CrantError
from crant_core.jobs.database import Database
from crant_core.jobs.model import ACTIVE, UNIT_TRANSITIONS, ItemState, Queue, Role, UnitState, before, outcome
from crant_core.jobs.repository import reuse
from crant_core.jobs.repository.ending import end_attempt, finish_if_last, hold, requeue
from crant_core.jobs.repository.events import lock_job, move
from crant_core.jobs.repository.failing import Giver
from crant_core.jobs.repository.moments import FARTHEST
from crant_core.jobs.repository.recording import Outcome, StoredFile, artifact_row, record
from crant_core.jobs.repository.results import ResultRows, replace_rows
from crant_core.jobs.sizing import running_mean
from crant_core.jobs.tables import ArtifactRow, AttemptRow, ItemRow, JobRow, UnitRow, table_of

#: how attempts end that were taken from their worker, which may not know it yet
HANDED_BACK = "handed_back"
TAKEN_AWAY = ("cancelled", "worker_lost", "deadline_exceeded", HANDED_BACK)
_PICKED_UP = timedelta(seconds=0.5)  #: after this, a process that is free has taken what was offered

# Built once, as those in `events`.
_UNITS = table_of(UnitRow)
_IS_DUE = or_(  # as messages may be doubled or late, a pause is kept here
    _UNITS.c.not_before.is_(None), _UNITS.c.not_before <= bindparam("now"), _UNITS.c.not_before > bindparam("far")
)
_IS_ACTIVE = exists().where(JobRow.id == _UNITS.c.job_id, JobRow.state.in_(ACTIVE))
_TAKE = (
    update(_UNITS)
    .where(_UNITS.c.id == bindparam("of"), _UNITS.c.state.in_(before(UNIT_TRANSITIONS, UnitState.RUNNING)), _IS_ACTIVE)
    .where(_IS_DUE)
    .values(
        state=UnitState.RUNNING,
        token=bindparam("new_token"),
        lease_until=bindparam("until"),
        attempt=_UNITS.c.attempt + 1,
    )
    .returning(_UNITS.c.role, _UNITS.c.job_id, _UNITS.c.attempt, _UNITS.c.queue)
)
_BEGUN = insert(table_of(AttemptRow))
_JOB = select(JobRow).where(JobRow.id == bindparam("job_id"))
_PENDING = (ItemRow.unit_id == bindparam("unit_id"), ItemRow.state == ItemState.PENDING)
_OPEN_ITEMS = select(ItemRow).where(*_PENDING).order_by(ItemRow.position)
_HAS_OPEN = select(ItemRow.id).where(*_PENDING).limit(1)


@dataclass(frozen=True)
class ClaimedUnit:
    """A unit this worker holds, with what it needs to do it."""

    id: int
    role: Role
    token: str
    job: JobRow
    items: tuple[ItemRow, ...]  #: those to be worked on
    queue: Queue = Queue.CPU


class FinishedItem(NamedTuple):
    """An item that succeeded, with its files: sha256 by name."""

    position: int
    key: str
    metrics: dict[str, Any]
    files: dict[str, str]


class UnitRepository:
    """Claims units and records what became of them.

    Parameters
    ----------
    database : Database
    lease_seconds : float
    max_attempts : int
        Processes that an item may kill.
    releases : mapping of str to int, optional
        Kinds that this worker knows, and the version of its code for each: units of newer jobs are left to workers of
        the newer release. All are taken if left out.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease_seconds: float,
        max_attempts: int,
        releases: Mapping[str, int] | None = None,
    ) -> None:
        self.database = database
        self.lease = timedelta(seconds=lease_seconds)
        self._giver = Giver(max_attempts)
        self._take = _TAKE if releases is None else _TAKE.where(_is_of(releases))

    def claim(self, unit_id: int, token: str, worker: str) -> ClaimedUnit | None:
        """Take a queued unit of an active job; None if somebody else has it or it is over: the hint was stale."""
        try:
            with self.database.writing() as session:
                return self._claim(session, unit_id, token, worker)
        except IntegrityError:  # a message the broker delivered again: its token had its attempt
            return None

    def _claim(self, session: Session, unit_id: int, token: str, worker: str) -> ClaimedUnit | None:
        now = self.database.now()
        values = {"of": unit_id, "new_token": token, "until": now + self.lease, "now": now, "far": now + FARTHEST}
        row = session.execute(self._take, values).one_or_none()
        if row is None:
            return None
        attempt = {"unit_id": unit_id, "job_id": row.job_id, "number": row.attempt, "worker": worker}
        session.execute(_BEGUN, attempt | {"token": token, "started_at": now, "items": 0})
        job = session.scalars(_JOB, {"job_id": row.job_id}).one()
        items = session.scalars(_OPEN_ITEMS, {"unit_id": unit_id}) if row.role == Role.RUN else ()
        return ClaimedUnit(unit_id, Role(row.role), token, job, tuple(items), Queue(row.queue or job.queue))

    def take_known(self, unit: ClaimedUnit) -> ClaimedUnit:
        """Take results that exist already, and claim those that nobody is making.

        What another unit is making just now is left out; it stays open, and is looked for again later.
        """
        with self.database.writing() as session:
            job, _ = hold(session, unit.job.id, unit.id, unit.token)
            mine = reuse.share_out(session, job, unit.token, unit.items, self.database.now())
        return replace(unit, items=tuple(mine))

    def renew(self, tokens: Iterable[str]) -> int:
        """Prolong the leases held under these tokens; called by the worker's main process."""
        until = self.database.now() + self.lease
        held = update(UnitRow).where(UnitRow.token.in_(list(tokens)), UnitRow.state == UnitState.RUNNING)
        with self.database.writing() as session:
            return len(session.execute(held.values(lease_until=until).returning(UnitRow.id)).all())

    def hand_back(self, tokens: Iterable[str]) -> int:
        """Let others have these units at once, whose worker ends; nothing is wrong with them. Return how many."""
        return sum(self._hand_back(token) for token in tokens)

    def _hand_back(self, token: str) -> bool:
        with self.database.writing() as session:
            job_id = session.scalar(select(UnitRow.job_id).where(*_held_by(token)))
            job = lock_job(session, job_id) if job_id else None
            unit = session.scalar(select(UnitRow).where(*_held_by(token)).with_for_update())
            if job is None or unit is None:
                return False
            now = self.database.now()
            end_attempt(session, token, now, HANDED_BACK)
            unit.attempt -= 1  # it counts against a plan or a finish, which did nothing wrong
            requeue(unit, now)
            return True

    def taken_away(self, tokens: Iterable[str]) -> set[str]:
        """Say which of these attempts are over without their worker's doing: cancelled, or given to another."""
        over = select(AttemptRow.token).where(AttemptRow.token.in_(list(tokens)), AttemptRow.outcome.in_(TAKEN_AWAY))
        with self.database.reading() as session:
            return set(session.scalars(over))

    def is_held(self, unit: ClaimedUnit) -> bool:
        """Say whether this worker still holds a unit, without waiting for anybody."""
        with self.database.reading() as session:
            return session.scalar(select(UnitRow.id).where(*_held_by(unit.token))) is not None

    def is_awaited(self, unit: ClaimedUnit) -> bool:
        """Say whether a job of which nothing is being done waits in the broker for a process to be free."""
        now = self.database.now()
        other, mine = aliased(UnitRow), unit.job
        is_served = exists().where(other.job_id == UnitRow.job_id, other.state == UnitState.RUNNING)
        waits = (UnitRow.state == UnitState.QUEUED, UnitRow.hint_at <= now - _PICKED_UP, UnitRow.job_id != mine.id)
        counts = or_(JobRow.owner != mine.owner, JobRow.priority >= mine.priority)
        here = func.coalesce(UnitRow.queue, JobRow.queue) == unit.queue  # others' processes do the rest
        query = select(UnitRow.id).join(JobRow, JobRow.id == UnitRow.job_id)
        with self.database.reading() as session:
            found = session.scalar(query.where(*waits, here, JobRow.state.in_(ACTIVE), counts, ~is_served).limit(1))
        return found is not None

    def record(self, unit: ClaimedUnit, outcomes: Sequence[Outcome]) -> None:
        """Record what became of some items, with their files, in one transaction.

        Raises
        ------
        LeaseLost
            The unit is somebody else's by now, or an item has ended already; nothing is changed.
        """
        with self.database.writing() as session:
            job, row = hold(session, unit.job.id, unit.id, unit.token)
            record(session, job, row, outcomes, self.database.now())

    def complete_run(
        self,
        unit: ClaimedUnit,
        outcomes: Sequence[Outcome] = (),
        *,
        seconds: float = 0.0,
        rest: Sequence[ItemRow] = (),
    ) -> None:
        """Record the last items and end a unit; the last one of its job starts the finish.

        Items that are to be tried again, or that another unit is making, put the unit back into the queue.

        Parameters
        ----------
        unit : ClaimedUnit
        outcomes : sequence of Outcome
        seconds : float
            The time that all its items took.
        rest : sequence of ItemRow
            Its last items if they were not begun: the job gets them back, for other units.
        """
        with self.database.writing() as session:
            (job, row), now = hold(session, unit.job.id, unit.id, unit.token), self.database.now()
            record(session, job, row, outcomes, now)
            _put_back(session, job, rest)
            if seconds and (done := len(unit.items) - len(rest)):
                job.item_seconds = running_mean(job.item_seconds, seconds / done)
            is_open = session.scalar(_HAS_OPEN, {"unit_id": unit.id}) is not None
            how = "postponed" if is_open else "done"
            end_attempt(session, unit.token, now, how, items=len(unit.items) - len(rest), seconds=seconds)
            if not is_open:
                row.state, row.lease_until = UnitState.DONE, None
                finish_if_last(session, job, now)
            else:
                requeue(row, max(row.not_before or now, now + reuse.LOOK_AGAIN))

    def done_items(self, job_id: str, *, after: int = -1, limit: int = 1000) -> list[FinishedItem]:
        """List succeeded items in order, after a position, each with its files."""
        fields = (ItemRow.id, ItemRow.position, ItemRow.key, ItemRow.metrics)
        done = (ItemRow.job_id == job_id, ItemRow.state == ItemState.SUCCEEDED, ItemRow.position > after)
        with self.database.reading() as session:
            rows = session.execute(select(*fields).where(*done).order_by(ItemRow.position).limit(limit)).all()
            files: dict[int | None, dict[str, str]] = {}
            of_file = (ArtifactRow.item_id, ArtifactRow.name, ArtifactRow.sha256)
            for batch in reuse.batches(row.id for row in rows):
                wanted = select(*of_file).where(ArtifactRow.item_id.in_(batch)).order_by(ArtifactRow.id)
                for item_id, name, sha256 in session.execute(wanted):
                    files.setdefault(item_id, {})[name] = sha256
        return [FinishedItem(row.position, row.key, row.metrics, files.get(row.id, {})) for row in rows]

    def complete_finish(self, unit: ClaimedUnit, files: Sequence[StoredFile], rows: Sequence[ResultRows] = ()) -> None:
        """Store the job's own files and rows, in the place of those of an earlier finish, and end it."""
        with self.database.writing() as session:
            (job, row), now = hold(session, unit.job.id, unit.id, unit.token), self.database.now()
            row.state, row.lease_until = UnitState.DONE, None
            end_attempt(session, unit.token, now, "done")
            session.execute(delete(ArtifactRow).where(ArtifactRow.job_id == job.id, ArtifactRow.item_id.is_(None)))
            session.add_all(ArtifactRow(**artifact_row(job.id, None, file, now)) for file in files)
            replace_rows(session, job, rows, now)
            move(session, job, now, outcome(job.succeeded, job.failed))

    def note_cost(self, token: str, *, seconds: float, requests: int, received: int) -> None:
        """Write down what an attempt took, whatever became of it; `received` in bytes."""
        known = {"requests": requests, "received": received, "seconds": func.coalesce(AttemptRow.seconds, seconds)}
        with self.database.writing() as session:
            session.execute(update(AttemptRow).where(AttemptRow.token == token).values(known))

    def give_back(self, token: str, error: CrantError) -> bool:
        """Let a unit that was not finished be tried again, or give it up; False if the token holds nothing.

        Called for errors that are no single item's, and for a process that died.
        """
        with self.database.writing() as session:
            job_id = session.scalar(select(UnitRow.job_id).where(*_held_by(token)))
            job = lock_job(session, job_id) if job_id else None
            unit = session.scalar(select(UnitRow).where(*_held_by(token)).with_for_update())
            if job is None or unit is None:
                return False
            self._giver.release(session, job, unit, error, self.database.now())
            return True


def _put_back(session: Session, job: JobRow, items: Sequence[ItemRow]) -> None:
    for batch in reuse.batches(item.id for item in items):
        session.execute(update(ItemRow).where(ItemRow.id.in_(batch)).values(unit_id=None))
    job.uncut += len(items)


def _is_of(releases: Mapping[str, int]) -> ColumnElement[bool]:
    known = ((JobRow.kind == kind) & (JobRow.code_version <= version) for kind, version in releases.items())
    return exists().where(JobRow.id == _UNITS.c.job_id, or_(*known))


def _held_by(token: str) -> tuple[ColumnElement[bool], ...]:
    return UnitRow.token == token, UnitRow.state == UnitState.RUNNING
