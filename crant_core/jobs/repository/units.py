"""Units as workers see them.

The contract: a unit is delivered at least once and takes effect exactly once. `claim` is one conditional UPDATE that
puts the worker's token on the row; every later write locks the row and must find that token still there, or raises
`LeaseLost` and changes nothing. A worker that was thought dead and comes back can therefore do no harm.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from crant_core import ids as identifiers
from crant_core.errors import CrantError, LeaseLost
from crant_core.jobs.database import Database
from crant_core.jobs.model import ItemState, JobState, Role, UnitState, outcome
from crant_core.jobs.repository.events import append, lock_job, move
from crant_core.jobs.tables import ArtifactRow, AttemptRow, InputRow, ItemRow, JobRow, UnitRow
from crant_core.times import TimeBase


@dataclass(frozen=True)
class ClaimedUnit:
    """A unit this worker holds, with what it needs to do it."""

    id: int
    role: Role
    token: str
    job: JobRow
    items: tuple[ItemRow, ...]  #: those not ended yet


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """One planned item; with an error it is over before it began."""

    key: str
    error: CrantError | None = None
    metrics: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file whose bytes are in the store."""

    name: str
    media_type: str
    size: int
    sha256: str
    meta: dict[str, Any]


class UnitRepository:
    """Claims units and records what became of them."""

    def __init__(self, database: Database, *, lease_seconds: float, max_attempts: int) -> None:
        self.database = database
        self.lease = timedelta(seconds=lease_seconds)
        self.max_attempts = max_attempts

    def claim(self, unit_id: int, token: str, worker: str) -> ClaimedUnit | None:
        """Take a queued unit, or return None if somebody else has it or it is over: the hint was stale."""
        now = self.database.now()
        taken = (
            update(UnitRow)
            .where(UnitRow.id == unit_id, UnitRow.state == UnitState.QUEUED)
            .values(state=UnitState.RUNNING, token=token, lease_until=now + self.lease, attempt=UnitRow.attempt + 1)
            .returning(UnitRow.role, UnitRow.job_id, UnitRow.attempt)
        )
        with self.database.writing() as session:
            if session.get(AttemptRow, token) is not None:  # a message the broker delivered again: its time is over
                return None
            row = session.execute(taken).one_or_none()
            if row is None:
                return None
            attempt = AttemptRow(token=token, unit_id=unit_id, number=row.attempt, worker=worker, started_at=now)
            attempt.job_id = row.job_id
            session.add(attempt)
            return ClaimedUnit(unit_id, Role(row.role), token, *_load(session, row.job_id, unit_id, now))

    def input_ids(self, job: JobRow) -> list[int]:
        """Return the ids a job was given, in order, duplicates included."""
        with self.database.reading() as session:
            return identifiers.unpack(session.scalars(select(InputRow.data).where(InputRow.id == job.input_id)).one())

    def renew(self, tokens: Iterable[str]) -> int:
        """Prolong the leases held under these tokens; called by the worker's main process."""
        until = self.database.now() + self.lease
        held = update(UnitRow).where(UnitRow.token.in_(list(tokens)), UnitRow.state == UnitState.RUNNING)
        with self.database.writing() as session:
            return len(session.execute(held.values(lease_until=until).returning(UnitRow.id)).all())

    def complete_plan(self, unit: ClaimedUnit, time: TimeBase, items: Sequence[NewItem], items_per_unit: int) -> None:
        """Store the planned items, cut the possible ones into units, and start the job."""
        with self.database.writing() as session:
            job, now = self._end(session, unit, "done")
            job.timestamp, job.version, job.started_at = time.timestamp, time.version, now
            job.total, job.failed = len(items), sum(item.error is not None for item in items)
            _store_items(session, job.id, items, items_per_unit, now)
            moment = {"asked": job.at, "timestamp": time.timestamp.isoformat(), "version": time.version}
            append(session, job, now, "planned", **moment)
            if job.failed == job.total:
                _start_finish(session, job, now)
            else:
                move(session, job, now, JobState.RUNNING)

    def succeed_item(
        self, unit: ClaimedUnit, item: ItemRow, metrics: dict[str, Any], files: Sequence[StoredFile], seconds: float
    ) -> None:
        """Record one item's result and files together."""
        with self.database.writing() as session:
            job, row, now = self._open_item(session, unit, item)
            row.state, row.seconds, row.finished_at = ItemState.SUCCEEDED, seconds, now
            row.metrics = row.metrics | metrics
            session.add_all(_artifact_row(job.id, row.id, file, now) for file in files)
            job.succeeded += 1
            append(session, job, now, "item_succeeded", key=row.key, seconds=round(seconds, 3))

    def fail_item(self, unit: ClaimedUnit, item: ItemRow, error: CrantError, traceback: str, seconds: float) -> None:
        """Record that one item cannot be done; the others go on."""
        with self.database.writing() as session:
            job, row, now = self._open_item(session, unit, item)
            row.seconds, row.traceback = seconds, traceback
            _fail(session, job, row, error, now)

    def complete_run(self, unit: ClaimedUnit) -> None:
        """End a unit whose items have all ended; the last one of its job starts the finish."""
        with self.database.writing() as session:
            job, now = self._end(session, unit, "done")
            _finish_if_last(session, job, now)

    def done_items(self, job_id: str) -> list[tuple[ItemRow, list[str]]]:
        """Return the succeeded items in order, each with the names of its files."""
        with self.database.reading() as session:
            rows = session.scalars(
                select(ItemRow)
                .where(ItemRow.job_id == job_id, ItemRow.state == ItemState.SUCCEEDED)
                .order_by(ItemRow.position)
            ).all()
            names: dict[int | None, list[str]] = {}
            for artifact in session.scalars(select(ArtifactRow).where(ArtifactRow.job_id == job_id)):
                names.setdefault(artifact.item_id, []).append(artifact.name)
            return [(row, names.get(row.id, [])) for row in rows]

    def complete_finish(self, unit: ClaimedUnit, files: Sequence[StoredFile]) -> None:
        """Store the job's own files and end it."""
        with self.database.writing() as session:
            job, now = self._end(session, unit, "done")
            session.add_all(_artifact_row(job.id, None, file, now) for file in files)
            move(session, job, now, outcome(job.succeeded, job.failed))

    def give_back(self, token: str, error: CrantError) -> bool:
        """Let a unit that was not finished be tried again, or give it up; False if the token holds nothing.

        Called for retryable errors, and for a process that died. A unit is tried `max_attempts` times.
        """
        with self.database.writing() as session:
            holder = (UnitRow.token == token, UnitRow.state == UnitState.RUNNING)
            job_id = session.scalar(select(UnitRow.job_id).where(*holder))
            job = lock_job(session, job_id) if job_id else None
            unit = session.scalar(select(UnitRow).where(*holder).with_for_update())
            if job is None or unit is None:
                return False
            self._release(session, job, unit, error)
            return True

    def _release(self, session: Session, job: JobRow, unit: UnitRow, error: CrantError) -> None:
        now = self.database.now()
        _end_attempt(session, unit.token, now, error.code)
        if error.retryable and unit.attempt < self.max_attempts:
            unit.state, unit.hint_at, unit.not_before = UnitState.QUEUED, None, now + _pause(unit.attempt)
            append(session, job, now, "unit_retried", role=unit.role, attempt=unit.attempt, code=error.code)
        else:
            unit.state = UnitState.FAILED
            self._give_up(session, job, unit, error, now)
        unit.token, unit.lease_until = None, None

    def _give_up(self, session: Session, job: JobRow, unit: UnitRow, error: CrantError, now: datetime) -> None:
        if unit.role != Role.RUN:
            job.error_code, job.error_message = error.code, str(error)
            move(session, job, now, JobState.FAILED, code=error.code, message=str(error))
            return
        for row in session.scalars(select(ItemRow).where(ItemRow.unit_id == unit.id, _pending())):
            _fail(session, job, row, error, now)
        _finish_if_last(session, job, now)

    def _hold(self, session: Session, unit: ClaimedUnit) -> JobRow:
        """Lock the job, then make sure that this worker still holds the unit."""
        job = lock_job(session, unit.job.id)
        held = select(UnitRow.id).where(
            UnitRow.id == unit.id, UnitRow.token == unit.token, UnitRow.state == UnitState.RUNNING
        )
        if session.scalar(held.with_for_update()) is None:
            raise LeaseLost(value=unit.token)
        return job

    def _open_item(self, session: Session, unit: ClaimedUnit, item: ItemRow) -> tuple[JobRow, ItemRow, datetime]:
        job = self._hold(session, unit)
        row = session.get_one(ItemRow, item.id)
        if row.state != ItemState.PENDING:
            raise LeaseLost(f"item {row.key} has ended already", value=row.key)
        return job, row, self.database.now()

    def _end(self, session: Session, unit: ClaimedUnit, how: str) -> tuple[JobRow, datetime]:
        job, now = self._hold(session, unit), self.database.now()
        row = session.get_one(UnitRow, unit.id)
        row.state, row.lease_until = UnitState.DONE, None
        _end_attempt(session, unit.token, now, how)
        return job, now


