"""Schedules as people make, change and look at them. What happens at their slots is in `firing`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crant_core.errors import IdempotencyMismatch, NameTaken, NotFound
from crant_core.jobs.database import Database
from crant_core.jobs.model import Skipped
from crant_core.jobs.repository.inputs import stored
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.repository.skips import skip
from crant_core.jobs.schedule_tables import ScheduleRow, SkipRow
from crant_core.jobs.slots import set_next
from crant_core.jobs.tables import JobRow
from crant_core.jobs.timetable import Span

_TIMETABLE = ("cron", "zone", "every_seconds", "jitter_seconds", "enabled")
_NO_COLUMNS = ("ids", "input_id")


@dataclass(frozen=True, kw_only=True)
class NewSchedule:
    """A validated schedule: a job template and a timetable."""

    name: str
    kind: str
    dataset: str
    parameters: dict[str, Any]
    ids: Sequence[int]
    at: str
    input_id: str | None = None  #: instead of ids: a list that is stored
    label: str = ""
    priority: int = 0
    reuse: bool = True
    notify: list[dict[str, Any]]
    cron: str | None
    zone: str = "UTC"
    every_seconds: int | None
    jitter_seconds: int = 0
    enabled: bool = True
    overlap: str
    catch_up: str


class ScheduleRepository:
    """Keeps schedules. Every read is scoped to a viewer: a schedule one may not see does not exist."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(
        self, new: NewSchedule, owner: str, *, body_hash: str, idempotency_key: str | None = None
    ) -> tuple[ScheduleRow, bool]:
        """Store a schedule.

        Returns
        -------
        tuple of ScheduleRow and bool
            The schedule, and whether it is new: the same idempotency key and body give the one that exists.

        Raises
        ------
        IdempotencyMismatch
            The key was used before with another body.
        NameTaken
        """
        asked = {"owner": owner, "body_hash": body_hash, "idempotency_key": idempotency_key}
        try:
            with self.database.writing() as session:
                return _existing(session, asked) or (self._insert(session, new, asked), True)
        except IntegrityError:  # the same key or name arrived twice at one moment
            with self.database.writing() as session:
                return _existing(session, asked) or (self._insert(session, new, asked), True)

    def _insert(self, session: Session, new: NewSchedule, asked: Mapping[str, Any]) -> ScheduleRow:
        now = self.database.now()
        _refuse_taken(session, asked["owner"], new.name)
        times = {"begun_at": now, "created_at": now, "updated_at": now}
        schedule = ScheduleRow(id=secrets.token_hex(6), **asked, **times, **_columns(session, new))
        set_next(schedule)
        session.add(schedule)
        return schedule

    def get(self, schedule_id: str, viewer: Viewer) -> ScheduleRow:
        """Return one schedule.

        Raises
        ------
        NotFound
        """
        with self.database.reading() as session:
            found = session.scalar(_visible(select(ScheduleRow).where(ScheduleRow.id == schedule_id), viewer))
        if found is None:
            hint = "list yours with GET /v1/schedules"
            raise NotFound(f"there is no schedule {schedule_id}", value=schedule_id, hint=hint)
        return found

    def all(self, viewer: Viewer, *, after: int = 0, limit: int = 100) -> list[ScheduleRow]:
        """List schedules in the order in which they were made, after a number."""
        query = _visible(select(ScheduleRow).where(ScheduleRow.number > after), viewer)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(ScheduleRow.number).limit(limit)))

    def change(self, schedule_id: str, new: NewSchedule) -> ScheduleRow:
        """Make a schedule say something else, from now on.

        A slot that has come and made no job yet keeps its place, unless the timetable changes: then it is left out, and
        slots count from now.

        Raises
        ------
        NotFound
        NameTaken
        """
        now = self.database.now()
        with self.database.writing() as session:
            schedule = lock_schedule(session, schedule_id)
            if new.name != schedule.name:
                _refuse_taken(session, schedule.owner, new.name)
            columns = _columns(session, new)
            is_retimed = any(getattr(schedule, name) != columns[name] for name in _TIMETABLE)
            if is_retimed:
                _leave_out(session, schedule, now)
            for name, value in columns.items():
                setattr(schedule, name, value)
            schedule.revision, schedule.updated_at = schedule.revision + 1, now
            schedule.error_code = schedule.error_message = None
            if is_retimed:
                schedule.begun_at = now
                set_next(schedule)
            return schedule

    def delete(self, schedule_id: str) -> None:
        """Remove a schedule. Its runs stay, and what runs goes on.

        Raises
        ------
        NotFound
        """
        with self.database.writing() as session:
            lock_schedule(session, schedule_id)
            session.execute(delete(SkipRow).where(SkipRow.schedule_id == schedule_id))
            session.execute(delete(ScheduleRow).where(ScheduleRow.id == schedule_id))

    def runs(self, schedule_id: str, *, before: int | None = None, limit: int = 50) -> list[JobRow]:
        """List the jobs of a schedule, newest first; `before` is the number of the last one seen."""
        query = select(JobRow).where(JobRow.schedule_id == schedule_id)
        if before is not None:
            query = query.where(JobRow.number < before)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(JobRow.number.desc()).limit(limit)))

    def last_runs(self, schedule_ids: Iterable[str]) -> dict[str, JobRow]:
        """Return the latest job of each schedule that has one."""
        latest = select(func.max(JobRow.number)).where(JobRow.schedule_id.in_([*schedule_ids]))
        query = select(JobRow).where(JobRow.number.in_(latest.group_by(JobRow.schedule_id)))
        with self.database.reading() as session:
            return {job.schedule_id: job for job in session.scalars(query) if job.schedule_id}

    def skips(self, schedule_id: str, *, before: int | None = None, limit: int = 50) -> list[SkipRow]:
        """List the slots of a schedule that made no job, latest first; `before` is the id of the last one seen."""
        query = select(SkipRow).where(SkipRow.schedule_id == schedule_id)
        if before is not None:
            query = query.where(SkipRow.id < before)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(SkipRow.id.desc()).limit(limit)))


