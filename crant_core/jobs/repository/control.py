"""What people do to jobs that are there: cancel, pause, resume, retry. And what happens to jobs by themselves.

Each is one transaction that holds the job's row. Where it makes no sense in the state that the job is in, it raises
`WrongState` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from crant_core.errors import CrantError, DeadlineExceeded, DependencyFailed, WrongState
from crant_core.jobs.database import Database
from crant_core.jobs.model import ITEM_TRANSITIONS, UNIT_TRANSITIONS, ItemState, JobState, Role, UnitState, before
from crant_core.jobs.repository.ending import add_unit, start_finish
from crant_core.jobs.repository.events import append, enter, lock_job, move
from crant_core.jobs.repository.pipelines import current_steps, start_again
from crant_core.jobs.tables import AttemptRow, DependencyRow, ItemRow, JobRow, UnitRow

_OPEN = tuple(state for state in JobState if not state.ended)
_GOOD_ENOUGH = (JobState.SUCCEEDED, JobState.PARTIAL)  #: of a job that others come after: there are results


class ControlRepository:
    """Changes what becomes of jobs."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def cancel(self, job_id: str) -> JobRow:
        """End a job. What is done stays; what is being done is taken from its workers.

        Raises
        ------
        WrongState
            It has ended already.
        """
        return self._change(job_id, cancel)

    def pause(self, job_id: str) -> JobRow:
        """Start nothing new of a job; units that run are done.

        Raises
        ------
        WrongState
            It is paused, or has ended.
        """
        return self._change(job_id, _pause)

    def resume(self, job_id: str) -> JobRow:
        """Let a paused job go on.

        Raises
        ------
        WrongState
            It is not paused.
        """
        return self._change(job_id, _resume)

    def retry(self, job_id: str) -> JobRow:
        """Do again what failed, was quarantined or was cancelled; what succeeded is kept. Its deadline is lifted.

        Raises
        ------
        WrongState
            Nothing failed, or the job cannot take more work just now.
        """
        return self._change(job_id, _retry)

    def overdue(self) -> int:
        """Fail the jobs whose deadline has passed, and count them."""
        late = (JobRow.deadline < self.database.now(), JobRow.state.in_(_OPEN))
        return self._change_all(late, _expire)

    def release(self) -> int:
        """Start the jobs whose predecessors are done, fail those with one that failed, and count both."""
        unfinished = select(DependencyRow.job_id).join(JobRow, JobRow.id == DependencyRow.after_id)
        going_on = unfinished.where(JobRow.state.in_(_OPEN))
        free = (JobRow.state == JobState.WAITING, JobRow.id.not_in(going_on))
        return self._change_all(free, _release)

    def _change(self, job_id: str, change: Callable[[Session, JobRow, datetime], None]) -> JobRow:
        with self.database.writing() as session:
            job = lock_job(session, job_id)
            change(session, job, self.database.now())
            return job

    def _change_all(
        self, which: tuple[ColumnElement[bool], ...], change: Callable[[Session, JobRow, datetime], None]
    ) -> int:
        with self.database.reading() as session:
            found = list(session.scalars(select(JobRow.id).where(*which)))
        for job_id in found:
            with self.database.writing() as session:
                job = lock_job(session, job_id)
                if session.scalar(select(JobRow.id).where(JobRow.id == job_id, *which)):  # it may have moved on
                    change(session, job, self.database.now())
        return len(found)


def _state(job: JobRow) -> JobState:
    return JobState(job.state)


def cancel(session: Session, job: JobRow, now: datetime) -> None:
    """End a locked job; raises `WrongState` if it has ended."""
    if _state(job).ended:
        raise _wrong(job, "cancelled", "it has ended; start it again with retry")
    _stop(session, job, now, "cancelled")
    move(session, job, now, JobState.CANCELLED)
    _each_step(session, job, now, cancel, _OPEN)


def _expire(session: Session, job: JobRow, now: datetime) -> None:
    _stop(session, job, now, DeadlineExceeded.code)
    _fail(session, job, now, DeadlineExceeded(f"not done at {job.deadline:%Y-%m-%d %H:%M:%S} UTC"))
    _each_step(session, job, now, cancel, _OPEN)


def _stop(session: Session, job: JobRow, now: datetime, why: str) -> None:
    """Close whatever is open: items, units, and the attempts of workers, who will find out."""
    stoppable = before(UNIT_TRANSITIONS, UnitState.CANCELLED)
    units = update(UnitRow).where(UnitRow.job_id == job.id, UnitRow.state.in_(stoppable))
    session.execute(units.values(state=UnitState.CANCELLED, lease_until=None))
    attempts = update(AttemptRow).where(AttemptRow.job_id == job.id, AttemptRow.ended_at.is_(None))
    session.execute(attempts.values(ended_at=now, outcome=why))
    open_items = update(ItemRow).where(ItemRow.job_id == job.id, ItemRow.state == ItemState.PENDING)
    session.execute(open_items.values(state=ItemState.CANCELLED, finished_at=now))
    job.cancelled, job.uncut, job.resume_to = job.total - job.succeeded - job.failed, 0, None