def _load(session: Session, job_id: str, unit_id: int, now: datetime) -> tuple[JobRow, tuple[ItemRow, ...]]:
    job = session.scalars(select(JobRow).where(JobRow.id == job_id)).one()
    items = select(ItemRow).where(ItemRow.unit_id == unit_id, _pending()).order_by(ItemRow.position)
    return job, tuple(session.scalars(items))


def _pending() -> Any:
    return ItemRow.state == ItemState.PENDING


def _store_items(session: Session, job_id: str, items: Sequence[NewItem], items_per_unit: int, now: datetime) -> None:
    """Insert items and units in bulk: 100 000 rows one by one would keep every other writer waiting."""
    possible = [position for position, item in enumerate(items) if item.error is None]
    unit_of = {position: order // items_per_unit for order, position in enumerate(possible)}
    units = [{"job_id": job_id, "role": Role.RUN, "position": number} for number in sorted(set(unit_of.values()))]
    if units:
        session.execute(insert(UnitRow), units)
    numbered = select(UnitRow.position, UnitRow.id).where(UnitRow.job_id == job_id, UnitRow.role == Role.RUN)
    unit_ids = {number: unit_id for number, unit_id in session.execute(numbered)}  # noqa: C416 - rows are no tuples to mypy
    rows = [_item_row(job_id, position, item, now) for position, item in enumerate(items)]
    for position, row in enumerate(rows):
        row["unit_id"] = unit_ids[unit_of[position]] if position in unit_of else None
    if rows:
        session.execute(insert(ItemRow), rows)


def _item_row(job_id: str, position: int, item: NewItem, now: datetime) -> dict[str, Any]:
    error = item.error
    return {
        "job_id": job_id,
        "position": position,
        "key": item.key,
        "metrics": item.metrics,
        "state": ItemState.FAILED if error else ItemState.PENDING,
        "error_code": error and error.code,
        "error_message": error and str(error),
        "finished_at": now if error else None,
    }


def _fail(session: Session, job: JobRow, row: ItemRow, error: CrantError, now: datetime) -> None:
    row.state, row.finished_at = ItemState.FAILED, now
    row.error_code, row.error_message = error.code, str(error)
    job.failed += 1
    append(session, job, now, "item_failed", key=row.key, code=error.code, message=str(error))


def _finish_if_last(session: Session, job: JobRow, now: datetime) -> None:
    open_units = select(func.count()).where(
        UnitRow.job_id == job.id, UnitRow.role == Role.RUN, UnitRow.state.in_([UnitState.QUEUED, UnitState.RUNNING])
    )
    session.flush()
    if session.scalar(open_units) == 0:
        _start_finish(session, job, now)


def _start_finish(session: Session, job: JobRow, now: datetime) -> None:
    session.add(UnitRow(job_id=job.id, role=Role.FINISH))
    move(session, job, now, JobState.FINISHING)


def _artifact_row(job_id: str, item_id: int | None, file: StoredFile, now: datetime) -> ArtifactRow:
    return ArtifactRow(job_id=job_id, item_id=item_id, created_at=now, **vars(file))


def _end_attempt(session: Session, token: str | None, now: datetime, how: str) -> None:
    ended = update(AttemptRow).where(AttemptRow.token == token).values(ended_at=now, outcome=how)
    session.execute(ended)


def _pause(attempt: int) -> timedelta:
    """Wait longer each time, and not all at once: full jitter over 1, 2, 4 … 60 seconds."""
    return timedelta(seconds=random.uniform(0.1, min(60, 2.0 ** (attempt - 1))))  # noqa: S311 - not a secret
