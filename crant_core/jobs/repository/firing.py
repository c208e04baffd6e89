"""What happens when slots of schedules come: one job for each, exactly once, whoever looks and however often.

Whoever looks reads the schedules that are due, works out what is to be done, and then stores it in one transaction that
first moves the schedule's row on from the slot it waited for. Who comes second finds it moved, and stores nothing. A
process that dies in between has stored nothing either, and the next look does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crant_core.errors import CrantError, WrongState
from crant_core.jobs.model import JobState, Overlap, Queue, Skipped
from crant_core.jobs.repository.control import cancel
from crant_core.jobs.repository.events import lock_job
from crant_core.jobs.repository.jobs import JobRepository, NewJob
from crant_core.jobs.repository.notifications import NewNotification
from crant_core.jobs.repository.schedules import lock_schedule
from crant_core.jobs.repository.skips import skip
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.slots import begins
from crant_core.jobs.tables import JobRow
from crant_core.jobs.timetable import Reckoning, Span

_AT_ONCE = 1000  #: schedules that one look deals with
_IN_LINE = 10  #: runs of one schedule that have not ended, with those that wait


class FiringRepository:
    """Makes the jobs of schedules."""

    def __init__(self, jobs: JobRepository) -> None:
        self.jobs = jobs
        self.database = jobs.database

    def due(self) -> list[ScheduleRow]:
        """List schedules with a slot that has come, those that have waited longest first."""
        come = select(ScheduleRow).where(ScheduleRow.next_at <= self.database.now())
        with self.database.reading() as session:
            return list(session.scalars(come.order_by(ScheduleRow.next_at).limit(_AT_ONCE)))

    def fire(self, schedule: ScheduleRow, found: Reckoning, made: NewJob | CrantError) -> JobRow | None:
        """Deal with the slots that have come, in one transaction.

        Parameters
        ----------
        schedule : ScheduleRow
            As it was when it was looked at.
        found : Reckoning
        made : NewJob or CrantError
            The job of the slot to run, or why there cannot be one.

        Returns
        -------
        JobRow or None
            The job; None if somebody else was here before, or the slot was left out.
        """
        now = self.database.now()
        with self.database.writing() as session:
            if not _move_on(session, schedule, found, made if found.run else None):
                return None
            if found.missed:
                skip(session, schedule, found.missed, Skipped.MISSED, detail="", now=now)
            if found.run is None:
                return None
            slot = Span(found.run, found.run, 1)
            if isinstance(made, CrantError):
                skip(session, schedule, slot, Skipped.INVALID, detail=f"{made.code}: {made}", now=now)
                return None
            try:
                behind = _make_way(session, schedule, now)
            except WrongState as busy:
                skip(session, schedule, slot, Skipped.OVERLAP, detail=busy.message, now=now)
                return None
            return self.jobs.insert(session, _of_slot(made, found.run, behind))

    def disable(self, schedule: ScheduleRow, error: CrantError) -> None:
        """Stop a schedule whose timetable cannot be read any more, such as one in a time zone that was abolished."""
        as_seen = (ScheduleRow.id == schedule.id, ScheduleRow.revision == schedule.revision)
        nothing = {"enabled": False, "next_slot": None, "next_at": None}
        why = {"error_code": error.code, "error_message": str(error)}
        with self.database.writing() as session:
            session.execute(update(ScheduleRow).where(*as_seen).values(**nothing, **why))

    def run_now(self, schedule: ScheduleRow, new: NewJob) -> tuple[JobRow, bool]:
        """Make a job that belongs to no slot; the schedule waits for its next slot as before.

        Returns
        -------
        tuple of JobRow and bool
            The job, and whether it is new: the same idempotency key gives the job that exists.

        Raises
        ------
        WrongState
            An earlier run has not ended, and the schedule skips what overlaps.
        """
        try:
            return self._run_now(schedule, new)
        except IntegrityError:  # the same key arrived twice at one moment
            return self._run_now(schedule, new)

    def _run_now(self, schedule: ScheduleRow, new: NewJob) -> tuple[JobRow, bool]:
        with self.database.writing() as session:
            lock_schedule(session, schedule.id)
            if existing := self.jobs.existing(session, new):
                return existing
            behind = _make_way(session, schedule, self.database.now())
            return self.jobs.insert(session, _of_slot(new, None, behind)), True


def job_of(
    schedule: ScheduleRow,
    code_version: int,
    queue: Queue,
    parameters: dict[str, Any],
    *,
    owner: str,
    key: str | None = None,
) -> NewJob:
    """Describe the job that a schedule makes, with parameters that its kind has checked."""
    return NewJob(
        kind=schedule.kind,
        code_version=code_version,
        dataset=schedule.dataset,
        parameters=parameters,
        ids=(),
        input_id=schedule.input_id,
        at=schedule.at,
        owner=owner,
        label=schedule.label or schedule.name,
        priority=schedule.priority,
        reuse=schedule.reuse,
        idempotency_key=key,
        body_hash=hashlib.sha256(f"run of schedule {schedule.id}".encode()).hexdigest(),
        schedule_id=schedule.id,
        queue=queue,
        notify=[NewNotification(**one) for one in schedule.notify],
    )


def _of_slot(new: NewJob, slot: datetime | None, behind: Sequence[str]) -> NewJob:
    return replace(new, slot=slot, behind=behind)


def _move_on(session: Session, schedule: ScheduleRow, found: Reckoning, made: NewJob | CrantError | None) -> bool:
    """Let the schedule wait for its next slot, unless somebody moved or changed it since it was looked at."""
    last = found.run or (found.missed and found.missed.last) or schedule.last_slot
    values: dict[str, Any] = {"last_slot": last, "next_slot": found.next}
    values["next_at"] = found.next and begins(schedule)(found.next)
    if made is not None:
        failed = made if isinstance(made, CrantError) else None
        values |= {"error_code": failed and failed.code, "error_message": failed and str(failed)}
    as_seen = (
        ScheduleRow.id == schedule.id,
        ScheduleRow.revision == schedule.revision,
        ScheduleRow.next_slot == schedule.next_slot,
    )
    moved = update(ScheduleRow).where(*as_seen).values(**values).returning(ScheduleRow.id)
    return session.execute(moved).one_or_none() is not None


def _make_way(session: Session, schedule: ScheduleRow, now: datetime) -> list[str]:
    """Do what the schedule says about runs that have not ended; return those that the new one comes behind.

    Raises
    ------
    WrongState
        There shall be no new one.
    """
    going_on = _going_on(session, schedule)
    if not going_on:
        return []
    policy = Overlap(schedule.overlap)
    if policy is Overlap.CANCEL_PREVIOUS:
        for job_id in going_on:
            job = lock_job(session, job_id)
            if not JobState(job.state).ended:
                cancel(session, job, now)
        return []
    if policy is Overlap.QUEUE and len(going_on) < _IN_LINE:
        return going_on
    first = going_on[0]
    more = f", and {len(going_on) - 1} wait behind it" if policy is Overlap.QUEUE else ""
    hint = f"wait for it, or cancel it with POST /v1/jobs/{first}/cancel"
    raise WrongState(f"its run {first} has not ended{more}", value=first, hint=hint)


def _going_on(session: Session, schedule: ScheduleRow) -> list[str]:
    unended = JobRow.state.in_([state for state in JobState if not state.ended])
    query = select(JobRow.id).where(JobRow.schedule_id == schedule.id, unended)
    return list(session.scalars(query.order_by(JobRow.number)))