def _fail(session: Session, job: JobRow, now: datetime, error: CrantError) -> None:
    job.error_code, job.error_message = error.code, str(error)
    move(session, job, now, JobState.FAILED, code=error.code, message=str(error))


def _pause(session: Session, job: JobRow, now: datetime) -> None:
    if _state(job).ended or _state(job) is JobState.PAUSED:
        raise _wrong(job, "paused", "only a job that goes on can be paused")
    resume_to = job.state
    move(session, job, now, JobState.PAUSED)
    job.resume_to = resume_to
    _each_step(session, job, now, _pause, [state for state in _OPEN if state is not JobState.PAUSED])


def _resume(session: Session, job: JobRow, now: datetime) -> None:
    if _state(job) is not JobState.PAUSED:
        raise _wrong(job, "resumed", "only a paused job can be resumed")
    enter(job, now, JobState(job.resume_to or JobState.RUNNING))
    job.resume_to = None
    append(session, job, now, "resumed")
    _each_step(session, job, now, _resume, (JobState.PAUSED,))


def _retry(session: Session, job: JobRow, now: datetime) -> None:
    resting = _state(job) if job.resume_to is None else JobState(job.resume_to)
    if not (resting.ended or resting is JobState.RUNNING) or resting is JobState.SUCCEEDED:
        anew = "nothing of it has failed; to do all again, submit it with reuse false"
        raise _wrong(job, "retried", anew if resting is JobState.SUCCEEDED else "wait until it has ended")
    if job.parent_id is not None:
        raise _wrong(job, "retried", f"it is a step of job {job.parent_id}; retry that one")
    if job.started_at is not None and current_steps(session, job.id):
        _retry_steps(session, job, now)
        return
    again = _reopen(session, job)
    if not again and not resting.ended:
        raise _wrong(job, "retried", "nothing of it has failed so far")
    job.error_code, job.error_message, job.deadline = None, None, None
    if resting.ended:
        _restart(session, job, now)
    append(session, job, now, "retried", items=again)


def _retry_steps(session: Session, job: JobRow, now: datetime) -> None:
    if not _state(job).ended:
        raise _wrong(job, "retried", "wait until it has ended")
    job.error_code, job.error_message, job.deadline = None, None, None
    if start_again(session, job, now):
        move(session, job, now, JobState.RUNNING)
    else:
        start_finish(session, job, now)
    append(session, job, now, "retried")


def _each_step(
    session: Session,
    job: JobRow,
    now: datetime,
    change: Callable[[Session, JobRow, datetime], None],
    states: Collection[JobState],
) -> None:
    """Do to the steps of a pipeline what is done to it; locked in their order, after it."""
    for step in current_steps(session, job.id):
        locked = lock_job(session, step.id)
        if _state(locked) in states:
            change(session, locked, now)


def _reopen(session: Session, job: JobRow) -> int:
    """Take items back that ended without a result, as if nothing had happened to them."""
    if job.started_at is None:  # never planned: there will be other items
        return 0
    reopened = update(ItemRow).where(
        ItemRow.job_id == job.id, ItemRow.state.in_(before(ITEM_TRANSITIONS, ItemState.PENDING))
    )
    fresh = {"unit_id": None, "error_code": None, "error_message": None, "traceback": None, "finished_at": None}
    session.execute(reopened.values(state=ItemState.PENDING, attempts=0, crashes=0, **fresh))
    pending = select(func.count()).where(
        ItemRow.job_id == job.id, ItemRow.state == ItemState.PENDING, ItemRow.unit_id.is_(None)
    )
    again = job.failed + job.cancelled
    job.failed, job.cancelled, job.uncut = 0, 0, session.scalars(pending).one()
    return again


def _restart(session: Session, job: JobRow, now: datetime) -> None:
    """Bring an ended job to where it has something to do."""
    if job.started_at is None:
        add_unit(session, job, Role.PLAN)
        move(session, job, now, JobState.WAITING if _comes_after(session, job) else JobState.PLANNING)
    elif job.uncut:
        move(session, job, now, JobState.RUNNING)
    else:
        start_finish(session, job, now)


def _comes_after(session: Session, job: JobRow) -> bool:
    return session.scalar(select(DependencyRow.after_id).where(DependencyRow.job_id == job.id).limit(1)) is not None


def _release(session: Session, job: JobRow, now: datetime) -> None:
    needed = select(JobRow).join(DependencyRow, DependencyRow.after_id == JobRow.id)
    needed = needed.where(DependencyRow.job_id == job.id, DependencyRow.needed)
    bad = [other for other in session.scalars(needed) if other.state not in _GOOD_ENOUGH]
    if bad:
        _stop(session, job, now, DependencyFailed.code)
        _fail(session, job, now, DependencyFailed(f"job {bad[0].id}, which this one comes after, {bad[0].state}"))
    else:
        move(session, job, now, JobState.PLANNING)


def _wrong(job: JobRow, done: str, hint: str) -> WrongState:
    return WrongState(f"job {job.id} is {job.state} and cannot be {done}", value=job.state, hint=hint)