def _visible(query: Select[ScheduleRow], viewer: Viewer) -> Select[ScheduleRow]:
    return query if viewer.sees_all else query.where(ScheduleRow.owner == viewer.owner)


def _existing(session: Session, asked: Mapping[str, Any]) -> tuple[ScheduleRow, bool] | None:
    if asked["idempotency_key"] is None:
        return None
    same_key = (ScheduleRow.owner == asked["owner"], ScheduleRow.idempotency_key == asked["idempotency_key"])
    found = session.scalar(select(ScheduleRow).where(*same_key))
    if found is not None and found.body_hash != asked["body_hash"]:
        raise IdempotencyMismatch(value=asked["idempotency_key"], hint="use a new key for a new request")
    return (found, False) if found else None


def _refuse_taken(session: Session, owner: str, name: str) -> None:
    taken = session.scalar(select(ScheduleRow.id).where(ScheduleRow.owner == owner, ScheduleRow.name == name))
    if taken is not None:
        hint = f"change that one with PATCH /v1/schedules/{taken}, or choose another name"
        raise NameTaken(f"there is a schedule called {name!r} already", value=name, hint=hint)


def _columns(session: Session, new: NewSchedule) -> dict[str, Any]:
    columns = {name: value for name, value in vars(new).items() if name not in _NO_COLUMNS}
    return columns | {"input_id": new.input_id or stored(session, new.ids)}


def lock_schedule(session: Session, schedule_id: str) -> ScheduleRow:
    """Take a schedule's row for this transaction; raises `NotFound`."""
    schedule = session.scalar(select(ScheduleRow).where(ScheduleRow.id == schedule_id).with_for_update())
    if schedule is None:
        raise NotFound(f"there is no schedule {schedule_id}", value=schedule_id)
    return schedule


def _leave_out(session: Session, schedule: ScheduleRow, now: datetime) -> None:
    """Say so if a slot had come by now that nothing will look at any more."""
    slot = schedule.next_slot
    if slot is None or schedule.next_at is None or schedule.next_at > now:
        return
    skip(session, schedule, Span(slot, slot, 1), Skipped.CHANGED, detail="", now=now)
    schedule.last_slot = slot
